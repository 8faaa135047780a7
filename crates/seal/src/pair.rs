//! Pairs of Ed25519 keys: the private one signs what is shipped, the public one says whom to trust.
//!
//! Both are written as OpenSSL writes them, in PEM (RFC 8410): `openssl genpkey -algorithm ed25519` makes
//! private keys that are read here.

use std::fmt;
use std::path::Path;

use ed25519_dalek::Signer;

use crate::private::{AccessError, create_secret, random, read_key_file};
use crate::{hex, pem};

const PRIVATE: &str = "PRIVATE KEY";
const PUBLIC: &str = "PUBLIC KEY";
/// What stands before the 32 bytes of a key in DER (RFC 8410): the algorithm and lengths.
const PRIVATE_DER: &[u8] =
    &[0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
const PUBLIC_DER: &[u8] = &[0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];

/// The private key of a pair.
#[derive(Clone)]
pub struct SigningKey(ed25519_dalek::SigningKey);

/// The public key of a pair.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

/// Without the secret.
impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SigningKey").field(&self.public()).finish()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ed25519:{}", hex(&self.0))
    }
}

impl SigningKey {
    /// A new one.
    ///
    /// # Errors
    ///
    /// If the system has no random bytes to give.
    pub fn generate() -> std::io::Result<SigningKey> {
        let mut seed = [0; 32];
        random(&mut seed)?;
        Ok(SigningKey::from_seed(&seed))
    }

    /// The one that the 32 secret bytes stand for.
    pub fn from_seed(seed: &[u8; 32]) -> SigningKey {
        SigningKey(ed25519_dalek::SigningKey::from_bytes(seed))
    }

    /// Reads it from a file in PEM.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or holds no such key.
    pub fn load(path: &Path) -> Result<SigningKey, AccessError> {
        let text = read_key_file(path)?;
        match der(&text, PRIVATE, PRIVATE_DER) {
            Some(seed) => Ok(SigningKey::from_seed(&seed)),
            None if pem::read(PUBLIC, &text).is_some() => {
                Err(AccessError::refused(path, "expected a private key, found a public one"))
            }
            None => Err(AccessError::refused(path, "expected an Ed25519 private key in PEM")),
        }
    }

    /// Writes it to a new file that only its owner can read.
    ///
    /// # Errors
    ///
    /// If there is a file of that name, or it cannot be written.
    pub fn save_new(&self, path: &Path) -> Result<(), AccessError> {
        let der = [PRIVATE_DER, &self.0.to_bytes()].concat();
        create_secret(path, pem::write(PRIVATE, &der).as_bytes())
    }

    /// The other key of the pair.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    pub(crate) fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

impl PublicKey {
    /// From its 32 bytes, which may be any: one that is no key fits no signature.
    pub fn from_bytes(bytes: [u8; 32]) -> PublicKey {
        PublicKey(bytes)
    }

    /// Its 32 bytes.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Reads it from a file in PEM.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or holds no such key.
    pub fn load(path: &Path) -> Result<PublicKey, AccessError> {
        let text = read_key_file(path)?;
        match der(&text, PUBLIC, PUBLIC_DER) {
            Some(key) => Ok(PublicKey(key)),
            None if pem::read(PRIVATE, &text).is_some() => {
                Err(AccessError::refused(path, "expected a public key, found a private one"))
            }
            None => Err(AccessError::refused(path, "expected an Ed25519 public key in PEM")),
        }
    }

    /// In PEM.
    pub fn pem(&self) -> String {
        pem::write(PUBLIC, &[PUBLIC_DER, &self.0].concat())
    }

    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        // Strictly: no key of small order, which would fit signatures of anything.
        ed25519_dalek::VerifyingKey::from_bytes(&self.0).is_ok_and(|key| {
            key.verify_strict(message, &ed25519_dalek::Signature::from_bytes(signature)).is_ok()
        })
    }
}

fn der(text: &str, label: &str, prefix: &[u8]) -> Option<[u8; 32]> {
    pem::read(label, text)?.strip_prefix(prefix)?.try_into().ok()
}
