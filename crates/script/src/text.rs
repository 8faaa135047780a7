//! Text format to binary, and errors that point into the text.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;

use dunlin_module::escape;
use wast::Wat;
use wast::lexer::Lexer;
use wast::parser::{self, ParseBuffer};

use crate::unfold::unfold;

/// The longest text accepted. The parser needs several times as much memory as its input has
/// bytes, and the length of one token is kept in 32 bits.
pub const TEXT_BYTES_MAX: usize = 1 << 30;

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
    /// An error at the byte `offset` of `text`.
    pub(crate) fn at(text: &str, offset: usize, message: &str, path: Option<&Path>) -> TextError {
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
pub(crate) struct Place<'a> {
    /// Counted from 1.
    pub(crate) line: usize,
    line_text: &'a str,
    column_bytes: usize,
}

impl<'a> Place<'a> {
    pub(crate) fn of(text: &'a str, offset: usize) -> Place<'a> {
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
    pub(crate) fn column(&self) -> usize {
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

/// A lexer over `text`, or why it cannot be read at all.
pub(crate) fn lexer<'a>(text: &'a str, path: Option<&Path>) -> Result<Lexer<'a>, TextError> {
    if text.len() > TEXT_BYTES_MAX {
        let message = format!(
            "text of {} bytes is too long: expected at most {TEXT_BYTES_MAX} bytes",
            text.len()
        );
        return Err(TextError::at("", 0, &message, path));
    }
    Ok(Lexer::new(text))
}

/// Translates a module or component in the text format to the binary format.
///
/// Custom sections written as `(@custom …)`, `(@name …)`, `(@producers …)` and
/// `(@metadata.code.branch_hint …)` annotations are kept. Nothing is validated. `path` only
/// names the text in errors.
///
/// # Errors
///
/// Where the text is malformed, with line, column and the line itself.
pub fn wat_to_wasm(text: &str, path: Option<&Path>) -> Result<Vec<u8>, TextError> {
    on_parser_stack(|| {
        let error = match parse_and_encode(text, path) {
            Ok(bytes) => return Ok(bytes),
            Err(error) => error,
        };
        // Places in other text than what was written are of no use in an error.
        let unfolded = unfold(text).and_then(|text| parse_and_encode(&text, path).ok());
        unfolded.ok_or(error)
    })
}

/// Stack for the parser, which descends a hundred parentheses deep before it refuses text. How much
/// that takes depends on how the parser was compiled.
const PARSER_STACK_BYTES: usize = 4 << 20;

/// Runs `parse` on a stack of its own, so that the caller's may be small.
pub(crate) fn on_parser_stack<T: Send>(parse: impl FnOnce() -> T + Send) -> T {
    let parse = Mutex::new(Some(parse));
    let run = || {
        let parse = parse.lock().unwrap_or_else(PoisonError::into_inner).take();
        parse.map(|parse| parse())
    };
    let parsed = thread::scope(|scope| {
        let own = thread::Builder::new().stack_size(PARSER_STACK_BYTES);
        match own.spawn_scoped(scope, run) {
            Ok(thread) => match thread.join() {
                Ok(parsed) => parsed,
                Err(panic) => std::panic::resume_unwind(panic),
            },
            // Where no thread can be had, the caller's stack must do.
            Err(_) => run(),
        }
    });
    match parsed {
        Some(parsed) => parsed,
        None => unreachable!("it runs once, here or there"),
    }
}

fn parse_and_encode(text: &str, path: Option<&Path>) -> Result<Vec<u8>, TextError> {
    let lexer = lexer(text, path)?;
    let at =
        |error: wast::Error| TextError::at(text, error.span().offset(), &error.message(), path);
    let buffer = ParseBuffer::new_with_lexer(lexer).map_err(at)?;
    let mut wat = parser::parse::<Wat<'_>>(&buffer).map_err(at)?;
    wat.encode().map_err(at)
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
