//! Directories: every operation on a path, kept below its directory and inside its grant.

use std::fmt;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::fs::{AtFlags, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::fs::{File, FileId, FileKind, Metadata, SetTime, timestamps, uninterrupted};
use super::interrupt::Interrupt;
use super::path::{GuestPath, Last, PATH_MAX, Parent, join, open_beneath, open_in_mount};
use super::protected::{Protected, Refused};
use super::readdir::{self, DirEntry};
use super::witness::{Verdict, Witness};
use super::{Denial, Error, Mount, Need};

/// How many links are followed by hand, and how far up a directory is traced.
const LINKS_MAX: usize = 40;
const DEPTH_MAX: usize = PATH_MAX;

/// What a grant of a directory allows below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// Reading only.
    ReadOnly,
    /// Reading and any change.
    ReadWrite,
}

/// A granted directory; everything opened below it keeps hold of its terms.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    pub(crate) access: Access,
    /// The directory as the host names it, for messages.
    pub(crate) host: String,
    /// The directory as the guest names it.
    pub(crate) guest: String,
    pub(crate) root: FileId,
    /// Files and directories no grant covers, whatever they are called.
    pub(crate) protected: Arc<Protected>,
    pub(crate) witness: Witness,
}

/// The flag that granted it.
impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ro = if self.is_writable() { "" } else { ":ro" };
        write!(f, "--dir {}::{}{ro}", self.host, self.guest)
    }
}

impl Grant {
    fn mount(&self) -> Mount {
        Mount { host: self.host.clone(), guest: self.guest.clone() }
    }

    /// Tells that an open file was not changed for want of a grant. Which one it was is no longer known.
    pub(crate) fn tell_unchanged(&self) {
        self.witness.tell("change", Verdict::Denied, Some(self), || Need::Path {
            path: self.guest.clone(),
            write: true,
            mount: Some(self.mount()),
        });
    }

    pub(crate) fn is_writable(&self) -> bool {
        self.access == Access::ReadWrite
    }

    /// Fails when a directory is protected or lies below one that is.
    fn check_chain(&self, dir: BorrowedFd<'_>) -> Result<(), Refused> {
        let mut found = Ok(());
        self.climb(dir, |id| {
            found = self.protected.check(id);
            found.is_ok()
        })?;
        found
    }

    /// How many directories a directory is below the granted one.
    fn depth(&self, dir: BorrowedFd<'_>) -> Result<usize, Error> {
        let mut depth = 0usize;
        self.climb(dir, |_| {
            depth = depth.saturating_add(1);
            true
        })?;
        Ok(depth.saturating_sub(1))
    }

    /// Shows each directory from `dir` up to the granted one, both included.
    ///
    /// These descriptors are the host's own and never reach a guest.
    fn climb(
        &self,
        dir: BorrowedFd<'_>,
        mut each: impl FnMut(FileId) -> bool,
    ) -> Result<(), Error> {
        let mut id = FileId::of(dir)?;
        let mut above: Option<OwnedFd> = None;
        for _ in 0..DEPTH_MAX {
            if !each(id) || id == self.root {
                return Ok(());
            }
            let at = above.as_ref().map_or(dir, |fd| fd.as_fd());
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let next = rustix::fs::openat(at, "..", flags, Mode::empty())?;
            let next_id = FileId::of(&next)?;
            if next_id == id {
                break;
            }
            id = next_id;
            above = Some(next);
        }
        Err(Error::NotCapable)
    }
}

/// How a path is to be opened.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenOptions {
    /// Follow a link that the path ends in.
    pub follow: bool,
    /// For reading.
    pub read: bool,
    /// For writing.
    pub write: bool,
    /// Write at the end only.
    pub append: bool,
    /// Make the file if there is none.
    pub create: bool,
    /// With `create`: fail if there is one.
    pub exclusive: bool,
    /// Cut the file to nothing.
    pub truncate: bool,
    /// Fail unless it is a directory.
    pub directory: bool,
    /// Each write reaches the disk: contents.
    pub data_sync: bool,
    /// Each write reaches the disk: contents and everything else.
    pub sync: bool,
}

impl OpenOptions {
    /// Whether it takes a grant to write.
    fn changes(&self) -> bool {
        self.write || self.create || self.truncate
    }

    fn flags(&self) -> OFlags {
        let mut flags = OFlags::NONBLOCK
            | match (self.read, self.write) {
                (_, false) => OFlags::RDONLY,
                (false, true) => OFlags::WRONLY,
                (true, true) => OFlags::RDWR,
            };
        flags.set(OFlags::APPEND, self.append);
        flags.set(OFlags::CREATE, self.create);
        flags.set(OFlags::EXCL, self.create && self.exclusive);
        flags.set(OFlags::TRUNC, self.truncate);
        if self.data_sync {
            flags |= OFlags::DSYNC;
        }
        if self.sync {
            flags |= OFlags::SYNC;
        }
        flags
    }
}

/// What opening a path gave.
#[derive(Debug)]
pub enum Opened {
    /// A regular file.
    File(File),
    /// A directory.
    Dir(Dir),
}

/// An open directory below which a guest may name things.
#[derive(Debug)]
pub struct Dir {
    fd: Arc<OwnedFd>,
    grant: Arc<Grant>,
    /// The directory as the guest would name it, for messages.
    guest: String,
    /// Whether something protected may be below it on the same mount, so that it takes a closer look.
    guarded: bool,
}

/// A checked entry of a directory: the directory, the name, and whether it must be a directory.
struct Entry<'d, 'p> {
    parent: Parent<'d>,
    name: &'p str,
    directory: bool,
    /// Whether it may be on the way to something protected.
    guarded: bool,
}

impl Entry<'_, '_> {
    fn stat(&self) -> Result<Stat, Error> {
        let flags = AtFlags::SYMLINK_NOFOLLOW;
        uninterrupted(|| rustix::fs::statat(&self.parent, self.name, flags))
    }

    fn kind(&self) -> Result<FileKind, Error> {
        Ok(Metadata::from(&self.stat()?).kind)
    }

    /// For an entry that must exist: a trailing slash demands a directory, not a link to one.
    fn check_slash(&self) -> Result<(), Error> {
        if self.directory && self.kind()? != FileKind::Directory {
            return Err(Error::NotDirectory);
        }
        Ok(())
    }

    /// For an entry about to be made as something other than a directory.
    fn check_slash_on_new(&self) -> Result<(), Error> {
        if !self.directory {
            return Ok(());
        }
        match self.kind()? {
            FileKind::Directory => Err(Error::Exists),
            _ => Err(Error::NotDirectory),
        }
    }
}

impl Dir {
    pub(crate) fn new(fd: OwnedFd, grant: Arc<Grant>) -> Dir {
        let guest = grant.guest.clone();
        let guarded = grant.protected.leads_from(grant.root);
        Dir { fd: Arc::new(fd), grant, guest, guarded }
    }

    /// The same directory, granted to somebody else.
    pub(crate) fn seen_by(&self, witness: Witness) -> Dir {
        let grant = Arc::new(Grant { witness, ..(*self.grant).clone() });
        Dir { fd: Arc::clone(&self.fd), grant, guest: self.guest.clone(), guarded: self.guarded }
    }

    /// Whether changes below the directory are granted.
    pub fn is_writable(&self) -> bool {
        self.grant.is_writable()
    }

    /// Opens a path.
    pub fn open(&self, path: &str, options: &OpenOptions) -> Result<Opened, Error> {
        self.told("open", path, options.changes(), || {
            let checked = self.check(path)?;
            if options.changes() {
                self.check_writable(path)?;
            }
            if options.create && options.directory {
                return Err(Error::Invalid);
            }
            if options.create && checked.directory {
                return Err(Error::IsDirectory);
            }
            let mut flags = options.flags();
            flags.set(OFlags::DIRECTORY, options.directory);
            let mode = if options.create { Mode::from_raw_mode(0o666) } else { Mode::empty() };
            let (fd, guarded) = self.resolve(path, checked, options.follow, flags, mode)?;
            match Metadata::of(&fd)?.kind {
                FileKind::Directory => {
                    let guest = self.guest_path(path);
                    let guest = if guest.len() > PATH_MAX { self.guest.clone() } else { guest };
                    let (fd, grant) = (Arc::new(fd), Arc::clone(&self.grant));
                    Ok(Opened::Dir(Dir { fd, grant, guest, guarded }))
                }
                FileKind::Regular => {
                    let grant = Arc::clone(&self.grant);
                    Ok(Opened::File(File::new(fd, options.read, options.write, grant)))
                }
                _ => {
                    let path = self.guest_path(path);
                    self.grant.witness.deny(Denial::SpecialFile { path });
                    Err(Error::NotPermitted)
                }
            }
        })
    }

    /// What is known about the file at a path.
    pub fn metadata_at(&self, path: &str, follow: bool) -> Result<Metadata, Error> {
        self.told(if follow { "stat" } else { "stat-link" }, path, false, || {
            let checked = self.check(path)?;
            Metadata::of(self.resolve(path, checked, follow, OFlags::PATH, Mode::empty())?.0)
        })
    }

    /// Sets the times of the file at a path.
    pub fn set_times_at(
        &self,
        path: &str,
        follow: bool,
        accessed: SetTime,
        modified: SetTime,
    ) -> Result<(), Error> {
        self.told("set-times", path, true, || {
            let checked = self.check(path)?;
            self.check_writable(path)?;
            let (fd, _) = self.resolve(path, checked, follow, OFlags::PATH, Mode::empty())?;
            let times = timestamps(accessed, modified);
            uninterrupted(|| rustix::fs::utimensat(&fd, "", &times, AtFlags::EMPTY_PATH))
        })
    }

    /// Makes a directory.
    pub fn create_dir(&self, path: &str) -> Result<(), Error> {
        self.told("create-dir", path, true, || {
            let checked = self.check(path)?;
            self.check_writable(path)?;
            if checked.split().1 == Last::Dots {
                let flags = OFlags::PATH | OFlags::DIRECTORY;
                self.resolve(path, checked, true, flags, Mode::empty())?;
                return Err(Error::Exists);
            }
            let entry = self.entry(path, checked)?;
            let mode = Mode::from_raw_mode(0o777);
            uninterrupted(|| rustix::fs::mkdirat(&entry.parent, entry.name, mode))
        })
    }

    /// Removes an empty directory.
    pub fn remove_dir(&self, path: &str) -> Result<(), Error> {
        self.told("remove-dir", path, true, || {
            let checked = self.check(path)?;
            self.check_writable(path)?;
            let entry = self.entry(path, checked)?;
            self.check_movable(&entry, path)?;
            let flags = AtFlags::REMOVEDIR;
            uninterrupted(|| rustix::fs::unlinkat(&entry.parent, entry.name, flags))
        })
    }

    /// Removes the name of something that is no directory.
    pub fn unlink(&self, path: &str) -> Result<(), Error> {
        self.told("unlink", path, true, || {
            let checked = self.check(path)?;
            self.check_writable(path)?;
            let entry = self.entry(path, checked)?;
            if entry.directory {
                return Err(match entry.kind()? {
                    FileKind::Directory => Error::IsDirectory,
                    _ => Error::NotDirectory,
                });
            }
            self.check_movable(&entry, path)?;
            uninterrupted(|| rustix::fs::unlinkat(&entry.parent, entry.name, AtFlags::empty()))
        })
    }

    /// Gives a file a further name. A link is not followed: the link itself gets the name.
    pub fn link(&self, path: &str, to: &Dir, new_path: &str) -> Result<(), Error> {
        let done = || {
            let (old, new) = self.both_ends(path, to, new_path)?;
            old.check_slash()?;
            new.check_slash_on_new()?;
            let flags = AtFlags::empty();
            uninterrupted(|| {
                rustix::fs::linkat(&old.parent, old.name, &new.parent, new.name, flags)
            })
        };
        let result = done();
        self.tell("link", path, true, &result);
        to.tell("link", new_path, true, &result);
        result
    }

    /// Moves a file or directory to another name, replacing what is there.
    pub fn rename(&self, path: &str, to: &Dir, new_path: &str) -> Result<(), Error> {
        let done = || {
            let (old, new) = self.both_ends(path, to, new_path)?;
            if (old.directory || new.directory) && old.kind()? != FileKind::Directory {
                return Err(Error::NotDirectory);
            }
            self.check_movable(&old, path)?;
            to.check_movable(&new, new_path)?;
            uninterrupted(|| rustix::fs::renameat(&old.parent, old.name, &new.parent, new.name))
        };
        let result = done();
        self.tell("rename", path, true, &result);
        to.tell("rename", new_path, true, &result);
        result
    }

    /// Makes a symbolic link.
    ///
    /// Refused are targets that are absolute or lead out of the granted directory, so that
    /// nobody else is led astray by them: `..` may stand only at the start, and not more often
    /// than the link is deep. A directory moved afterwards takes its links along as they are.
    pub fn symlink(&self, target: &str, path: &str) -> Result<(), Error> {
        self.told("symlink", path, true, || {
            let checked = self.check(path)?;
            self.check_writable(path)?;
            if target.is_empty() {
                return Err(Error::NoEntry);
            }
            if target.len() > PATH_MAX {
                return Err(Error::NameTooLong);
            }
            if target.bytes().any(|b| b == 0) {
                return Err(Error::Invalid);
            }
            let entry = self.entry(path, checked)?;
            if target.starts_with('/') || self.leads_out(&entry, target)? {
                return Err(Error::NotPermitted);
            }
            entry.check_slash_on_new()?;
            uninterrupted(|| rustix::fs::symlinkat(target, &entry.parent, entry.name))
        })
    }

    /// The target of a symbolic link, as it stands there.
    pub fn read_link(&self, path: &str) -> Result<Vec<u8>, Error> {
        self.told("read-link", path, false, || {
            let checked = self.check(path)?;
            if checked.split().1 == Last::Dots {
                self.metadata_at(path, true)?;
                return Err(Error::Invalid);
            }
            let entry = self.entry(path, checked)?;
            if entry.directory {
                entry.check_slash()?;
                return Err(Error::Invalid);
            }
            let target = rustix::fs::readlinkat(&entry.parent, entry.name, Vec::new())?;
            Ok(target.into_bytes())
        })
    }

    /// What is known about the directory itself.
    pub fn metadata(&self) -> Result<Metadata, Error> {
        Metadata::of(&self.fd)
    }

    /// Sets the times of the directory itself.
    pub fn set_times(&self, accessed: SetTime, modified: SetTime) -> Result<(), Error> {
        self.check_writable(".")?;
        let times = timestamps(accessed, modified);
        uninterrupted(|| rustix::fs::futimens(&self.fd, &times))
    }

    /// Brings the directory's entries to the disk.
    pub fn sync(&self, metadata: bool) -> Result<(), Error> {
        super::fs::sync(&self.fd, metadata)
    }

    /// Lists the entries after `cookie` (0 for all) until `each` says that it has had enough.
    pub fn list(
        &self,
        cookie: u64,
        wanted: usize,
        interrupt: &Interrupt,
        each: impl FnMut(DirEntry<'_>) -> bool,
    ) -> Result<(), Error> {
        if cookie == 0 {
            self.tell("list", ".", false, &Ok(()));
        }
        readdir::list(self.fd.as_fd(), cookie, wanted, self.grant.root, interrupt, each)
    }

    /// Does something to a path, and tells who wants to know.
    fn told<T>(
        &self,
        operation: &'static str,
        path: &str,
        write: bool,
        act: impl FnOnce() -> Result<T, Error>,
    ) -> Result<T, Error> {
        let result = act();
        self.tell(operation, path, write, &result);
        result
    }

    fn tell<T>(&self, operation: &'static str, path: &str, write: bool, result: &Result<T, Error>) {
        if !self.grant.witness.is_watched() {
            return;
        }
        let verdict = match result {
            Err(Error::NotCapable | Error::ReadOnly) => Verdict::Denied,
            // Devices, and links that lead out. From other operations it is the kernel's answer.
            Err(Error::NotPermitted) if matches!(operation, "open" | "symlink") => Verdict::Denied,
            _ => Verdict::Granted,
        };
        let grant = &self.grant;
        // By text alone it cannot be known where such a path leads, should there be less to go through.
        if verdict == Verdict::Granted && path.split('/').any(|part| part == "..") {
            grant.witness.tell("pass", verdict, Some(&**grant), || {
                let path = format!("{}/{path}", self.guest);
                Need::Path { path, write, mount: Some(grant.mount()) }
            });
        }
        grant.witness.tell(operation, verdict, Some(&**grant), || {
            let path = self.guest_path(path);
            let mount = is_below(&grant.guest, &path).then(|| grant.mount());
            Need::Path { path, write, mount }
        });
    }

    fn check<'p>(&self, path: &'p str) -> Result<GuestPath<'p>, Error> {
        GuestPath::new(path).map_err(|error| self.explain(error, path))
    }

    /// Fails when changes below the directory are not granted.
    pub(crate) fn check_writable(&self, path: &str) -> Result<(), Error> {
        if self.grant.is_writable() {
            return Ok(());
        }
        self.grant.witness.deny(Denial::ReadOnly {
            path: self.guest_path(path),
            host: self.grant.host.clone(),
            granted: self.grant.guest.clone(),
        });
        Err(Error::ReadOnly)
    }

    /// Opens a path: the kernel keeps it below the directory, this function inside the grant. Gives also
    /// whether something protected may be below it.
    ///
    /// A trailing slash follows a link and demands a directory, as everywhere in POSIX.
    fn resolve(
        &self,
        path: &str,
        checked: GuestPath<'_>,
        follow: bool,
        mut flags: OFlags,
        mode: Mode,
    ) -> Result<(OwnedFd, bool), Error> {
        let follow = follow || checked.directory;
        flags.set(OFlags::NOFOLLOW, !follow);
        if checked.directory {
            flags |= OFlags::DIRECTORY;
        }
        if !self.guarded {
            // Nothing protected is below here but where something else is mounted.
            let open = if self.grant.protected.is_empty() { open_beneath } else { open_in_mount };
            match open(self.fd.as_fd(), checked.text, flags, mode) {
                Err(Error::NotCapable) if !self.grant.protected.is_empty() => {}
                opened => {
                    let opened = opened.map_err(|error| self.explain(error, path))?;
                    if !self.grant.protected.is_empty() {
                        // A file may have a second name.
                        let checked = self.grant.protected.check(FileId::of(&opened)?);
                        checked.map_err(|refused| self.refused(refused, path))?;
                    }
                    return Ok((opened, false));
                }
            }
        }
        let opened = self.open_guarded(checked.text, follow, flags, mode);
        Ok((opened.map_err(|refused| self.refused(refused, path))?, true))
    }

    /// Opens a path link by link, so that no protected directory is passed on the way.
    fn open_guarded(
        &self,
        path: &str,
        follow: bool,
        flags: OFlags,
        mode: Mode,
    ) -> Result<OwnedFd, Refused> {
        let mut text = path.to_owned();
        for _ in 0..LINKS_MAX {
            let (parent, last) = GuestPath::new(&text)?.split();
            let Last::Name(name) = last else {
                let fd = open_beneath(self.fd.as_fd(), &text, flags, mode)?;
                self.grant.check_chain(fd.as_fd())?;
                return Ok(fd);
            };
            let dir = Parent::open(self.fd.as_fd(), parent)?;
            self.grant.check_chain(dir.as_fd())?;
            if follow && let Ok(target) = rustix::fs::readlinkat(&dir, name, Vec::new()) {
                let target = target.into_string().map_err(|_| Error::IllegalSequence)?;
                text = match parent {
                    Some(parent) if !target.starts_with('/') => format!("{parent}/{target}"),
                    _ => target,
                };
                continue;
            }
            // Before the opening, which may truncate, and after it, in case it was swapped.
            if let Ok(stat) = rustix::fs::statat(&dir, name, AtFlags::SYMLINK_NOFOLLOW) {
                self.grant.protected.check(FileId::from(&stat))?;
            }
            let fd = open_beneath(dir.as_fd(), name, flags | OFlags::NOFOLLOW, mode)?;
            self.grant.protected.check(FileId::of(&fd)?)?;
            return Ok(fd);
        }
        Err(Refused::Other(Error::Loop))
    }

    /// The directory and name of an entry that is to be made, removed or moved.
    fn entry<'d, 'p>(
        &'d self,
        path: &'p str,
        checked: GuestPath<'p>,
    ) -> Result<Entry<'d, 'p>, Error> {
        let (parent, Last::Name(name)) = checked.split() else {
            return Err(Error::Invalid);
        };
        let new = |parent, guarded| Entry { parent, name, directory: checked.directory, guarded };
        let dir = self.fd.as_fd();
        if !self.guarded {
            let none = self.grant.protected.is_empty();
            let open = if none { Parent::open } else { Parent::open_in_mount };
            match open(dir, parent) {
                Err(Error::NotCapable) if !none => {}
                Err(error) => return Err(self.explain(error, path)),
                Ok(parent) => return Ok(new(parent, false)),
            }
        }
        let guarded = || -> Result<_, Refused> {
            let entry = new(Parent::open(dir, parent)?, true);
            self.grant.check_chain(entry.parent.as_fd())?;
            if let Ok(stat) = entry.stat() {
                self.grant.protected.check(FileId::from(&stat))?;
            }
            Ok(entry)
        };
        guarded().map_err(|refused| self.refused(refused, path))
    }

    /// Fails if an entry has to stay as it is for the sake of something protected.
    fn check_movable(&self, entry: &Entry<'_, '_>, path: &str) -> Result<(), Error> {
        match entry.guarded.then(|| entry.stat()) {
            Some(Ok(stat)) => {
                let checked = self.grant.protected.check_movable(FileId::from(&stat));
                checked.map_err(|refused| self.refused(refused, path))
            }
            _ => Ok(()),
        }
    }

    /// Both ends of a link or a move: each must be granted for writing, on the same terms.
    fn both_ends<'d, 'p>(
        &'d self,
        path: &'p str,
        to: &'d Dir,
        new_path: &'p str,
    ) -> Result<(Entry<'d, 'p>, Entry<'d, 'p>), Error> {
        let checked = self.check(path)?;
        let new_checked = to.check(new_path)?;
        self.check_writable(path)?;
        to.check_writable(new_path)?;
        if self.grant.access != to.grant.access {
            return Err(Error::NotCapable);
        }
        Ok((self.entry(path, checked)?, to.entry(new_path, new_checked)?))
    }

    /// Whether a link made here would point above the granted directory.
    fn leads_out(&self, entry: &Entry<'_, '_>, target: &str) -> Result<bool, Error> {
        let mut up = 0usize;
        let mut named = false;
        for part in target.split('/') {
            match part {
                "" | "." => {}
                ".." if named => return Ok(true),
                ".." => up = up.saturating_add(1),
                _ => named = true,
            }
        }
        Ok(up > 0 && up > self.grant.depth(entry.parent.as_fd())?)
    }

    fn guest_path(&self, path: &str) -> String {
        join(&self.guest, path)
    }

    /// Notes why a path was refused, when it was for lack of a grant.
    fn explain(&self, error: Error, path: &str) -> Error {
        if error == Error::NotCapable { self.outside(path) } else { error }
    }

    /// Notes why a path was refused where that takes a closer look.
    fn refused(&self, refused: Refused, path: &str) -> Error {
        match refused {
            Refused::Protected => {
                let path = self.guest_path(path);
                self.grant.witness.deny(Denial::Protected { path });
                Error::NotCapable
            }
            Refused::Other(error) => self.explain(error, path),
        }
    }

    fn outside(&self, path: &str) -> Error {
        let full = self.guest_path(path);
        if !is_below(&self.grant.guest, &full) {
            let directory = join(&full, "..");
            self.grant.witness.deny(Denial::Outside { path: full, directory });
        } else if is_below(&self.guest, &full) {
            let granted = self.grant.guest.clone();
            self.grant.witness.deny(Denial::LinkOutside { path: full, granted });
        }
        Error::NotCapable
    }
}

/// Whether `path` is `base` or below it, both worked out as text.
fn is_below(base: &str, path: &str) -> bool {
    match base {
        "/" => path.starts_with('/'),
        "." => path != ".." && !path.starts_with("../") && !path.starts_with('/'),
        base => {
            path.strip_prefix(base).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        }
    }
}

/// Opens the directory of a grant, as the embedder names it.
pub(crate) fn open_granted(host: &std::path::Path) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(host, flags, Mode::empty())
}

#[cfg(test)]
mod tests {
    use super::is_below;

    #[test]
    fn below() {
        assert!(is_below("/", "/etc"));
        assert!(is_below("/data", "/data"));
        assert!(is_below("/data", "/data/x"));
        assert!(!is_below("/data", "/database"));
        assert!(is_below(".", "x"));
        assert!(!is_below(".", "../x"));
        assert!(is_below(".", "..x"));
    }
}
