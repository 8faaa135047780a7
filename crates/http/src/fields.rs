//! Fields: headers and trailers, valid and bounded from the start.

use std::collections::BTreeSet;

use dunlin_engine::raw::{Budget, Resource as Charge};
use hyper::header::{HeaderMap, HeaderName, HeaderValue};

use crate::limits::{FIELD_BYTES, FIELDS_BYTES_MAX, FIELDS_MAX};

/// What a guest neither sends nor sees: these belong to the connection, which is the host's, or decide where a
/// message goes and where it ends.
const FORBIDDEN: &[&str] =
    &["connection", "host", "http2-settings", "keep-alive", "transfer-encoding", "upgrade"];

/// The same for all that begins like this.
const FORBIDDEN_PREFIX: &str = "proxy-";

/// What has no meaning, or a dangerous one, after the body: framing, credentials, and how to read what came before.
const NO_TRAILERS: &[&str] = &[
    "authorization",
    "cache-control",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "cookie",
    "expect",
    "max-forwards",
    "set-cookie",
    "te",
    "trailer",
];

/// Headers or trailers, in their order and with their names as they were written.
#[derive(Debug, Default)]
pub struct Fields {
    entries: Vec<(String, Vec<u8>)>,
    /// Of names and values together.
    bytes: usize,
    budget: Option<Budget>,
}

/// Why fields are not changed.
#[derive(Debug)]
pub enum FieldError {
    /// A name or a value is none.
    Syntax,
    /// The guest may not set this one.
    Forbidden,
    /// There would be more than [`FIELDS_MAX`] or [`FIELDS_BYTES_MAX`].
    Size,
    /// The guest's store does not have so much.
    Budget(dunlin_engine::Error),
}

/// A name that a guest may use.
fn checked(name: &str) -> Result<HeaderName, FieldError> {
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| FieldError::Syntax)?;
    if is_forbidden(&name) { Err(FieldError::Forbidden) } else { Ok(name) }
}

fn is_forbidden(name: &HeaderName) -> bool {
    FORBIDDEN.contains(&name.as_str()) || name.as_str().starts_with(FORBIDDEN_PREFIX)
}

impl Fields {
    /// None yet, charged to this budget.
    pub fn new(budget: Option<Budget>) -> Fields {
        Fields { budget, ..Fields::default() }
    }

    /// Those that were received, without those that guests do not see.
    pub(crate) fn received(map: &HeaderMap, budget: Option<Budget>) -> Result<Fields, FieldError> {
        let mut fields = Fields::new(budget);
        for (name, value) in map {
            if !is_forbidden(name) {
                fields.push(name.as_str().to_owned(), value.as_bytes().to_vec())?;
            }
        }
        Ok(fields)
    }

    /// The same once more.
    pub(crate) fn copy(&self) -> Result<Fields, FieldError> {
        let mut fields = Fields::new(self.budget.as_ref().map(Budget::share));
        for (name, value) in &self.entries {
            fields.push(name.clone(), value.clone())?;
        }
        Ok(fields)
    }

    /// All of them.
    pub fn entries(&self) -> &[(String, Vec<u8>)] {
        &self.entries
    }

    /// How many bytes they are, roughly.
    pub(crate) fn size(&self) -> u64 {
        self.entries.len().saturating_mul(FIELD_BYTES).saturating_add(self.bytes) as u64
    }

    /// The values of a name.
    pub fn get<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        let named = self.entries.iter().filter(move |(known, _)| known.eq_ignore_ascii_case(name));
        named.map(|(_, value)| &**value)
    }

    /// Adds a value to those of a name.
    pub fn append(&mut self, name: String, value: Vec<u8>) -> Result<(), FieldError> {
        checked(&name)?;
        HeaderValue::from_bytes(&value).map_err(|_| FieldError::Syntax)?;
        self.push(name, value)
    }

    /// Gives a name these values in place of all others.
    pub fn set(&mut self, name: &str, values: Vec<Vec<u8>>) -> Result<(), FieldError> {
        checked(name)?;
        if values.iter().any(|value| HeaderValue::from_bytes(value).is_err()) {
            return Err(FieldError::Syntax);
        }
        let old: usize = self.get(name).map(|value| value.len().saturating_add(name.len())).sum();
        let count = self.get(name).count();
        let new: usize = values.iter().map(|value| value.len().saturating_add(name.len())).sum();
        let bytes = self.bytes.saturating_sub(old).saturating_add(new);
        let all = self.entries.len().saturating_sub(count).saturating_add(values.len());
        if bytes > FIELDS_BYTES_MAX || all > FIELDS_MAX {
            return Err(FieldError::Size);
        }
        self.delete(name)?;
        values.into_iter().try_for_each(|value| self.push(name.to_owned(), value))
    }

    /// Takes a name out, with all its values.
    pub fn delete(&mut self, name: &str) -> Result<(), FieldError> {
        checked(name)?;
        let before = self.size();
        self.entries.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.bytes =
            self.entries.iter().map(|(name, value)| name.len().saturating_add(value.len())).sum();
        if let Some(budget) = &mut self.budget {
            let size = self.entries.len().saturating_mul(FIELD_BYTES).saturating_add(self.bytes);
            budget.release(Charge::Bytes, before.saturating_sub(size as u64));
        }
        Ok(())
    }

    fn push(&mut self, name: String, value: Vec<u8>) -> Result<(), FieldError> {
        let more = name.len().saturating_add(value.len());
        let bytes = self.bytes.saturating_add(more);
        if bytes > FIELDS_BYTES_MAX || self.entries.len() >= FIELDS_MAX {
            return Err(FieldError::Size);
        }
        if let Some(budget) = &mut self.budget {
            let charge = more.saturating_add(FIELD_BYTES) as u64;
            budget.charge(Charge::Bytes, charge).map_err(|e| FieldError::Budget(e.into()))?;
        }
        self.bytes = bytes;
        self.entries.push((name, value));
        Ok(())
    }

    /// As they are sent before a body.
    pub(crate) fn headers(&self) -> HeaderMap {
        let mut map = HeaderMap::with_capacity(self.entries.len());
        for (name, value) in &self.entries {
            let name = HeaderName::from_bytes(name.as_bytes());
            // Both were checked when they came in.
            if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value)) {
                map.append(name, value);
            }
        }
        map
    }

    /// As they are sent after a body, if all of them may be.
    pub(crate) fn trailers(&self) -> Option<HeaderMap> {
        let map = self.headers();
        let names: BTreeSet<&str> = map.keys().map(HeaderName::as_str).collect();
        (!NO_TRAILERS.iter().any(|name| names.contains(name))).then_some(map)
    }

    /// The length of the body that they announce.
    ///
    /// # Errors
    ///
    /// If it is announced twice, even if the same, or by anything but digits.
    pub(crate) fn content_length(&self) -> Result<Option<u64>, ()> {
        let mut values = self.get("content-length");
        let Some(value) = values.next() else { return Ok(None) };
        let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
        if !digits || values.next().is_some() {
            return Err(());
        }
        let text = std::str::from_utf8(value).map_err(drop)?;
        text.parse().map(Some).map_err(drop)
    }
}

#[cfg(test)]
mod tests;
