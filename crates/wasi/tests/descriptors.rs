//! The table of descriptors: limits, renumbering, closing, and what each kind can do.

mod guest;

use dunlin_wasi::WasiCtx;
use dunlin_wasi::host::Access;
use dunlin_wasi::p1::{Errno, call};
use guest::*;

fn open_descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

#[test]
fn a_bomb_of_descriptors() {
    let tree = TempTree::new();
    std::fs::write(tree.join("f"), "x").unwrap();
    let builder = WasiCtx::builder().dir(tree.path(), "/", Access::ReadWrite).descriptors_max(50);
    let mut guest = Guest::new(builder);
    let mut opened = Vec::new();
    let errno = loop {
        match guest.open(ROOT, "f", Open::READ) {
            Ok(fd) => opened.push(fd),
            Err(errno) => break errno,
        }
    };
    assert_eq!(errno, Errno::MFILE);
    assert_eq!(opened, (4..50).collect::<Vec<u32>>());
    // Nothing is made when there is no number to give for it.
    assert_eq!(guest.open(ROOT, "new", Open::WRITE.with(CREAT)), Err(Errno::MFILE));
    assert!(!tree.join("new").exists());
    guest.close(17).unwrap();
    assert_eq!(guest.open(ROOT, "f", Open::READ), Ok(17));
}

#[test]
fn nothing_leaks() {
    let tree = TempTree::new();
    std::fs::write(tree.join("f"), "x").unwrap();
    let mut guest = Guest::at(tree.path(), Access::ReadWrite);
    let target = guest.open(ROOT, "f", Open::READ).unwrap();
    // Other tests of this process run at the same time, and open files too.
    let before = open_descriptors();
    for _ in 0..2000 {
        let fd = guest.open(ROOT, "f", Open::READ).unwrap();
        guest.renumber(fd, target).unwrap();
        let _ = guest.open(ROOT, "none/f", Open::READ);
        let _ = guest.mkdir(ROOT, "f/x");
        let _ = guest.stat_at(ROOT, "f", true);
    }
    assert!(open_descriptors() < before + 500);
}

#[test]
fn renumbering() {
    let tree = TempTree::new();
    std::fs::write(tree.join("f"), "content").unwrap();
    let mut guest = Guest::at(tree.path(), Access::ReadWrite);
    let fd = guest.open(ROOT, "f", Open::READ).unwrap();
    assert_eq!(guest.renumber(fd, fd), Ok(()));
    assert_eq!(guest.renumber(ROOT, ROOT), Ok(()));
    for (from, to) in [(fd, u32::MAX), (u32::MAX, fd), (fd, 99), (99, fd), (99, 99)] {
        assert_eq!(guest.renumber(from, to), Err(Errno::BADF), "{from} to {to}");
    }
    assert_eq!(guest.read(fd, 3).unwrap(), b"con");
    // Onto a directory granted from the start: the number is an ordinary file afterwards.
    assert_eq!(guest.renumber(fd, ROOT), Ok(()));
    assert_eq!(guest.read(ROOT, 9).unwrap(), b"tent");
    let prestat = |c: &mut WasiCtx, m: &mut [u8]| call::fd_prestat_get(c, m, ROOT, OUT);
    assert_eq!(guest.call(prestat), Err(Errno::BADF));
    assert_eq!(guest.open(ROOT, "f", Open::READ), Err(Errno::NOTDIR));
    assert_eq!(guest.read(fd, 3), Err(Errno::BADF));
    // A granted directory keeps its name when it moves.
    let mut guest = Guest::at(tree.path(), Access::ReadWrite);
    let fd = guest.open(ROOT, "f", Open::READ).unwrap();
    assert_eq!(guest.renumber(ROOT, fd), Ok(()));
    guest.call(|c, m| call::fd_prestat_dir_name(c, m, fd, DATA, 1)).unwrap();
    assert_eq!(guest.bytes(DATA, 1), b"/");
}

#[test]
fn closing() {
    let tree = TempTree::new();
    let mut guest = Guest::at(tree.path(), Access::ReadWrite);
    for fd in 0..=ROOT {
        assert_eq!(guest.close(fd), Ok(()));
        assert_eq!(guest.close(fd), Err(Errno::BADF));
    }
    assert_eq!(guest.close(u32::MAX), Err(Errno::BADF));
    assert_eq!(guest.open(ROOT, "f", Open::READ), Err(Errno::BADF));
    assert_eq!(guest.write(1, b"x"), Err(Errno::BADF));
    assert_eq!(guest.read(0, 1), Err(Errno::BADF));
}

#[test]
fn preopens() {
    let tree = TempTree::new();
    let mut guest = Guest::new(
        WasiCtx::builder()
            .dir(tree.path(), "/one", Access::ReadOnly)
            .dir(tree.path(), ".", Access::ReadOnly)
            .listener(std::net::TcpListener::bind("127.0.0.1:0").unwrap()),
    );
    let mut names = Vec::new();
    for fd in 3..10 {
        match guest.call(|c, m| call::fd_prestat_get(c, m, fd, OUT)) {
            Ok(()) => {
                assert_eq!(guest.u32(OUT), 0, "the tag, and zeros");
                let len = guest.u32(OUT + 4);
                let short = guest.call(|c, m| call::fd_prestat_dir_name(c, m, fd, DATA, len - 1));
                assert_eq!(short, Err(Errno::NAMETOOLONG));
                guest.call(|c, m| call::fd_prestat_dir_name(c, m, fd, DATA, len + 1)).unwrap();
                names.push(String::from_utf8(guest.bytes(DATA, len)).unwrap());
            }
            Err(errno) => assert_eq!(errno, Errno::BADF),
        }
    }
    assert_eq!(names, ["/one", "."]);
    assert!(!guest.ctx.denials().found_no_directory());
    for fd in 0..3 {
        assert_eq!(guest.call(|c, m| call::fd_prestat_get(c, m, fd, OUT)), Err(Errno::BADF));
    }
}

#[test]
fn a_search_in_vain_is_noted() {
    let mut guest = Guest::new(WasiCtx::builder());
    let denials = guest.ctx.denials();
    guest.call(|c, m| call::fd_prestat_get(c, m, 2, OUT)).unwrap_err();
    assert!(!denials.found_no_directory());
    guest.call(|c, m| call::fd_prestat_get(c, m, 3, OUT)).unwrap_err();
    assert!(denials.found_no_directory());
    assert!(denials.list().is_empty());
}

#[test]
fn what_a_directory_cannot_do() {
    let tree = TempTree::new();
    let mut guest = Guest::at(tree.path(), Access::ReadWrite);
    assert_eq!(guest.read(ROOT, 1), Err(Errno::ISDIR));
    assert_eq!(guest.pread(ROOT, 1, 0), Err(Errno::ISDIR));
    assert_eq!(guest.write(ROOT, b"x"), Err(Errno::ISDIR));
    assert_eq!(guest.pwrite(ROOT, b"x", 0), Err(Errno::ISDIR));
    assert_eq!(guest.seek(ROOT, 0, 0), Err(Errno::ISDIR));
    assert_eq!(guest.set_size(ROOT, 0), Err(Errno::ISDIR));
    assert_eq!(guest.allocate(ROOT, 0, 1), Err(Errno::ISDIR));
    assert_eq!(guest.call(|c, m| call::fd_tell(c, m, ROOT, OUT)), Err(Errno::ISDIR));
    assert_eq!(guest.call(|c, m| call::fd_advise(c, m, ROOT, 0, 0, 0)), Err(Errno::BADF));
    assert_eq!(guest.call(|c, m| call::fd_sync(c, m, ROOT)), Ok(()));
    assert_eq!(guest.open(ROOT, ".", Open::WRITE.with(DIRECTORY)), Err(Errno::ISDIR));
}

#[test]
fn flags() {
    let tree = TempTree::new();
    let mut guest = Guest::at(tree.path(), Access::ReadWrite);
    let flags_of = |guest: &mut Guest, fd| {
        guest.call(|c, m| call::fd_fdstat_get(c, m, fd, OUT)).unwrap();
        u32::from(guest.u16(OUT + 2))
    };
    let set = |guest: &mut Guest, fd, flags| {
        guest.call(|c, m| call::fd_fdstat_set_flags(c, m, fd, flags))
    };
    let how = Open { fdflags: APPEND | 16, ..Open::WRITE.with(CREAT) };
    let fd = guest.open(ROOT, "f", how).unwrap();
    assert_eq!(flags_of(&mut guest, fd), APPEND | 16);
    guest.write(fd, b"ab").unwrap();
    guest.seek(fd, 0, 0).unwrap();
    guest.write(fd, b"cd").unwrap();
    assert_eq!(set(&mut guest, fd, 0), Err(Errno::NOTSUP), "synchronous from the start");
    assert_eq!(set(&mut guest, fd, 1 << 5), Err(Errno::INVAL));
    assert_eq!(set(&mut guest, fd, 0x1_0000), Err(Errno::INVAL));
    assert_eq!(set(&mut guest, fd, NONBLOCK | 16), Ok(()));
    assert_eq!(flags_of(&mut guest, fd), NONBLOCK | 16);
    guest.seek(fd, 0, 0).unwrap();
    guest.write(fd, b"x").unwrap();
    assert_eq!(std::fs::read(tree.join("f")).unwrap(), b"xbcd");
    let bad = Open { fdflags: 1 << 5, ..Open::READ };
    assert_eq!(guest.open(ROOT, "f", bad), Err(Errno::INVAL));
    assert_eq!(guest.open(ROOT, "f", Open::READ.with(1 << 4)), Err(Errno::INVAL));
}
