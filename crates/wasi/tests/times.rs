//! Times of files: every value an unsigned number of nanoseconds can have, and some it cannot.

mod guest;

use std::time::{Duration, SystemTime};

use dunlin_wasi::host::Access;
use dunlin_wasi::p1::Errno;
use guest::*;

const ATIM: u32 = 1;
const ATIM_NOW: u32 = 2;
const MTIM: u32 = 4;
const MTIM_NOW: u32 = 8;

fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos() as u64
}

#[test]
fn values() {
    let tree = TempTree::new();
    std::fs::write(tree.join("f"), "").unwrap();
    let mut guest = Guest::at(tree.path(), Access::ReadWrite);
    let fd = guest.open(ROOT, "f", Open::READ).unwrap();
    for time in [0, 1, 999_999_999, 1_000_000_000, 1_500_000_000_123_456_789] {
        guest.set_times(fd, time, time, ATIM | MTIM).unwrap();
        let stat = guest.stat(fd).unwrap();
        assert_eq!((stat.atim, stat.mtim), (time, time));
        guest.set_times_at(ROOT, "f", false, (7, time + 1, MTIM)).unwrap();
        let stat = guest.stat(fd).unwrap();
        assert_eq!((stat.atim, stat.mtim), (time, time + 1));
    }
    // Further than the file system reaches: an error or the furthest there is, and no panic.
    for time in [u64::MAX, u64::MAX - 1, i64::MAX as u64, i64::MAX as u64 + 1] {
        let result = guest.set_times(fd, time, time, ATIM | MTIM);
        assert!(matches!(result, Ok(()) | Err(Errno::INVAL | Errno::OVERFLOW)), "{result:?}");
        let stat = guest.stat(fd).unwrap();
        assert!(stat.mtim <= time);
    }
}

#[test]
fn the_present() {
    let tree = TempTree::new();
    std::fs::write(tree.join("f"), "").unwrap();
    let mut guest = Guest::at(tree.path(), Access::ReadWrite);
    let fd = guest.open(ROOT, "f", Open::READ).unwrap();
    guest.set_times(fd, 1, 1, ATIM | MTIM).unwrap();
    // The kernel's coarse clock lags a little behind the fine one.
    let before = now() - 50_000_000;
    guest.set_times(fd, 5, 5, ATIM_NOW | MTIM).unwrap();
    let stat = guest.stat(fd).unwrap();
    assert!(stat.atim >= before && stat.atim <= now());
    assert_eq!(stat.mtim, 5);
    guest.set_times_at(ROOT, "f", true, (6, 6, ATIM | MTIM_NOW)).unwrap();
    let stat = guest.stat(fd).unwrap();
    assert!(stat.mtim >= before && stat.mtim <= now());
    assert_eq!(stat.atim, 6);
    guest.set_times(fd, 9, 9, 0).unwrap();
    assert_eq!(guest.stat(fd).unwrap().atim, 6, "nothing asked, nothing set");
    for flags in [ATIM | ATIM_NOW, MTIM | MTIM_NOW, 15, 16, 0xffff, 0x1_0000] {
        assert_eq!(guest.set_times(fd, 1, 1, flags), Err(Errno::INVAL), "{flags:#x}");
        assert_eq!(guest.set_times_at(ROOT, "f", true, (1, 1, flags)), Err(Errno::INVAL));
    }
    assert_eq!(guest.set_times(1, 1, 1, ATIM), Err(Errno::NOTCAPABLE));
}

#[test]
fn links_and_directories() {
    let tree = TempTree::new();
    std::fs::write(tree.join("f"), "").unwrap();
    std::os::unix::fs::symlink("f", tree.join("l")).unwrap();
    let mut guest = Guest::at(tree.path(), Access::ReadWrite);
    guest.set_times_at(ROOT, "f", true, (1, 1, ATIM | MTIM)).unwrap();
    guest.set_times_at(ROOT, "l", false, (2, 2, ATIM | MTIM)).unwrap();
    assert_eq!(guest.stat_at(ROOT, "l", false).unwrap().mtim, 2);
    assert_eq!(guest.stat_at(ROOT, "l", true).unwrap().mtim, 1);
    guest.set_times_at(ROOT, "l", true, (3, 3, ATIM | MTIM)).unwrap();
    assert_eq!(guest.stat_at(ROOT, "l", false).unwrap().mtim, 2);
    assert_eq!(guest.stat_at(ROOT, "f", true).unwrap().mtim, 3);
    guest.set_times(ROOT, 4, 4, ATIM | MTIM).unwrap();
    assert_eq!(guest.stat(ROOT).unwrap().mtim, 4);
    guest.set_times_at(ROOT, ".", false, (5, 5, ATIM | MTIM)).unwrap();
    assert_eq!(guest.stat(ROOT).unwrap().mtim, 5);
}

#[test]
fn files_older_than_1970() {
    let tree = TempTree::new();
    let file = std::fs::File::create(tree.join("f")).unwrap();
    for age in [Duration::from_nanos(1), Duration::from_secs(1), Duration::from_secs(2_000_000_000)]
    {
        let times = std::fs::FileTimes::new()
            .set_accessed(SystemTime::UNIX_EPOCH - age)
            .set_modified(SystemTime::UNIX_EPOCH - age);
        file.set_times(times).unwrap();
        let mut guest = Guest::at(tree.path(), Access::ReadWrite);
        let stat = guest.stat_at(ROOT, "f", true).unwrap();
        assert_eq!((stat.atim, stat.mtim), (0, 0), "{age:?}");
        assert!(stat.ctim > 0);
    }
}
