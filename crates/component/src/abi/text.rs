//! Strings: read as they are, and written in any encoding with the calls of `realloc` that the canonical ABI
//! prescribes (`CanonicalABI.md`, "Loading" and "Storing", `load_string` and `store_string`).

use std::borrow::Cow;
use std::char::DecodeUtf16Error;

use dunlin_engine::Result;
use dunlin_module::component::StringEncoding;

use super::{LowerContext, Place, range, unaligned};
use crate::plan::MAX_BYTES;
use crate::state::trap;

/// The bit of a length that says that a string is UTF-16 where it could be Latin-1.
const UTF16_TAG: u32 = 1 << 31;

/// A string, well-formed, in the encoding its owner has it in.
#[derive(Clone, Debug)]
pub(crate) enum Text<'a> {
    Utf8(&'a str),
    /// One byte for each of the first 256 code points.
    Latin1(&'a [u8]),
    /// Little endian, whole units.
    Utf16(&'a [u8]),
    /// As above, but its owner could also have it in Latin-1.
    MaybeLatin1(&'a [u8]),
}

impl<'a> Text<'a> {
    /// The string of so many code units at an address of a memory; `outside` is what is said if it is not
    /// all inside.
    pub(crate) fn load(
        memory: &'a [u8],
        encoding: StringEncoding,
        at: u32,
        len: u32,
        outside: &str,
    ) -> Result<Text<'a>> {
        let (align, units, width) = match encoding {
            StringEncoding::Utf8 => (1, len, 1),
            StringEncoding::Utf16 => (2, len, 2),
            StringEncoding::Latin1Utf16 if len & UTF16_TAG != 0 => (2, len & !UTF16_TAG, 2),
            StringEncoding::Latin1Utf16 => (2, len, 1),
        };
        let bytes = u64::from(units) * width;
        if bytes >= MAX_BYTES {
            return Err(too_long(bytes));
        }
        if !at.is_multiple_of(align) {
            return Err(unaligned());
        }
        let bytes = range(memory, at, bytes).ok_or_else(|| trap(outside))?;
        match (encoding, width) {
            (StringEncoding::Utf8, _) => match std::str::from_utf8(bytes) {
                Ok(text) => Ok(Text::Utf8(text)),
                Err(error) => Err(trap(match error.error_len() {
                    Some(_) => "invalid utf-8 in string",
                    None => "incomplete utf-8 byte sequence in string",
                })),
            },
            (_, 1) => Ok(Text::Latin1(bytes)),
            (encoding, _) => {
                if units_of(bytes).any(|unit| unit.is_err()) {
                    return Err(trap("unpaired surrogate in utf-16 string"));
                }
                match encoding {
                    StringEncoding::Utf16 => Ok(Text::Utf16(bytes)),
                    _ => Ok(Text::MaybeLatin1(bytes)),
                }
            }
        }
    }

    /// Its code units, in the encoding it is in.
    fn units(&self) -> u32 {
        (match self {
            Text::Utf8(text) => text.len(),
            Text::Latin1(bytes) => bytes.len(),
            Text::Utf16(bytes) | Text::MaybeLatin1(bytes) => bytes.len() / 2,
        }) as u32
    }

    /// Bytes that its UTF-8 form takes at most.
    pub(crate) fn utf8_bytes_max(&self) -> u64 {
        u64::from(self.units())
            * match self {
                Text::Utf8(_) => 1,
                Text::Latin1(_) => 2,
                Text::Utf16(_) | Text::MaybeLatin1(_) => 3,
            }
    }

    /// As the host has strings.
    pub(crate) fn to_str(&self) -> Cow<'a, str> {
        match *self {
            Text::Utf8(text) => Cow::Borrowed(text),
            Text::Latin1(bytes) => Cow::Owned(bytes.iter().copied().map(char::from).collect()),
            Text::Utf16(bytes) | Text::MaybeLatin1(bytes) => {
                Cow::Owned(units_of(bytes).map(|unit| unit.unwrap_or('\u{fffd}')).collect())
            }
        }
    }

    /// The bytes as they are, in a buffer of their own.
    pub(crate) fn to_owned(&self) -> TextBuf {
        let bytes = match *self {
            Text::Utf8(text) => return TextBuf::Utf8(text.to_owned()),
            Text::Latin1(bytes) | Text::Utf16(bytes) | Text::MaybeLatin1(bytes) => bytes.to_vec(),
        };
        match self {
            Text::Latin1(_) => TextBuf::Latin1(bytes),
            Text::Utf16(_) => TextBuf::Utf16(bytes),
            _ => TextBuf::MaybeLatin1(bytes),
        }
    }

    fn chars(&self) -> impl Iterator<Item = char> + use<'a> {
        let (text, bytes, wide) = match *self {
            Text::Utf8(text) => (text, &[][..], &[][..]),
            Text::Latin1(bytes) => ("", bytes, &[][..]),
            Text::Utf16(wide) | Text::MaybeLatin1(wide) => ("", &[][..], wide),
        };
        let wide = units_of(wide).map(|unit| unit.unwrap_or('\u{fffd}'));
        text.chars().chain(bytes.iter().copied().map(char::from)).chain(wide)
    }
}

/// A [`Text`] with bytes of its own.
#[derive(Debug)]
pub(crate) enum TextBuf {
    Utf8(String),
    Latin1(Vec<u8>),
    Utf16(Vec<u8>),
    MaybeLatin1(Vec<u8>),
}

impl TextBuf {
    pub(crate) fn as_text(&self) -> Text<'_> {
        match self {
            TextBuf::Utf8(text) => Text::Utf8(text),
            TextBuf::Latin1(bytes) => Text::Latin1(bytes),
            TextBuf::Utf16(bytes) => Text::Utf16(bytes),
            TextBuf::MaybeLatin1(bytes) => Text::MaybeLatin1(bytes),
        }
    }
}

/// Characters of UTF-16, or errors where surrogates have no partner.
fn units_of(bytes: &[u8]) -> impl Iterator<Item = Result<char, DecodeUtf16Error>> + '_ {
    let (units, _) = bytes.as_chunks::<2>();
    char::decode_utf16(units.iter().map(|unit| u16::from_le_bytes(*unit)))
}

#[cold]
fn too_long(bytes: u64) -> dunlin_engine::Error {
    trap(format!("string of {bytes} bytes, expected fewer than {MAX_BYTES}"))
}

/// What a string in a guest is while it is written: an address, and bytes there.
struct Block {
    at: u32,
    size: u32,
    align: u32,
}

impl LowerContext<'_> {
    /// Writes a string: its bytes where the guest says, address and length at `place`.
    pub(crate) fn text(&mut self, text: &Text<'_>, place: Place) -> Result<()> {
        let (at, len) = match (self.side.encoding, text) {
            (StringEncoding::Utf8, Text::Utf8(utf8)) => {
                self.text_as_it_is(utf8.as_bytes(), 1, 1)?
            }
            (StringEncoding::Utf8, Text::Latin1(_)) => self.text_to_utf8(text, 2)?,
            (StringEncoding::Utf8, _) => self.text_to_utf8(text, 3)?,
            (StringEncoding::Utf16, Text::Utf8(_)) => self.text_from_utf8_to_utf16(text)?,
            (StringEncoding::Utf16, Text::Latin1(bytes)) => {
                let wide: Vec<u8> = bytes.iter().flat_map(|&byte| [byte, 0]).collect();
                self.text_as_it_is(&wide, 2, 2)?
            }
            (StringEncoding::Utf16, Text::Utf16(wide) | Text::MaybeLatin1(wide)) => {
                self.text_as_it_is(wide, 2, 2)?
            }
            (StringEncoding::Latin1Utf16, Text::Latin1(bytes)) => {
                self.text_as_it_is(bytes, 2, 1)?
            }
            (StringEncoding::Latin1Utf16, Text::MaybeLatin1(wide)) => {
                self.text_narrowed_if_possible(wide)?
            }
            (StringEncoding::Latin1Utf16, _) => self.text_to_latin1_or_utf16(text)?,
        };
        self.pair(place, at, len)
    }

    /// Allocates, or moves and resizes `old`, with room for `size` bytes.
    fn block(&mut self, old: Option<Block>, align: u32, size: u64) -> Result<Block> {
        if size >= MAX_BYTES {
            return Err(too_long(size));
        }
        let (old_at, old_size) = old.map_or((0, 0), |old| (old.at, old.size));
        let size = size as u32;
        let at = self.realloc(old_at, old_size, align, size)?;
        Ok(Block { at, size, align })
    }

    /// Gives back what is behind the first `used` bytes.
    fn shrink(&mut self, block: Block, used: u32) -> Result<u32> {
        if used == block.size {
            return Ok(block.at);
        }
        let align = block.align;
        Ok(self.block(Some(block), align, used.into())?.at)
    }

    fn text_as_it_is(&mut self, bytes: &[u8], align: u32, width: u32) -> Result<(u32, u32)> {
        let block = self.block(None, align, bytes.len() as u64)?;
        self.bytes(block.at, bytes)?;
        Ok((block.at, bytes.len() as u32 / width))
    }

    /// Hopes for ASCII first.
    fn text_to_utf8(&mut self, text: &Text<'_>, worst: u64) -> Result<(u32, u32)> {
        let units = text.units();
        let utf8 = text.to_str();
        let block = self.block(None, 1, units.into())?;
        let ascii = utf8.bytes().take_while(u8::is_ascii).count();
        if ascii == utf8.len() {
            self.bytes(block.at, utf8.as_bytes())?;
            return Ok((block.at, units));
        }
        // What was written so far is the guest's to move.
        self.bytes(block.at, utf8.as_bytes().get(..ascii).unwrap_or_default())?;
        let block = self.block(Some(block), 1, u64::from(units) * worst)?;
        let rest = utf8.as_bytes().get(ascii..).unwrap_or_default();
        self.bytes(block.at + ascii as u32, rest)?;
        let used = utf8.len() as u32;
        Ok((self.shrink(block, used)?, used))
    }

    fn text_from_utf8_to_utf16(&mut self, text: &Text<'_>) -> Result<(u32, u32)> {
        let block = self.block(None, 2, 2 * u64::from(text.units()))?;
        let wide = utf16_of(text);
        self.bytes(block.at, &wide)?;
        let used = wide.len() as u32;
        Ok((self.shrink(block, used)?, used / 2))
    }

    /// Hopes for Latin-1 first.
    fn text_to_latin1_or_utf16(&mut self, text: &Text<'_>) -> Result<(u32, u32)> {
        let units = text.units();
        let block = self.block(None, 2, units.into())?;
        let narrow: Vec<u8> = text.chars().map_while(|c| u8::try_from(c).ok()).collect();
        self.bytes(block.at, &narrow)?;
        let used = narrow.len() as u32;
        if text.chars().nth(narrow.len()).is_none() {
            return Ok((self.shrink(block, used)?, used));
        }
        let block = self.block(Some(block), 2, 2 * u64::from(units))?;
        // The guest has moved what was written: it is widened there, but it may have moved anything.
        let moved = self.memory()?;
        let moved = range(moved, block.at, used.into()).unwrap_or_default();
        let mut wide: Vec<u8> = moved.iter().flat_map(|&byte| [byte, 0]).collect();
        let mut pair = [0; 2];
        for c in text.chars().skip(narrow.len()) {
            let units = c.encode_utf16(&mut pair);
            wide.extend(units.iter().flat_map(|unit| unit.to_le_bytes()));
        }
        self.bytes(block.at, &wide)?;
        let used = wide.len() as u32;
        Ok((self.shrink(block, used)?, (used / 2) | UTF16_TAG))
    }

    /// UTF-16 whose owner could have had it in Latin-1, so that this is not expected to be possible.
    fn text_narrowed_if_possible(&mut self, wide: &[u8]) -> Result<(u32, u32)> {
        let block = self.block(None, 2, wide.len() as u64)?;
        self.bytes(block.at, wide)?;
        let (units, _) = wide.as_chunks::<2>();
        if units.iter().any(|unit| unit[1] != 0) {
            return Ok((block.at, units.len() as u32 | UTF16_TAG));
        }
        let narrow: Vec<u8> = units.iter().map(|unit| unit[0]).collect();
        self.bytes(block.at, &narrow)?;
        let block = self.block(Some(block), 1, narrow.len() as u64)?;
        Ok((block.at, narrow.len() as u32))
    }
}

fn utf16_of(text: &Text<'_>) -> Vec<u8> {
    let mut wide = Vec::with_capacity(2 * text.units() as usize);
    let mut pair = [0; 2];
    for c in text.chars() {
        wide.extend(c.encode_utf16(&mut pair).iter().flat_map(|unit| unit.to_le_bytes()));
    }
    wide
}
