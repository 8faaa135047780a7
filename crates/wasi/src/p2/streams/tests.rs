//! The contract of streams over pipes, sockets and files, without a guest.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use std::fs::File;
use std::io::{PipeReader, Read, Write};
use std::os::unix::net::UnixStream;

use super::*;
use crate::WasiCtxBuilder;
use crate::host::{Input, Output, OutputPipe, Stream};
use crate::p2::poll;
use crate::p2::testing::{Scratch, charged};

type In = Resource<InputStream>;
type Out = Resource<OutputStream>;

fn world() -> WasiCtx {
    charged(WasiCtx::builder(), 64 << 20)
}

fn input(ctx: &mut WasiCtx, reader: Reader) -> In {
    ctx.p2.table.push(InputStream::new(reader), 0).unwrap()
}

fn output(ctx: &mut WasiCtx, writer: Writer) -> Out {
    ctx.p2.table.push(OutputStream::new(writer), 0).unwrap()
}

fn bytes(ctx: &mut WasiCtx, bytes: &[u8]) -> In {
    input(ctx, Reader::Input(Input::bytes(bytes)))
}

/// A stream into a pipe.
fn pipe(ctx: &mut WasiCtx) -> (Out, PipeReader) {
    let (read, write) = std::io::pipe().unwrap();
    (output(ctx, Writer::Output(Output::file(write))), read)
}

/// A stream into memory.
fn memory(ctx: &mut WasiCtx, limit: usize) -> (Out, OutputPipe) {
    let pipe = OutputPipe::new(limit);
    (output(ctx, Writer::Output(Output::pipe(pipe.clone()))), pipe)
}

/// The host's error behind one of a stream.
fn cause(ctx: &WasiCtx, error: StreamError) -> host::Error {
    match error {
        StreamError::LastOperationFailed(error) => ctx.p2.table.get(error).unwrap().error,
        StreamError::Closed => panic!("only closed"),
    }
}

fn is_closed<V>(result: Told<V>) -> bool {
    matches!(result, Ok(Err(StreamError::Closed)))
}

fn is_trap<V: std::fmt::Debug>(result: Told<V>) -> bool {
    result.unwrap_err().trap() == Some(Trap::Component)
}

#[test]
fn reading_goes_on_to_the_end() {
    let mut ctx = world();
    let stream = bytes(&mut ctx, b"hello");
    assert_eq!(read(&mut ctx, (stream, 0), false).unwrap().unwrap(), b"");
    assert_eq!(read(&mut ctx, (stream, 2), false).unwrap().unwrap(), b"he");
    assert_eq!(skip(&mut ctx, (stream, 1), true).unwrap().unwrap(), 1);
    assert_eq!(read(&mut ctx, (stream, u64::MAX), true).unwrap().unwrap(), b"lo");
    assert!(is_closed(read(&mut ctx, (stream, 1), false)));
    assert!(is_closed(read(&mut ctx, (stream, 0), true)));
    assert!(is_closed(skip(&mut ctx, (stream, 1), false)));
}

#[test]
fn nothing_to_read_yet_is_nothing() {
    let mut ctx = world();
    let (end, mut write) = std::io::pipe().unwrap();
    let stream = input(&mut ctx, Reader::Input(Input::file(end)));
    assert_eq!(read(&mut ctx, (stream, 10), false).unwrap().unwrap(), b"");
    assert_eq!(skip(&mut ctx, (stream, 10), false).unwrap().unwrap(), 0);
    write.write_all(b"abc").unwrap();
    assert_eq!(read(&mut ctx, (stream, 10), true).unwrap().unwrap(), b"abc");
    drop(write);
    assert!(is_closed(read(&mut ctx, (stream, 10), true)));
}

#[test]
fn what_is_read_is_charged_first() {
    let mut ctx = charged(WasiCtx::builder(), 10_000);
    let stream = bytes(&mut ctx, &[7; 100_000]);
    assert!(read(&mut ctx, (stream, u64::MAX), false).is_err());
    assert_eq!(read(&mut ctx, (stream, 5_000), false).unwrap().unwrap(), [7; 5_000]);
}

#[test]
fn writing_takes_a_permit() {
    let mut ctx = world();
    let (stream, memory) = memory(&mut ctx, 1 << 20);
    write(&mut ctx, (stream, Vec::new())).unwrap().unwrap();
    assert!(is_trap(write(&mut ctx, (stream, vec![1]))));
    let permit = check_write(&mut ctx, (stream,)).unwrap().unwrap();
    write(&mut ctx, (stream, b"ab".to_vec())).unwrap().unwrap();
    write(&mut ctx, (stream, b"c".to_vec())).unwrap().unwrap();
    flush(&mut ctx, (stream,), false).unwrap().unwrap();
    assert!(is_trap(write_zeroes(&mut ctx, (stream, permit - 2))));
    write_zeroes(&mut ctx, (stream, 2)).unwrap().unwrap();
    assert!(is_trap(write_zeroes(&mut ctx, (stream, u64::MAX))));
    assert_eq!(memory.contents(), b"abc\0\0");
}

#[test]
fn blocking_writes_have_a_limit() {
    let mut ctx = world();
    let (stream, memory) = memory(&mut ctx, 1 << 20);
    assert!(is_trap(blocking_write_and_flush(&mut ctx, (stream, vec![0; 4097]))));
    assert!(is_trap(blocking_write_zeroes_and_flush(&mut ctx, (stream, 4097))));
    blocking_write_and_flush(&mut ctx, (stream, vec![1; 4096])).unwrap().unwrap();
    blocking_write_zeroes_and_flush(&mut ctx, (stream, 4096)).unwrap().unwrap();
    assert_eq!(memory.contents().len(), 8192);
}

#[test]
fn an_error_closes() {
    let mut ctx = world();
    let (stream, _) = memory(&mut ctx, 3);
    let error = blocking_write_and_flush(&mut ctx, (stream, vec![1; 4])).unwrap().unwrap_err();
    assert_eq!(cause(&ctx, error), host::Error::NoSpace);
    assert!(is_closed(check_write(&mut ctx, (stream,))));
    assert!(is_closed(write(&mut ctx, (stream, Vec::new()))));
    assert!(is_closed(flush(&mut ctx, (stream,), true)));
    assert!(is_closed(blocking_write_and_flush(&mut ctx, (stream, vec![1]))));

    let (stream, read) = pipe(&mut ctx);
    drop(read);
    let error = blocking_write_and_flush(&mut ctx, (stream, vec![1])).unwrap().unwrap_err();
    assert_eq!(cause(&ctx, error), host::Error::Pipe);
}

#[test]
fn a_full_pipe_permits_nothing() {
    let mut ctx = world();
    let (stream, mut read) = pipe(&mut ctx);
    let mut written = 0;
    loop {
        match check_write(&mut ctx, (stream,)).unwrap().unwrap() {
            0 => break,
            permit => {
                written += permit;
                write_zeroes(&mut ctx, (stream, permit)).unwrap().unwrap();
            }
        }
    }
    assert!(written >= 4096);
    let pollable = Pollable::subscribe(&mut ctx.p2.table, stream).unwrap();
    assert!(!poll::ready(&mut ctx, (pollable,)).unwrap());
    let mut buffer = vec![1; usize::try_from(written).unwrap()];
    read.read_exact(&mut buffer).unwrap();
    assert!(buffer.iter().all(|byte| *byte == 0));
    poll::block(&mut ctx, (pollable,)).unwrap();
    assert_eq!(check_write(&mut ctx, (stream,)).unwrap().unwrap(), 4096);
}

#[test]
fn a_socket_that_takes_a_part_gets_the_rest_later() {
    let mut ctx = world();
    let (here, mut there) = UnixStream::pair().unwrap();
    let stream = output(&mut ctx, Writer::Socket(Arc::new(Stream::from(here))));
    let pollable = Pollable::subscribe(&mut ctx.p2.table, stream).unwrap();
    let mut sent = Vec::new();
    // As long as there is room for anything, so much is taken, be there room for it or not.
    loop {
        let permit = check_write(&mut ctx, (stream,)).unwrap().unwrap();
        if permit == 0 {
            break;
        }
        let piece: Vec<u8> = (0..permit).map(|i| (i % 251) as u8).collect();
        sent.extend_from_slice(&piece);
        write(&mut ctx, (stream, piece)).unwrap().unwrap();
    }
    assert!(!poll::ready(&mut ctx, (pollable,)).unwrap());
    let reader = std::thread::spawn(move || {
        let mut all = Vec::new();
        there.read_to_end(&mut all).unwrap();
        all
    });
    poll::block(&mut ctx, (pollable,)).unwrap();
    assert!(check_write(&mut ctx, (stream,)).unwrap().unwrap() > 0);
    blocking_write_and_flush(&mut ctx, (stream, b"end".to_vec())).unwrap().unwrap();
    sent.extend_from_slice(b"end");
    ctx.p2.table.remove(pollable).unwrap();
    ctx.p2.table.remove(stream).unwrap();
    assert!(reader.join().unwrap() == sent);
}

#[test]
fn a_connection_that_is_gone_is_closed() {
    let mut ctx = world();
    let (here, there) = UnixStream::pair().unwrap();
    drop(there);
    let socket = Arc::new(Stream::from(here));
    let stream = output(&mut ctx, Writer::Socket(Arc::clone(&socket)));
    assert!(is_closed(blocking_write_and_flush(&mut ctx, (stream, vec![1]))));
    let stream = input(&mut ctx, Reader::Socket(socket));
    assert!(is_closed(read(&mut ctx, (stream, 1), true)));
}

#[test]
fn splicing_moves_what_both_ends_allow() {
    let mut ctx = world();
    let from = bytes(&mut ctx, &[5; 5000]);
    let (to, mut read_end) = pipe(&mut ctx);
    assert_eq!(splice(&mut ctx, (to, from, 0), false).unwrap().unwrap(), 0);
    assert_eq!(splice(&mut ctx, (to, from, 10), false).unwrap().unwrap(), 10);
    assert_eq!(splice(&mut ctx, (to, from, u64::MAX), true).unwrap().unwrap(), 4096);
    let mut buffer = [0; 4106];
    read_end.read_exact(&mut buffer).unwrap();
    assert_eq!(buffer, [5; 4106]);
    assert_eq!(splice(&mut ctx, (to, from, u64::MAX), true).unwrap().unwrap(), 894);
    assert!(is_closed(splice(&mut ctx, (to, from, 1), true)));
}

#[test]
fn a_splice_that_waits_can_be_stopped() {
    let stop: Arc<dyn Fn() -> bool + Send + Sync> = Arc::new(|| true);
    let mut ctx = charged(builder_with(stop), 1 << 20);
    let (end, _write) = std::io::pipe().unwrap();
    let from = input(&mut ctx, Reader::Input(Input::file(end)));
    let (to, _memory) = memory(&mut ctx, 100);
    let error = splice(&mut ctx, (to, from, 1), true).unwrap_err();
    assert!(error.is::<crate::Interrupted>());
}

fn builder_with(stop: Arc<dyn Fn() -> bool + Send + Sync>) -> WasiCtxBuilder {
    WasiCtx::builder().interrupt(stop)
}

#[test]
fn standard_input_from_a_file_is_a_stream_too() {
    let scratch = Scratch::new();
    std::fs::write(scratch.0.join("f"), [9; 100_000]).unwrap();
    let mut ctx = world();
    let file = File::open(scratch.0.join("f")).unwrap();
    let stream = input(&mut ctx, Reader::Input(Input::file(file)));
    let mut total = 0;
    while let Ok(piece) = read(&mut ctx, (stream, 1 << 40), true).unwrap() {
        assert!(!piece.is_empty());
        total += piece.len();
    }
    assert_eq!(total, 100_000);
}
