//! Guest-supplied text made safe to print.

use std::fmt::{self, Write};

use crate::limits::ESCAPED_BYTES;

/// Shows `text` so that it cannot steer a terminal or disguise itself: control characters,
/// line breaks, bidirectional overrides and invisible characters are written as `\u{…}`, and what
/// exceeds [`limits::ESCAPED_BYTES`](crate::limits::ESCAPED_BYTES) is cut with `…`.
pub fn escape(text: &str) -> Escaped<'_> {
    Escaped { text, limit: ESCAPED_BYTES }
}

/// What [`escape`] returns.
#[derive(Clone, Copy, Debug)]
pub struct Escaped<'a> {
    text: &'a str,
    limit: usize,
}

impl<'a> Escaped<'a> {
    /// The same text with another limit on its length in bytes.
    pub fn limit(self, bytes: usize) -> Escaped<'a> {
        Escaped { limit: bytes, ..self }
    }
}

/// Whether printing `c` raw could change more than one cell of the output, or nothing visible.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, c) in self.text.char_indices() {
            if at + c.len_utf8() > self.limit {
                return f.write_char('…');
            }
            if is_unsafe(c) {
                write!(f, "{}", c.escape_unicode())?;
            } else {
                f.write_char(c)?;
            }
        }
        Ok(())
    }
}
