//! A guest that does everything in any order: it gets errors, traps, or what it asked for, and in the end nothing is left.

use dunlin_wasi::p2::{InputStream, IoError, OutputStream};

use super::*;
use crate::p2::incoming::FutureTrailers;

/// A generator of numbers that are the same every time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }
}

/// Something the guest holds.
#[derive(Clone, Copy)]
enum Held {
    Request(Request),
    Future(Future),
    Response(Resource<IncomingResponse>),
    Written(Resource<OutgoingBody>),
    Read(Resource<IncomingBody>),
    Trailers(Resource<FutureTrailers>),
    Out(Resource<OutputStream>),
    In(Resource<InputStream>),
    Pollable(Resource<Pollable>),
    Fields(Resource<field::FieldsHandle>),
    Error(Resource<IoError>),
}

fn drop_one(ctx: &mut WasiCtx, held: Held) {
    let table = ctx.table();
    match held {
        Held::Request(this) => table.remove(this),
        Held::Future(this) => table.remove(this),
        Held::Response(this) => table.remove(this),
        Held::Written(this) => table.remove(this),
        Held::Read(this) => table.remove(this),
        Held::Trailers(this) => table.remove(this),
        Held::Out(this) => table.remove(this),
        Held::In(this) => table.remove(this),
        Held::Pollable(this) => table.remove(this),
        Held::Fields(this) => table.remove(this),
        Held::Error(this) => table.remove(this),
    }
    .unwrap();
}

/// What a stream's failure leaves.
fn failure(all: &mut Vec<Held>, error: StreamError) {
    if let StreamError::LastOperationFailed(error) = error {
        all.push(Held::Error(error));
    }
}

/// Uses something; whether it is still the guest's.
fn use_one(ctx: &mut WasiCtx, all: &mut Vec<Held>, held: Held, chance: &mut Chance) -> bool {
    match held {
        Held::Request(this) => match chance.below(3) {
            0 => all.extend(outgoing::body(ctx, (this,)).unwrap().map(Held::Written)),
            1 => {
                let started = handle(ctx, (this, None)).unwrap();
                all.extend(started.map(Held::Future));
                return false;
            }
            _ => {}
        },
        Held::Future(this) if chance.below(2) == 0 => {
            if let Some(Ok(Ok(response))) = get(ctx, (this,)).unwrap() {
                all.push(Held::Response(response));
            }
        }
        Held::Future(this) => {
            all.push(Held::Pollable(Pollable::subscribe(ctx.table(), this).unwrap()));
        }
        Held::Response(this) => match chance.below(2) {
            0 => all.extend(incoming::consume(ctx, (this,)).unwrap().map(Held::Read)),
            _ => all.push(Held::Fields(incoming::headers(ctx, (this,)).unwrap())),
        },
        Held::Written(this) => match chance.below(3) {
            0 => all.extend(outgoing::write(ctx, (this,)).unwrap().map(Held::Out)),
            1 => {
                let trailers = field::new(ctx, ()).unwrap();
                let name = ["x-end", "content-length"][chance.below(2)].to_owned();
                field::append(ctx, (trailers, name, b"1".to_vec())).unwrap().unwrap();
                let _ = outgoing::finish(ctx, (this, Some(trailers))).unwrap();
                return false;
            }
            _ => {
                let _ = outgoing::finish(ctx, (this, None)).unwrap();
                return false;
            }
        },
        Held::Read(this) => match chance.below(2) {
            0 => all.extend(incoming::stream(ctx, (this,)).unwrap().map(Held::In)),
            _ => {
                all.push(Held::Trailers(incoming::finish(ctx, (this,)).unwrap()));
                return false;
            }
        },
        Held::Trailers(this) if chance.below(2) == 0 => {
            if let Some(Ok(Ok(Some(fields)))) = incoming::get_trailers(ctx, (this,)).unwrap() {
                all.push(Held::Fields(fields));
            }
        }
        Held::Trailers(this) => {
            all.push(Held::Pollable(Pollable::subscribe(ctx.table(), this).unwrap()));
        }
        Held::Out(this) if chance.below(3) == 0 => {
            all.push(Held::Pollable(Pollable::subscribe(ctx.table(), this).unwrap()));
        }
        Held::Out(this) => match call::check_write(ctx, (this,)).unwrap() {
            Ok(room) => {
                let size = chance.below(room as usize + 1);
                if let Err(error) = call::write(ctx, (this, vec![b'x'; size])).unwrap() {
                    failure(all, error);
                }
            }
            Err(error) => failure(all, error),
        },
        Held::In(this) if chance.below(3) == 0 => {
            all.push(Held::Pollable(Pollable::subscribe(ctx.table(), this).unwrap()));
        }
        Held::In(this) => {
            if let Err(error) = call::read(ctx, (this, 100), false).unwrap() {
                failure(all, error);
            }
        }
        Held::Pollable(this) => drop(call::ready(ctx, (this,)).unwrap()),
        Held::Fields(this) => drop(field::entries(ctx, (this,)).unwrap()),
        Held::Error(this) => drop(http_error_code(ctx, (this,)).unwrap()),
    }
    true
}

/// What to begin with.
fn begin(ctx: &mut WasiCtx, to: &str, chance: &mut Chance) -> Request {
    let lists: [&[(&str, &str)]; 3] = [&[], &[("content-length", "5000")], &[("trailer", "x-end")]];
    let request = request(ctx, to, "/", lists[chance.below(3)]);
    outgoing::set_method(ctx, (request, Method::Post)).unwrap().unwrap();
    request
}

#[test]
fn anything_in_any_order() {
    let server = Server::new(|mut stream, _| {
        server::send(
            &mut stream,
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx-end: 1\r\n\r\n",
        );
        server::hold(stream);
    });
    let to = server.authority();
    for seed in 1..=40 {
        let mut chance = Chance(0x9e37_79b9_7f4a_7c15 ^ seed);
        let mut ctx = world(&server.rule());
        let mut all = Vec::new();
        for step in 0..300 {
            if all.len() < 4 {
                all.push(Held::Request(begin(&mut ctx, &to, &mut chance)));
            }
            let at = chance.below(all.len());
            let held = all.swap_remove(at);
            if chance.below(4) == 0 {
                drop_one(&mut ctx, held);
            } else if use_one(&mut ctx, &mut all, held, &mut chance) {
                all.push(held);
            }
            if step % 50 == 0 {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        while !all.is_empty() {
            let held = all.swap_remove(chance.below(all.len()));
            drop_one(&mut ctx, held);
        }
        assert_clean(&mut ctx);
    }
}
