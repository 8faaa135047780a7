//! Files and directories of the host's own, which no grant covers: what they are, and what leads to them.
//!
//! They are known by identity, so that no other name or link makes a difference. The way to them is held
//! fast as well: whoever could move a directory above one of them, or replace a link on the way, could put
//! something else in its place, which the host would then take for its own.

use std::collections::{HashSet, VecDeque};
use std::ffi::OsString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use super::path::PATH_MAX;
use super::{Error, FileId};

/// How many links are followed on the way to a protected file.
const LINKS_MAX: usize = 40;

/// What is protected, in all grants of a guest.
#[derive(Debug, Default)]
pub(crate) struct Protected {
    files: HashSet<FileId>,
    /// The directories and links on the way to them.
    way: HashSet<FileId>,
}

/// Why something is refused.
#[derive(Debug)]
pub(crate) enum Refused {
    /// It is protected, or below something that is.
    Protected,
    /// For another reason.
    Other(Error),
}

impl<E: Into<Error>> From<E> for Refused {
    fn from(error: E) -> Refused {
        Refused::Other(error.into())
    }
}

impl Protected {
    /// What these paths lead to now. A path that leads nowhere protects nothing but what there is of
    /// the way.
    pub(crate) fn find(paths: &[PathBuf]) -> Protected {
        let mut protected = Protected::default();
        for path in paths {
            if let Some(file) = protected.walk(path) {
                protected.files.insert(file);
            }
        }
        protected
    }

    /// Follows a path part by part, and notes what is on the way.
    fn walk(&mut self, path: &Path) -> Option<FileId> {
        let path = std::path::absolute(path).ok()?;
        let mut left: VecDeque<OsString> = parts(&path).collect();
        let mut at = PathBuf::from("/");
        let mut found = identify(&at)?.0;
        self.way.insert(found);
        let mut links = 0;
        while let Some(part) = left.pop_front() {
            if part == ".." {
                at.pop();
                found = identify(&at)?.0;
                continue;
            }
            at.push(&part);
            let (id, is_link) = identify(&at)?;
            self.way.insert(id);
            found = id;
            if !is_link {
                continue;
            }
            links += 1;
            if links > LINKS_MAX {
                return None;
            }
            let target = std::fs::read_link(&at).ok()?;
            at.pop();
            if target.has_root() {
                at = PathBuf::from("/");
            }
            for part in parts(&target).collect::<Vec<_>>().into_iter().rev() {
                left.push_front(part);
            }
        }
        Some(found)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.files.is_empty() && self.way.is_empty()
    }

    /// Whether something protected can be below this directory, on the same mount.
    pub(crate) fn leads_from(&self, dir: FileId) -> bool {
        self.way.contains(&dir) || self.files.contains(&dir)
    }

    /// Fails for something protected.
    pub(crate) fn check(&self, file: FileId) -> Result<(), Refused> {
        if self.files.contains(&file) { Err(Refused::Protected) } else { Ok(()) }
    }

    /// Fails for what must stay where it is: something protected, or on the way to it.
    pub(crate) fn check_movable(&self, file: FileId) -> Result<(), Refused> {
        if self.way.contains(&file) { Err(Refused::Protected) } else { self.check(file) }
    }

    /// Whether a directory is protected, or below one that is.
    pub(crate) fn covers(&self, dir: BorrowedFd<'_>) -> Result<bool, Error> {
        let mut id = FileId::of(dir)?;
        let mut above: Option<OwnedFd> = None;
        for _ in 0..PATH_MAX {
            if self.check(id).is_err() {
                return Ok(true);
            }
            let at = above.as_ref().map_or(dir, |fd| fd.as_fd());
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let next = rustix::fs::openat(at, "..", flags, Mode::empty())?;
            let next_id = FileId::of(&next)?;
            if next_id == id {
                return Ok(false);
            }
            id = next_id;
            above = Some(next);
        }
        Err(Error::NotCapable)
    }
}

/// Names and `..`, which are all that matters of a path.
fn parts(path: &Path) -> impl Iterator<Item = OsString> {
    let parts = path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    });
    parts.collect::<Vec<_>>().into_iter()
}

/// Which file a path names, and whether that is a link.
fn identify(path: &Path) -> Option<(FileId, bool)> {
    let stat = rustix::fs::lstat(path).ok()?;
    let kind = rustix::fs::FileType::from_raw_mode(stat.st_mode);
    Some((FileId::from(&stat), kind == rustix::fs::FileType::Symlink))
}
