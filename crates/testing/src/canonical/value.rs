//! Values of components, with their types taken away.

/// How strings lie in a memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the specification's")]
pub enum Encoding {
    Utf8,
    Utf16,
    Latin1OrUtf16,
}

/// How one string lies in a memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the specification's")]
pub enum Form {
    Utf8,
    Utf16,
    Latin1,
}

/// A string, and what its reader needs to know of where it came from.
#[derive(Clone, Debug)]
pub struct Text {
    /// The characters.
    pub characters: String,
    /// The encoding of the memory it was read from.
    pub encoding: Encoding,
    /// How it lay there.
    pub form: Form,
    /// How many units of that form it had.
    pub code_units: u64,
}

impl From<&str> for Text {
    /// A string of the host.
    fn from(characters: &str) -> Text {
        Text {
            characters: characters.to_string(),
            encoding: Encoding::Utf8,
            form: Form::Utf8,
            code_units: characters.len() as u64,
        }
    }
}

/// Where a string came from does not make it another.
impl PartialEq for Text {
    fn eq(&self, other: &Text) -> bool {
        self.characters == other.characters
    }
}

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A truth value.
    Bool(bool),
    /// A number of any of the integer types.
    Integer(i128),
    /// The bits of a float.
    F32(u32),
    /// The bits of a float.
    F64(u64),
    /// A character.
    Char(char),
    /// A string.
    String(Text),
    /// A list of either kind, or a map as pairs.
    List(Vec<Value>),
    /// A record or tuple: its fields in order.
    Record(Vec<Value>),
    /// A variant, enum, option or result: the number of its case and what it carries.
    Variant(usize, Option<Box<Value>>),
    /// Flags: the first is the lowest bit.
    Flags(u32),
    /// A resource: what its owner knows it by.
    Handle(u32),
}

/// The one NaN that remains of all, in 32 bits.
pub const CANONICAL_NAN32: u32 = 0x7fc0_0000;
/// The one NaN that remains of all, in 64 bits.
pub const CANONICAL_NAN64: u64 = 0x7ff8_0000_0000_0000;

/// The bits of a float, or of the one NaN.
pub fn canonical32(bits: u32) -> u32 {
    if f32::from_bits(bits).is_nan() { CANONICAL_NAN32 } else { bits }
}

/// The bits of a float, or of the one NaN.
pub fn canonical64(bits: u64) -> u64 {
    if f64::from_bits(bits).is_nan() { CANONICAL_NAN64 } else { bits }
}

/// What becomes of the bits of a NaN. The definition leaves one NaN when it lifts and may give it any bits
/// when it lowers; to keep them is one way to do both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Nans {
    Canonical,
    Kept,
}

impl Nans {
    /// The bits of a float once it was passed.
    pub fn pass32(self, bits: u32) -> u32 {
        if self == Nans::Kept { bits } else { canonical32(bits) }
    }

    /// The bits of a float once it was passed.
    pub fn pass64(self, bits: u64) -> u64 {
        if self == Nans::Kept { bits } else { canonical64(bits) }
    }
}
