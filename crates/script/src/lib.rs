//! Text formats and `.wast` scripts on an engine.
//!
//! - **In:** `.wat` and `.wast` text, binary modules.
//! - **Out:** binary modules, text, and a report per directive of a script.
//! - **Never knows about:** how anything is executed; it uses `dunlin_engine` as any embedder does.
//! - **Start reading at:** [`Script`], then [`wat_to_wasm`] and [`print`](print()).
#![forbid(unsafe_code)]

mod components;
mod print;
mod report;
mod run;
mod script;
mod spectest;
mod text;
mod threads;
mod unfold;
mod value;
mod wave;

pub use dunlin_module::{TextError, decode_text};
pub use print::{PrintError, PrintOptions, print, print_to};
pub use report::{Outcome, Report, Summary};
pub use run::{Dialect, ModuleLoader, PrintSink, RunOptions};
pub use script::Script;
pub use text::{TEXT_BYTES_MAX, wat_to_wasm};
pub use wave::{WaveCall, show_wave};
