//! The table of file rules: each row's directories, what is tried in them, and what comes of it.

mod guest;

use std::fmt::Write as _;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;

use dunlin_wasi::WasiCtx;
use dunlin_wasi::host::Access;
use dunlin_wasi::p1::Errno;
use guest::*;

fn build(base: &Path) {
    let _ = std::fs::remove_dir_all(base);
    for name in ["a", "b", "out"] {
        let dir = base.join(name);
        std::fs::create_dir_all(dir.join("d")).unwrap();
        std::fs::create_dir(dir.join("e")).unwrap();
        std::fs::write(dir.join("f"), format!("f of {name}")).unwrap();
        std::fs::write(dir.join("d/g"), format!("g of {name}")).unwrap();
        symlink("f", dir.join("l")).unwrap();
        symlink("../out", dir.join("up")).unwrap();
        symlink(base.join("out/f"), dir.join("abs")).unwrap();
    }
}

/// All there is of what is not below one of these directories.
fn untouchable(base: &Path, writable: &[String]) -> String {
    let mut text = String::new();
    let mut todo = vec![base.to_owned()];
    while let Some(path) = todo.pop() {
        let name = path.strip_prefix(base).unwrap().to_str().unwrap().to_owned();
        if writable.contains(&name) {
            continue;
        }
        let stat = path.symlink_metadata().unwrap();
        let changes = (stat.ino(), stat.nlink(), stat.mtime(), stat.mtime_nsec());
        write!(text, "{name} {} ", stat.mode()).unwrap();
        if stat.is_dir() {
            todo.extend(path.read_dir().unwrap().map(|entry| entry.unwrap().path()));
            // Links and times of a directory are those of what is in it.
            writeln!(text).unwrap();
        } else if stat.is_symlink() {
            writeln!(text, "{:?}", path.read_link().unwrap()).unwrap();
        } else {
            writeln!(text, "{:?} {changes:?}", std::fs::read(&path).unwrap()).unwrap();
        }
    }
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines.join("\n")
}

/// The guest of a row, the names of its directories, and those of the host's that it may change.
fn guest(base: &Path, grants: &str) -> (Guest, Vec<String>, Vec<String>) {
    let (mut names, mut writable) = (Vec::new(), Vec::new());
    let mut builder = WasiCtx::builder();
    for grant in grants.split_whitespace().filter(|word| *word != "--dir") {
        let (grant, access) = match grant.strip_suffix(":ro") {
            Some(grant) => (grant, Access::ReadOnly),
            None => (grant, Access::ReadWrite),
        };
        let (host, name) = grant.split_once("::").unwrap();
        builder = builder.dir(base.join(host), name, access);
        names.push(name.to_owned());
        if access == Access::ReadWrite {
            writable.push(host.to_owned());
        }
    }
    (Guest::new(builder), names, writable)
}

fn step(guest: &mut Guest, names: &[String], step: &str) -> Res<()> {
    // A path goes to the directory whose name it begins with, as in every C library.
    let find = |path: &str| {
        let below = |name: &String| path.strip_prefix(&format!("{name}/")).map(str::to_owned);
        let found = names.iter().enumerate().find_map(|(n, name)| Some((n, below(name)?)));
        let (n, rest) = found.unwrap_or_else(|| panic!("below no directory: {path}"));
        (ROOT + n as u32, rest)
    };
    let words: Vec<&str> = step.split(' ').collect();
    let (fd, path) = find(if words[0] == "symlink" { words[2] } else { words[1] });
    let opened = |guest: &mut Guest, how: Open| guest.open(fd, &path, how);
    let write = |guest: &mut Guest, how: Open| {
        let fd = guest.open(fd, &path, how)?;
        guest.write(fd, b"changed")?;
        guest.close(fd)
    };
    match words[0] {
        "read" => {
            let fd = opened(guest, Open::READ)?;
            assert!(guest.read(fd, 64)?.len() > 2, "{step}");
            guest.close(fd)
        }
        "write" => write(guest, Open::WRITE),
        "append" => write(guest, Open { fdflags: APPEND, ..Open::WRITE }),
        "truncate" => opened(guest, Open::READ.with(TRUNC)).map(drop),
        "create" => write(guest, Open::WRITE.with(CREAT)),
        "cut" => {
            let fd = opened(guest, Open::READ)?;
            guest.set_size(fd, 0)
        }
        "list" => {
            let fd = opened(guest, Open::READ.with(DIRECTORY))?;
            guest.readdir(fd, 1024, 0).map(drop)
        }
        "stat" => guest.stat_at(fd, &path, true).map(drop),
        "times" => guest.set_times_at(fd, &path, true, (1, 1, 5)),
        "mkdir" => guest.mkdir(fd, &path),
        "rmdir" => guest.rmdir(fd, &path),
        "unlink" => guest.unlink(fd, &path),
        "readlink" => guest.readlink(fd, &path, 64).map(drop),
        "symlink" => guest.symlink(words[1], fd, &path),
        "link" | "rename" => {
            let (to, new) = find(words[2]);
            match words[0] {
                "link" => guest.link((fd, &path), false, (to, new)),
                _ => guest.rename((fd, &path), (to, new)),
            }
        }
        verb => panic!("no such step: {verb}"),
    }
}

#[test]
fn every_row() {
    const ERRORS: &[(&str, Errno)] = &[
        ("rofs", Errno::ROFS),
        ("badf", Errno::BADF),
        ("perm", Errno::PERM),
        ("inval", Errno::INVAL),
        ("noent", Errno::NOENT),
        ("isdir", Errno::ISDIR),
        ("notdir", Errno::NOTDIR),
        ("notempty", Errno::NOTEMPTY),
        ("notcapable", Errno::NOTCAPABLE),
    ];
    let tree = TempTree::in_memory();
    let base = tree.join("base");
    let mut rows = 0;
    let mut wrong = Vec::new();
    for row in include_str!("data/file-rules.txt").lines() {
        if row.is_empty() || row.starts_with('#') {
            continue;
        }
        rows += 1;
        let [grants, steps, want] = row.split('|').map(str::trim).collect::<Vec<_>>()[..] else {
            panic!("three columns: {row}");
        };
        build(&base);
        let (mut guest, names, writable) = guest(&base, grants);
        let before = untouchable(&base, &writable);
        let mut got = Vec::new();
        for text in steps.split("; ") {
            got.push(match step(&mut guest, &names, text) {
                Ok(()) => "allow",
                Err(errno) => match ERRORS.iter().find(|(_, known)| *known == errno) {
                    Some((name, _)) => name,
                    None => panic!("{row}: {errno:?}"),
                },
            });
        }
        if got.join(" ") != want {
            wrong.push(format!("{row}: got {}", got.join(" ")));
        }
        assert_eq!(untouchable(&base, &writable), before, "{row}");
        // What is denied for want of a grant names one.
        let denied = got.iter().any(|verdict| ["rofs", "notcapable"].contains(verdict));
        assert_eq!(denied, !guest.ctx.denials().list().is_empty(), "{row}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(rows >= 100, "{rows} rows");
}
