//! Lists of buffers at the edges of memory, and offsets at the edges of numbers.

mod guest;

use std::os::unix::fs::MetadataExt;

use dunlin_wasi::WasiCtx;
use dunlin_wasi::host::{Access, Input, Output, OutputPipe};
use dunlin_wasi::p1::{Errno, call};
use guest::*;

const END: u32 = MEMORY as u32;
const LIST: u32 = 0x2000;

/// The four calls that take a list, on a file and on streams.
fn each(guest: &mut Guest, list: u32, count: u32, out: u32) -> Vec<(&'static str, Res<()>)> {
    let file = guest.open(ROOT, "f", Open::WRITE).unwrap();
    let all = vec![
        ("read", guest.call(|c, m| call::fd_read(c, m, file, list, count, out))),
        ("pread", guest.call(|c, m| call::fd_pread(c, m, file, list, count, 0, out))),
        ("read stream", guest.call(|c, m| call::fd_read(c, m, 0, list, count, out))),
        ("write", guest.call(|c, m| call::fd_write(c, m, file, list, count, out))),
        ("pwrite", guest.call(|c, m| call::fd_pwrite(c, m, file, list, count, 0, out))),
        ("write stream", guest.call(|c, m| call::fd_write(c, m, 1, list, count, out))),
    ];
    guest.close(file).unwrap();
    all
}

#[test]
fn bad_lists_do_nothing() {
    let tree = TempTree::new();
    std::fs::write(tree.join("f"), "content").unwrap();
    let pipe = OutputPipe::new(100);
    let mut guest = Guest::new(
        WasiCtx::builder()
            .dir(tree.path(), "/", Access::ReadWrite)
            .stdin(Input::bytes(*b"input"))
            .stdout(Output::pipe(pipe.clone())),
    );
    // A good buffer first: it must not be touched either.
    guest.put(DATA, b"........");
    let good = (DATA, 4);
    let lists = [
        ("one byte over the end", vec![good, (END - 3, 4)], Errno::FAULT),
        ("starts after the end", vec![good, (END + 1, 0)], Errno::FAULT),
        ("wraps", vec![good, (u32::MAX, 2)], Errno::FAULT),
        ("as long as can be", vec![good, (DATA, u32::MAX)], Errno::FAULT),
    ];
    for (what, list, want) in &lists {
        let count = guest.iovs(LIST, list);
        for (call, result) in each(&mut guest, LIST, count, OUT) {
            assert_eq!(result, Err(*want), "{call}: {what}");
        }
    }
    for (what, list, count, out, want) in [
        ("list over the end", END - 4, 1, OUT, Errno::FAULT),
        ("list far out", u32::MAX - 3, 1, OUT, Errno::FAULT),
        ("endless list", LIST, u32::MAX, OUT, Errno::INVAL),
        ("long list", LIST, 1025, OUT, Errno::INVAL),
        ("result over the end", LIST, 1, END - 3, Errno::FAULT),
        ("result far out", LIST, 1, u32::MAX, Errno::FAULT),
    ] {
        guest.iovs(LIST, &[good]);
        for (call, result) in each(&mut guest, list, count, out) {
            assert_eq!(result, Err(want), "{call}: {what}");
        }
    }
    assert_eq!(guest.bytes(DATA, 8), b"........");
    assert_eq!(std::fs::read(tree.join("f")).unwrap(), b"content");
    assert!(pipe.contents().is_empty());
    assert_eq!(guest.read(0, 9).unwrap(), b"input", "nothing was consumed");
}

#[test]
fn the_sum_has_a_limit() {
    let tree = TempTree::new();
    std::fs::write(tree.join("f"), "content").unwrap();
    let mut guest = Guest::at(tree.path(), Access::ReadWrite);
    guest.mem.resize(4 << 20, 0);
    // 2^31 bytes are one too many for the count; 2^32 would not even fit.
    for count in [512, 1024] {
        guest.iovs(LIST, &vec![(0, 4 << 20); count as usize]);
        for (call, result) in each(&mut guest, LIST, count, OUT) {
            assert_eq!(result, Err(Errno::INVAL), "{call}: {count} times 4 MiB");
        }
    }
}

#[test]
fn odd_but_good_lists() {
    let tree = TempTree::new();
    std::fs::write(tree.join("f"), "0123456789").unwrap();
    let mut guest = Guest::at(tree.path(), Access::ReadWrite);
    for (call, result) in each(&mut guest, LIST, 0, OUT) {
        assert_eq!(result, Ok(()), "{call}: no buffers");
        assert_eq!(guest.u32(OUT), 0, "{call}: no buffers");
    }
    guest.iovs(LIST, &[(END, 0), (DATA, 0)]);
    for (call, result) in each(&mut guest, LIST, 2, OUT) {
        assert_eq!(result, Ok(()), "{call}: empty buffers, one at the end");
    }
    let fd = guest.open(ROOT, "f", Open::WRITE).unwrap();

    // Buffers that overlap are filled in order.
    guest.iovs(LIST, &[(DATA, 4), (DATA + 2, 4)]);
    guest.call(|c, m| call::fd_pread(c, m, fd, LIST, 2, 0, OUT)).unwrap();
    assert_eq!((guest.u32(OUT), guest.bytes(DATA, 6)), (8, b"014567".to_vec()));

    // At odd addresses, and the last byte of memory.
    guest.iovs(LIST + 1, &[(DATA + 1, 3), (END - 1, 1)]);
    guest.call(|c, m| call::fd_pread(c, m, fd, LIST + 1, 2, 1, OUT + 1)).unwrap();
    assert_eq!((guest.u32(OUT + 1), guest.bytes(DATA + 1, 3)), (4, b"123".to_vec()));
    assert_eq!(guest.bytes(END - 1, 1), b"4");

    // A buffer over the list itself: the list was read before.
    guest.iovs(LIST, &[(LIST, 5), (DATA, 5)]);
    guest.call(|c, m| call::fd_pread(c, m, fd, LIST, 2, 0, OUT)).unwrap();
    assert_eq!(
        (guest.bytes(LIST, 5), guest.bytes(DATA, 5)),
        (b"01234".to_vec(), b"56789".to_vec())
    );

    // The most buffers there may be, of one byte each.
    let list: Vec<_> = (0..1024).map(|n| (DATA + n * 3, 1)).collect();
    guest.iovs(LIST, &list);
    for n in 0..1024 {
        guest.put(DATA + n * 3, &[n as u8]);
    }
    guest.call(|c, m| call::fd_pwrite(c, m, fd, LIST, 1024, 0, OUT)).unwrap();
    assert_eq!(guest.u32(OUT), 1024);
    let want: Vec<u8> = (0..1024).map(|n| n as u8).collect();
    assert_eq!(std::fs::read(tree.join("f")).unwrap(), want);
}

#[test]
fn streams_share_one_read() {
    let (reader, writer) = std::io::pipe().unwrap();
    let mut guest = Guest::new(WasiCtx::builder().stdin(Input::file(reader)));
    use std::io::Write as _;
    let mut writer = writer;
    writer.write_all(b"abcdefghij").unwrap();
    // The second buffer would block if it were read on its own.
    guest.iovs(LIST, &[(DATA, 4), (DATA + 100, 1000)]);
    guest.call(|c, m| call::fd_read(c, m, 0, LIST, 2, OUT)).unwrap();
    assert_eq!(guest.u32(OUT), 10);
    assert_eq!(
        (guest.bytes(DATA, 4), guest.bytes(DATA + 100, 6)),
        (b"abcd".into(), b"efghij".into())
    );
    writer.write_all(b"xyz").unwrap();
    guest.iovs(LIST, &[(DATA, 3), (DATA + 100, 1000)]);
    guest.call(|c, m| call::fd_read(c, m, 0, LIST, 2, OUT)).unwrap();
    assert_eq!(guest.u32(OUT), 3);
    drop(writer);
    guest.call(|c, m| call::fd_read(c, m, 0, LIST, 2, OUT)).unwrap();
    assert_eq!(guest.u32(OUT), 0);
}

#[test]
fn offsets() {
    let tree = TempTree::new();
    let mut guest = Guest::at(tree.path(), Access::ReadWrite);
    let fd = guest.open(ROOT, "f", Open::WRITE.with(CREAT)).unwrap();
    guest.write(fd, b"content").unwrap();
    let top = i64::MAX as u64;
    for (offset, want) in [
        (top - 10, Ok(Vec::new())),
        (top, Err(Errno::INVAL)),
        (top + 1, Err(Errno::INVAL)),
        (u64::MAX, Err(Errno::INVAL)),
    ] {
        assert_eq!(guest.pread(fd, 10, offset), want, "{offset:#x}");
    }
    for offset in [top, top - 2, top + 1, u64::MAX] {
        let refused = guest.pwrite(fd, b"xyz", offset).unwrap_err();
        assert!([Errno::FBIG, Errno::INVAL].contains(&refused), "{offset:#x}: {refused:?}");
    }
    for (offset, len, want) in [
        (0, 0, Err(Errno::INVAL)),
        (0, 1 << 63, Err(Errno::FBIG)),
        (1 << 63, 1, Err(Errno::FBIG)),
        (u64::MAX, 1, Err(Errno::FBIG)),
        (u64::MAX, u64::MAX, Err(Errno::FBIG)),
        (3, 2, Ok(())),
    ] {
        assert_eq!(guest.allocate(fd, offset, len), want, "{offset:#x} {len:#x}");
    }
    for size in [1 << 63, u64::MAX] {
        assert_eq!(guest.set_size(fd, size), Err(Errno::FBIG));
    }
    for (offset, whence, want) in [
        (-1, 0, Err(Errno::INVAL)),
        (i64::MIN, 0, Err(Errno::INVAL)),
        (i64::MIN, 1, Err(Errno::INVAL)),
        (-8, 2, Err(Errno::INVAL)),
        (-7, 2, Ok(0)),
        (0, 3, Err(Errno::INVAL)),
        (0, u32::MAX, Err(Errno::INVAL)),
        (5, 1, Ok(5)),
    ] {
        assert_eq!(guest.seek(fd, offset, whence), want, "{offset} {whence}");
    }
    let nowhere = guest.call(|c, m| call::fd_seek(c, m, fd, 0, 0, END - 7));
    assert_eq!(nowhere, Err(Errno::FAULT), "and the position stays");
    assert_eq!(guest.read(fd, 10).unwrap(), b"nt");
    for (offset, len, advice, want) in [
        (0, 0, 5, Ok(())),
        (0, u64::MAX, 0, Err(Errno::INVAL)),
        (u64::MAX, 0, 0, Err(Errno::INVAL)),
        (0, 0, 6, Err(Errno::INVAL)),
    ] {
        let advise = guest.call(|c, m| call::fd_advise(c, m, fd, offset, len, advice));
        assert_eq!(advise, want, "{offset:#x} {len:#x} {advice}");
    }
    assert_eq!(std::fs::read(tree.join("f")).unwrap(), b"content");
}

#[test]
fn a_sparse_file_of_a_terabyte() {
    let tree = TempTree::new();
    let mut guest = Guest::at(tree.path(), Access::ReadWrite);
    let fd = guest.open(ROOT, "f", Open::WRITE.with(CREAT)).unwrap();
    let size = 1u64 << 40;
    assert_eq!(guest.set_size(fd, size), Ok(()));
    assert_eq!(guest.stat(fd).unwrap().size, size);
    assert_eq!(guest.pread(fd, 10, size - 4).unwrap(), [0; 4]);
    assert_eq!(guest.pwrite(fd, b"end", size - 3), Ok(3));
    assert_eq!(guest.pread(fd, 10, size - 3).unwrap(), b"end");
    assert!(tree.join("f").metadata().unwrap().blocks() < 1000);
}

#[test]
fn a_read_as_large_as_memory() {
    let tree = TempTree::new();
    let bytes: Vec<u8> = (0..9_000_000u32).map(|n| (n >> 8) as u8).collect();
    std::fs::write(tree.join("f"), &bytes).unwrap();
    let mut guest = Guest::at(tree.path(), Access::ReadWrite);
    guest.mem.resize(16 << 20, 0);
    let fd = guest.open(ROOT, "f", Open::WRITE).unwrap();
    guest.iovs(LIST, &[(DATA, 3_000_000), (DATA + 4_000_000, 10_000_000)]);
    guest.call(|c, m| call::fd_read(c, m, fd, LIST, 2, OUT)).unwrap();
    assert_eq!(guest.u32(OUT), 9_000_000);
    assert!(guest.bytes(DATA, 3_000_000) == bytes[..3_000_000]);
    assert!(guest.bytes(DATA + 4_000_000, 6_000_000) == bytes[3_000_000..]);
    guest.iovs(LIST, &[(DATA + 4_000_000, 6_000_000), (DATA, 3_000_000)]);
    guest.call(|c, m| call::fd_pwrite(c, m, fd, LIST, 2, 0, OUT)).unwrap();
    assert_eq!(guest.u32(OUT), 9_000_000);
    let written = std::fs::read(tree.join("f")).unwrap();
    assert!(
        written[..6_000_000] == bytes[3_000_000..] && written[6_000_000..] == bytes[..3_000_000]
    );
}
