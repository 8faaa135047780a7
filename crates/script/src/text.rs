//! Text format to binary.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::thread;

use dunlin_module::TextError;
use wast::Wat;
use wast::lexer::Lexer;
use wast::parser::{self, ParseBuffer};

use crate::unfold::unfold;

/// The longest text accepted. The parser needs several times as much memory as its input has
/// bytes, and the length of one token is kept in 32 bits.
pub const TEXT_BYTES_MAX: usize = 1 << 30;

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
