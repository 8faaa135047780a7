//! Which directories a learned policy grants: the fewest and lowest under which each path leads where it led.
//!
//! *Directories.* A grant is of a directory: of the one a file is in, or of the one that was looked at, never above
//! what was granted during the run. A directory below another with the same access, or less, goes with that. Many
//! directories side by side (more than [`SIBLINGS`]) become the one they are in: they are data, and the next run
//! has others. So does one that is not there any more when the run is over. What leads out of a directory by a
//! link takes in what it leads to, and what a `..` passes is granted with what it leads to. Links are seen as they
//! are when the run is over.
//!
//! A guest looks for a path in the directory with the longest name that the path begins with, as every C library does: so
//! a directory goes up where a path would be looked for in it in vain.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::grants::DirGrant;
use crate::host::{Access, Mount, join};

/// How many directories side by side are granted one by one.
pub const SIBLINGS: usize = 8;

/// How a path was used.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Use {
    /// It was changed.
    pub(super) write: bool,
    /// It was looked at without following a link that it ends in.
    pub(super) link: bool,
    /// A link that it ends in was followed.
    pub(super) follow: bool,
}

/// The directories to grant of one that was granted during the run.
pub(super) fn directories(
    mount: &Mount,
    paths: &BTreeMap<String, Use>,
    base: &Path,
) -> Vec<DirGrant> {
    let tree = Tree { mount, base };
    let used: Vec<Used> = paths.iter().map(|(path, how)| tree.used(path, *how)).collect();
    let mut dirs = Dirs::new();
    for used in &used {
        raise(&mut dirs, &used.dir, used.access);
    }
    generalise(&mut dirs);
    tree.absorb(&mut dirs);
    while let Some((dir, access)) = used.iter().find_map(|used| tree.misled(used, &dirs)) {
        let had = dirs.remove(&dir).unwrap_or(access);
        raise(&mut dirs, parent(&dir), had.max(access));
    }
    let grants = dirs.into_iter().map(|(below, access)| DirGrant {
        host: tree.host_name(&below),
        guest: tree.guest_name(&below),
        access,
    });
    grants.collect()
}

/// Directories to grant, named from the one that was granted on: empty for itself.
type Dirs = BTreeMap<String, Access>;

/// Grants a directory, or more of it.
fn raise(dirs: &mut Dirs, dir: &str, access: Access) {
    match dirs.get_mut(dir) {
        Some(had) => *had = access.max(*had),
        None => drop(dirs.insert(dir.to_owned(), access)),
    }
}

/// A path that was used.
struct Used {
    /// From the granted directory on, as the guest wrote it.
    path: String,
    /// Whether it is the name that counts, in the directory it is in.
    entry: bool,
    /// How far up it leads on its way by `..`, if it does.
    passed: Option<String>,
    /// What it leads to on the host, if there is anything.
    real: Option<PathBuf>,
    /// The directory that is enough for it.
    dir: String,
    access: Access,
}

/// What is below a directory that was granted.
struct Tree<'a> {
    mount: &'a Mount,
    base: &'a Path,
}

impl Tree<'_> {
    fn used(&self, path: &str, Use { write, link, follow }: Use) -> Used {
        let access = if write { Access::ReadWrite } else { Access::ReadOnly };
        let path = self.below(path);
        let passed = passed(&path);
        let is_link = |path: PathBuf| path.symlink_metadata().is_ok_and(|found| found.is_symlink());
        let itself = link && is_link(self.base.join(&self.mount.host).join(&path));
        let entry = write || itself;
        let real = self.nearest(if itself && !follow { parent(&path) } else { &path });
        let is_dir = self.real(&path).is_some_and(|real| real.is_dir());
        let mut dir = match &passed {
            Some(passed) => passed.clone(),
            None if is_dir && !entry => path.clone(),
            None => parent(&path).to_owned(),
        };
        // Up, until there is a directory that what the path leads to is in.
        while !dir.is_empty() {
            let holds =
                self.real(&dir).is_some_and(|dir| dir.is_dir() && is_in(real.as_deref(), &dir));
            if holds {
                break;
            }
            dir = parent(&dir).to_owned();
        }
        Used { path, entry, passed, real, dir, access }
    }

    /// The directory that a path would be looked for in, if it would not be found there: the one with the
    /// longest name that the path begins with. And what access the path takes.
    fn misled(&self, used: &Used, dirs: &Dirs) -> Option<(String, Access)> {
        let mut dir = used.path.as_str();
        while !dirs.contains_key(dir) {
            if dir.is_empty() {
                return None;
            }
            dir = parent(dir);
        }
        if dir.is_empty() && dirs.get(dir).is_some_and(|had| *had >= used.access) {
            return None;
        }
        let fits = dirs.get(dir).is_some_and(|had| *had >= used.access)
            && !(used.entry && dir == used.path)
            && used.passed.as_ref().is_none_or(|passed| is_below(dir, passed))
            && self.real(dir).is_none_or(|real| is_in(used.real.as_deref(), &real));
        (!fits).then(|| (dir.to_owned(), used.access))
    }

    /// A path of the guest as one from the granted directory on.
    fn below(&self, path: &str) -> String {
        let guest = self.mount.guest.as_str();
        let rest = match guest {
            "." => path,
            guest => path.strip_prefix(guest).unwrap_or(path),
        };
        let rest = rest.trim_start_matches('/');
        if rest == "." { String::new() } else { rest.to_owned() }
    }

    /// Where a path of the host really leads, if anywhere.
    fn real(&self, below: &str) -> Option<PathBuf> {
        self.base.join(&self.mount.host).join(below).canonicalize().ok()
    }

    /// The same; if it leads nowhere, where the nearest directory above leads that is there.
    fn nearest(&self, below: &str) -> Option<PathBuf> {
        let mut at = below;
        loop {
            match self.real(at) {
                Some(real) => return Some(real),
                None if at.is_empty() => return None,
                None => at = parent(at),
            }
        }
    }

    fn guest_name(&self, below: &str) -> String {
        if below.is_empty() { self.mount.guest.clone() } else { join(&self.mount.guest, below) }
    }

    fn host_name(&self, below: &str) -> String {
        let host = Path::new(&self.mount.host);
        let host = host.strip_prefix(self.base).unwrap_or(host);
        let host = if below.is_empty() { host.to_owned() } else { host.join(below) };
        let name = host.display().to_string();
        if name.is_empty() { ".".to_owned() } else { name }
    }

    /// Leaves out what is below another that gives as much. What is reached by a link stays: by the name of
    /// the other it would be outside.
    fn absorb(&self, dirs: &mut Dirs) {
        let all = dirs.clone();
        dirs.retain(|dir, access| {
            let real = self.real(dir);
            let mut above = dir.as_str();
            while !above.is_empty() {
                above = parent(above);
                let covers = all.get(above).is_some_and(|more| more >= access);
                if covers && self.real(above).is_none_or(|above| is_in(real.as_deref(), &above)) {
                    return false;
                }
            }
            true
        });
    }
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

fn is_below(dir: &str, path: &str) -> bool {
    dir.is_empty()
        || path.strip_prefix(dir).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether what a path leads to is in a directory; what is not there is not anywhere else.
fn is_in(real: Option<&Path>, dir: &Path) -> bool {
    real.is_none_or(|real| real.starts_with(dir))
}

/// How far up a path leads by `..`, if it does.
fn passed(path: &str) -> Option<String> {
    let mut at: Vec<&str> = Vec::new();
    let mut passed: Option<Vec<&str>> = None;
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                at.pop();
                if passed.as_ref().is_none_or(|passed| passed.len() > at.len()) {
                    passed = Some(at.clone());
                }
            }
            part => at.push(part),
        }
    }
    passed.map(|passed| passed.join("/"))
}

/// Makes one of many directories side by side, from the bottom up.
fn generalise(dirs: &mut Dirs) {
    loop {
        let mut side_by_side: BTreeMap<(String, Access), usize> = BTreeMap::new();
        for (dir, access) in dirs.iter().filter(|(dir, _)| !dir.is_empty()) {
            let count = side_by_side.entry((parent(dir).to_owned(), *access)).or_default();
            *count = count.saturating_add(1);
        }
        let many = side_by_side.into_iter().filter(|(_, count)| *count > SIBLINGS);
        // The deepest first, so that what is above counts with it.
        let deepest = many.max_by_key(|((above, _), _)| above.matches('/').count());
        let Some(((above, access), _)) = deepest else { return };
        dirs.retain(|dir, had| dir.is_empty() || parent(dir) != above || *had != access);
        raise(dirs, &above, access);
    }
}
