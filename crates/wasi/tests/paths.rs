//! Every operation on every sort of path: nothing outside the granted directory is touched.

mod guest;

use std::collections::HashSet;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use dunlin_wasi::host::{Access, Denial};
use dunlin_wasi::p1::Errno;
use guest::*;

/// The links of the tree below, all in `sandbox`.
const LINKS: &[&str] = &[
    "in_dir",
    "in_file",
    "out_dir",
    "out_abs",
    "out_file",
    "dangling",
    "dangling_out",
    "self",
    "proc",
    "root",
    "up",
    "hard",
    "fifo",
    "sock",
    "plain",
    "dir",
];

fn build(base: &Path) {
    let _ = std::fs::remove_dir_all(base);
    let sandbox = base.join("sandbox");
    std::fs::create_dir_all(sandbox.join("dir/deep")).unwrap();
    std::fs::create_dir_all(base.join("outside/inner")).unwrap();
    std::fs::write(base.join("outside/secret"), "secret").unwrap();
    std::fs::write(base.join("outside/f"), "outer f").unwrap();
    std::fs::write(sandbox.join("plain"), "plain").unwrap();
    std::fs::write(sandbox.join("dir/f"), "inner f").unwrap();
    std::fs::hard_link(sandbox.join("plain"), sandbox.join("hard")).unwrap();
    let outside = base.join("outside");
    for (target, name) in [
        ("dir", "in_dir"),
        ("dir/f", "in_file"),
        ("../outside", "out_dir"),
        (outside.to_str().unwrap(), "out_abs"),
        ("../outside/secret", "out_file"),
        ("nowhere", "dangling"),
        ("../outside/made", "dangling_out"),
        ("self", "self"),
        ("/proc/self/fd/3", "proc"),
        ("/", "root"),
        ("..", "up"),
    ] {
        symlink(target, sandbox.join(name)).unwrap();
    }
    rustix::fs::mknodat(
        rustix::fs::CWD,
        sandbox.join("fifo"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    drop(std::os::unix::net::UnixListener::bind(sandbox.join("sock")).unwrap());
}

/// Everything observable about a tree, and the numbers of its files.
fn fingerprint(dir: &Path) -> (String, HashSet<u64>) {
    let mut text = String::new();
    let mut numbers = HashSet::new();
    let mut todo = vec![dir.to_owned()];
    while let Some(path) = todo.pop() {
        let stat = path.symlink_metadata().unwrap();
        numbers.insert(stat.ino());
        text += &format!(
            "{path:?} {} {} {} {} {}.{} {}.{}\n",
            stat.ino(),
            stat.nlink(),
            stat.mode(),
            stat.size(),
            stat.mtime(),
            stat.mtime_nsec(),
            stat.ctime(),
            stat.ctime_nsec()
        );
        if stat.is_dir() {
            let mut names: Vec<_> = path.read_dir().unwrap().map(|e| e.unwrap().path()).collect();
            names.sort();
            todo.extend(names);
        } else if stat.is_file() {
            text += &String::from_utf8_lossy(&std::fs::read(&path).unwrap());
        }
    }
    (text, numbers)
}

fn paths() -> Vec<Vec<u8>> {
    let mut paths: Vec<Vec<u8>> = Vec::new();
    for link in LINKS {
        for shape in [
            "L",
            "L/",
            "L//",
            "L/.",
            "L/..",
            "L/f",
            "L/f/",
            "./L/",
            "dir/../L/",
            "L/secret",
            "L/../outside/secret",
            "L/made",
            "L/inner/",
            "L/./../L",
        ] {
            paths.push(shape.replace('L', link).into_bytes());
        }
    }
    for path in [
        "..",
        "../",
        "../x",
        "../outside",
        "../outside/secret",
        "dir/../../x",
        "dir/../..",
        "dir/../../outside/secret",
        "/abs",
        "/",
        "//",
        "/etc/passwd",
        "",
        ".",
        "./",
        "./.",
        "plain\0",
        "\0",
        "C:\\x",
        "COM\u{b9}",
        "\\\\?\\",
        "new",
        "new/",
        "new/x",
        "dir/new",
        "dir/deep/../../../outside/f",
    ] {
        paths.push(path.as_bytes().to_vec());
    }
    paths.push(vec![b'a'; 256]);
    paths.push(vec![b'a'; 4097]);
    paths.push("a/".repeat(1000).into_bytes());
    paths.push("./".repeat(2047).into_bytes());
    paths.push("../".repeat(1000).into_bytes());
    paths.push(b"\xff\xfe".to_vec());
    paths.push(b"plain\xc0".to_vec());
    paths
}

type Op = (&'static str, fn(&mut Guest, &[u8], bool) -> Res<Option<Stat>>);

fn opened(guest: &mut Guest, path: &[u8], how: Open) -> Res<Option<Stat>> {
    let fd = guest.open(ROOT, path, how)?;
    let stat = guest.stat(fd);
    // Whatever was opened is used as well.
    let _ = guest.write(fd, b"x");
    let _ = guest.set_times(fd, 1, 1, 5);
    if guest.open(fd, "..", Open::READ).is_ok() {
        panic!("left an opened directory by `..`");
    }
    guest.close(fd)?;
    stat.map(Some)
}

const OPS: &[Op] = &[
    ("open", |g, p, follow| opened(g, p, Open { follow, ..Open::READ })),
    ("open to write", |g, p, follow| opened(g, p, Open { follow, ..Open::WRITE })),
    ("open, create", |g, p, follow| opened(g, p, Open { follow, ..Open::WRITE.with(CREAT) })),
    ("open, create anew", |g, p, follow| {
        opened(g, p, Open { follow, ..Open::WRITE.with(CREAT | EXCL) })
    }),
    ("open, truncate", |g, p, follow| opened(g, p, Open { follow, ..Open::WRITE.with(TRUNC) })),
    ("open, append", |g, p, follow| opened(g, p, Open { follow, fdflags: APPEND, ..Open::WRITE })),
    ("open directory", |g, p, follow| opened(g, p, Open { follow, ..Open::READ.with(DIRECTORY) })),
    ("filestat", |g, p, follow| g.stat_at(ROOT, p, follow).map(Some)),
    ("set times", |g, p, follow| g.set_times_at(ROOT, p, follow, (1, 1, 5)).map(|()| None)),
    ("create directory", |g, p, _| g.mkdir(ROOT, p).map(|()| None)),
    ("remove directory", |g, p, _| g.rmdir(ROOT, p).map(|()| None)),
    ("unlink", |g, p, _| g.unlink(ROOT, p).map(|()| None)),
    ("readlink", |g, p, _| g.readlink(ROOT, p, 4096).map(|_| None)),
    ("symlink at", |g, p, _| g.symlink("plain", ROOT, p).map(|()| None)),
    ("symlink to", |g, p, _| {
        g.symlink(p, ROOT, "made")?;
        // What was allowed must stay inside when it is followed.
        opened(g, b"made", Open::READ).or(Ok(None))
    }),
    ("link from", |g, p, follow| {
        g.link((ROOT, p), follow, (ROOT, "made"))?;
        g.stat_at(ROOT, "made", false).map(Some)
    }),
    ("link to", |g, p, follow| g.link((ROOT, "plain"), follow, (ROOT, p)).map(|()| None)),
    ("rename from", |g, p, _| {
        g.rename((ROOT, p), (ROOT, "made"))?;
        g.stat_at(ROOT, "made", false).map(Some)
    }),
    ("rename to", |g, p, _| g.rename((ROOT, "plain"), (ROOT, p)).map(|()| None)),
    ("rename directory to", |g, p, _| g.rename((ROOT, "dir/deep"), (ROOT, p)).map(|()| None)),
];

/// What a refusal may say.
const REFUSALS: &[Errno] = &[
    Errno::NOTCAPABLE,
    Errno::PERM,
    Errno::LOOP,
    Errno::NOENT,
    Errno::INVAL,
    Errno::NAMETOOLONG,
    Errno::NOTDIR,
    Errno::ISDIR,
    Errno::EXIST,
    Errno::NOTEMPTY,
    Errno::BUSY,
    Errno::ILSEQ,
    Errno::NXIO,
];

#[test]
fn nothing_outside_is_touched() {
    let tree = TempTree::in_memory();
    let base = tree.join("base");
    let mut cases = 0;
    let mut successes = 0;
    let mut dirty = true;
    let mut before = (String::new(), HashSet::new());
    for path in paths() {
        for follow in [false, true] {
            for (name, op) in OPS {
                if dirty {
                    build(&base);
                    before = fingerprint(&base.join("outside"));
                    before.1.insert(base.metadata().unwrap().ino());
                }
                let mut guest = Guest::at(base.join("sandbox"), Access::ReadWrite);
                let shown = String::from_utf8_lossy(&path).escape_debug().to_string();
                let shown: String = shown.chars().take(60).collect();
                let what = format!("{name} `{shown}`, follow {follow}");
                let start = Instant::now();
                let result = op(&mut guest, &path, follow);
                assert!(start.elapsed() < Duration::from_secs(5), "{what}: took too long");
                let changed = result.is_ok();
                match result {
                    Ok(stat) => {
                        successes += 1;
                        let outside = stat.is_some_and(|stat| before.1.contains(&stat.ino));
                        assert!(!outside, "{what}: reached {stat:?}");
                    }
                    Err(errno) => assert!(REFUSALS.contains(&errno), "{what}: {errno:?}"),
                }
                assert_eq!(fingerprint(&base.join("outside")).0, before.0, "{what}");
                let names: Vec<_> = base.read_dir().unwrap().map(|e| e.unwrap().path()).collect();
                assert_eq!(names.len(), 2, "{what}: {names:?}");
                dirty = changed;
                cases += 1;
            }
        }
    }
    assert!(cases >= 4000, "{cases} cases");
    // The sandbox is no brick wall: what is inside can be reached.
    assert!(successes >= 800, "{successes} of {cases} succeeded");
}

#[test]
fn links_that_stay_inside_work() {
    let tree = TempTree::new();
    build(&tree.join("base"));
    for n in 0..50 {
        let link = tree.join(format!("base/sandbox/chain{n}"));
        symlink(format!("chain{}", n + 1), link).unwrap();
    }
    let mut guest = Guest::at(tree.join("base/sandbox"), Access::ReadWrite);
    for (path, want) in [
        ("in_file", "inner f"),
        ("in_dir/f", "inner f"),
        ("in_dir/../plain", "plain"),
        ("dir/.//deep/../../plain", "plain"),
        ("hard", "plain"),
    ] {
        let fd = guest.open(ROOT, path, Open::READ).unwrap();
        assert_eq!(guest.read(fd, 100).unwrap(), want.as_bytes(), "{path}");
        guest.close(fd).unwrap();
    }
    let dir = guest.stat_at(ROOT, "dir", false).unwrap();
    for path in ["in_dir/", "in_dir//", "in_dir/.", "dir/deep/.."] {
        assert_eq!(guest.stat_at(ROOT, path, false), Ok(dir), "{path}");
    }
    assert_eq!(guest.stat_at(ROOT, "in_dir", false).unwrap().kind, 7);
    let nofollow = Open { follow: false, ..Open::READ };
    assert_eq!(guest.open(ROOT, "in_file", nofollow), Err(Errno::LOOP));
    assert_eq!(guest.open(ROOT, "in_dir/", nofollow).map(|_| ()), Ok(()));
    assert_eq!(guest.open(ROOT, "self", Open::READ), Err(Errno::LOOP));
    assert_eq!(guest.open(ROOT, "chain0", Open::READ), Err(Errno::LOOP));
    assert_eq!(guest.open(ROOT, "plain/", Open::READ), Err(Errno::NOTDIR));
    assert_eq!(guest.open(ROOT, "new/", Open::WRITE.with(CREAT)), Err(Errno::ISDIR));
    assert_eq!(guest.open(ROOT, "new", Open::WRITE.with(CREAT | DIRECTORY)), Err(Errno::INVAL));
}

#[test]
fn trailing_slashes() {
    let tree = TempTree::new();
    build(&tree.join("base"));
    let mut guest = Guest::at(tree.join("base/sandbox"), Access::ReadWrite);
    assert_eq!(guest.mkdir(ROOT, "made//"), Ok(()));
    assert_eq!(guest.rename((ROOT, "made/"), (ROOT, "moved/")), Ok(()));
    assert_eq!(guest.rename((ROOT, "plain"), (ROOT, "other/")), Err(Errno::NOTDIR));
    assert_eq!(guest.rename((ROOT, "plain/"), (ROOT, "other")), Err(Errno::NOTDIR));
    assert_eq!(guest.rename((ROOT, "in_dir/"), (ROOT, "other")), Err(Errno::NOTDIR));
    assert_eq!(guest.unlink(ROOT, "plain/"), Err(Errno::NOTDIR));
    assert_eq!(guest.unlink(ROOT, "in_dir/"), Err(Errno::NOTDIR));
    assert_eq!(guest.unlink(ROOT, "dir/"), Err(Errno::ISDIR));
    assert_eq!(guest.unlink(ROOT, "dir"), Err(Errno::ISDIR));
    assert_eq!(guest.rmdir(ROOT, "in_dir/"), Err(Errno::NOTDIR));
    assert_eq!(guest.rmdir(ROOT, "moved/"), Ok(()));
    assert_eq!(guest.link((ROOT, "plain"), false, (ROOT, "l/")), Err(Errno::NOENT));
    assert_eq!(guest.link((ROOT, "plain/"), false, (ROOT, "l")), Err(Errno::NOTDIR));
    assert_eq!(guest.symlink("plain", ROOT, "l/"), Err(Errno::NOENT));
    assert_eq!(guest.symlink("plain", ROOT, "dir/"), Err(Errno::EXIST));
    assert_eq!(guest.symlink("plain", ROOT, "plain/"), Err(Errno::NOTDIR));
    assert_eq!(guest.readlink(ROOT, "in_dir/", 9), Err(Errno::NOTDIR));
    assert_eq!(guest.readlink(ROOT, "in_dir", 9), Ok(b"dir".to_vec()));
    assert_eq!(guest.readlink(ROOT, "in_dir", 2), Ok(b"di".to_vec()));
    assert_eq!(guest.readlink(ROOT, "in_dir", 0), Ok(Vec::new()));
    assert_eq!(guest.readlink(ROOT, "plain", 9), Err(Errno::INVAL));
}

#[test]
fn dots_name_no_entry() {
    let tree = TempTree::new();
    build(&tree.join("base"));
    let mut guest = Guest::at(tree.join("base/sandbox"), Access::ReadWrite);
    for path in [".", "dir/.", "dir/..", "dir/deep/.."] {
        assert_eq!(guest.mkdir(ROOT, path), Err(Errno::EXIST), "{path}");
        assert_eq!(guest.rmdir(ROOT, path), Err(Errno::INVAL), "{path}");
        assert_eq!(guest.unlink(ROOT, path), Err(Errno::INVAL), "{path}");
        assert_eq!(guest.rename((ROOT, path), (ROOT, "x")), Err(Errno::INVAL), "{path}");
        assert_eq!(guest.rename((ROOT, "plain"), (ROOT, path)), Err(Errno::INVAL), "{path}");
        assert_eq!(guest.readlink(ROOT, path, 9), Err(Errno::INVAL), "{path}");
    }
    assert_eq!(guest.mkdir(ROOT, "none/."), Err(Errno::NOENT));
    assert_eq!(guest.mkdir(ROOT, ".."), Err(Errno::NOTCAPABLE));
}

#[test]
fn symlink_targets() {
    let tree = TempTree::new();
    std::fs::create_dir_all(tree.join("a/b")).unwrap();
    let mut guest = Guest::at(tree.path(), Access::ReadWrite);
    for (target, at, want) in [
        ("x", "l0", Ok(())),
        ("x/y/./z/", "l1", Ok(())),
        ("../x", "a/l2", Ok(())),
        ("../../x", "a/b/l3", Ok(())),
        ("./../..", "a/b/l4", Ok(())),
        ("..", "l5", Err(Errno::PERM)),
        ("../x", "l5", Err(Errno::PERM)),
        ("../../x", "a/l5", Err(Errno::PERM)),
        ("../x", "a/../l5", Err(Errno::PERM)),
        ("x/../../..", "a/l5", Err(Errno::PERM)),
        ("a/..", "l5", Err(Errno::PERM)),
        ("/", "l5", Err(Errno::PERM)),
        ("/etc/passwd", "l5", Err(Errno::PERM)),
        ("", "l5", Err(Errno::NOENT)),
        ("a\0b", "l5", Err(Errno::INVAL)),
        ("x", "none/l5", Err(Errno::NOENT)),
    ] {
        assert_eq!(guest.symlink(target, ROOT, at), want, "{target} at {at}");
    }
    // The depth is that of the directory, not of the descriptor.
    let sub = guest.open(ROOT, "a/b", Open::READ).unwrap();
    assert_eq!(guest.symlink("../../x", sub, "deep"), Ok(()));
    assert_eq!(guest.symlink("../../../x", sub, "deeper"), Err(Errno::PERM));
    assert!(tree.join("l5").symlink_metadata().is_err());
}

#[test]
fn special_files_are_refused_at_once() {
    let tree = TempTree::new();
    build(&tree.join("base"));
    let mut guest = Guest::at(tree.join("base/sandbox"), Access::ReadWrite);
    let start = Instant::now();
    for how in [Open::READ, Open::WRITE, Open::WRITE.with(CREAT), Open::WRITE.with(TRUNC)] {
        assert_eq!(guest.open(ROOT, "fifo", how), Err(Errno::PERM), "{how:?}");
        assert_eq!(guest.open(ROOT, "sock", how), Err(Errno::NXIO), "{how:?}");
    }
    let mut devices = Guest::at("/dev", Access::ReadWrite);
    assert_eq!(devices.open(ROOT, "null", Open::READ), Err(Errno::PERM));
    assert_eq!(devices.stat_at(ROOT, "null", true).unwrap().kind, 2);
    assert!(start.elapsed() < Duration::from_secs(2));
    let denials = devices.ctx.denials().list();
    assert_eq!(denials, [Denial::SpecialFile { path: "/null".into() }]);
}

/// Ends the swapping threads, also when the test fails.
struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_race_of_links_never_leaves() {
    let tree = TempTree::new();
    let base = tree.join("base");
    for dir in ["sandbox/inner", "outside"] {
        std::fs::create_dir_all(base.join(dir)).unwrap();
    }
    std::fs::write(base.join("outside/f"), "outside").unwrap();
    std::fs::write(base.join("sandbox/inner/f"), "inside").unwrap();
    symlink("../outside", base.join("sandbox/swap")).unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let (a, b) = (base.join("sandbox/inner"), base.join("sandbox/swap"));
                let cwd = rustix::fs::CWD;
                while !stop.load(Ordering::Relaxed) {
                    let flags = rustix::fs::RenameFlags::EXCHANGE;
                    let _ = rustix::fs::renameat_with(cwd, &a, cwd, &b, flags);
                }
            });
        }
        let _stop = StopOnDrop(&stop);
        let mut guest = Guest::at(base.join("sandbox"), Access::ReadWrite);
        let end = Instant::now() + Duration::from_millis(1500);
        let (mut inside, mut refused) = (0, 0);
        while Instant::now() < end {
            for path in ["inner/f", "swap/f", "inner/../swap/f", "swap/../inner/f"] {
                match guest.open(ROOT, path, Open::READ) {
                    Ok(fd) => {
                        assert_eq!(guest.read(fd, 20).unwrap(), b"inside", "{path}");
                        guest.close(fd).unwrap();
                        inside += 1;
                    }
                    Err(Errno::NOTCAPABLE | Errno::NOENT | Errno::AGAIN | Errno::LOOP) => {
                        refused += 1;
                    }
                    Err(errno) => panic!("{path}: {errno:?}"),
                }
                let _ = guest.mkdir(ROOT, "swap/made");
                let _ = guest.set_times_at(ROOT, "swap/f", true, (1, 1, 5));
                let _ = guest.unlink(ROOT, "swap/f2");
                let _ = guest.link((ROOT, "inner/f"), false, (ROOT, "swap/f2"));
            }
        }
        assert!(inside > 0 && refused > 0, "{inside} inside, {refused} refused");
    });
    let names: Vec<_> = base.join("outside").read_dir().unwrap().collect();
    assert_eq!(names.len(), 1, "{names:?}");
    let stat = base.join("outside/f").metadata().unwrap();
    assert_eq!((stat.nlink(), stat.mtime() > 1), (1, true));
}
