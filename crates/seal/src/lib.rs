//! Files that only trusted hands can have written: seals, keys, and the directory of the cache.
//!
//! - *In*: bytes to be kept or shipped, and keys.
//! - *Out*: sealed bytes; and the bytes inside of sealed ones, if somebody who is trusted sealed them.
//! - *Never knows about*: what is inside, modules, code, engines.
//! - *Start reading at*: [`envelope`], then [`machine`].
//!
//! ```text
//!  payload ──► envelope::close (MachineKey or SigningKey) ──► file ──► envelope::open (Trust) ──► payload
//! ```
//!
//! Seals are checked on bytes in memory, and what is used afterwards are those very bytes: changing a
//! file after it was read changes nothing.

#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

pub mod blocks;
pub mod directory;
pub mod envelope;
pub mod machine;
pub mod pair;
mod pem;
mod private;

pub use directory::Directory;
pub use envelope::{Purpose, Seal, SealError, SealedBy, Trust};
pub use machine::MachineKey;
pub use pair::{PublicKey, SigningKey};
pub use private::AccessError;

/// The BLAKE3 hash of `bytes`.
pub fn digest(bytes: &[u8]) -> [u8; 32] {
    blake3::hash(bytes).into()
}

/// A BLAKE3 hash of several parts, each with its length, so that no two lists of parts have the same.
pub fn digest_parts(context: &str, parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key(context);
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
