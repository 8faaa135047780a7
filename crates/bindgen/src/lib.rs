//! Rust for the interfaces of components: WIT in, source text out.
//!
//! - **In:** WIT as text or in a component, the name of a world, [`Options`].
//! - **Out:** the source of a Rust module, and the files it was made from.
//! - **Never knows about:** engines and components; what it writes names the crate `dunlin::component`.
//! - **Start reading at:** [`Options::generate`], then `world.rs`.
//!
//! What is written for a world:
//!
//! - every record, variant, enum and flags as a Rust type, in modules named after packages and interfaces;
//! - for every interface that is imported, a trait `Host` with its functions, a trait for each of its
//!   resources, and a function `add_to_linker`;
//! - for every interface that is exported, a struct `Guest` with its functions;
//! - a struct named after the world, which is instantiated and called.

#![forbid(unsafe_code)]

mod error;
mod export;
mod import;
mod naming;
mod source;
mod tree;
mod types;
mod world;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use error::Error;

/// How bindings are made.
#[derive(Clone, Debug)]
pub struct Options {
    world: Option<String>,
    runtime: String,
    with: BTreeMap<String, String>,
    unstable: Vec<String>,
}

/// Bindings, and what they were made from.
#[derive(Clone, Debug)]
pub struct Bindings {
    /// The source of a module.
    pub source: String,
    /// The files that were read: when one changes, bindings have to be made again.
    pub files: Vec<PathBuf>,
}

impl Bindings {
    /// The source of items for any module, which brings what others' rules say about code by hand to silence:
    /// that not all of it is used, for one.
    pub fn items(&self) -> String {
        const SILENT: &str = "dead_code, unused_imports, unreachable_pub, missing_docs, clippy::all, \
             reason = \"nobody wrote this\"";
        format!(
            "#[allow({SILENT})]\nmod dunlin_bindings {{\n{}}}\n\
             #[allow({SILENT})]\npub use dunlin_bindings::*;\n",
            self.source
        )
    }
}

impl Default for Options {
    fn default() -> Options {
        Options::new()
    }
}

impl Options {
    /// For the only world there is, and code that is used with the crate `dunlin`.
    pub fn new() -> Options {
        Options {
            world: None,
            runtime: "::dunlin::component".to_owned(),
            with: BTreeMap::new(),
            unstable: Vec::new(),
        }
    }

    /// Which world: its name, or `namespace:package/world@version`.
    pub fn world(&mut self, world: &str) -> &mut Options {
        self.world = Some(world.to_owned());
        self
    }

    /// The path of the crate that code uses, `::dunlin::component` if nothing is said.
    pub fn runtime(&mut self, path: &str) -> &mut Options {
        self.runtime = path.to_owned();
        self
    }

    /// The Rust type that stands for an imported resource, `namespace:package/interface/resource`; a type
    /// that nobody else knows is made for each if nothing is said.
    pub fn with(&mut self, resource: &str, rust: &str) -> &mut Options {
        self.with.insert(resource.to_owned(), rust.to_owned());
        self
    }

    /// Includes items that are marked `@unstable` with this feature.
    pub fn unstable(&mut self, feature: &str) -> &mut Options {
        self.unstable.push(feature.to_owned());
        self
    }

    /// Makes bindings for what is at `path`: a component, a WIT package in binary form, a `.wit` file, or a
    /// directory of them.
    ///
    /// # Errors
    ///
    /// When it cannot be read or is not valid, with the place; when there is no such world, or it has
    /// something that has no form in Rust yet.
    pub fn generate(&self, path: &Path) -> Result<Bindings, Error> {
        let (source, files) = source::load(path, self)?;
        Ok(Bindings { source: world::generate(source, self)?, files })
    }

    /// Makes bindings for WIT text.
    ///
    /// # Errors
    ///
    /// As [`Options::generate`].
    pub fn generate_text(&self, text: &str) -> Result<String, Error> {
        world::generate(source::parse(text, self)?, self)
    }

    /// Makes bindings in a build script: writes them to `OUT_DIR` as `NAME.rs`, for
    /// `include!(concat!(env!("OUT_DIR"), "/NAME.rs"))`, and has them made again when a file changes.
    ///
    /// # Errors
    ///
    /// As [`Options::generate`]; when there is no `OUT_DIR`, or it cannot be written to.
    #[expect(clippy::print_stdout, reason = "build scripts talk to cargo this way")]
    pub fn build(&self, path: &Path, name: &str) -> Result<(), Error> {
        println!("cargo::rerun-if-changed={}", path.display());
        let bindings = self.generate(path)?;
        for file in &bindings.files {
            println!("cargo::rerun-if-changed={}", file.display());
        }
        let folder = std::env::var_os("OUT_DIR");
        let folder =
            folder.ok_or_else(|| Error::new("there is no `OUT_DIR`: not a build script"))?;
        let out = Path::new(&folder).join(format!("{name}.rs"));
        std::fs::write(&out, bindings.items())
            .map_err(|error| Error::new(format!("cannot write `{}`: {error}", out.display())))
    }
}
