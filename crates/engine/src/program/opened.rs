//! A compiled program taken apart: what is sealed, and what is only believed with its hash.

use dunlin_seal::envelope::{self, HEADER_BYTES, Purpose};
use dunlin_seal::{Trust, blocks};

use super::{malformed, refused};
use crate::cache::Verdict;
use crate::error::{Error, ErrorKind, Result};

/// Bytes of the length of the binary.
const LENGTH_BYTES: usize = 8;

/// What is sealed.
#[derive(Debug)]
pub(super) struct Payload<'a> {
    pub(super) binary_bytes: usize,
    /// What the binary was found valid for.
    pub(super) verdict: Verdict,
    /// The hash of each block of the body.
    pub(super) table: &'a [u8],
}

impl<'a> Payload<'a> {
    pub(super) fn read(payload: &'a [u8]) -> Result<Payload<'a>> {
        let parts = payload.split_first_chunk::<LENGTH_BYTES>().and_then(|(length, rest)| {
            let (verdict, table) = rest.split_first_chunk()?;
            let binary_bytes = usize::try_from(u64::from_le_bytes(*length)).ok()?;
            Some(Payload { binary_bytes, verdict: *verdict, table })
        });
        parts.ok_or_else(|| malformed("it is cut off"))
    }
}

/// A whole program in memory.
#[derive(Debug)]
pub(super) struct Opened<'a> {
    pub(super) payload: Payload<'a>,
    body: &'a [u8],
}

impl<'a> Opened<'a> {
    /// The program in `bytes`, sealed by somebody who is trusted. The body is not checked yet.
    pub(super) fn trusted(bytes: &'a [u8], trust: &Trust) -> Result<Opened<'a>> {
        let opened = envelope::open_front(bytes, Purpose::Program, trust);
        let (payload, body_bytes) = opened.map_err(refused)?;
        Opened::new(bytes, payload, body_bytes)
    }

    /// The same with what a header says, checked or not.
    pub(super) fn new(bytes: &'a [u8], payload: &'a [u8], body_bytes: u64) -> Result<Opened<'a>> {
        let body = bytes.get(HEADER_BYTES + payload.len()..).unwrap_or_default();
        if body.len() as u64 != body_bytes {
            let found = body.len();
            return Err(malformed(format!("expected {body_bytes} bytes of code, found {found}")));
        }
        Ok(Opened { payload: Payload::read(payload)?, body })
    }

    /// The binary and the artifact. Nobody has looked whether they are those that were sealed.
    pub(super) fn unchecked(&self) -> Result<(&'a [u8], &'a [u8])> {
        let split = self.body.split_at_checked(self.payload.binary_bytes);
        split.ok_or_else(|| malformed("it is cut off"))
    }

    /// The binary and the artifact, as they were sealed.
    pub(super) fn check(&self) -> Result<(&'a [u8], &'a [u8])> {
        if blocks::table(self.body) != self.payload.table {
            return Err(changed("changed after it was sealed"));
        }
        self.unchecked()
    }
}

pub(super) fn changed(why: impl std::fmt::Display) -> Error {
    Error::message(ErrorKind::Invalid, format!("compiled program: {why}"))
}
