//! Strings: reading three encodings and writing from any to any, with the calls of `realloc` that the
//! definition prescribes.

use super::instance::{Instance, Trap, align_to_checked};
use super::types::Pointer;
use super::value::{Encoding, Form, Text};

/// How long a string may be, in bytes.
pub const MAX_STRING_BYTES: u64 = (1 << 28) - 1;

/// The bit of a length that says that a string is in UTF-16 after all.
pub fn utf16_tag(pointer: Pointer) -> u64 {
    1 << (pointer.size() * 8 - 1)
}

/// Reads a string from where the guest says it is.
pub fn load(from: &Instance, at: u64, tagged_units: u64) -> Result<Text, Trap> {
    let tag = utf16_tag(from.memory.pointer);
    let (form, alignment, units) = match from.encoding {
        Encoding::Utf8 => (Form::Utf8, 1, tagged_units),
        Encoding::Utf16 => (Form::Utf16, 2, tagged_units),
        Encoding::Latin1OrUtf16 if tagged_units & tag != 0 => (Form::Utf16, 2, tagged_units ^ tag),
        Encoding::Latin1OrUtf16 => (Form::Latin1, 2, tagged_units),
    };
    let bytes = u128::from(units) * if form == Form::Utf16 { 2 } else { 1 };
    if bytes > u128::from(MAX_STRING_BYTES) {
        return Err(Trap::TooLong);
    }
    if at != align_to_checked(at, alignment) {
        return Err(Trap::Misaligned);
    }
    from.memory.check(at, bytes as u64)?;
    let bytes = from.memory.read(at, bytes as u64);
    let characters = match form {
        Form::Utf8 => String::from_utf8(bytes.to_vec()).ok(),
        Form::Utf16 => {
            let units = bytes.chunks(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
            char::decode_utf16(units).collect::<Result<String, _>>().ok()
        }
        Form::Latin1 => Some(bytes.iter().map(|byte| char::from(*byte)).collect()),
    };
    let characters = characters.ok_or(Trap::NotUnicode)?;
    Ok(Text { characters, encoding: from.encoding, form, code_units: units })
}

/// Writes a string and gives back where it is and its length, tagged if need be.
pub fn store(to: &mut Instance, text: &Text) -> Result<(u64, u64), Trap> {
    let units = text.code_units;
    match (to.encoding, text.encoding, text.form) {
        (Encoding::Utf8, _, Form::Utf8) => copy(to, text.characters.as_bytes(), 1, units),
        (Encoding::Utf8, _, Form::Utf16) => to_utf8(to, text, 3 * units),
        (Encoding::Utf8, _, Form::Latin1) => to_utf8(to, text, 2 * units),
        (Encoding::Utf16, _, Form::Utf8) => utf8_to_utf16(to, text),
        (Encoding::Utf16, _, Form::Utf16 | Form::Latin1) => copy(to, &utf16(text), 2, units),
        (Encoding::Latin1OrUtf16, Encoding::Utf8 | Encoding::Utf16, _) => {
            to_latin1_or_utf16(to, text)
        }
        (Encoding::Latin1OrUtf16, Encoding::Latin1OrUtf16, Form::Utf16) => probably_utf16(to, text),
        (Encoding::Latin1OrUtf16, Encoding::Latin1OrUtf16, _) => copy(to, &latin1(text), 2, units),
    }
}

fn utf16(text: &Text) -> Vec<u8> {
    text.characters.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn latin1(text: &Text) -> Vec<u8> {
    text.characters.chars().map(|character| u32::from(character) as u8).collect()
}

fn copy(to: &mut Instance, bytes: &[u8], align: u64, units: u64) -> Result<(u64, u64), Trap> {
    let at = to.allocate(align, bytes.len() as u64)?;
    to.memory.write(at, bytes);
    Ok((at, units))
}

/// Bets on a string of ASCII, and on the longest possible once that is lost.
fn to_utf8(to: &mut Instance, text: &Text, worst: u64) -> Result<(u64, u64), Trap> {
    let units = text.code_units;
    let at = to.allocate(1, units)?;
    for (index, character) in text.characters.chars().enumerate() {
        if character.is_ascii() {
            to.memory.write(at + index as u64, &[character as u8]);
            continue;
        }
        let at = to.allocate_again(at, units, 1, worst)?;
        let bytes = text.characters.as_bytes();
        let length = bytes.len() as u64;
        to.memory.write(at + index as u64, &bytes[index..]);
        if worst > length {
            return Ok((to.allocate_again(at, worst, 1, length)?, length));
        }
        return Ok((at, length));
    }
    Ok((at, units))
}

fn utf8_to_utf16(to: &mut Instance, text: &Text) -> Result<(u64, u64), Trap> {
    let worst = 2 * text.code_units;
    let mut at = to.allocate(2, worst)?;
    let bytes = utf16(text);
    let length = bytes.len() as u64;
    to.memory.write(at, &bytes);
    if length < worst {
        at = to.allocate_again(at, worst, 2, length)?;
    }
    Ok((at, length / 2))
}

/// Bets on Latin-1, and spreads what is written to UTF-16 once that is lost.
fn to_latin1_or_utf16(to: &mut Instance, text: &Text) -> Result<(u64, u64), Trap> {
    let units = text.code_units;
    let at = to.allocate(2, units)?;
    let mut written = 0;
    for character in text.characters.chars() {
        if u32::from(character) < 0x100 {
            to.memory.write(at + written, &[u32::from(character) as u8]);
            written += 1;
            continue;
        }
        let worst = 2 * units;
        let at = to.allocate_again(at, units, 2, worst)?;
        for index in (0..written).rev() {
            let byte = to.memory.read(at + index, 1)[0];
            to.memory.write(at + 2 * index, &[byte, 0]);
        }
        let bytes = utf16(text);
        let length = bytes.len() as u64;
        to.memory.write(at + 2 * written, &bytes[2 * written as usize..]);
        let tagged = (length / 2) | utf16_tag(to.memory.pointer);
        if worst > length {
            return Ok((to.allocate_again(at, worst, 2, length)?, tagged));
        }
        return Ok((at, tagged));
    }
    if written < units {
        return Ok((to.allocate_again(at, units, 2, written)?, written));
    }
    Ok((at, written))
}

/// Bets on UTF-16, since that is what the string was in, and narrows it if it need not have been.
fn probably_utf16(to: &mut Instance, text: &Text) -> Result<(u64, u64), Trap> {
    let bytes = utf16(text);
    let length = bytes.len() as u64;
    let at = to.allocate(2, length)?;
    to.memory.write(at, &bytes);
    let units = length / 2;
    if text.characters.chars().any(|character| u32::from(character) >= 0x100) {
        return Ok((at, units | utf16_tag(to.memory.pointer)));
    }
    for index in 0..units {
        let byte = to.memory.read(at + 2 * index, 1)[0];
        to.memory.write(at + index, &[byte]);
    }
    Ok((to.allocate_again(at, length, 1, units)?, units))
}
