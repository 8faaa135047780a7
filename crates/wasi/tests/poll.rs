//! Waiting: clocks, descriptors, both revisions, limits, and an embedder that wants a stop.

mod guest;

use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dunlin_wasi::WasiCtx;
use dunlin_wasi::host::{Access, Input, Output, OutputPipe};
use dunlin_wasi::p1::{Errno, Interrupted, Stop, call, call_unstable};
use guest::*;

const IN: u32 = 0x1_0000;
const EVENTS: u32 = 0x8_0000;

#[derive(Clone, Copy)]
enum Sub {
    Clock { id: u32, timeout: u64, flags: u16 },
    Read(u32),
    Write(u32),
    Raw(u8),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Event {
    userdata: u64,
    errno: u16,
    tag: u8,
    available: u64,
    flags: u16,
}

fn event(userdata: u64, tag: u8) -> Event {
    Event { userdata, errno: 0, tag, available: 0, flags: 0 }
}

const MS: u64 = 1_000_000;

fn monotonic(timeout: u64) -> Sub {
    Sub::Clock { id: 1, timeout, flags: 0 }
}

/// Writes the list, numbered from 100; `shift` is 8 in the older revision.
fn put(guest: &mut Guest, subs: &[Sub], size: u32, shift: u32) {
    for (index, sub) in subs.iter().enumerate() {
        let at = IN + index as u32 * size;
        guest.put(at, &vec![0xaa; size as usize]);
        guest.put(at, &(100 + index as u64).to_le_bytes());
        match *sub {
            Sub::Clock { id, timeout, flags } => {
                guest.put(at + 8, &[0]);
                guest.put(at + 16 + shift, &id.to_le_bytes());
                guest.put(at + 24 + shift, &timeout.to_le_bytes());
                guest.put(at + 40 + shift, &flags.to_le_bytes());
            }
            Sub::Read(fd) => {
                guest.put(at + 8, &[1]);
                guest.put(at + 16, &fd.to_le_bytes());
            }
            Sub::Write(fd) => {
                guest.put(at + 8, &[2]);
                guest.put(at + 16, &fd.to_le_bytes());
            }
            Sub::Raw(tag) => {
                guest.put(at + 8, &[tag]);
            }
        }
    }
}

fn events(guest: &Guest) -> Vec<Event> {
    (0..guest.u32(OUT))
        .map(|index| {
            let at = EVENTS + index * 32;
            let padding = [guest.bytes(at + 11, 5), guest.bytes(at + 26, 6)].concat();
            assert_eq!(padding, [0; 11], "the padding of event {index}");
            Event {
                userdata: guest.u64(at),
                errno: guest.u16(at + 8),
                tag: guest.mem[at as usize + 10],
                available: guest.u64(at + 16),
                flags: guest.u16(at + 24),
            }
        })
        .collect()
}

fn poll(guest: &mut Guest, subs: &[Sub]) -> Res<Vec<Event>> {
    put(guest, subs, 48, 0);
    guest.put(EVENTS, &vec![0xaa; subs.len().min(1000) * 32]);
    let count = subs.len() as u32;
    guest.call(|c, m| call::poll_oneoff(c, m, IN, EVENTS, count, OUT))?;
    Ok(events(guest))
}

fn nothing() -> Guest {
    Guest::new(WasiCtx::builder())
}

/// A wait in virtual time is over at once, and has taken what it should.
#[test]
fn virtual_time_is_not_waited_for() {
    let mut guest = Guest::new(WasiCtx::builder().deterministic(0));
    let now = |guest: &mut Guest| {
        guest.call(|c, m| call::clock_time_get(c, m, 1, 0, OUT)).unwrap();
        guest.u64(OUT)
    };
    let start = Instant::now();
    assert_eq!(now(&mut guest), 0);
    let got = poll(&mut guest, &[monotonic(1_000_000 * MS), monotonic(500_000 * MS)]).unwrap();
    assert_eq!(got, [event(101, 0)]);
    // Two deadlines were made from two looks at the clock.
    assert_eq!(now(&mut guest), 500_000 * MS + 2000);
    let until = Sub::Clock { id: 1, timeout: 600_000 * MS, flags: 1 };
    assert_eq!(poll(&mut guest, &[until, monotonic(u64::MAX)]).unwrap(), [event(100, 0)]);
    assert_eq!(now(&mut guest), 600_000 * MS);
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn clocks() {
    let mut guest = nothing();
    let start = Instant::now();
    let got = poll(&mut guest, &[monotonic(10_000 * MS), monotonic(30 * MS)]).unwrap();
    assert_eq!(got, [event(101, 0)]);
    let took = start.elapsed();
    assert!(took >= Duration::from_millis(30) && took < Duration::from_secs(5), "{took:?}");

    // Both are over: both are told. Time of day waits as well.
    let got = poll(&mut guest, &[monotonic(0), Sub::Clock { id: 0, timeout: 0, flags: 0 }]);
    assert_eq!(got.unwrap(), [event(100, 0), event(101, 0)]);

    for id in [0, 1] {
        guest.call(|c, m| call::clock_time_get(c, m, id, 0, OUT)).unwrap();
        let now = guest.u64(OUT);
        let start = Instant::now();
        let until = Sub::Clock { id, timeout: now + 30 * MS, flags: 1 };
        assert_eq!(poll(&mut guest, &[until]).unwrap(), [event(100, 0)]);
        let took = start.elapsed();
        assert!(took >= Duration::from_millis(20) && took < Duration::from_secs(5), "{took:?}");
        let past = Sub::Clock { id, timeout: 1, flags: 1 };
        assert_eq!(poll(&mut guest, &[past, monotonic(u64::MAX)]).unwrap(), [event(100, 0)]);
    }
    for (id, errno) in
        [(2, Errno::NOTSUP), (3, Errno::NOTSUP), (4, Errno::INVAL), (u32::MAX, Errno::INVAL)]
    {
        let sub = Sub::Clock { id, timeout: u64::MAX, flags: 0 };
        let want = Event { errno: errno.0, ..event(100, 0) };
        assert_eq!(poll(&mut guest, &[sub, monotonic(u64::MAX)]).unwrap(), [want], "{id}");
    }
}

#[test]
fn refused_lists() {
    let mut guest = nothing();
    assert_eq!(poll(&mut guest, &[]), Err(Errno::INVAL));
    assert_eq!(poll(&mut guest, &[monotonic(0), Sub::Raw(3)]), Err(Errno::INVAL));
    assert_eq!(poll(&mut guest, &[Sub::Raw(255)]), Err(Errno::INVAL));
    let flags = Sub::Clock { id: 1, timeout: 0, flags: 2 };
    assert_eq!(poll(&mut guest, &[flags]), Err(Errno::INVAL));
    for (list, out, count, n, want) in [
        (IN, EVENTS, 4097, OUT, Errno::INVAL),
        (IN, EVENTS, 1_000_000, OUT, Errno::INVAL),
        (IN, EVENTS, u32::MAX, OUT, Errno::INVAL),
        (MEMORY as u32 - 47, EVENTS, 1, OUT, Errno::FAULT),
        (IN, MEMORY as u32 - 31, 1, OUT, Errno::FAULT),
        (IN, EVENTS, 1, MEMORY as u32 - 3, Errno::FAULT),
        (u32::MAX, EVENTS, 4096, OUT, Errno::FAULT),
    ] {
        put(&mut guest, &[monotonic(0)], 48, 0);
        let got = guest.call(|c, m| call::poll_oneoff(c, m, list, out, count, n));
        assert_eq!(got, Err(want), "{list:#x} {out:#x} {count} {n:#x}");
    }
}

#[test]
fn many_and_equal() {
    let tree = TempTree::new();
    std::fs::write(tree.join("f"), "content").unwrap();
    let mut guest = Guest::at(tree.path(), Access::ReadWrite);
    let fd = guest.open(ROOT, "f", Open::READ).unwrap();
    guest.seek(fd, 3, 0).unwrap();
    guest.mem.resize(4 << 20, 0);
    let got = poll(&mut guest, &vec![Sub::Read(fd); 4096]).unwrap();
    assert_eq!(got.len(), 4096);
    for (index, got) in got.iter().enumerate() {
        assert_eq!(*got, Event { available: 4, ..event(100 + index as u64, 1) });
    }
}

#[test]
fn descriptors() {
    let (reader, mut writer) = std::io::pipe().unwrap();
    let (_unread, full) = std::io::pipe().unwrap();
    let tree = TempTree::new();
    let mut guest = Guest::new(
        WasiCtx::builder()
            .stdin(Input::file(reader))
            .stdout(Output::file(full))
            .stderr(Output::pipe(OutputPipe::new(10)))
            .dir(tree.path(), "/", Access::ReadWrite),
    );
    // Nothing to read yet; room to write; memory always has an answer.
    assert_eq!(poll(&mut guest, &[Sub::Read(0), monotonic(5 * MS)]).unwrap(), [event(101, 0)]);
    let got = poll(&mut guest, &[Sub::Write(1), Sub::Write(2), Sub::Read(0)]).unwrap();
    assert_eq!(got, [event(100, 2), event(101, 2)]);

    writer.write_all(b"abc").unwrap();
    let got = poll(&mut guest, &[Sub::Read(0), monotonic(10_000 * MS)]).unwrap();
    assert_eq!(got, [Event { available: 3, ..event(100, 1) }]);
    drop(writer);
    let got = poll(&mut guest, &[Sub::Read(0)]).unwrap();
    assert_eq!(got, [Event { available: 3, flags: 1, ..event(100, 1) }]);
    guest.read(0, 10).unwrap();
    let got = poll(&mut guest, &[Sub::Read(0)]).unwrap();
    assert_eq!(got, [Event { flags: 1, ..event(100, 1) }]);

    // A full pipe has no room.
    guest.call(|c, m| call::fd_fdstat_set_flags(c, m, 1, NONBLOCK)).unwrap();
    let chunk = vec![b'x'; 4096];
    while guest.write(1, &chunk) == Ok(4096) {}
    assert_eq!(guest.write(1, &chunk), Err(Errno::AGAIN));
    assert_eq!(poll(&mut guest, &[Sub::Write(1), monotonic(5 * MS)]).unwrap(), [event(101, 0)]);

    // What cannot be waited for says so at once.
    for (sub, errno) in [
        (Sub::Read(77), Errno::BADF),
        (Sub::Read(u32::MAX), Errno::BADF),
        (Sub::Read(1), Errno::BADF),
        (Sub::Write(0), Errno::BADF),
        (Sub::Read(ROOT), Errno::BADF),
    ] {
        let got = poll(&mut guest, &[sub, monotonic(10_000 * MS)]).unwrap();
        assert_eq!((got.len(), got[0].errno), (1, errno.0));
    }
    let fd = guest.open(ROOT, "f", Open::WRITE.with(CREAT)).unwrap();
    guest.call(|c, m| call::fd_fdstat_set_rights(c, m, fd, 1 << 1, 0)).unwrap();
    let got = poll(&mut guest, &[Sub::Read(fd)]).unwrap();
    assert_eq!(got[0].errno, Errno::NOTCAPABLE.0);
}

#[test]
fn the_older_revision() {
    let mut guest = Guest::new(WasiCtx::builder().stdin(Input::bytes(*b"12345")));
    put(&mut guest, &[Sub::Read(0), monotonic(0), monotonic(10_000 * MS)], 56, 8);
    guest.call(|c, m| call_unstable::poll_oneoff(c, m, IN, EVENTS, 3, OUT)).unwrap();
    assert_eq!(events(&guest), [Event { available: 5, ..event(100, 1) }, event(101, 0)]);
}

/// A guest that may wait for 20 milliseconds.
fn impatient(builder: dunlin_wasi::WasiCtxBuilder) -> Guest {
    let end = Instant::now() + Duration::from_millis(20);
    Guest::new(builder.interrupt(Arc::new(move || Instant::now() >= end)))
}

#[test]
fn stopped_while_waiting() {
    type Waits = fn(&mut WasiCtx, &mut [u8]) -> Result<Errno, Stop>;
    let waits: [(&str, Waits); 4] = [
        ("poll", |c, m| call::poll_oneoff(c, m, IN, EVENTS, 2, OUT)),
        ("read", |c, m| call::fd_read(c, m, 0, OUT + 8, 1, OUT)),
        ("write", |c, m| call::fd_write(c, m, 1, OUT + 8, 1, OUT)),
        ("accept", |c, m| call::sock_accept(c, m, 3, 0, OUT)),
    ];
    for (name, wait) in waits {
        let (reader, _writer) = std::io::pipe().unwrap();
        let (_unread, full) = std::io::pipe().unwrap();
        let mut guest = impatient(
            WasiCtx::builder()
                .stdin(Input::file(reader))
                .stdout(Output::file(full))
                .listener(std::net::TcpListener::bind("127.0.0.1:0").unwrap()),
        );
        put(&mut guest, &[monotonic(u64::MAX), Sub::Read(0)], 48, 0);
        guest.iovs(OUT + 8, &[(0, MEMORY as u32)]);
        let start = Instant::now();
        let got = wait(&mut guest.ctx, &mut guest.mem);
        assert_eq!(got, Err(Stop::Interrupted(Interrupted)), "{name}");
        let took = start.elapsed();
        assert!(took < Duration::from_millis(500), "{name} took {took:?}");
    }
}

#[test]
fn the_question_is_asked_while_sleeping() {
    use std::sync::atomic::{AtomicU32, Ordering};
    let asked = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&asked);
    let mut guest = nothing();
    guest.ctx.set_interrupt(Arc::new(move || {
        count.fetch_add(1, Ordering::Relaxed);
        false
    }));
    let start = Instant::now();
    assert_eq!(poll(&mut guest, &[monotonic(60 * MS)]).unwrap(), [event(100, 0)]);
    assert!(start.elapsed() >= Duration::from_millis(60));
    assert!(asked.load(Ordering::Relaxed) >= 4);
}

#[test]
fn long_work_is_stopped() {
    let mut guest = Guest::new(WasiCtx::builder().interrupt(Arc::new(|| true)));
    let got = call::random_get(&mut guest.ctx, &mut guest.mem[..], 0, MEMORY as u32);
    assert_eq!(got, Err(Stop::Interrupted(Interrupted)));
}
