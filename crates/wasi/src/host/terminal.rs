//! Guest bytes made harmless for a terminal.
//!
//! Let through as they are: printable text, newline, carriage return, tab, backspace, and the
//! escape sequences that set colours and styles (`ESC [ … m`). Every other control character, C1
//! ones and broken UTF-8 included, is shown as `\x1b`, `\u{9b}` and the like, so that a guest can
//! neither move the cursor, nor retitle a window, nor reach the clipboard.

use std::io::Write as _;

/// The longest style sequence let through; two colours in 24 bits take 36 bytes.
const STYLE_MAX: usize = 64;

/// The filter between a guest and a terminal. It keeps a sequence that a write has cut in two.
#[derive(Debug, Default)]
pub struct TerminalFilter {
    /// The start of a style sequence or of a UTF-8 character.
    pending: Vec<u8>,
}

impl TerminalFilter {
    /// Adds to `out` what the terminal may see of `input`.
    pub fn filter(&mut self, input: &[u8], out: &mut Vec<u8>) {
        for &byte in input {
            if !self.pending.is_empty() && self.go_on(byte, out) {
                continue;
            }
            match byte {
                b'\n' | b'\r' | b'\t' | 0x08 | 0x20..=0x7e => out.push(byte),
                0x1b | 0xc2..=0xf4 => self.pending.push(byte),
                _ => escape(byte, out),
            }
        }
    }

    /// Adds to `out` a sequence that was never finished.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        self.give_up(out);
    }

    /// Takes one more byte of the pending sequence; false if it does not belong to it.
    fn go_on(&mut self, byte: u8, out: &mut Vec<u8>) -> bool {
        let belongs = match self.pending.as_slice() {
            [0x1b] => byte == b'[',
            [0x1b, ..] => {
                let parameter = byte.is_ascii_digit() || matches!(byte, b';' | b':' | b'm');
                parameter && self.pending.len() < STYLE_MAX
            }
            _ => {
                self.pending.push(byte);
                let valid = match std::str::from_utf8(&self.pending) {
                    Ok(_) => true,
                    Err(error) => error.error_len().is_none(),
                };
                self.pending.pop();
                valid
            }
        };
        if !belongs {
            self.give_up(out);
            return false;
        }
        self.pending.push(byte);
        if self.pending.first() == Some(&0x1b) {
            if byte == b'm' {
                out.append(&mut self.pending);
            }
        } else if let Ok(text) = std::str::from_utf8(&self.pending) {
            for c in text.chars() {
                if c.is_control() {
                    let _ = write!(out, "{}", c.escape_unicode());
                } else {
                    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                }
            }
            self.pending.clear();
        }
        true
    }

    fn give_up(&mut self, out: &mut Vec<u8>) {
        for byte in self.pending.drain(..) {
            match byte {
                0x20..=0x7e => out.push(byte),
                _ => escape(byte, out),
            }
        }
    }
}

fn escape(byte: u8, out: &mut Vec<u8>) {
    let _ = write!(out, "\\x{byte:02x}");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Filtered at once, and cut in two at every place: the same must come out.
    fn filtered(input: &[u8]) -> String {
        let whole = |pieces: &[&[u8]]| {
            let mut filter = TerminalFilter::default();
            let mut out = Vec::new();
            for piece in pieces {
                filter.filter(piece, &mut out);
            }
            filter.finish(&mut out);
            out
        };
        let out = whole(&[input]);
        for at in 0..=input.len() {
            let (a, b) = input.split_at(at);
            assert_eq!(whole(&[a, b]), out, "cut at {at}");
        }
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn text_passes() {
        let text = "plain\ttext\r\nwith \u{e9}, \u{20ac}, \u{1f600} and a\x08b~";
        assert_eq!(filtered(text.as_bytes()), text);
    }

    #[test]
    fn styles_pass() {
        for style in ["\x1b[m", "\x1b[0m", "\x1b[1;31m", "\x1b[38;2;255;0;10;48:2::1:2:3m"] {
            assert_eq!(filtered(style.as_bytes()), style);
        }
    }

    #[test]
    fn controls_are_shown() {
        assert_eq!(filtered(b"\x1b]52;c;aGk=\x07"), "\\x1b]52;c;aGk=\\x07");
        assert_eq!(filtered(b"\x1b[2J\x1b[H"), "\\x1b[2J\\x1b[H");
        assert_eq!(filtered(b"\x1b[?25l"), "\\x1b[?25l");
        assert_eq!(filtered(b"\x1b[1;31"), "\\x1b[1;31");
        assert_eq!(filtered(b"\x1b\x1b[31mx"), "\\x1b\x1b[31mx");
        assert_eq!(filtered(b"\x1bc\x00\x7f\x0b"), "\\x1bc\\x00\\x7f\\x0b");
        assert_eq!(filtered(b"\x1b["), "\\x1b[");
        assert_eq!(filtered(b"\x1b\n"), "\\x1b\n");
    }

    #[test]
    fn c1_and_broken_text_are_shown() {
        assert_eq!(filtered(b"\x9b2J"), "\\x9b2J");
        assert_eq!(filtered("\u{9b}2J".as_bytes()), "\\u{9b}2J");
        assert_eq!(filtered(b"\xc3("), "\\xc3(");
        assert_eq!(filtered(b"\xe2\x82"), "\\xe2\\x82");
        assert_eq!(filtered(b"\xe2\x82\x1b[0m"), "\\xe2\\x82\x1b[0m");
        assert_eq!(filtered(b"\xed\xa0\x80"), "\\xed\\xa0\\x80");
        assert_eq!(filtered(b"\xc0\x9b\xf5\xff"), "\\xc0\\x9b\\xf5\\xff");
        assert_eq!(filtered(b"\xf0\x9f\xc3\xa9"), "\\xf0\\x9f\u{e9}");
    }

    #[test]
    fn a_style_has_an_end() {
        let long = format!("\x1b[{}m", "1".repeat(100));
        assert_eq!(filtered(long.as_bytes()), format!("\\x1b[{}m", "1".repeat(100)));
    }

    #[test]
    fn no_byte_reaches_the_terminal_as_a_control() {
        let mut state = 1u32;
        let mut input = Vec::new();
        for _ in 0..20_000 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            input.push(match state >> 30 {
                0 => 0x1b,
                1 => b'[',
                _ => (state >> 16) as u8,
            });
        }
        let mut filter = TerminalFilter::default();
        let mut out = Vec::new();
        for piece in input.chunks(7) {
            filter.filter(piece, &mut out);
        }
        filter.finish(&mut out);
        let text = String::from_utf8(out).unwrap_or_default();
        assert!(!text.is_empty(), "what comes out is UTF-8");
        let mut rest = text.as_str();
        while let Some(at) = rest.find(|c: char| c.is_control() && !"\n\r\t\x08".contains(c)) {
            let (_, from) = rest.split_at(at);
            let end = from.find('m').unwrap_or(0);
            let (style, after) = from.split_at(end);
            assert!(style.starts_with("\x1b["), "{style:?}");
            assert!(style.chars().skip(2).all(|c| c.is_ascii_digit() || ";:".contains(c)));
            rest = after;
        }
    }
}
