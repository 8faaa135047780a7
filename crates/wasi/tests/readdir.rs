//! Listing directories: small buffers, any cookie, changes meanwhile, clean padding.

mod guest;

use std::collections::BTreeSet;

use dunlin_wasi::host::Access;
use dunlin_wasi::p1::{Errno, call};
use guest::*;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    name: String,
    ino: u64,
    kind: u8,
    next: u64,
}

/// The whole entries of a buffer.
fn entries(bytes: &[u8]) -> Vec<Entry> {
    let mut list = Vec::new();
    let mut rest = bytes;
    while let Some((head, after)) = rest.split_at_checked(24) {
        let len = u32::from_le_bytes(head[16..20].try_into().unwrap()) as usize;
        let Some((name, after)) = after.split_at_checked(len) else { break };
        assert_eq!(head[21..24], [0; 3], "the padding of {name:?}");
        list.push(Entry {
            name: String::from_utf8(name.to_vec()).unwrap(),
            ino: u64::from_le_bytes(head[8..16].try_into().unwrap()),
            kind: head[20],
            next: u64::from_le_bytes(head[..8].try_into().unwrap()),
        });
        rest = after;
    }
    list
}

/// Everything, through a buffer of one size.
fn list(guest: &mut Guest, fd: u32, size: u32) -> Vec<Entry> {
    let mut all = Vec::new();
    let mut cookie = 0;
    loop {
        let bytes = guest.readdir(fd, size, cookie).unwrap();
        let some = entries(&bytes);
        cookie = some.last().map_or(cookie, |entry| entry.next);
        let stuck = some.is_empty() && !bytes.is_empty();
        assert!(!stuck, "a buffer of {size} bytes holds no entry");
        all.extend(some);
        if bytes.len() < size as usize {
            return all;
        }
    }
}

fn tree_of(count: usize) -> TempTree {
    let tree = TempTree::in_memory();
    for n in 0..count {
        std::fs::write(tree.join(format!("file-{n}")), "").unwrap();
    }
    tree
}

#[test]
fn every_buffer_gives_the_same() {
    let tree = tree_of(60);
    std::fs::create_dir(tree.join("dir")).unwrap();
    std::os::unix::fs::symlink("x", tree.join("link")).unwrap();
    std::fs::write(tree.join("n".repeat(255)), "").unwrap();
    let mut guest = Guest::at(tree.path(), Access::ReadOnly);
    let whole = list(&mut guest, ROOT, 0x10000);
    let names: BTreeSet<_> = whole.iter().map(|entry| entry.name.clone()).collect();
    assert_eq!((whole.len(), names.len()), (65, 65));
    assert!(names.contains(".") && names.contains("..") && names.contains("file-59"));
    for size in [280, 300, 512, 1000, 4096, 0x8000] {
        assert_eq!(list(&mut guest, ROOT, size), whole, "{size} bytes");
    }
    for entry in &whole {
        if entry.name == ".." {
            assert_eq!(entry.ino, guest.stat(ROOT).unwrap().ino, "the root is its own parent");
            continue;
        }
        let stat = guest.stat_at(ROOT, &entry.name, false).unwrap();
        assert_eq!((stat.ino, stat.kind), (entry.ino, entry.kind), "{}", entry.name);
    }
    // Any cookie that was given is good again later.
    for (index, entry) in whole.iter().enumerate() {
        let rest = entries(&guest.readdir(ROOT, 0x10000, entry.next).unwrap());
        assert_eq!(rest, whole[index + 1..]);
    }
    // Below the root, `..` is what it is.
    let dir = guest.open(ROOT, "dir", Open::READ).unwrap();
    let up = list(&mut guest, dir, 1000).into_iter().find(|entry| entry.name == "..");
    assert_eq!(up.unwrap().ino, guest.stat(ROOT).unwrap().ino);
}

#[test]
fn tiny_buffers() {
    let tree = tree_of(3);
    let mut guest = Guest::at(tree.path(), Access::ReadOnly);
    let whole = guest.readdir(ROOT, 1000, 0).unwrap();
    for size in [0, 1, 23, 24, 25, 30] {
        guest.put(DATA, &[0xaa; 64]);
        let bytes = guest.readdir(ROOT, size, 0).unwrap();
        assert_eq!(bytes, whole[..size as usize], "{size} bytes");
        let after = guest.bytes(DATA + size, 16);
        assert_eq!(after, [0xaa; 16], "nothing is written after {size} bytes");
    }
    for (buf, len, out) in [(MEMORY as u32, 1, OUT), (DATA, u32::MAX, OUT), (DATA, 9, u32::MAX)] {
        let result = guest.call(|c, m| call::fd_readdir(c, m, ROOT, buf, len, 0, out));
        assert_eq!(result, Err(Errno::FAULT));
    }
    let file = guest.open(ROOT, "file-0", Open::READ).unwrap();
    assert_eq!(guest.readdir(file, 100, 0), Err(Errno::NOTDIR));
}

#[test]
fn cookies_nobody_gave() {
    let tree = tree_of(20);
    for tree in [tree, TempTree::new()] {
        let mut guest = Guest::at(tree.path(), Access::ReadOnly);
        for cookie in [1, 2, 0x7fff_ffff, 1 << 40, i64::MAX as u64, 1 << 63, u64::MAX] {
            let bytes = guest.readdir(ROOT, 1000, cookie).unwrap();
            let all = list(&mut guest, ROOT, 0x10000);
            for entry in entries(&bytes) {
                assert!(all.iter().any(|known| known.name == entry.name), "{cookie:#x}");
            }
            if cookie >= 1 << 63 {
                assert!(bytes.is_empty(), "{cookie:#x}");
            }
        }
    }
}

#[test]
fn a_directory_that_changes() {
    let tree = tree_of(2000);
    let mut guest = Guest::at(tree.path(), Access::ReadWrite);
    let mut seen = Vec::new();
    let mut cookie = 0;
    let mut round = 0;
    loop {
        let bytes = guest.readdir(ROOT, 512, cookie).unwrap();
        let some = entries(&bytes);
        // Half of what was listed goes, and new files come.
        for entry in some.iter().filter(|entry| entry.name.starts_with("file")).step_by(2) {
            guest.unlink(ROOT, &entry.name).unwrap();
        }
        round += 1;
        if round <= 100 {
            guest
                .open(ROOT, format!("new-{round}"), Open::WRITE.with(CREAT))
                .map(|fd| guest.close(fd))
                .unwrap()
                .unwrap();
        }
        cookie = some.last().map_or(cookie, |entry| entry.next);
        seen.extend(some.into_iter().map(|entry| entry.name));
        if bytes.len() < 512 {
            break;
        }
    }
    let unique: BTreeSet<_> = seen.iter().collect();
    assert_eq!(unique.len(), seen.len(), "nothing is listed twice");
    for n in 0..2000 {
        assert!(unique.contains(&format!("file-{n}")), "file-{n} was there all the time");
    }
}

#[test]
fn a_directory_that_is_gone() {
    let tree = TempTree::new();
    std::fs::create_dir(tree.join("dir")).unwrap();
    let mut guest = Guest::at(tree.path(), Access::ReadWrite);
    let dir = guest.open(ROOT, "dir", Open::READ).unwrap();
    guest.rmdir(ROOT, "dir").unwrap();
    assert_eq!(guest.readdir(dir, 100, 0), Ok(Vec::new()));
    assert_eq!(guest.open(dir, "x", Open::WRITE.with(CREAT)), Err(Errno::NOENT));
}

#[test]
fn a_large_directory_takes_little_memory() {
    let tree = tree_of(50_000);
    let mut guest = Guest::at(tree.path(), Access::ReadOnly);
    let before = peak_kib();
    assert_eq!(list(&mut guest, ROOT, 0x8000).len(), 50_002);
    let listed = 50_002 * (std::mem::size_of::<Entry>() + 32) / 1024;
    assert!(peak_kib() < before + 4096 + 2 * listed as u64);
}

fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
