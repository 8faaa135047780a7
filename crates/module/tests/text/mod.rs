//! Modules written as text.

use wast::Wat;
use wast::parser::{self, ParseBuffer};

/// The binary of a module given as text, as the text tool makes it; need not be valid.
pub(crate) fn binary(text: &str) -> Vec<u8> {
    let mut lexer = wast::lexer::Lexer::new(text);
    lexer.allow_confusing_unicode(true);
    let encoded = ParseBuffer::new_with_lexer(lexer)
        .and_then(|buffer| parser::parse::<Wat>(&buffer).and_then(|mut wat| wat.encode()));
    encoded.unwrap_or_else(|mut error| {
        error.set_text(text);
        panic!("{error}")
    })
}
