//! Cuts a script into its top-level parenthesised groups, by tokens and without recursion.

use std::ops::Range;

use wast::Error;
use wast::lexer::{Lexer, TokenKind};
use wast::token::Span;

/// One `( … )` of a script.
pub(super) struct Group {
    pub(super) range: Range<usize>,
    /// Its first word, if it begins with one.
    pub(super) keyword: Option<Range<usize>>,
}

/// The groups of the text that `lexer` reads, without annotations.
pub(super) fn groups(lexer: &Lexer<'_>) -> Result<Vec<Group>, Error> {
    let mut groups = Vec::new();
    let mut depth = 0usize;
    let mut start = 0;
    let mut first = None;
    for token in lexer.iter(0) {
        let token = token?;
        let range = token.offset..token.offset + token.len as usize;
        match token.kind {
            TokenKind::Whitespace | TokenKind::LineComment | TokenKind::BlockComment => continue,
            TokenKind::LParen => {
                if depth == 0 {
                    start = range.start;
                    first = None;
                    depth = 1;
                    continue;
                }
                depth += 1;
            }
            _ if depth == 0 => return Err(unexpected(range.start, "expected `(`")),
            TokenKind::RParen => {
                depth -= 1;
                if depth == 0 {
                    let keyword = match first.take() {
                        Some((TokenKind::Annotation, _)) => continue,
                        Some((TokenKind::Keyword, range)) => Some(range),
                        _ => None,
                    };
                    groups.push(Group { range: start..range.end, keyword });
                    continue;
                }
            }
            _ => {}
        }
        first.get_or_insert((token.kind, range));
    }
    match depth {
        0 => Ok(groups),
        _ => Err(unexpected(start, "unclosed `(`")),
    }
}

fn unexpected(offset: usize, message: &str) -> Error {
    Error::new(Span::from_offset(offset), message.to_string())
}
