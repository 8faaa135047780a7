//! How files are read: which unstable items of WIT count, and who translates the text format.

use std::fmt;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use dunlin_module::escape;
use wit_parser::Resolve;

use crate::error::{Error, ErrorKind};
use crate::wit::unreadable;

/// Text format to binary; the path is for messages.
type Translate = dyn Fn(&Path, &[u8]) -> Result<Vec<u8>, String> + Send + Sync;

/// How files are read. By default, unstable items are left out, and modules, components and
/// packages in the text format are not understood.
#[derive(Clone, Default)]
pub struct Reading {
    unstable: Vec<String>,
    all_unstable: bool,
    translate: Option<Arc<Translate>>,
}

impl Reading {
    /// The default.
    pub fn new() -> Reading {
        Reading::default()
    }

    /// Includes items that are marked `@unstable(feature = …)` with this feature.
    pub fn unstable(&mut self, feature: &str) -> &mut Reading {
        self.unstable.push(feature.to_owned());
        self
    }

    /// Includes all unstable items.
    pub fn all_unstable(&mut self) -> &mut Reading {
        self.all_unstable = true;
        self
    }

    /// Reads files in the text format with `translate`, which is given the path for messages.
    pub fn translator(
        &mut self,
        translate: impl Fn(&Path, &[u8]) -> Result<Vec<u8>, String> + Send + Sync + 'static,
    ) -> &mut Reading {
        self.translate = Some(Arc::new(translate));
        self
    }

    /// Nothing yet, but knowing what to leave out.
    pub(crate) fn resolve(&self) -> Resolve {
        Resolve {
            features: self.unstable.iter().cloned().collect(),
            all_features: self.all_unstable,
            ..Resolve::default()
        }
    }

    /// The binary in a file, translated if it is text.
    pub(crate) fn binary(&self, path: &Path) -> Result<Vec<u8>, Error> {
        let bytes = fs::read(path).map_err(|error| unreadable(path, &error))?;
        match &self.translate {
            Some(translate) if !bytes.starts_with(b"\0asm") => {
                translate(path, &bytes).map_err(|error| {
                    let name = escape(&path.to_string_lossy()).to_string();
                    let message = format!("cannot translate `{name}`");
                    Error::new(ErrorKind::Text, message).because_of([error])
                })
            }
            _ => Ok(bytes),
        }
    }
}

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reading")
            .field("unstable", &self.unstable)
            .field("all_unstable", &self.all_unstable)
            .field("translates", &self.translate.is_some())
            .finish()
    }
}
