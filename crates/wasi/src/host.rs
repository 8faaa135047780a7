//! The one host implementation: what WASI does, without a word about how any ABI asks for it.
//!
//! Nothing here knows guest memory, pointers or error numbers. An operation takes Rust values
//! and gives `Result<T, Error>`; what could wait takes a [`Wait`] and can say [`Error::Again`].
//! The system calls of the crate are all in this module.

mod audit;
mod clock;
mod config;
mod console;
mod denial;
mod dir;
mod error;
mod fs;
mod interrupt;
pub mod keyvalue;
mod need;
pub mod net;
mod path;
mod poll;
mod protected;
mod random;
mod readdir;
mod signal;
mod stdio;
mod stream;
mod table;
mod terminal;
mod witness;

pub use audit::Audit;
pub use clock::{Clock, Time, VirtualTime};
pub use config::Config;
pub use console::{ask_at_terminal, is_interactive};
pub use denial::{Denial, Denials};
pub use dir::{Access, Dir, OpenOptions, Opened};
pub use error::Error;
pub use fs::{Expectation, File, FileId, FileKind, Metadata, SetTime, Whence};
pub use interrupt::Interrupt;
pub use need::{Mount, Need};
pub use net::{Listener, NetGrants, Network, Receive, Stream, SystemResolver};
pub use path::PATH_MAX;
pub use poll::{Interest, Wait};
pub use random::Random;
pub use readdir::DirEntry;
pub use signal::Signal;
pub use stdio::{Input, Output, OutputPipe};
pub use stream::{ByteSink, ByteSource, Cause, Reader, Writer};
pub use table::Table;
pub use terminal::TerminalFilter;
pub use witness::{Answer, Approver, Event, Observer, Source, Verdict};

pub(crate) use dir::{Grant, open_granted};
pub(crate) use fs::CHUNK;
pub(crate) use path::{join, probe};
pub(crate) use poll::{Readiness, Watch};
pub(crate) use protected::Protected;
pub(crate) use witness::Witness;
