//! The key of one user on one machine: what caches and programs that stay here are sealed with.

use std::fmt;
use std::path::Path;

use crate::private::{AccessError, PrivateDir, random};

/// The file that holds it.
pub const FILE: &str = "machine.key";

const KEY_BYTES: usize = 32;
/// Sets the name of a key apart from everything it seals.
const NAMES: &str = "dunlin 2026-11 name of a machine's key";

/// A secret of 32 random bytes, made when it is first needed, which only its owner can read.
#[derive(Clone)]
pub struct MachineKey {
    key: [u8; KEY_BYTES],
    id: [u8; 32],
}

/// Without the secret.
impl fmt::Debug for MachineKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MachineKey").field("id", &crate::hex(&self.id)).finish_non_exhaustive()
    }
}

impl MachineKey {
    /// The key in `directory`; one is made if there is none, and the directory too.
    ///
    /// # Errors
    ///
    /// If the directory or the file can be reached by others, belongs to somebody else, is a link, or
    /// cannot be read or written.
    pub fn load_or_create(directory: &Path) -> Result<MachineKey, AccessError> {
        let dir = PrivateDir::open_or_create(directory)?;
        // The second time only if another process made one meanwhile.
        for _ in 0..2 {
            if let Some(key) = MachineKey::load(&dir)? {
                return Ok(key);
            }
            let mut key = [0; KEY_BYTES];
            random(&mut key).map_err(|error| dir.error(FILE, error))?;
            if dir.create_new(FILE, &key)? {
                return Ok(MachineKey::new(key));
            }
        }
        Err(dir.error(FILE, std::io::ErrorKind::NotFound.into()))
    }

    fn load(dir: &PrivateDir) -> Result<Option<MachineKey>, AccessError> {
        let Some(bytes) = dir.read_secret(FILE, KEY_BYTES as u64)? else {
            return Ok(None);
        };
        match <[u8; KEY_BYTES]>::try_from(bytes.as_slice()) {
            Ok(key) => Ok(Some(MachineKey::new(key))),
            Err(_) => Err(dir.refuse(FILE, "expected a key of 32 bytes, found another file")),
        }
    }

    /// From the secret itself.
    pub fn new(key: [u8; KEY_BYTES]) -> MachineKey {
        MachineKey { key, id: blake3::derive_key(NAMES, &key) }
    }

    /// A name for it, from which it cannot be guessed.
    pub fn id(&self) -> &[u8; 32] {
        &self.id
    }

    pub(crate) fn hash(&self, header: &[u8], payload: &[u8]) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(header).update(payload);
        hasher.finalize()
    }

    /// Compares in a time that does not depend on where they differ.
    pub(crate) fn is_seal(&self, header: &[u8], payload: &[u8], seal: &[u8; 64]) -> bool {
        let (hash, rest) = seal.split_at(32);
        let expected = self.hash(header, payload);
        <[u8; 32]>::try_from(hash).is_ok_and(|hash| expected == blake3::Hash::from(hash))
            && rest.iter().all(|byte| *byte == 0)
    }
}
