//! Paths a guest names, and their resolution below a directory by the kernel alone.
//!
//! Everything that turns a name into a file goes through [`open_beneath`]. There is no walker of
//! our own to fall back to: a host without `openat2` gives a guest no directories.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
use rustix::io::Errno;

use super::Error;

/// The longest path taken, in bytes: one less than the kernel's limit, which counts a NUL.
pub const PATH_MAX: usize = 4095;

/// How often a resolution is repeated when something was renamed under it.
const RETRIES: u32 = 16;

/// A path as a guest wrote it, checked: relative, not empty, no NUL, trailing slashes taken off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GuestPath<'a> {
    /// The path without its trailing slashes.
    pub(crate) text: &'a str,
    /// Whether there were any: the path must then name a directory.
    pub(crate) directory: bool,
}

/// The last component of a path, for operations that change an entry of a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Last<'a> {
    /// A name: not empty, no slash, neither `.` nor `..`.
    Name(&'a str),
    /// `.` or `..`, which name no entry that could be made or removed.
    Dots,
}

impl<'a> GuestPath<'a> {
    /// Checks a path.
    pub(crate) fn new(text: &'a str) -> Result<GuestPath<'a>, Error> {
        if text.is_empty() {
            return Err(Error::NoEntry);
        }
        if text.len() > PATH_MAX {
            return Err(Error::NameTooLong);
        }
        if text.bytes().any(|b| b == 0) {
            return Err(Error::Invalid);
        }
        if text.starts_with('/') {
            return Err(Error::NotCapable);
        }
        let trimmed = text.trim_end_matches('/');
        Ok(GuestPath { text: trimmed, directory: trimmed.len() != text.len() })
    }

    /// The directory part, if there is one, and the last component.
    pub(crate) fn split(self) -> (Option<&'a str>, Last<'a>) {
        let (parent, last) = match self.text.rsplit_once('/') {
            Some((parent, last)) => (Some(parent.trim_end_matches('/')), last),
            None => (None, self.text),
        };
        match last {
            "." | ".." => (parent, Last::Dots),
            name => (parent, Last::Name(name)),
        }
    }
}

/// Opens a path below a directory, never outside it and through no magic link.
///
/// Following a link out of `dir` gives [`Error::NotCapable`].
pub(crate) fn open_beneath(
    dir: BorrowedFd<'_>,
    path: &str,
    flags: OFlags,
    mode: Mode,
) -> Result<OwnedFd, Error> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    open(dir, path, flags, mode, resolve)
}

/// As [`open_beneath`], and neither into what is mounted below the directory: that gives
/// [`Error::NotCapable`] too.
pub(crate) fn open_in_mount(
    dir: BorrowedFd<'_>,
    path: &str,
    flags: OFlags,
    mode: Mode,
) -> Result<OwnedFd, Error> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_XDEV;
    open(dir, path, flags, mode, resolve)
}

fn open(
    dir: BorrowedFd<'_>,
    path: &str,
    flags: OFlags,
    mode: Mode,
    resolve: ResolveFlags,
) -> Result<OwnedFd, Error> {
    let mut flags = flags | OFlags::CLOEXEC;
    // The kernel takes a path descriptor with nothing that matters to an open file only.
    flags.set(OFlags::NOCTTY, !flags.contains(OFlags::PATH));
    let mut attempt = 0;
    loop {
        match openat2(dir, path, flags, mode, resolve) {
            Ok(fd) => return Ok(fd),
            Err(Errno::INTR) => {}
            // The kernel refuses to answer while a rename may have moved a `..` of the path.
            Err(Errno::AGAIN) if attempt < RETRIES => {
                attempt += 1;
                if attempt < RETRIES / 2 {
                    std::thread::yield_now();
                } else {
                    std::thread::sleep(Duration::from_micros(20 << (attempt - RETRIES / 2)));
                }
            }
            Err(Errno::XDEV) => return Err(Error::NotCapable),
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// Whether this host can keep a guest inside `dir`; asked once for each directory granted.
pub(crate) fn probe(dir: BorrowedFd<'_>) -> Result<(), Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    loop {
        match openat2(dir, ".", flags, Mode::empty(), resolve) {
            Ok(_) => return Ok(()),
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// The directory that holds the last component of a path.
pub(crate) enum Parent<'d> {
    /// The path had one component only.
    Same(BorrowedFd<'d>),
    /// A directory further down.
    Below(OwnedFd),
}

impl<'d> Parent<'d> {
    /// Opens the directory part of a path below `dir`.
    pub(crate) fn open(dir: BorrowedFd<'d>, parent: Option<&str>) -> Result<Parent<'d>, Error> {
        match parent {
            None => Ok(Parent::Same(dir)),
            Some(path) => {
                let flags = OFlags::PATH | OFlags::DIRECTORY;
                open_beneath(dir, path, flags, Mode::empty()).map(Parent::Below)
            }
        }
    }

    /// The same by [`open_in_mount`].
    pub(crate) fn open_in_mount(
        dir: BorrowedFd<'d>,
        parent: Option<&str>,
    ) -> Result<Parent<'d>, Error> {
        match parent {
            None => Ok(Parent::Same(dir)),
            Some(path) => {
                let flags = OFlags::PATH | OFlags::DIRECTORY;
                open_in_mount(dir, path, flags, Mode::empty()).map(Parent::Below)
            }
        }
    }
}

impl AsFd for Parent<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Parent::Same(fd) => *fd,
            Parent::Below(fd) => fd.as_fd(),
        }
    }
}

/// `path` seen from `base`, with `.`, `..` and doubled slashes worked out as text.
///
/// Links are not looked at, so this is for messages only.
pub(crate) fn join(base: &str, path: &str) -> String {
    let from = if path.starts_with('/') { "" } else { base };
    let rooted = from.starts_with('/') || path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in from.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." if matches!(parts.last(), Some(last) if *last != "..") => {
                parts.pop();
            }
            ".." if rooted => {}
            part => parts.push(part),
        }
    }
    let text = parts.join("/");
    match (rooted, text.is_empty()) {
        (true, _) => format!("/{text}"),
        (false, true) => ".".to_owned(),
        (false, false) => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checked() {
        let new = GuestPath::new;
        assert_eq!(new(""), Err(Error::NoEntry));
        assert_eq!(new("/"), Err(Error::NotCapable));
        assert_eq!(new("/etc/passwd"), Err(Error::NotCapable));
        assert_eq!(new("a\0"), Err(Error::Invalid));
        let long = "a/".repeat(2048);
        assert_eq!(new(&long), Err(Error::NameTooLong));
        assert_eq!(new("a//b///"), Ok(GuestPath { text: "a//b", directory: true }));
        assert_eq!(new("a/."), Ok(GuestPath { text: "a/.", directory: false }));
    }

    #[test]
    fn split() {
        let split = |text| GuestPath::new(text).map(GuestPath::split);
        assert_eq!(split("a"), Ok((None, Last::Name("a"))));
        assert_eq!(split("a//b/"), Ok((Some("a"), Last::Name("b"))));
        assert_eq!(split("a/../b"), Ok((Some("a/.."), Last::Name("b"))));
        assert_eq!(split("a/.."), Ok((Some("a"), Last::Dots)));
        assert_eq!(split("."), Ok((None, Last::Dots)));
        assert_eq!(split("..."), Ok((None, Last::Name("..."))));
    }

    #[test]
    fn joined() {
        assert_eq!(join("/data", "x"), "/data/x");
        assert_eq!(join("/data", "../etc/./passwd"), "/etc/passwd");
        assert_eq!(join("/data", "../../../.."), "/");
        assert_eq!(join("/data", "/etc/passwd"), "/etc/passwd");
        assert_eq!(join("/", "a//b/"), "/a/b");
        assert_eq!(join(".", "a/.."), ".");
        assert_eq!(join(".", "../x"), "../x");
        assert_eq!(join("sub", "../../x"), "../x");
    }
}
