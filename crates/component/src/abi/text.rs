//! Strings: read as they are, and written in any encoding with the calls of `realloc` that the canonical ABI
//! prescribes (`CanonicalABI.md`, "Loading" and "Storing", `load_string` and `store_string`).

use std::borrow::Cow;
use std::char::DecodeUtf16Error;

use dunlin_engine::{Error, Result, Trap};
use dunlin_module::component::StringEncoding;

use super::piece::Piece;
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
                if !is_utf16(bytes) {
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

/// Whether every surrogate has its partner, found many units at a time where there are none.
fn is_utf16(bytes: &[u8]) -> bool {
    const AT_ONCE: usize = 64;
    let (units, _) = bytes.as_chunks::<2>();
    let is_high = |unit: &[u8; 2]| unit[1] & 0xfc == 0xd8;
    let mut open = false;
    for units in units.chunks(AT_ONCE) {
        let surrogates = units.iter().fold(false, |any, unit| any | (unit[1] & 0xf8 == 0xd8));
        if !surrogates && !open {
            continue;
        }
        for unit in units {
            let is_low = unit[1] & 0xfc == 0xdc;
            if open != is_low {
                return false;
            }
            open = is_high(unit);
        }
    }
    !open
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
                let block = self.block(None, 2, 2 * bytes.len() as u64)?;
                let used = self.encoded(block.at, text.chars(), Piece::utf16)?;
                (block.at, used / 2)
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

    /// Writes characters from an address on, a piece at a time; how many bytes that takes.
    fn encoded(
        &mut self,
        at: u32,
        chars: impl Iterator<Item = char>,
        encode: impl Fn(char, &mut Piece),
    ) -> Result<u32> {
        let (mut piece, mut used) = (Piece::default(), 0);
        for c in chars {
            encode(c, &mut piece);
            if piece.is_full() {
                used += self.piece(at + used, &mut piece)?;
            }
        }
        Ok(used + self.piece(at + used, &mut piece)?)
    }

    fn piece(&mut self, at: u32, piece: &mut Piece) -> Result<u32> {
        if self.store.is_interrupted() {
            return Err(Error::from(Trap::Interrupted));
        }
        let bytes = piece.take();
        self.bytes(at, bytes)?;
        Ok(bytes.len() as u32)
    }

    /// Hopes for ASCII first.
    fn text_to_utf8(&mut self, text: &Text<'_>, worst: u64) -> Result<(u32, u32)> {
        let units = text.units();
        let block = self.block(None, 1, units.into())?;
        let mut chars = text.chars().peekable();
        let ascii = std::iter::from_fn(|| chars.next_if(char::is_ascii));
        let ascii = self.encoded(block.at, ascii, Piece::utf8)?;
        if chars.peek().is_none() {
            return Ok((block.at, units));
        }
        // What was written so far is the guest's to move.
        let block = self.block(Some(block), 1, u64::from(units) * worst)?;
        let used = ascii + self.encoded(block.at + ascii, chars, Piece::utf8)?;
        Ok((self.shrink(block, used)?, used))
    }

    fn text_from_utf8_to_utf16(&mut self, text: &Text<'_>) -> Result<(u32, u32)> {
        let block = self.block(None, 2, 2 * u64::from(text.units()))?;
        let used = self.encoded(block.at, text.chars(), Piece::utf16)?;
        Ok((self.shrink(block, used)?, used / 2))
    }

    /// Hopes for Latin-1 first.
    fn text_to_latin1_or_utf16(&mut self, text: &Text<'_>) -> Result<(u32, u32)> {
        let units = text.units();
        let block = self.block(None, 2, units.into())?;
        let mut chars = text.chars().peekable();
        let narrow = std::iter::from_fn(|| chars.next_if(|c| u8::try_from(*c).is_ok()));
        let used = self.encoded(block.at, narrow, Piece::latin1)?;
        if chars.peek().is_none() {
            return Ok((self.shrink(block, used)?, used));
        }
        let block = self.block(Some(block), 2, 2 * u64::from(units))?;
        // The guest has moved what was written: it is widened there, but it may have moved anything.
        self.widen(block.at, used)?;
        let used = 2 * used + self.encoded(block.at + 2 * used, chars, Piece::utf16)?;
        Ok((self.shrink(block, used)?, (used / 2) | UTF16_TAG))
    }

    /// Makes Latin-1 UTF-16 where it is, from its end on.
    fn widen(&mut self, at: u32, units: u32) -> Result<()> {
        let mut left = units as usize;
        while left > 0 {
            if self.store.is_interrupted() {
                return Err(Error::from(Trap::Interrupted));
            }
            let room = self.memory()?.get_mut(at as usize..).unwrap_or_default();
            let next = left.saturating_sub(WIDEN_AT_ONCE);
            for i in (next..left).rev() {
                let unit = room.get(i).copied().ok_or_else(super::out_of_bounds)?;
                let wide = room.get_mut(2 * i..).and_then(<[u8]>::first_chunk_mut);
                *wide.ok_or_else(super::out_of_bounds)? = [unit, 0];
            }
            left = next;
        }
        Ok(())
    }

    /// UTF-16 whose owner could have had it in Latin-1, so that this is not expected to be possible.
    fn text_narrowed_if_possible(&mut self, wide: &[u8]) -> Result<(u32, u32)> {
        let block = self.block(None, 2, wide.len() as u64)?;
        self.bytes(block.at, wide)?;
        let (units, _) = wide.as_chunks::<2>();
        if units.iter().any(|unit| unit[1] != 0) {
            return Ok((block.at, units.len() as u32 | UTF16_TAG));
        }
        let narrow = units.iter().map(|unit| char::from(unit[0]));
        let used = self.encoded(block.at, narrow, Piece::latin1)?;
        let block = self.block(Some(block), 1, used.into())?;
        Ok((block.at, used))
    }
}

/// How many characters are widened between two looks at whether the guest shall stop.
const WIDEN_AT_ONCE: usize = 1 << 16;

#[cfg(test)]
mod tests {
    use super::*;

    /// Every way in which surrogates can stand in a row, around the ends of what is looked at at once.
    #[test]
    fn surrogates_have_partners() {
        const UNITS: [u16; 5] = [0x61, 0xd800, 0xdbff, 0xdc00, 0xdfff];
        for before in [0, 1, 61, 62, 63, 64, 127] {
            for number in 0..UNITS.len().pow(4) {
                let mut wide = vec![0x61u16; before];
                wide.extend((0..4).map(|i| UNITS[number / UNITS.len().pow(i) % UNITS.len()]));
                let bytes: Vec<u8> = wide.iter().flat_map(|unit| unit.to_le_bytes()).collect();
                let expected = String::from_utf16(&wide).is_ok();
                assert_eq!(is_utf16(&bytes), expected, "{before} {wide:x?}");
            }
        }
    }
}
