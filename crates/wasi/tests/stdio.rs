//! The three streams: where they come from, where they go, and what they say of themselves.

mod guest;

use std::io::{Read as _, Seek as _, Write as _};

use dunlin_wasi::WasiCtx;
use dunlin_wasi::host::{Input, Output, OutputPipe};
use dunlin_wasi::p1::{Errno, Rights, call};
use guest::*;

const CHARACTER_DEVICE: u8 = 2;
const REGULAR: u8 = 4;

fn kind(guest: &mut Guest, fd: u32) -> u8 {
    guest.call(|c, m| call::fd_fdstat_get(c, m, fd, OUT)).unwrap();
    guest.mem[OUT as usize]
}

fn rights(guest: &mut Guest, fd: u32) -> Rights {
    guest.call(|c, m| call::fd_fdstat_get(c, m, fd, OUT)).unwrap();
    Rights(guest.u64(OUT + 8))
}

#[test]
fn nothing_is_the_default() {
    let mut guest = Guest::new(WasiCtx::builder());
    assert_eq!(guest.read(0, 10), Ok(Vec::new()));
    assert_eq!(guest.write(1, b"gone"), Ok(4));
    assert_eq!(guest.write(2, b"gone"), Ok(4));
    for fd in 0..3 {
        assert_eq!(kind(&mut guest, fd), 0, "{fd} is no terminal");
        assert_eq!(guest.seek(fd, 0, 0), Err(Errno::SPIPE));
        assert!(guest.stat(fd).is_ok());
    }
    assert_eq!(guest.write(0, b"x"), Err(Errno::BADF));
    assert_eq!(guest.read(1, 1), Err(Errno::BADF));
    assert_eq!(guest.open(0, "x", Open::READ), Err(Errno::NOTDIR));
}

#[test]
fn memory() {
    let out = OutputPipe::new(10);
    let builder =
        WasiCtx::builder().stdin(Input::bytes(*b"hello")).stdout(Output::pipe(out.clone()));
    let mut guest = Guest::new(builder);
    assert_eq!(guest.read(0, 2).unwrap(), b"he");
    assert_eq!(guest.read(0, 0).unwrap(), b"");
    assert_eq!(guest.read(0, 100).unwrap(), b"llo");
    assert_eq!(guest.read(0, 100).unwrap(), b"");
    assert_eq!(guest.write(1, b"123456"), Ok(6));
    assert_eq!(guest.write(1, b"789abc"), Ok(4), "as much as fits");
    assert_eq!(guest.write(1, b"d"), Err(Errno::NOSPC));
    assert_eq!(guest.write(1, b""), Ok(0));
    assert_eq!(out.contents(), b"123456789a");
    assert_eq!(out.take(), b"123456789a");
    assert_eq!(guest.write(1, b"d"), Ok(1));
    drop(guest);
    assert_eq!(out.contents(), b"d");
}

#[test]
fn files() {
    let tree = TempTree::new();
    std::fs::write(tree.join("in"), "0123456789").unwrap();
    let mut written = std::fs::File::options()
        .create(true)
        .truncate(true)
        .write(true)
        .read(true)
        .open(tree.join("out"))
        .unwrap();
    let mut guest = Guest::new(
        WasiCtx::builder()
            .stdin(Input::file(std::fs::File::open(tree.join("in")).unwrap()))
            .stdout(Output::file(written.try_clone().unwrap())),
    );
    assert_eq!((kind(&mut guest, 0), kind(&mut guest, 1)), (REGULAR, REGULAR));
    assert_eq!(guest.read(0, 3).unwrap(), b"012");
    assert_eq!(guest.seek(0, 8, 0), Ok(8));
    assert_eq!(guest.read(0, 3).unwrap(), b"89");
    assert_eq!(guest.stat(0).unwrap().size, 10);
    assert_eq!(guest.write(1, b"abcdef"), Ok(6));
    assert_eq!(guest.seek(1, -2, 2), Ok(4));
    assert_eq!(guest.write(1, b"X"), Ok(1));
    assert_eq!(guest.call(|c, m| call::fd_sync(c, m, 1)), Ok(()));
    let mut text = String::new();
    written.rewind().unwrap();
    written.read_to_string(&mut text).unwrap();
    assert_eq!(text, "abcdXf");
    assert_eq!(guest.call(|c, m| call::fd_fdstat_set_rights(c, m, 1, 0, 0)), Ok(()));
    assert_eq!(guest.seek(1, 0, 0), Err(Errno::NOTCAPABLE));
}

#[test]
fn a_closed_pipe_is_an_error_code() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut guest = Guest::new(WasiCtx::builder().stdout(Output::file(writer)));
    assert_eq!(guest.write(1, b"x"), Err(Errno::PIPE));
    assert_eq!(guest.write(1, &vec![b'x'; 100_000]), Err(Errno::PIPE));
}

#[test]
fn a_slow_reader_gets_everything() {
    for interruptible in [false, true] {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let reading = std::thread::spawn(move || {
            let mut all = Vec::new();
            let mut piece = [0; 1000];
            loop {
                match reader.read(&mut piece).unwrap() {
                    0 => return all,
                    got => all.extend_from_slice(&piece[..got]),
                }
                std::thread::yield_now();
            }
        });
        let mut builder = WasiCtx::builder().stdout(Output::file(writer));
        if interruptible {
            builder = builder.interrupt(std::sync::Arc::new(|| false));
        }
        let mut guest = Guest::new(builder);
        let bytes: Vec<u8> = (0..300_000u32).map(|n| (n >> 5) as u8).collect();
        // A call that may wait writes everything.
        assert_eq!(guest.write(1, &bytes), Ok(300_000));
        drop(guest);
        assert!(reading.join().unwrap() == bytes, "interruptible {interruptible}");
    }
}

#[test]
fn not_blocking() {
    let (reader, mut writer) = std::io::pipe().unwrap();
    let mut guest = Guest::new(WasiCtx::builder().stdin(Input::file(reader)));
    assert_eq!(kind(&mut guest, 0), 0, "a pipe has no type of its own");
    assert!(!rights(&mut guest, 0).has(Rights::FD_SEEK));
    guest.call(|c, m| call::fd_fdstat_set_flags(c, m, 0, NONBLOCK)).unwrap();
    assert_eq!(guest.read(0, 10), Err(Errno::AGAIN));
    writer.write_all(b"abc").unwrap();
    assert_eq!(guest.read(0, 10).unwrap(), b"abc");
    drop(writer);
    assert_eq!(guest.read(0, 10).unwrap(), b"");
}

/// Opens a pseudo terminal: the side of its owner, and the side a guest is given.
fn terminal() -> (std::fs::File, std::fs::File) {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let owner = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&owner).unwrap();
    unlockpt(&owner).unwrap();
    let name = ptsname(&owner, Vec::new()).unwrap();
    let guest =
        std::fs::File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
    (owner.into(), guest)
}

#[test]
fn a_terminal_sees_no_escapes() {
    for unfiltered in [false, true] {
        let (mut owner, side) = terminal();
        let output = Output::file(side.try_clone().unwrap());
        let output = if unfiltered { output.unfiltered() } else { output };
        let mut guest = Guest::new(WasiCtx::builder().stdin(Input::file(side)).stdout(output));
        for fd in 0..2 {
            assert_eq!(kind(&mut guest, fd), CHARACTER_DEVICE);
            let rights = rights(&mut guest, fd);
            assert!(!rights.has(Rights::FD_SEEK) && !rights.has(Rights::FD_TELL));
        }
        let bytes = b"a\x1b[31mred\x1b[0m \x1b]52;c;aGk=\x07 \x1b[2J\xc3\xa9";
        // The guest sees its own bytes counted, and a sequence may be cut anywhere.
        let (first, second) = bytes.split_at(3);
        assert_eq!(guest.write(1, first), Ok(first.len() as u32));
        assert_eq!(guest.write(1, second), Ok(second.len() as u32));
        assert_eq!(guest.write(1, b"\x1b[3"), Ok(3));
        drop(guest);
        let want: &[u8] = if unfiltered {
            b"a\x1b[31mred\x1b[0m \x1b]52;c;aGk=\x07 \x1b[2J\xc3\xa9\x1b[3"
        } else {
            b"a\x1b[31mred\x1b[0m \\x1b]52;c;aGk=\\x07 \\x1b[2J\xc3\xa9\\x1b[3"
        };
        let mut got = vec![0; want.len()];
        owner.read_exact(&mut got).unwrap();
        assert_eq!(String::from_utf8_lossy(&got), String::from_utf8_lossy(want));
    }
}

#[test]
fn inherited_streams_work() {
    let mut guest = Guest::new(WasiCtx::builder().inherit_stdio());
    for fd in 0..3 {
        assert!(guest.stat(fd).is_ok(), "{fd}");
    }
    assert_eq!(guest.write(2, b""), Ok(0));
}
