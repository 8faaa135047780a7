//! Places in text, and errors that point there.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::escape;

/// How many columns of the offending line an error shows.
const EXCERPT_COLUMNS: usize = 100;

/// Why a text was rejected, and where.
pub struct TextError(Box<Inner>);

struct Inner {
    message: String,
    path: Option<PathBuf>,
    line: usize,
    column: usize,
    excerpt: String,
    caret: usize,
}

impl TextError {
    /// An error at the byte `offset` of `text`; `path` only names the text.
    pub fn at(text: &str, offset: usize, message: &str, path: Option<&Path>) -> TextError {
        let place = Place::of(text, offset);
        let (excerpt, caret) = excerpt(place.line_text, place.column_bytes);
        TextError(Box::new(Inner {
            message: escape(message.trim_end()).to_string(),
            path: path.map(Path::to_path_buf),
            line: place.line,
            column: place.column(),
            excerpt,
            caret,
        }))
    }

    /// An error at the first of `bytes` that is no UTF-8, those before it being `valid`.
    fn not_utf8(bytes: &[u8], valid: &str, path: Option<&Path>) -> TextError {
        let place = Place::of(valid, valid.len());
        // Only as much around it as will be shown.
        let mut start = place.column_bytes.saturating_sub(EXCERPT_COLUMNS);
        while !place.line_text.is_char_boundary(start) {
            start -= 1;
        }
        let before = &place.line_text[start..];
        let after = &bytes[valid.len()..bytes.len().min(valid.len() + EXCERPT_COLUMNS)];
        let after = String::from_utf8_lossy(after);
        let line = format!("{before}{}", after.split('\n').next().unwrap_or_default());
        let (excerpt, caret) = excerpt(&line, before.len());
        TextError(Box::new(Inner {
            message: "text is not UTF-8".to_string(),
            path: path.map(Path::to_path_buf),
            line: place.line,
            column: place.column(),
            excerpt,
            caret,
        }))
    }

    /// What is wrong, without the place.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The line, counted from 1.
    pub fn line(&self) -> usize {
        self.0.line
    }

    /// The column in characters, counted from 1.
    pub fn column(&self) -> usize {
        self.0.column
    }
}

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { message, path, line, column, excerpt, caret } = &*self.0;
        let gutter = line.to_string().len();
        let path = path.as_deref().map_or("<text>".into(), Path::to_string_lossy);
        writeln!(f, "{message}")?;
        writeln!(f, "{:gutter$}--> {}:{line}:{column}", "", escape(&path))?;
        writeln!(f, "{:gutter$} |", "")?;
        writeln!(f, "{line} | {excerpt}")?;
        write!(f, "{:gutter$} | {:caret$}^", "", "")
    }
}

impl fmt::Debug for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for TextError {}

/// Where a byte offset is in a text.
#[derive(Debug)]
pub struct Place<'a> {
    /// Counted from 1.
    pub line: usize,
    line_text: &'a str,
    column_bytes: usize,
}

impl<'a> Place<'a> {
    /// The place of the byte `offset` of `text`, or of its end if that is before.
    pub fn of(text: &'a str, offset: usize) -> Place<'a> {
        let mut offset = offset.min(text.len());
        while !text.is_char_boundary(offset) {
            offset -= 1;
        }
        let (before, after) = text.split_at(offset);
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let end = after.find('\n').map_or(text.len(), |newline| offset + newline);
        Place {
            line: before.bytes().filter(|&b| b == b'\n').count() + 1,
            line_text: text[start..end].trim_end_matches('\r'),
            column_bytes: offset - start,
        }
    }

    /// Counted from 1, in characters.
    pub fn column(&self) -> usize {
        let end = self.column_bytes.min(self.line_text.len());
        self.line_text[..end].chars().count() + 1
    }
}

/// A piece of `line` around the byte `at`, escaped, and the column of `at` in it.
fn excerpt(line: &str, at: usize) -> (String, usize) {
    let at = at.min(line.len());
    // Only this window is looked at, so that a line of a gigabyte costs nothing.
    let mut start = at.saturating_sub(EXCERPT_COLUMNS / 2);
    while !line.is_char_boundary(start) {
        start -= 1;
    }
    let mut shown = String::new();
    let mut caret = 0;
    let mut width = 0;
    if start > 0 {
        shown.push('…');
        width = 1;
    }
    for (i, c) in line[start..].char_indices() {
        let position = start + i;
        if position == at {
            caret = width;
        }
        if width >= EXCERPT_COLUMNS && position > at {
            shown.push('…');
            return (shown, caret);
        }
        match c {
            '\t' => {
                shown.push_str("    ");
                width += 4;
            }
            c => {
                let mut buffer = [0; 4];
                let escaped = escape(c.encode_utf8(&mut buffer)).to_string();
                width += escaped.chars().map(columns).sum::<usize>();
                shown.push_str(&escaped);
            }
        }
    }
    if at >= line.len() {
        caret = width;
    }
    (shown, caret)
}

/// How many terminal columns `c` takes: 0 for combining marks, 2 for wide characters, else 1.
fn columns(c: char) -> usize {
    match u32::from(c) {
        0x0300..=0x036f
        | 0x0483..=0x0489
        | 0x0591..=0x05bd
        | 0x064b..=0x065f
        | 0x1ab0..=0x1aff
        | 0x1dc0..=0x1dff
        | 0x20d0..=0x20ff
        | 0xfe00..=0xfe0f
        | 0xfe20..=0xfe2f => 0,
        0x1100..=0x115f
        | 0x2e80..=0x303e
        | 0x3041..=0xa4cf
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f
        | 0xff00..=0xff60
        | 0xffe0..=0xffe6
        | 0x1f300..=0x1f64f
        | 0x1f900..=0x1f9ff
        | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

/// The text that a file holds, which is UTF-8 by definition (core spec §6.2.1). `path` only names it
/// in errors.
///
/// # Errors
///
/// Where something else begins.
pub fn decode_text<'a>(bytes: &'a [u8], path: Option<&Path>) -> Result<&'a str, TextError> {
    std::str::from_utf8(bytes).map_err(|error| {
        let valid = std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default();
        TextError::not_utf8(bytes, valid, path)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn excerpt_keeps_the_caret_on_the_byte() {
        assert_eq!(excerpt("ab\tcd", 3), ("ab    cd".to_string(), 6));
        assert_eq!(excerpt("漢x", 3), ("漢x".to_string(), 2));
        let long = format!("{}X{}", "a".repeat(1000), "b".repeat(1000));
        let (shown, caret) = excerpt(&long, 1000);
        assert_eq!(shown.chars().nth(caret), Some('X'));
        assert!(shown.chars().count() <= EXCERPT_COLUMNS + 2, "{shown}");
    }

    #[test]
    fn what_is_no_text_is_pointed_at() {
        let error = decode_text(b"(module\n \xe6\xbc\xa2 \"\xff\xfe\" x)\n\xff", None).unwrap_err();
        let shown = "text is not UTF-8\n --> <text>:2:5\n  |\n2 |  漢 \"��\" x)\n  |      ^";
        assert_eq!(error.to_string(), shown);
        let long = [&b" ".repeat(1 << 20)[..], b"\xc3", &b" ".repeat(1 << 20)].concat();
        let error = decode_text(&long, None).unwrap_err();
        assert_eq!((error.line(), error.column()), (1, (1 << 20) + 1));
        assert!(error.to_string().len() < 400, "{error}");
    }

    #[test]
    fn place_counts_characters() {
        let place = Place::of("ab\nλμ(x", "ab\nλμ".len());
        assert_eq!((place.line, place.column()), (2, 3));
        let place = Place::of("ab", 99);
        assert_eq!((place.line, place.column()), (1, 3));
    }
}
