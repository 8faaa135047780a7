//! Putting an artifact together.

use std::collections::BTreeMap;

use dunlin_module::DefinedFuncIndex;

use super::{
    AT_BEGINNING, FUNCTION_BYTES, HEADER_BYTES, HEAT_BYTES, Key, MAGIC, PADDING, Packed, VERSION,
    settings_bits,
};
use crate::native::Entry;

/// Collects functions, in any order, and what was hot.
#[derive(Clone, Debug, Default)]
pub struct Builder<'a> {
    functions: BTreeMap<(DefinedFuncIndex, Entry), Packed<'a>>,
    profile: BTreeMap<(DefinedFuncIndex, Entry), u32>,
}

impl<'a> Builder<'a> {
    /// Adds a function, or replaces it.
    pub fn insert(&mut self, func: DefinedFuncIndex, entry: Entry, code: Packed<'a>) {
        self.functions.insert((func, entry), code);
    }

    /// Notes that a function or a loop was as hot as that; the hotter counts.
    pub fn heat(&mut self, func: DefinedFuncIndex, entry: Entry, weight: u32) {
        let known = self.profile.entry((func, entry)).or_default();
        *known = weight.max(*known);
    }

    /// Whether it has this function.
    pub fn contains(&self, func: DefinedFuncIndex, entry: Entry) -> bool {
        self.functions.contains_key(&(func, entry))
    }

    /// How many functions it has.
    pub fn len(&self) -> usize {
        self.functions.len()
    }

    /// Whether it has no function.
    pub fn is_empty(&self) -> bool {
        self.functions.is_empty()
    }

    /// Bytes of all metadata and of the image.
    fn sizes(&self) -> (usize, usize) {
        let functions = self.functions.values();
        let image = functions.clone().fold(0, |end, f| start(end, f.align) + f.code.len());
        (functions.map(|f| f.meta.len()).sum(), image)
    }

    /// How many bytes the artifact will have.
    pub fn bytes(&self, key: &Key<'_>) -> usize {
        let (meta_bytes, image_bytes) = self.sizes();
        HEADER_BYTES
            + key.fingerprint.len()
            + self.functions.len() * FUNCTION_BYTES
            + self.profile.len() * HEAT_BYTES
            + meta_bytes
            + image_bytes
    }

    /// Appends the artifact to `bytes`; functions are let go of as they are written.
    pub fn finish(self, key: &Key<'_>, bytes: &mut Vec<u8>) {
        let (meta_bytes, image_bytes) = self.sizes();
        bytes.reserve_exact(self.bytes(key));
        bytes.extend_from_slice(MAGIC);
        for number in [VERSION, settings_bits(&key.settings)] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes.extend_from_slice(&key.module);
        for count in [key.fingerprint.len(), self.functions.len(), self.profile.len()] {
            bytes.extend_from_slice(&narrow(count).to_le_bytes());
        }
        for size in [meta_bytes, image_bytes] {
            bytes.extend_from_slice(&(size as u64).to_le_bytes());
        }
        bytes.extend_from_slice(key.fingerprint.as_bytes());
        for (place, code) in &self.functions {
            write_place(bytes, *place);
            for number in [code.align, narrow(code.code.len()), narrow(code.meta.len())] {
                bytes.extend_from_slice(&number.to_le_bytes());
            }
        }
        for (place, weight) in &self.profile {
            write_place(bytes, *place);
            bytes.extend_from_slice(&weight.to_le_bytes());
        }
        for code in self.functions.values() {
            bytes.extend_from_slice(&code.meta);
        }
        let image = bytes.len();
        for code in self.functions.into_values() {
            bytes.resize(image + start(bytes.len() - image, code.align), PADDING);
            bytes.extend_from_slice(&code.code);
        }
    }
}

/// Where the code of a function begins when that before it ends at `end`.
fn start(end: usize, align: u32) -> usize {
    end.next_multiple_of(align as usize)
}

/// Packing has checked that code is short enough, and modules are shorter than 4 GiB.
fn narrow(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn write_place(bytes: &mut Vec<u8>, (func, entry): (DefinedFuncIndex, Entry)) {
    let at = match entry {
        Entry::Function => AT_BEGINNING,
        Entry::Loop(at) => at,
    };
    bytes.extend_from_slice(&func.0.to_le_bytes());
    bytes.extend_from_slice(&at.to_le_bytes());
}
