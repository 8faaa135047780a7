//! Directories and files that belong to one user and that nobody else can change.
//!
//! All names are looked up below an open directory, without following links, and what is checked is what
//! was opened. So it does not matter what happens to names meanwhile.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use rustix::rand::{GetRandomFlags, getrandom};

/// Who but the owner may do anything.
const OTHERS: u32 = 0o077;
/// Keys are short texts.
const KEY_FILE_BYTES_MAX: u64 = 64 << 10;

/// Why a file or directory is not used: which, and why.
#[derive(Debug)]
pub struct AccessError {
    path: PathBuf,
    why: Why,
}

#[derive(Debug)]
enum Why {
    /// The system says no.
    Io(io::Error),
    /// It is there, and not to be trusted, or something else than it must be.
    Refused(String),
}

impl AccessError {
    pub(crate) fn refused(path: &Path, why: impl Into<String>) -> AccessError {
        AccessError { path: path.to_owned(), why: Why::Refused(why.into()) }
    }

    pub(crate) fn io(path: &Path, error: impl Into<io::Error>) -> AccessError {
        AccessError { path: path.to_owned(), why: Why::Io(error.into()) }
    }

    /// The file or directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Why, without the name.
    pub fn reason(&self) -> String {
        match &self.why {
            // Without the number that std appends.
            Why::Io(error) => match error.raw_os_error() {
                Some(_) => {
                    let text = error.to_string();
                    text.split(" (os error").next().unwrap_or_default().to_lowercase()
                }
                None => error.to_string(),
            },
            Why::Refused(why) => why.clone(),
        }
    }
}

impl fmt::Display for AccessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.path.display().to_string().escape_debug(), self.reason())
    }
}

impl std::error::Error for AccessError {}

/// Fills `bytes` from the system's source of secrets.
pub(crate) fn random(bytes: &mut [u8]) -> io::Result<()> {
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match getrandom(rest, GetRandomFlags::empty()) {
            Ok(count) => filled += count,
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}

/// Reads a key that somebody named, wherever it is.
pub(crate) fn read_key_file(path: &Path) -> Result<String, AccessError> {
    let read = || -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(path)?.take(KEY_FILE_BYTES_MAX).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().map_err(|error| AccessError::io(path, error))?;
    String::from_utf8(bytes).map_err(|_| AccessError::refused(path, "expected a key in PEM"))
}

/// Writes a new file that only its owner can read.
pub(crate) fn create_secret(path: &Path, bytes: &[u8]) -> Result<(), AccessError> {
    let write = || -> io::Result<()> {
        let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(|error| AccessError::io(path, error))
}

/// A directory that belongs to this user, and that nobody else may enter.
#[derive(Debug)]
pub(crate) struct PrivateDir {
    fd: OwnedFd,
    path: PathBuf,
}

impl PrivateDir {
    /// Opens it if it is there, and is what it must be.
    pub(crate) fn open(path: &Path) -> Result<Option<PrivateDir>, AccessError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = match rustix::fs::open(path, flags, Mode::empty()) {
            Ok(fd) => fd,
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::NOTDIR | Errno::LOOP) => {
                let why = "expected a directory, found a file or a link";
                return Err(AccessError::refused(path, why));
            }
            Err(errno) => return Err(AccessError::io(path, errno)),
        };
        let dir = PrivateDir { fd, path: path.to_owned() };
        let stat = rustix::fs::fstat(&dir.fd).map_err(|errno| AccessError::io(path, errno))?;
        match private(stat.st_uid, stat.st_mode) {
            Ok(()) => Ok(Some(dir)),
            Err(why) => Err(AccessError::refused(path, why)),
        }
    }

    /// Opens it, after making it if it is not there.
    pub(crate) fn open_or_create(path: &Path) -> Result<PrivateDir, AccessError> {
        if let Some(dir) = PrivateDir::open(path)? {
            return Ok(dir);
        }
        // Directories above it are made private too: they are the user's own as well.
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.map_err(|error| AccessError::io(path, error))?;
        let dir = PrivateDir::open(path)?;
        dir.ok_or_else(|| AccessError::io(path, io::ErrorKind::NotFound))
    }

    /// Where it was opened.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn fd(&self) -> &OwnedFd {
        &self.fd
    }

    pub(crate) fn error(&self, name: &str, error: io::Error) -> AccessError {
        AccessError::io(&self.path.join(name), error)
    }

    pub(crate) fn refuse(&self, name: &str, why: impl Into<String>) -> AccessError {
        AccessError::refused(&self.path.join(name), why)
    }

    /// The contents of a file of at most `bytes_max` bytes that only its owner may read.
    pub(crate) fn read_secret(
        &self,
        name: &str,
        bytes_max: u64,
    ) -> Result<Option<Vec<u8>>, AccessError> {
        let Some(file) = self.open_file(name)? else {
            return Ok(None);
        };
        let metadata = file.metadata().map_err(|error| self.error(name, error))?;
        private(metadata.uid(), metadata.mode()).map_err(|why| self.refuse(name, why))?;
        self.read_all(name, file, bytes_max).map(Some)
    }

    /// Opens a regular file, and nothing else, for reading.
    pub(crate) fn open_file(&self, name: &str) -> Result<Option<File>, AccessError> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match rustix::fs::openat(&self.fd, name, flags, Mode::empty()) {
            Ok(fd) => File::from(fd),
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::LOOP) => return Err(self.refuse(name, "expected a file, found a link")),
            Err(errno) => return Err(self.error(name, errno.into())),
        };
        let metadata = file.metadata().map_err(|error| self.error(name, error))?;
        if !metadata.is_file() {
            return Err(self.refuse(name, "expected a file, found something else"));
        }
        if metadata.uid() != rustix::process::geteuid().as_raw() {
            return Err(self.refuse(name, "it belongs to another user"));
        }
        Ok(Some(file))
    }

    /// Reads an open file to its end, if that comes soon enough.
    pub(crate) fn read_all(
        &self,
        name: &str,
        file: File,
        bytes_max: u64,
    ) -> Result<Vec<u8>, AccessError> {
        let size = file.metadata().map_err(|error| self.error(name, error))?.len();
        if size > bytes_max {
            return Err(self.refuse(name, format!("it has more than {bytes_max} bytes")));
        }
        // One more, so that its end is seen without growing.
        let mut bytes = Vec::with_capacity(usize::try_from(size + 1).unwrap_or_default());
        let read = file.take(bytes_max).read_to_end(&mut bytes);
        read.map_err(|error| self.error(name, error))?;
        Ok(bytes)
    }

    /// Makes a file with these contents; `false` if there is one of that name, which then stays.
    pub(crate) fn create_new(&self, name: &str, bytes: &[u8]) -> Result<bool, AccessError> {
        let temporary = self.write_temporary(bytes, true)?;
        let moved = match self.rename(&temporary, name, RenameFlags::NOREPLACE) {
            // Not every file system can; then a second name does the same.
            Err(Errno::INVAL | Errno::NOSYS) => {
                let linked =
                    rustix::fs::linkat(&self.fd, &*temporary, &self.fd, name, AtFlags::empty());
                self.remove(&temporary);
                linked
            }
            moved => moved,
        };
        match moved {
            Ok(()) => Ok(true),
            Err(errno) => {
                self.remove(&temporary);
                if errno == Errno::EXIST { Ok(false) } else { Err(self.error(name, errno.into())) }
            }
        }
    }

    /// Makes a file with these contents, in the place of what is there.
    pub(crate) fn replace(&self, name: &str, bytes: &[u8]) -> Result<(), AccessError> {
        let temporary = self.write_temporary(bytes, false)?;
        self.rename(&temporary, name, RenameFlags::empty()).map_err(|errno| {
            self.remove(&temporary);
            self.error(name, errno.into())
        })
    }

    fn rename(&self, from: &str, to: &str, flags: RenameFlags) -> Result<(), Errno> {
        match flags.is_empty() {
            true => rustix::fs::renameat(&self.fd, from, &self.fd, to),
            false => rustix::fs::renameat_with(&self.fd, from, &self.fd, to, flags),
        }
    }

    /// Removes a file, if it is there.
    pub(crate) fn remove(&self, name: &str) -> bool {
        rustix::fs::unlinkat(&self.fd, name, AtFlags::empty()).is_ok()
    }

    /// Writes a file under a name that nobody else uses.
    fn write_temporary(&self, bytes: &[u8], sync: bool) -> Result<String, AccessError> {
        let mut tag = [0; 8];
        random(&mut tag).map_err(|error| self.error("", error))?;
        let name = format!("{TEMPORARY}{}", crate::hex(&tag));
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
        let mode = Mode::from_raw_mode(0o600);
        let fd = rustix::fs::openat(self.fd.as_fd(), &*name, flags | OFlags::CLOEXEC, mode)
            .map_err(|errno| self.error(&name, errno.into()))?;
        let mut file = File::from(fd);
        let written = file.write_all(bytes).and_then(|()| match sync {
            true => file.sync_all(),
            false => Ok(()),
        });
        match written {
            Ok(()) => Ok(name),
            Err(error) => {
                self.remove(&name);
                Err(self.error(&name, error))
            }
        }
    }
}

/// What the names of files begin with that are being written.
pub(crate) const TEMPORARY: &str = "tmp-";

fn private(owner: u32, mode: u32) -> Result<(), String> {
    if owner != rustix::process::geteuid().as_raw() {
        return Err("it belongs to another user".to_owned());
    }
    match mode & OTHERS {
        0 => Ok(()),
        _ => Err(format!("others may use it: expected mode 700 or 600, found {:o}", mode & 0o777)),
    }
}
