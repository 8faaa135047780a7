//! Where the packages are that a composition names.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use dunlin_module::escape;
use semver::Version;

use crate::error::Error;
use crate::reading::Reading;
use crate::wit::Wit;

/// The packages that a composition may use: some by name, others in folders.
///
/// In a folder, `ns:pkg` is `ns/pkg.wasm`, and `ns:pkg@1.2.3` is `ns/pkg@1.2.3.wasm`,
/// `ns/pkg/1.2.3.wasm` or `ns/pkg.wasm`; a directory `ns/pkg` with WIT text in it is a package of
/// types only. `.wat` will do for `.wasm` where [`Reading`] has a translator.
#[derive(Clone, Default, Debug)]
pub struct Deps {
    named: BTreeMap<String, PathBuf>,
    folders: Vec<PathBuf>,
    reading: Reading,
}

impl Deps {
    /// No packages; those that are added will be read so.
    pub fn new(reading: Reading) -> Deps {
        Deps { reading, ..Deps::default() }
    }

    /// Adds a package, `ns:pkg` or `ns:pkg@1.2.3`.
    pub fn package(&mut self, name: &str, path: &Path) -> &mut Deps {
        self.named.insert(name.to_owned(), path.to_owned());
        self
    }

    /// Adds a folder to look for packages in, after those added before.
    pub fn folder(&mut self, folder: &Path) -> &mut Deps {
        self.folders.push(folder.to_owned());
        self
    }

    /// The binary of a package; `None` if there is none.
    pub(crate) fn find(
        &self,
        name: &str,
        version: Option<&Version>,
    ) -> Result<Option<Vec<u8>>, Error> {
        let full = version.map(|version| format!("{name}@{version}"));
        if let Some(path) = full.as_ref().and_then(|full| self.named.get(full)) {
            return self.read(path).map(Some);
        }
        if let Some(path) = self.named.get(name) {
            return self.read(path).map(Some);
        }
        for folder in &self.folders {
            let Some(stem) = stem(folder, name) else { continue };
            for path in candidates(&stem, version) {
                if path.is_file() {
                    return self.read(&path).map(Some);
                }
            }
            if stem.is_dir() && version.is_none() {
                return self.read(&stem).map(Some);
            }
        }
        Ok(None)
    }

    /// Where a package was looked for.
    pub(crate) fn advice(&self, name: &str, version: Option<&Version>) -> String {
        let version = version.map(|version| format!("@{version}")).unwrap_or_default();
        let shown = format!("{}{version}", escape(name));
        let stem = self.folders.first().and_then(|folder| stem(folder, name));
        match stem {
            Some(stem) => {
                let path = format!("{}{version}.wasm", stem.to_string_lossy());
                let path = escape(&path).to_string();
                format!("name its file with `--dep {shown}=FILE`, or put it at `{path}`")
            }
            None => format!("name its file with `--dep {shown}=FILE`"),
        }
    }

    /// Reads a component, or makes a package in binary form of WIT text.
    fn read(&self, path: &Path) -> Result<Vec<u8>, Error> {
        let is_text = path.extension().is_some_and(|ending| ending == "wit");
        if is_text || path.is_dir() {
            return Wit::of_source(path, &self.reading)?.binary();
        }
        self.reading.binary(path)
    }
}

/// The path of a package in a folder, without an ending; `None` for names that would lead out of it.
fn stem(folder: &Path, name: &str) -> Option<PathBuf> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let mut path = folder.to_owned();
    for part in name.split(':') {
        if part.is_empty() || !part.chars().all(plain) {
            return None;
        }
        path.push(part);
    }
    Some(path)
}

fn candidates(stem: &Path, version: Option<&Version>) -> Vec<PathBuf> {
    let mut stems = Vec::new();
    if let Some(version) = version {
        let mut with_version = stem.as_os_str().to_owned();
        with_version.push(format!("@{version}"));
        stems.push(PathBuf::from(with_version));
        stems.push(stem.join(version.to_string()));
    }
    stems.push(stem.to_owned());
    let endings = ["wasm", "wat"];
    stems.iter().flat_map(|stem| endings.map(|ending| stem.with_added_extension(ending))).collect()
}
