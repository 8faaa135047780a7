//! Sealed bytes: 128 bytes that say who vouches for the payload behind them.
//!
//! | bytes | what |
//! |---|---|
//! | 0–7 | [`MAGIC`] |
//! | 8–11 | version of the format |
//! | 12 | kind of seal: 1 a keyed BLAKE3 hash, 2 an Ed25519 signature |
//! | 13 | what the payload is for, see [`Purpose`] |
//! | 14–15 | zero |
//! | 16–47 | which key: the public key itself, or what stands for a machine's key |
//! | 48–55 | length of the payload |
//! | 56–63 | length of the body |
//! | 64–127 | the seal, over the first 64 bytes and the payload; a hash fills the first half |
//! | 128– | the payload |
//! | behind it | the body, of compiled programs only: the payload has its hashes, see [`crate::blocks`] |
//!
//! A signature is of the hash of what is sealed, so that a large payload is read once.

use std::fmt;

use crate::hex;
use crate::machine::MachineKey;
use crate::pair::{PublicKey, SigningKey};

/// What sealed bytes begin with.
pub const MAGIC: &[u8; 8] = b"dunlin\0S";
/// The version of the format that is written, and the only one that is read.
pub const VERSION: u32 = 2;
/// Bytes in front of the payload.
pub const HEADER_BYTES: usize = SEALED_BYTES + SEAL_BYTES;

/// The part of the header that the seal covers.
const SEALED_BYTES: usize = 64;
const SEAL_BYTES: usize = 64;
const HASH_BYTES: usize = 32;
const BY_MACHINE: u8 = 1;
const BY_SIGNATURE: u8 = 2;
/// Sets hashes that are signed apart from all others.
const SIGNED: &str = "dunlin 2026-11 contents of a signed file";

/// What a payload is for. One that is sealed for one purpose is not accepted for another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Purpose {
    /// A compiled program.
    Program = 1,
    /// Compiled code in the cache.
    Code = 2,
    /// That a module is valid, in the cache.
    Verdict = 3,
}

impl Purpose {
    /// In words, with an article.
    pub fn name(self) -> &'static str {
        match self {
            Purpose::Program => "a compiled program",
            Purpose::Code => "cached code",
            Purpose::Verdict => "a cached verdict",
        }
    }

    fn of(byte: u8) -> Option<Purpose> {
        [Purpose::Program, Purpose::Code, Purpose::Verdict].into_iter().find(|p| *p as u8 == byte)
    }
}

/// What bytes are sealed with.
#[derive(Clone, Copy, Debug)]
pub enum Seal<'k> {
    /// The key of this machine's user: nobody else can check it.
    Machine(&'k MachineKey),
    /// A signature, which everybody with the public key can check.
    Signature(&'k SigningKey),
}

/// Who sealed bytes, or claims to have.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SealedBy {
    /// The owner of a machine's key with this name.
    Machine([u8; 32]),
    /// The owner of the pair with this public key.
    Signer(PublicKey),
}

impl fmt::Display for SealedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SealedBy::Machine(id) => {
                write!(f, "machine:{}", hex(id.first_chunk::<8>().unwrap_or(&[0; 8])))
            }
            SealedBy::Signer(key) => key.fmt(f),
        }
    }
}

/// Whose seals are accepted.
#[derive(Clone, Default, Debug)]
pub struct Trust {
    /// Those of this machine's user.
    pub machine: Option<MachineKey>,
    /// Signatures that one of these keys fits.
    pub signers: Vec<PublicKey>,
}

/// Why sealed bytes are not accepted.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum SealError {
    /// They do not begin as sealed bytes do.
    NotSealed,
    /// Another version of the format.
    Version(u32),
    /// The header is not as it must be.
    Malformed,
    /// So many bytes were expected and found.
    Length(u64, u64),
    /// Sealed for another purpose: what was expected and found.
    Purpose(Purpose, Purpose),
    /// Nobody who is trusted.
    Untrusted(SealedBy),
    /// The seal of somebody who is trusted, on other bytes.
    Broken(SealedBy),
}

impl fmt::Display for SealError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SealError::NotSealed => f.write_str("expected a sealed file, found something else"),
            SealError::Version(found) => {
                write!(f, "expected version {VERSION} of the format of sealed files, found {found}")
            }
            SealError::Malformed => f.write_str("malformed header of a sealed file"),
            SealError::Length(expected, found) => {
                write!(f, "expected {expected} bytes behind the seal, found {found}")
            }
            SealError::Purpose(expected, found) => {
                write!(f, "expected {}, found {}", expected.name(), found.name())
            }
            SealError::Untrusted(by @ SealedBy::Machine(_)) => {
                write!(f, "sealed by `{by}`, which is not this machine's key")
            }
            SealError::Untrusted(by) => write!(f, "signed by `{by}`, which is not trusted"),
            SealError::Broken(by) => {
                write!(f, "changed after it was sealed by `{by}`: the seal does not fit")
            }
        }
    }
}

impl std::error::Error for SealError {}

/// Starts sealed bytes: room for the header, behind which the payload is to be appended.
pub fn start() -> Vec<u8> {
    vec![0; HEADER_BYTES]
}

/// Seals what was appended to the bytes from [`start`].
pub fn close(bytes: &mut [u8], purpose: Purpose, seal: Seal<'_>) {
    close_before(bytes, 0, purpose, seal);
}

/// As [`close`], where a body of so many bytes is going to be appended.
pub fn close_before(bytes: &mut [u8], body_bytes: u64, purpose: Purpose, seal: Seal<'_>) {
    let Some((header, payload)) = bytes.split_first_chunk_mut::<HEADER_BYTES>() else {
        return;
    };
    let (kind, key) = match seal {
        Seal::Machine(key) => (BY_MACHINE, *key.id()),
        Seal::Signature(key) => (BY_SIGNATURE, *key.public().bytes()),
    };
    let mut fields = Fields { sealed: [0; SEALED_BYTES] };
    fields.put(0, MAGIC);
    fields.put(8, &VERSION.to_le_bytes());
    fields.put(12, &[kind, purpose as u8]);
    fields.put(16, &key);
    fields.put(48, &(payload.len() as u64).to_le_bytes());
    fields.put(56, &body_bytes.to_le_bytes());
    let mut closed = [0; SEAL_BYTES];
    match seal {
        Seal::Machine(key) => {
            let (half, _) = closed.split_at_mut(HASH_BYTES);
            half.copy_from_slice(key.hash(&fields.sealed, payload).as_bytes());
        }
        Seal::Signature(key) => closed = key.sign(&signed(&fields.sealed, payload)),
    }
    let (front, back) = header.split_at_mut(SEALED_BYTES);
    front.copy_from_slice(&fields.sealed);
    back.copy_from_slice(&closed);
}

struct Fields {
    sealed: [u8; SEALED_BYTES],
}

impl Fields {
    fn put(&mut self, at: usize, bytes: &[u8]) {
        for (to, from) in self.sealed.iter_mut().skip(at).zip(bytes) {
            *to = *from;
        }
    }
}

/// What is signed.
fn signed(sealed: &[u8; SEALED_BYTES], payload: &[u8]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key(SIGNED);
    hasher.update(sealed).update(payload);
    hasher.finalize().into()
}

/// Sealed bytes of which nothing is known to be true.
#[derive(Clone, Debug)]
pub struct Claim<'a> {
    /// Who is said to have sealed them.
    pub by: SealedBy,
    /// What they are said to be.
    pub purpose: Purpose,
    /// What is said to have been sealed.
    pub payload: &'a [u8],
    /// How many bytes are said to be behind it.
    pub body_bytes: u64,
    sealed: [u8; SEALED_BYTES],
    seal: [u8; SEAL_BYTES],
}

/// Whether bytes begin as sealed ones do.
pub fn is_sealed(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

/// How many bytes the header and the payload are, by the first bytes of what is sealed.
///
/// # Errors
///
/// If the header is not well-formed.
pub fn front_bytes(bytes: &[u8]) -> Result<u64, SealError> {
    Ok(Header::read(bytes)?.payload_bytes.saturating_add(HEADER_BYTES as u64))
}

/// Reads the header, and believes nothing. The body need not be there.
///
/// # Errors
///
/// If it is not well-formed, or the payload is not there.
pub fn read(bytes: &[u8]) -> Result<Claim<'_>, SealError> {
    let header = Header::read(bytes)?;
    let Header { by, purpose, payload_bytes, body_bytes, sealed, seal } = header;
    let behind = bytes.get(HEADER_BYTES..).unwrap_or_default();
    let payload = usize::try_from(payload_bytes).ok().and_then(|length| behind.get(..length));
    let payload = payload.ok_or(SealError::Length(payload_bytes, behind.len() as u64))?;
    Ok(Claim { by, purpose, payload, body_bytes, sealed, seal })
}

/// What the header says.
struct Header {
    by: SealedBy,
    purpose: Purpose,
    payload_bytes: u64,
    body_bytes: u64,
    sealed: [u8; SEALED_BYTES],
    seal: [u8; SEAL_BYTES],
}

impl Header {
    fn read(bytes: &[u8]) -> Result<Header, SealError> {
        if !is_sealed(bytes) {
            return Err(SealError::NotSealed);
        }
        let header = bytes.split_first_chunk::<SEALED_BYTES>();
        let (sealed, rest) = header.ok_or(SealError::Malformed)?;
        let (seal, _) = rest.split_first_chunk::<SEAL_BYTES>().ok_or(SealError::Malformed)?;
        let mut fields = sealed.get(8..).unwrap_or_default();
        let version = u32::from_le_bytes(take(&mut fields)?);
        if version != VERSION {
            return Err(SealError::Version(version));
        }
        let [kind, purpose, 0, 0] = take(&mut fields)? else {
            return Err(SealError::Malformed);
        };
        let key: [u8; 32] = take(&mut fields)?;
        let payload_bytes = u64::from_le_bytes(take(&mut fields)?);
        let body_bytes = u64::from_le_bytes(take(&mut fields)?);
        let purpose = Purpose::of(purpose).ok_or(SealError::Malformed)?;
        let by = match kind {
            BY_MACHINE => SealedBy::Machine(key),
            BY_SIGNATURE => SealedBy::Signer(PublicKey::from_bytes(key)),
            _ => return Err(SealError::Malformed),
        };
        Ok(Header { by, purpose, payload_bytes, body_bytes, sealed: *sealed, seal: *seal })
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], SealError> {
    let (taken, behind) = rest.split_first_chunk().ok_or(SealError::Malformed)?;
    *rest = behind;
    Ok(*taken)
}

/// The payload of sealed bytes, if they are for this purpose and somebody who is trusted sealed them,
/// and nothing is behind it.
///
/// # Errors
///
/// If not.
pub fn open<'a>(bytes: &'a [u8], purpose: Purpose, trust: &Trust) -> Result<&'a [u8], SealError> {
    let (payload, body_bytes) = open_front(bytes, purpose, trust)?;
    let found = bytes.len() as u64 - HEADER_BYTES as u64;
    let expected = (payload.len() as u64).saturating_add(body_bytes);
    match body_bytes == 0 && found == expected {
        true => Ok(payload),
        false => Err(SealError::Length(payload.len() as u64, found)),
    }
}

/// As [`open`], with a body behind the payload: gives how long that must be. It need not be there.
///
/// # Errors
///
/// As [`open`].
pub fn open_front<'a>(
    bytes: &'a [u8],
    purpose: Purpose,
    trust: &Trust,
) -> Result<(&'a [u8], u64), SealError> {
    let claim = read(bytes)?;
    let fits = match &claim.by {
        SealedBy::Machine(id) => {
            let key = trust.machine.as_ref().filter(|key| key.id() == id);
            key.map(|key| key.is_seal(&claim.sealed, claim.payload, &claim.seal))
        }
        SealedBy::Signer(signer) => {
            let key = trust.signers.iter().find(|key| *key == signer);
            key.map(|key| key.verifies(&signed(&claim.sealed, claim.payload), &claim.seal))
        }
    };
    match fits {
        None => Err(SealError::Untrusted(claim.by)),
        Some(false) => Err(SealError::Broken(claim.by)),
        // Only now is what the header says worth a message.
        Some(true) if claim.purpose != purpose => Err(SealError::Purpose(purpose, claim.purpose)),
        Some(true) => Ok((claim.payload, claim.body_bytes)),
    }
}
