//! The rest: strings, clocks, random bytes, ends, the older revision, and the table of names.

mod guest;

use dunlin_wasi::host::Access;
use dunlin_wasi::p1::{self, Errno, Exit, Stop, call, call_unstable};
use dunlin_wasi::{STRINGS_MAX, WasiCtx};
use guest::*;

#[test]
fn strings() {
    let mut guest = Guest::new(
        WasiCtx::builder()
            .args(["prog", "", "the \"second\" arg"])
            .env("A", "1")
            .env("B", "two\nlines = x")
            .env("A", "3"),
    );
    guest.call(|c, m| call::args_sizes_get(c, m, OUT, OUT + 4)).unwrap();
    assert_eq!((guest.u32(OUT), guest.u32(OUT + 4)), (3, 5 + 1 + 17));
    guest.put(DATA, &[0xaa; 64]);
    guest.call(|c, m| call::args_get(c, m, OUT, DATA)).unwrap();
    assert_eq!(guest.bytes(DATA, 24), b"prog\0\0the \"second\" arg\0\xaa");
    assert_eq!(
        [guest.u32(OUT), guest.u32(OUT + 4), guest.u32(OUT + 8)],
        [DATA, DATA + 5, DATA + 6]
    );
    guest.call(|c, m| call::environ_sizes_get(c, m, OUT, OUT + 4)).unwrap();
    assert_eq!((guest.u32(OUT), guest.u32(OUT + 4)), (2, 4 + 16));
    guest.call(|c, m| call::environ_get(c, m, OUT, DATA)).unwrap();
    assert_eq!(guest.bytes(DATA, 20), b"A=3\0B=two\nlines = x\0");
    let end = MEMORY as u32;
    for (ptrs, buf) in [(end - 11, DATA), (OUT, end - 22), (u32::MAX, DATA), (OUT, u32::MAX)] {
        assert_eq!(guest.call(|c, m| call::args_get(c, m, ptrs, buf)), Err(Errno::FAULT));
    }
    assert_eq!(guest.call(|c, m| call::args_sizes_get(c, m, OUT, end)), Err(Errno::FAULT));
}

#[test]
fn strings_that_are_refused() {
    let message = |builder: dunlin_wasi::WasiCtxBuilder| {
        builder.build().map(|_| ()).map_err(|error| error.to_string())
    };
    let err = |text: &str| Err(text.to_owned());
    let new = WasiCtx::builder;
    assert_eq!(message(new().arg("a\0b")), err("a zero byte in argument `a\\0b`"));
    assert_eq!(message(new().env("A", "a\0")), err("a zero byte in environment variable `A=a\\0`"));
    assert_eq!(message(new().env("", "x")), err("invalid name of environment variable: ``"));
    assert_eq!(message(new().env("A=B", "x")), err("invalid name of environment variable: `A=B`"));
    let long = "x".repeat(STRINGS_MAX);
    assert_eq!(
        message(new().arg(long)),
        err("too many bytes of arguments: expected at most 16777216 in total")
    );
    assert_eq!(message(new().dir(".", "", Access::ReadOnly)), err("invalid name of directory: ``"));
    assert_eq!(
        message(new().dir("/none/such", "/", Access::ReadOnly)),
        err("cannot grant directory `/none/such`: no such file or directory")
    );
    assert_eq!(
        message(new().dir("/etc/passwd", "/", Access::ReadOnly)),
        err("cannot grant directory `/etc/passwd`: not a directory")
    );
    assert_eq!(
        message(new().descriptors_max(2)),
        err("cannot give the guest all its descriptors: descriptor table full")
    );
    let many = (0..100_000).fold(new(), |builder, n| builder.arg(n.to_string()));
    assert_eq!(message(many), Ok(()));
}

#[test]
fn clocks() {
    let mut guest = Guest::new(WasiCtx::builder());
    for id in 0..4 {
        guest.call(|c, m| call::clock_res_get(c, m, id, OUT)).unwrap();
        assert!((1..1_000_000_000).contains(&guest.u64(OUT)), "{id}");
        let mut last = 0;
        for _ in 0..10 {
            guest.call(|c, m| call::clock_time_get(c, m, id, 0, OUT)).unwrap();
            let now = guest.u64(OUT);
            assert!(now >= last && now > 0, "{id}: {now} after {last}");
            last = now;
        }
    }
    guest.call(|c, m| call::clock_time_get(c, m, 0, u64::MAX, OUT)).unwrap();
    let unix = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    assert!(unix.as_nanos() as u64 - guest.u64(OUT) < 1_000_000_000);
    for id in [4, u32::MAX] {
        assert_eq!(guest.call(|c, m| call::clock_time_get(c, m, id, 0, OUT)), Err(Errno::INVAL));
        assert_eq!(guest.call(|c, m| call::clock_res_get(c, m, id, OUT)), Err(Errno::INVAL));
    }
    let end = MEMORY as u32 - 7;
    assert_eq!(guest.call(|c, m| call::clock_time_get(c, m, 0, 0, end)), Err(Errno::FAULT));
}

#[test]
fn random_bytes() {
    let mut guest = Guest::new(WasiCtx::builder());
    guest.mem.resize(5 << 20, 0);
    guest.call(|c, m| call::random_get(c, m, 8, 4 << 20)).unwrap();
    assert_eq!(guest.u64(0), 0);
    assert!(guest.mem[8 + (4 << 20)..].iter().all(|byte| *byte == 0));
    for page in guest.mem[8..][..4 << 20].chunks(4096) {
        let ones: u32 = page.iter().map(|byte| byte.count_ones()).sum();
        assert!((15_000..18_000).contains(&ones), "{ones} bits set of {}", page.len() * 8);
    }
    guest.call(|c, m| call::random_get(c, m, 5 << 20, 0)).unwrap();
    for (buf, len) in [(0, u32::MAX), (5 << 20, 1), (u32::MAX, u32::MAX)] {
        assert_eq!(guest.call(|c, m| call::random_get(c, m, buf, len)), Err(Errno::FAULT));
    }
}

#[test]
fn ends() {
    for code in [0, 1, 255, 256, u32::MAX] {
        assert_eq!(p1::proc_exit(code), Stop::Exit(Exit(code)));
    }
    assert_eq!(Exit(3).to_string(), "the guest exited with code 3");
    let mut guest = Guest::new(WasiCtx::builder());
    for signal in [0, 6, 255] {
        assert_eq!(guest.call(|c, m| call::proc_raise(c, m, signal)), Err(Errno::NOTSUP));
    }
    assert_eq!(guest.call(call::sched_yield), Ok(()));
}

/// Padding shows nothing, and nothing is written beyond a record.
#[test]
fn records_are_clean() {
    let tree = TempTree::new();
    std::fs::write(tree.join("f"), "content").unwrap();
    let mut guest = Guest::at(tree.path(), Access::ReadWrite);
    let fd = guest.open(ROOT, "f", Open::READ).unwrap();
    let path = guest.put(PATH, b"f");
    type Call = Box<dyn Fn(&mut WasiCtx, &mut [u8]) -> Result<Errno, Stop>>;
    let records: [(&str, usize, &[usize], Call); 6] = [
        ("fdstat", 24, &[1, 4, 5, 6, 7], Box::new(move |c, m| call::fd_fdstat_get(c, m, fd, OUT))),
        (
            "filestat",
            64,
            &[17, 18, 19, 20, 21, 22, 23],
            Box::new(move |c, m| call::fd_filestat_get(c, m, fd, OUT)),
        ),
        (
            "path filestat",
            64,
            &[17, 18, 19, 20, 21, 22, 23],
            Box::new(move |c, m| call::path_filestat_get(c, m, ROOT, 0, PATH, path, OUT)),
        ),
        (
            "unstable filestat",
            56,
            &[17, 18, 19],
            Box::new(move |c, m| call_unstable::fd_filestat_get(c, m, fd, OUT)),
        ),
        (
            "unstable path filestat",
            56,
            &[17, 18, 19],
            Box::new(move |c, m| call_unstable::path_filestat_get(c, m, ROOT, 0, PATH, path, OUT)),
        ),
        ("prestat", 8, &[1, 2, 3], Box::new(move |c, m| call::fd_prestat_get(c, m, ROOT, OUT))),
    ];
    for (name, size, padding, record) in records {
        guest.put(OUT - 8, &[0xaa; 96]);
        guest.call(|c, m| record(c, m)).unwrap();
        let bytes = guest.bytes(OUT, size as u32);
        for &at in padding {
            assert_eq!(bytes[at], 0, "{name}: byte {at}");
        }
        let around = [guest.bytes(OUT - 8, 8), guest.bytes(OUT + size as u32, 8)].concat();
        assert_eq!(around, [0xaa; 16], "{name}: the bytes around it");
    }
}

#[test]
fn the_older_revision() {
    let tree = TempTree::new();
    std::fs::write(tree.join("f"), "0123456789").unwrap();
    std::fs::hard_link(tree.join("f"), tree.join("g")).unwrap();
    let mut guest = Guest::at(tree.path(), Access::ReadWrite);
    let fd = guest.open(ROOT, "f", Open::READ).unwrap();
    let seek = |guest: &mut Guest, offset, whence| {
        guest.call(|c, m| call_unstable::fd_seek(c, m, fd, offset, whence, OUT))?;
        Ok(guest.u64(OUT))
    };
    assert_eq!(seek(&mut guest, 3, 2), Ok(3), "from the start");
    assert_eq!(seek(&mut guest, 2, 0), Ok(5), "from here");
    assert_eq!(seek(&mut guest, -1, 1), Ok(9), "from the end");
    assert_eq!(seek(&mut guest, 0, 3), Err(Errno::INVAL));
    let stat = guest.stat(fd).unwrap();
    guest.call(|c, m| call_unstable::fd_filestat_get(c, m, fd, OUT)).unwrap();
    assert_eq!((guest.u64(OUT), guest.u64(OUT + 8)), (stat.dev, stat.ino));
    assert_eq!((guest.mem[OUT as usize + 16], guest.u32(OUT + 20)), (4, 2));
    let rest = [guest.u64(OUT + 24), guest.u64(OUT + 32), guest.u64(OUT + 40), guest.u64(OUT + 48)];
    assert_eq!(rest, [10, stat.atim, stat.mtim, stat.ctim]);
    guest.iovs(OUT + 8, &[(DATA, 4)]);
    guest.call(|c, m| call_unstable::fd_pread(c, m, fd, OUT + 8, 1, 2, OUT)).unwrap();
    assert_eq!(guest.bytes(DATA, 4), b"2345");
}

#[test]
fn names() {
    let mut names = p1::FUNCTIONS.to_vec();
    assert_eq!(names.len(), 46);
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 46);
    for name in ["proc_exit", "sock_accept", "fd_readdir", "path_filestat_set_times"] {
        assert!(names.contains(&name));
    }
    assert_eq!((p1::MODULE, p1::MODULE_UNSTABLE), ("wasi_snapshot_preview1", "wasi_unstable"));
}

/// Time that passes by looking at it, and bytes that the seed decides.
#[test]
fn deterministic_worlds() {
    let seen = |seed| {
        let mut guest = Guest::new(WasiCtx::builder().deterministic(seed));
        let mut seen = Vec::new();
        for id in [0, 1, 2, 3, 1] {
            guest.call(|c, m| call::clock_res_get(c, m, id, OUT)).unwrap();
            seen.push(guest.u64(OUT));
            guest.call(|c, m| call::clock_time_get(c, m, id, 0, OUT)).unwrap();
            seen.push(guest.u64(OUT));
        }
        guest.call(|c, m| call::random_get(c, m, 64, 13)).unwrap();
        assert_eq!(guest.bytes(77, 3), [0; 3]);
        (seen, guest.bytes(64, 13))
    };
    let (clocks, bytes) = seen(7);
    let start = 946_684_800_000_000_000;
    assert_eq!(clocks, [1000, start, 1000, 1000, 1000, 2000, 1000, 3000, 1000, 4000]);
    assert!(bytes.iter().any(|byte| *byte != bytes[0]));
    assert_eq!(seen(7), (clocks.clone(), bytes.clone()));
    let (same_clocks, other_bytes) = seen(8);
    assert_eq!(same_clocks, clocks);
    assert_ne!(other_bytes, bytes);
}
