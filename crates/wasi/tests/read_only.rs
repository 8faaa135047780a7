//! Grants for reading only: every change is refused, on both ends of what has two.

mod guest;

use std::fmt::Write as _;

use dunlin_wasi::WasiCtx;
use dunlin_wasi::host::{Access, Denial};
use dunlin_wasi::p1::{Errno, Rights, call};
use guest::*;

/// A tree for one grant.
fn build(tree: &TempTree, name: &str) {
    let dir = tree.join(name);
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(dir.join("d")).unwrap();
    std::fs::create_dir_all(dir.join("empty")).unwrap();
    std::fs::write(dir.join("f"), "content").unwrap();
    std::fs::write(dir.join("d/g"), "content").unwrap();
    std::os::unix::fs::symlink("f", dir.join("l")).unwrap();
}

/// What a guest sees of a tree that must not change.
fn shape(tree: &TempTree, name: &str) -> String {
    use std::os::unix::fs::MetadataExt;
    let mut text = String::new();
    let mut todo = vec![tree.join(name)];
    while let Some(path) = todo.pop() {
        let stat = path.symlink_metadata().unwrap();
        let numbers = (stat.ino(), stat.nlink(), stat.size(), stat.mtime_nsec(), stat.ctime_nsec());
        writeln!(text, "{path:?} {numbers:?}").unwrap();
        if stat.is_dir() {
            let mut names: Vec<_> = path.read_dir().unwrap().map(|e| e.unwrap().path()).collect();
            names.sort();
            todo.extend(names);
        }
    }
    text
}

/// Changes below one directory.
type Change = (&'static str, fn(&mut Guest, u32) -> Res<()>);

fn opened(guest: &mut Guest, fd: u32, path: &str, how: Open) -> Res<()> {
    let fd = guest.open(fd, path, how)?;
    guest.close(fd)
}

const CHANGES: &[Change] = &[
    ("open to write", |g, fd| opened(g, fd, "f", Open::WRITE)),
    ("open to append", |g, fd| opened(g, fd, "f", Open { fdflags: APPEND, ..Open::WRITE })),
    ("open, truncate", |g, fd| opened(g, fd, "f", Open::READ.with(TRUNC))),
    ("open to write, truncate", |g, fd| opened(g, fd, "f", Open::WRITE.with(TRUNC))),
    ("open, create", |g, fd| opened(g, fd, "new", Open::READ.with(CREAT))),
    ("open, create what is there", |g, fd| opened(g, fd, "f", Open::READ.with(CREAT))),
    ("open through a link", |g, fd| opened(g, fd, "l", Open::WRITE)),
    ("set times by path", |g, fd| g.set_times_at(fd, "f", true, (1, 1, 5))),
    ("set times of a link", |g, fd| g.set_times_at(fd, "l", false, (1, 1, 5))),
    ("set times of the directory", |g, fd| g.set_times(fd, 1, 1, 5)),
    ("set times of an open file", |g, fd| {
        let file = g.open(fd, "f", Open::READ)?;
        g.set_times(file, 1, 1, 10)
    }),
    ("set size of an open file", |g, fd| {
        let file = g.open(fd, "f", Open::READ)?;
        match g.set_size(file, 0) {
            // A file opened for reading has no size to set, whatever the grant.
            Err(Errno::BADF) => Ok(()),
            result => result,
        }
    }),
    ("allocate in an open file", |g, fd| {
        let file = g.open(fd, "f", Open::READ)?;
        match g.allocate(file, 0, 100) {
            Err(Errno::BADF) => Ok(()),
            result => result,
        }
    }),
    ("create a directory", |g, fd| g.mkdir(fd, "new")),
    ("remove a directory", |g, fd| g.rmdir(fd, "empty")),
    ("unlink", |g, fd| g.unlink(fd, "f")),
    ("unlink below", |g, fd| {
        let dir = g.open(fd, "d", Open::READ.with(DIRECTORY))?;
        g.unlink(dir, "g")
    }),
    ("symlink", |g, fd| g.symlink("f", fd, "new")),
    ("link", |g, fd| g.link((fd, "f"), false, (fd, "new"))),
    ("rename", |g, fd| g.rename((fd, "f"), (fd, "new"))),
];

#[test]
fn each_change() {
    let tree = TempTree::new();
    for access in [Access::ReadOnly, Access::ReadWrite] {
        for (name, change) in CHANGES {
            build(&tree, "t");
            let before = shape(&tree, "t");
            let mut guest = Guest::at(tree.join("t"), access);
            let result = change(&mut guest, ROOT);
            match access {
                Access::ReadWrite => assert_eq!(result, Ok(()), "{name}"),
                Access::ReadOnly => {
                    assert_eq!(result, Err(Errno::ROFS), "{name}");
                    assert_eq!(shape(&tree, "t"), before, "{name}");
                    assert_eq!(guest.ctx.denials().list().len(), 1, "{name} names no flag");
                }
            }
        }
    }
}

#[test]
fn writing_to_what_was_opened_for_reading() {
    let tree = TempTree::new();
    build(&tree, "t");
    for access in [Access::ReadOnly, Access::ReadWrite] {
        let mut guest = Guest::at(tree.join("t"), access);
        let fd = guest.open(ROOT, "f", Open::READ).unwrap();
        assert_eq!(guest.write(fd, b"x"), Err(Errno::BADF));
        assert_eq!(guest.pwrite(fd, b"x", 0), Err(Errno::BADF));
        assert_eq!(guest.call(|c, m| call::fd_fdstat_set_flags(c, m, fd, APPEND)), Ok(()));
        assert_eq!(guest.write(fd, b"x"), Err(Errno::BADF));
        assert_eq!(guest.read(fd, 100).unwrap(), b"content");
    }
}

/// Operations with two ends, in all four pairs of grants, within one grant and across two.
#[test]
fn both_ends() {
    type Two = fn(&mut Guest, u32, u32) -> Res<()>;
    let ops: [(&str, Two); 3] = [
        ("link", |g, from, to| g.link((from, "f"), false, (to, "new"))),
        ("rename", |g, from, to| g.rename((from, "f"), (to, "new"))),
        ("rename directory", |g, from, to| g.rename((from, "d"), (to, "new"))),
    ];
    let tree = TempTree::new();
    for (name, op) in ops {
        for from in [Access::ReadOnly, Access::ReadWrite] {
            for to in [Access::ReadOnly, Access::ReadWrite] {
                for across in [false, true] {
                    build(&tree, "from");
                    build(&tree, "to");
                    let before = (shape(&tree, "from"), shape(&tree, "to"));
                    // The same directory on the same terms, or another.
                    let target = if across { "to" } else { "from" };
                    let mut guest =
                        Guest::new(WasiCtx::builder().dir(tree.join("from"), "/from", from).dir(
                            tree.join(target),
                            "/to",
                            to,
                        ));
                    let result = op(&mut guest, ROOT, ROOT + 1);
                    let what = format!("{name} from {from:?} to {to:?}, across {across}");
                    if (from, to) == (Access::ReadWrite, Access::ReadWrite) {
                        assert_eq!(result, Ok(()), "{what}");
                        assert!(tree.join(target).join("new").exists(), "{what}");
                    } else {
                        assert_eq!(result, Err(Errno::ROFS), "{what}");
                        assert_eq!((shape(&tree, "from"), shape(&tree, "to")), before, "{what}");
                    }
                }
            }
        }
    }
}

#[test]
fn what_reading_allows() {
    let tree = TempTree::new();
    build(&tree, "t");
    let mut guest = Guest::at(tree.join("t"), Access::ReadOnly);
    let fd = guest.open(ROOT, "l", Open::READ).unwrap();
    assert_eq!(guest.read(fd, 3).unwrap(), b"con");
    assert_eq!(guest.pread(fd, 9, 5).unwrap(), b"nt");
    assert_eq!(guest.seek(fd, -2, 2), Ok(5));
    assert_eq!(guest.stat(fd).unwrap().size, 7);
    assert_eq!(guest.readlink(ROOT, "l", 9).unwrap(), b"f");
    assert!(!guest.readdir(ROOT, 1000, 0).unwrap().is_empty());
    assert_eq!(guest.call(|c, m| call::fd_sync(c, m, fd)), Ok(()));
    assert_eq!(guest.call(|c, m| call::fd_advise(c, m, fd, 0, 0, 3)), Ok(()));
    assert!(guest.ctx.denials().list().is_empty());
}

#[test]
fn denials_name_the_flag() {
    let tree = TempTree::new();
    build(&tree, "t");
    std::os::unix::fs::symlink("/etc", tree.join("t/out")).unwrap();
    let host = tree.join("t").display().to_string();
    let mut guest = Guest::new(WasiCtx::builder().dir(&host, "/data/", Access::ReadOnly));
    let dir = guest.open(ROOT, "d", Open::READ).unwrap();
    assert_eq!(guest.open(dir, "g", Open::WRITE), Err(Errno::ROFS));
    assert_eq!(guest.open(ROOT, "../x/y", Open::READ), Err(Errno::NOTCAPABLE));
    assert_eq!(guest.open(ROOT, "out/passwd", Open::READ), Err(Errno::NOTCAPABLE));
    assert_eq!(guest.unlink(ROOT, "/etc/passwd"), Err(Errno::NOTCAPABLE));
    assert_eq!(guest.open(dir, "../f", Open::READ), Err(Errno::NOTCAPABLE));
    let accept = |c: &mut WasiCtx, m: &mut [u8]| call::sock_accept(c, m, 9, 0, OUT);
    assert_eq!(guest.call(accept), Err(Errno::BADF));
    let list: Vec<String> = guest.ctx.denials().list().iter().map(Denial::to_string).collect();
    assert_eq!(
        list,
        [
            format!(
                "the guest was denied writing `/data/d/g`: `/data` is granted for reading only; \
                 grant it with `--dir {host}::/data`, without `:ro`"
            ),
            "the guest was denied `/x/y`; grant it with `--dir HOST::/x`".to_owned(),
            "the guest was denied `/data/out/passwd`, which leads out of `/data` by a symbolic \
             link; grant what it leads to with `--dir HOST::GUEST`"
                .to_owned(),
            "the guest was denied `/etc/passwd`; grant it with `--dir HOST::/etc`".to_owned(),
            "the guest accepts connections on descriptor 9, which is no listener; grant one with \
             `--listen ADDRESS:PORT`"
                .to_owned(),
        ]
    );
}

#[test]
fn rights_only_shrink() {
    let tree = TempTree::new();
    build(&tree, "t");
    let mut guest = Guest::at(tree.join("t"), Access::ReadWrite);
    let rights = |guest: &mut Guest, fd| {
        guest.call(|c, m| call::fd_fdstat_get(c, m, fd, OUT)).unwrap();
        (Rights(guest.u64(OUT + 8)), Rights(guest.u64(OUT + 16)))
    };
    let (base, inheriting) = rights(&mut guest, ROOT);
    assert_eq!((base, inheriting), (Rights::DIRECTORY, Rights::DIRECTORY.or(Rights::FILE)));

    // A directory handed on without the right to create, and files without the right to write.
    let less = base.without(Rights::PATH_CREATE_FILE);
    let files = inheriting.without(Rights::FD_WRITE);
    let how = Open { base: less, inheriting: files, ..Open::READ.with(DIRECTORY) };
    let dir = guest.open(ROOT, ".", how).unwrap();
    assert_eq!(rights(&mut guest, dir), (less, files));
    assert_eq!(guest.open(dir, "new", Open::READ.with(CREAT)), Err(Errno::NOTCAPABLE));
    assert_eq!(guest.open(dir, "f", Open::WRITE), Err(Errno::NOTCAPABLE));
    let wants = Open { base: Rights::FD_READ, inheriting: Rights(0), ..Open::READ };
    let file = guest.open(dir, "f", wants).unwrap();
    assert_eq!(rights(&mut guest, file), (Rights::FD_READ, Rights(0)));
    assert_eq!(guest.read(file, 3).unwrap(), b"con");
    assert_eq!(guest.seek(file, 0, 0), Err(Errno::NOTCAPABLE));
    assert_eq!(guest.pread(file, 1, 0), Err(Errno::NOTCAPABLE));
    assert_eq!(guest.stat(file), Err(Errno::NOTCAPABLE));

    let set = |guest: &mut Guest, fd, base: Rights, inh: Rights| {
        guest.call(|c, m| call::fd_fdstat_set_rights(c, m, fd, base.0, inh.0))
    };
    assert_eq!(set(&mut guest, dir, base, files), Err(Errno::NOTCAPABLE));
    assert_eq!(set(&mut guest, dir, less, inheriting), Err(Errno::NOTCAPABLE));
    assert_eq!(set(&mut guest, dir, Rights(1 << 40), files), Err(Errno::NOTCAPABLE));
    let least = Rights::PATH_OPEN;
    assert_eq!(set(&mut guest, dir, least, files), Ok(()));
    assert_eq!(rights(&mut guest, dir), (least, files));
    assert_eq!(guest.unlink(dir, "f"), Err(Errno::NOTCAPABLE));
    assert_eq!(guest.stat_at(dir, "f", true), Err(Errno::NOTCAPABLE));
}

#[test]
fn protected_files_are_in_no_grant() {
    use std::os::unix::fs::symlink;
    let tree = TempTree::new();
    build(&tree, "home");
    std::fs::create_dir_all(tree.join("home/cache/sub")).unwrap();
    std::fs::write(tree.join("home/cache/sub/artifact"), "sealed").unwrap();
    std::fs::write(tree.join("home/key"), "key").unwrap();
    std::fs::hard_link(tree.join("home/key"), tree.join("home/other_name")).unwrap();
    symlink("cache/sub", tree.join("home/short")).unwrap();
    symlink("../../home/d/../l", tree.join("home/d/up")).unwrap();
    let mut guest = Guest::new(
        WasiCtx::builder()
            .dir(tree.path(), "/", Access::ReadWrite)
            .protect(tree.join("home/cache"))
            .protect(tree.join("home/key"))
            .protect(tree.join("home/nothing")),
    );
    let before = std::fs::read(tree.join("home/key")).unwrap();
    for path in [
        "home/key",
        "home/other_name",
        "home/cache",
        "home/cache/",
        "home/cache/sub",
        "home/cache/sub/artifact",
        "home/cache/sub/..",
        "home/cache/sub/../new",
        "home/short",
        "home/short/artifact",
        "home/d/../short/artifact",
        "home/short/../sub",
    ] {
        for how in [Open::READ, Open::WRITE, Open::WRITE.with(TRUNC), Open::WRITE.with(CREAT)] {
            let result = guest.open(ROOT, path, how);
            let refused = matches!(result, Err(Errno::NOTCAPABLE | Errno::ISDIR));
            assert!(refused, "{path} {how:?}: {result:?}");
        }
        assert_eq!(guest.stat_at(ROOT, path, true), Err(Errno::NOTCAPABLE), "{path}");
    }
    for path in ["home/key", "home/cache", "home/cache/sub/artifact", "home/other_name"] {
        assert_eq!(guest.unlink(ROOT, path), Err(Errno::NOTCAPABLE), "{path}");
        assert_eq!(guest.rmdir(ROOT, path), Err(Errno::NOTCAPABLE), "{path}");
        assert_eq!(guest.rename((ROOT, path), (ROOT, "x")), Err(Errno::NOTCAPABLE), "{path}");
        assert_eq!(guest.rename((ROOT, "home/f"), (ROOT, path)), Err(Errno::NOTCAPABLE), "{path}");
        let link = guest.link((ROOT, path), false, (ROOT, "x"));
        assert_eq!(link, Err(Errno::NOTCAPABLE), "{path}");
    }
    assert_eq!(guest.mkdir(ROOT, "home/cache/new"), Err(Errno::NOTCAPABLE));
    assert_eq!(guest.symlink("x", ROOT, "home/short/new"), Err(Errno::NOTCAPABLE));
    assert_eq!(std::fs::read(tree.join("home/key")).unwrap(), before);
    let denied = guest.ctx.denials().list();
    assert_eq!(denied.first(), Some(&Denial::Protected { path: "/home/key".into() }));

    // All else is as granted, through links and by `..` as well.
    for path in ["home/f", "home/l", "home/d/g", "home/d/up", "home/../home/f"] {
        let fd = guest.open(ROOT, path, Open::READ).unwrap();
        assert_eq!(guest.read(fd, 10).unwrap(), b"content", "{path}");
    }
    assert_eq!(guest.open(ROOT, "../x", Open::READ), Err(Errno::NOTCAPABLE));
    assert_eq!(guest.open(ROOT, "home/new", Open::WRITE.with(CREAT)).map(|_| ()), Ok(()));

    let cache = WasiCtx::builder()
        .dir(tree.join("home/cache"), "/", Access::ReadOnly)
        .protect(tree.join("home/cache"))
        .build();
    let message =
        format!("cannot grant directory `{}`: it is protected", tree.join("home/cache").display());
    assert_eq!(cache.map(|_| ()).map_err(|e| e.to_string()), Err(message));
}

/// Who could move what is on the way to protected files could put others in their place.
#[test]
fn the_way_to_protected_files_stays() {
    use std::os::unix::fs::symlink;
    let tree = TempTree::new();
    std::fs::create_dir_all(tree.join("home/real/state/dunlin")).unwrap();
    std::fs::create_dir_all(tree.join("home/empty")).unwrap();
    std::fs::write(tree.join("home/real/state/dunlin/key"), "key").unwrap();
    std::fs::write(tree.join("home/real/other"), "other").unwrap();
    symlink("real/state", tree.join("home/link")).unwrap();
    symlink("link", tree.join("home/link2")).unwrap();
    let mut guest = Guest::new(
        WasiCtx::builder()
            .dir(tree.join("home"), "/", Access::ReadWrite)
            .protect(tree.join("home/link2/dunlin")),
    );
    for path in ["link2", "link", "real", "real/state", "real/state/dunlin", "link/dunlin"] {
        assert_eq!(guest.rename((ROOT, path), (ROOT, "x")), Err(Errno::NOTCAPABLE), "{path}");
        assert_eq!(guest.rename((ROOT, "empty"), (ROOT, path)), Err(Errno::NOTCAPABLE), "{path}");
        assert_eq!(guest.unlink(ROOT, path), Err(Errno::NOTCAPABLE), "{path}");
        assert_eq!(guest.rmdir(ROOT, path), Err(Errno::NOTCAPABLE), "{path}");
    }
    for path in ["real/state/dunlin/key", "link2/dunlin/key", "link/dunlin"] {
        assert_eq!(guest.stat_at(ROOT, path, true).map(|_| ()), Err(Errno::NOTCAPABLE), "{path}");
    }
    // What is beside the way is as granted.
    assert_eq!(guest.rename((ROOT, "real/other"), (ROOT, "real/state/moved")), Ok(()));
    assert_eq!(guest.unlink(ROOT, "link/moved"), Ok(()));
    assert_eq!(guest.rmdir(ROOT, "empty"), Ok(()));
    assert_eq!(std::fs::read(tree.join("home/link2/dunlin/key")).unwrap(), b"key");
}

/// What is nowhere near protected files is not looked at more closely than without them.
#[test]
fn other_grants_stay_as_they_are() {
    use std::os::unix::fs::symlink;
    let tree = TempTree::new();
    build(&tree, "project");
    std::fs::create_dir_all(tree.join("cache/sub")).unwrap();
    std::fs::write(tree.join("cache/key"), "key").unwrap();
    std::fs::hard_link(tree.join("cache/key"), tree.join("project/second")).unwrap();
    symlink("../cache", tree.join("project/out")).unwrap();
    let world = |host: &str| {
        WasiCtx::builder()
            .dir(tree.join(host), "/", Access::ReadWrite)
            .protect(tree.join("cache"))
            .protect(tree.join("cache/key"))
    };
    let mut guest = Guest::new(world("project"));
    for path in ["f", "l", "d/g", "d/../f"] {
        let fd = guest.open(ROOT, path, Open::READ).unwrap();
        assert_eq!(guest.read(fd, 10).unwrap(), b"content", "{path}");
    }
    assert_eq!(guest.rename((ROOT, "d"), (ROOT, "e")), Ok(()));
    assert_eq!(guest.open(ROOT, "out/key", Open::READ), Err(Errno::NOTCAPABLE));
    assert_eq!(guest.open(ROOT, "second", Open::READ), Err(Errno::NOTCAPABLE));
    let denied = guest.ctx.denials().list();
    let link = Denial::LinkOutside { path: "/out/key".into(), granted: "/".into() };
    assert_eq!(denied, [link, Denial::Protected { path: "/second".into() }]);
    // A part of what is protected cannot be granted either.
    for host in ["cache", "cache/sub"] {
        let refused = world(host).build().map(|_| ()).unwrap_err().to_string();
        let host = tree.join(host);
        assert_eq!(
            refused,
            format!("cannot grant directory `{}`: it is protected", host.display())
        );
    }
}
