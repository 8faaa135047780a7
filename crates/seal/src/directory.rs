//! The directory of the cache: files by the hash of what they are for, of bounded size altogether.
//!
//! Nothing in it is believed because it is there: see [`crate::envelope`]. A file is written under
//! another name and then moved to its own, so that it is always whole, however many processes write at
//! once and wherever one of them is killed; of two that write the same the last stays.

use std::fs::{File, FileTimes};
use std::path::Path;
use std::time::{Duration, SystemTime};

use rustix::fs::AtFlags;

use crate::hex;
use crate::private::{AccessError, PrivateDir, TEMPORARY};

/// The largest file that is read or written.
pub const FILE_BYTES_MAX: u64 = 512 << 20;
/// Files that were being written so long ago never will be.
const ABANDONED: Duration = Duration::from_secs(3600);
/// That a file is used is noted so often: reading must not mean writing.
const NOTED: Duration = Duration::from_secs(600);

/// What a file holds, by the ending of its name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Compiled code.
    Code,
    /// That a module is valid.
    Verdict,
}

impl Kind {
    fn ending(self) -> &'static str {
        match self {
            Kind::Code => ".code",
            Kind::Verdict => ".valid",
        }
    }

    fn of(name: &str) -> Option<Kind> {
        let kind = [Kind::Code, Kind::Verdict].into_iter().find(|k| name.ends_with(k.ending()))?;
        let digits = name.strip_suffix(kind.ending())?;
        let is_hash = digits.len() == 64 && digits.bytes().all(|b| b.is_ascii_hexdigit());
        is_hash.then_some(kind)
    }
}

/// A file in the directory.
#[derive(Clone, Debug)]
pub struct Listed {
    name: String,
    /// What it holds; `None` for what is being written, or was never finished.
    pub kind: Option<Kind>,
    /// How large it is.
    pub bytes: u64,
    /// When it was last used, about.
    pub used: SystemTime,
}

/// The directory of the cache, open.
#[derive(Debug)]
pub struct Directory(PrivateDir);

impl Directory {
    /// Opens it if it is there.
    ///
    /// # Errors
    ///
    /// If others may enter it, it belongs to somebody else, or is no directory.
    pub fn open(path: &Path) -> Result<Option<Directory>, AccessError> {
        Ok(PrivateDir::open(path)?.map(Directory))
    }

    /// Opens it, after making it if it is not there.
    ///
    /// # Errors
    ///
    /// As [`Directory::open`], or if it cannot be made.
    pub fn open_or_create(path: &Path) -> Result<Directory, AccessError> {
        PrivateDir::open_or_create(path).map(Directory)
    }

    /// Where it was opened.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// The file for `hash`, if there is one, which counts as using it.
    ///
    /// # Errors
    ///
    /// If it is no file, not this user's, too large, or cannot be read.
    pub fn read(&self, kind: Kind, hash: &[u8; 32]) -> Result<Option<Vec<u8>>, AccessError> {
        let name = name(kind, hash);
        let Some(file) = self.0.open_file(&name)? else {
            return Ok(None);
        };
        note_use(&file);
        self.0.read_all(&name, file, FILE_BYTES_MAX).map(Some)
    }

    /// Writes the file for `hash`, in the place of what is there.
    ///
    /// # Errors
    ///
    /// If it is too large or cannot be written: then what is there stays.
    pub fn write(&self, kind: Kind, hash: &[u8; 32], bytes: &[u8]) -> Result<(), AccessError> {
        let name = name(kind, hash);
        if bytes.len() as u64 > FILE_BYTES_MAX {
            return Err(self.0.refuse(&name, format!("more than {FILE_BYTES_MAX} bytes")));
        }
        self.0.replace(&name, bytes)
    }

    /// Removes the file for `hash`, if there is one.
    pub fn remove(&self, kind: Kind, hash: &[u8; 32]) {
        self.0.remove(&name(kind, hash));
    }

    /// All files of the cache; others that may lie in the directory are no concern of it.
    ///
    /// # Errors
    ///
    /// If the directory cannot be read.
    pub fn list(&self) -> Result<Vec<Listed>, AccessError> {
        let failed = |errno: rustix::io::Errno| self.0.error("", errno.into());
        let mut found = Vec::new();
        for entry in rustix::fs::Dir::read_from(self.0.fd()).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let Ok(name) = entry.file_name().to_str() else { continue };
            let kind = Kind::of(name);
            if kind.is_none() && !name.starts_with(TEMPORARY) {
                continue;
            }
            // It may be gone by now.
            let stat = rustix::fs::statat(self.0.fd(), name, AtFlags::SYMLINK_NOFOLLOW);
            let Ok(stat) = stat else { continue };
            let seconds = u64::try_from(stat.st_mtime).unwrap_or_default();
            found.push(Listed {
                name: name.to_owned(),
                kind,
                bytes: u64::try_from(stat.st_size).unwrap_or_default(),
                used: SystemTime::UNIX_EPOCH + Duration::from_secs(seconds),
            });
        }
        Ok(found)
    }

    /// Removes what was used longest ago until the rest takes at most `bytes_max`, and what was
    /// never finished.
    ///
    /// # Errors
    ///
    /// If the directory cannot be read.
    pub fn trim(&self, bytes_max: u64) -> Result<(), AccessError> {
        let mut files = self.list()?;
        let now = SystemTime::now();
        files.retain(|file| {
            let age = now.duration_since(file.used).unwrap_or_default();
            let abandoned = file.kind.is_none() && age > ABANDONED;
            !(abandoned && self.0.remove(&file.name))
        });
        let mut total: u64 = files.iter().map(|file| file.bytes).sum();
        files.sort_by_key(|file| file.used);
        for file in files.iter().filter(|file| file.kind.is_some()) {
            if total <= bytes_max {
                break;
            }
            self.0.remove(&file.name);
            total -= file.bytes;
        }
        Ok(())
    }

    /// Removes all files of the cache, and says which.
    ///
    /// # Errors
    ///
    /// If the directory cannot be read.
    pub fn clear(&self) -> Result<Vec<Listed>, AccessError> {
        let mut files = self.list()?;
        files.retain(|file| self.0.remove(&file.name));
        Ok(files)
    }
}

fn name(kind: Kind, hash: &[u8; 32]) -> String {
    format!("{}{}", hex(hash), kind.ending())
}

/// Notes that a file is used, now and then; if that fails, it only goes sooner.
fn note_use(file: &File) {
    let now = SystemTime::now();
    let used = file.metadata().and_then(|metadata| metadata.modified());
    let is_new = used.is_ok_and(|used| now.duration_since(used).is_ok_and(|age| age < NOTED));
    if !is_new {
        let noted = file.set_times(FileTimes::new().set_accessed(now).set_modified(now));
        drop(noted);
    }
}
