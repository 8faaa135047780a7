//! WASI for Dunlin: what a guest may do outside its sandbox, and how it asks for it.
//!
//! *In:* what the embedder grants, as a [`WasiCtx`], and a guest's calls. *Out:* effects on the
//! host, and error codes. *Never knows about:* how guests are run. [`host`] does everything and
//! knows no binary interface; [`p1`] and [`p2`] translate WASI 0.1 and 0.2 to it, [`threads`] lets guests
//! start threads, [`policy`] keeps grants in files.
//! *Start reading at* [`WasiCtx`],
//! then `p1/io.rs` for what a call looks like and `host/path.rs` for the sandbox.
//!
//! ```
//! use dunlin_wasi::host::{Output, OutputPipe};
//! use dunlin_wasi::{WasiCtx, p1};
//!
//! let out = OutputPipe::new(4096);
//! let mut ctx = WasiCtx::builder().stdout(Output::pipe(out.clone())).build()?;
//!
//! // A buffer at 16 of five bytes, listed at 0; the count goes to 8.
//! let mut memory = vec![0; 64];
//! memory[0..8].copy_from_slice(&[16, 0, 0, 0, 5, 0, 0, 0]);
//! memory[16..21].copy_from_slice(b"hello");
//! let errno = p1::call::fd_write(&mut ctx, &mut memory[..], 1, 0, 1, 8);
//!
//! assert_eq!(errno, Ok(p1::Errno::SUCCESS));
//! assert_eq!(out.contents(), b"hello");
//! # Ok::<(), dunlin_wasi::BuildError>(())
//! ```

#![deny(unsafe_code)]
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod ctx;
mod end;
pub mod host;
pub mod p1;
pub mod p2;
pub mod policy;
mod realm;
pub mod threads;

pub use ctx::{BuildError, DESCRIPTORS_MAX, STRINGS_MAX, WasiCtx, WasiCtxBuilder};
pub use end::{Exit, Interrupted};
