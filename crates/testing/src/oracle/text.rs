//! What the text format says survives being printed.

use dunlin_script::{PrintOptions, Script, print, wat_to_wasm};

use super::customs::Customs;

/// Reads `text` as a module and as a script. If it is a module, printing it gives a text that means
/// the same.
///
/// # Errors
///
/// What is lost by printing.
pub fn text(text: &str) -> Result<(), String> {
    let _ = Script::parse(text, None);
    match wat_to_wasm(text, None) {
        Ok(wasm) => round_trip(&wasm),
        Err(_) => Ok(()),
    }
}

/// Prints a module and reads it back: the result prints as the same text, and has the same names and
/// the same custom sections. A module that is malformed need not print.
///
/// # Errors
///
/// What is lost.
pub fn round_trip(wasm: &[u8]) -> Result<(), String> {
    for fold in [false, true] {
        let options = PrintOptions { fold, ..PrintOptions::default() };
        let Ok(first) = print(wasm, &options) else {
            return Ok(());
        };
        let again = wat_to_wasm(&first, None).map_err(|error| format!("{error}\nin\n{first}"))?;
        let second = print(&again, &options).map_err(|error| error.to_string())?;
        if first != second {
            return Err(format!("printed\n{first}\nand then\n{second}"));
        }
        let (before, after) = (Customs::of(wasm), Customs::of(&again));
        if let Some(lost) = before.lost_in(&after) {
            return Err(format!("{lost}\nin\n{first}"));
        }
    }
    Ok(())
}
