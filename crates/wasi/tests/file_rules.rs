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
