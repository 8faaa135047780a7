//! What tests are made of: configurations, suites, generators and oracles.
//!
//! - **In:** the data in `tests/`, the suites of others, seeds.
//! - **Out:** verdicts: a list of what is not as it should be, empty if all is well.
//! - **Never knows about:** how a test is started; `cargo test` and the fuzz targets call the same
//!   functions.
//! - **Start reading at:** [`suite`], then [`oracle`].
#![forbid(unsafe_code)]

pub mod artifacts;
pub mod campaign;
pub mod canonical;
pub mod dialogue;
pub mod failing;
pub mod forms;
pub mod generator;
pub mod hostile;
pub mod matrix;
pub mod mixed;
pub mod oracle;
mod random;
pub mod snapshot;
pub mod suite;
pub mod sweep;
pub mod vectors;

use std::path::{Path, PathBuf};

/// A folder or file below `tests/` of the workspace.
pub fn data(path: impl AsRef<Path>) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests").join(path)
}

/// Whether expectations are to be rewritten from what is found: `BLESS=1`.
pub fn bless() -> bool {
    std::env::var_os("BLESS").is_some_and(|value| value == "1")
}
