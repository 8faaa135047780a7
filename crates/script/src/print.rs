//! Binary to text format.

use std::fmt;
use std::io;

use dunlin_module::escape;
use wasmprinter::{Config, Print};

/// How [`print`](print()) writes a module. The default prints everything, one instruction per
/// line, so that [`wat_to_wasm`](crate::wat_to_wasm) gives an equal module back.
#[derive(Clone, Copy, Debug, Default)]
pub struct PrintOptions {
    /// Leave out function bodies and the contents of data and element segments. The result shows
    /// the shape of the module and is not a module.
    pub skeleton: bool,
    /// Precede each line with its offset in the binary, as a comment.
    pub offsets: bool,
    /// Write instructions as nested expressions, unless the module has some that cannot be.
    pub fold: bool,
    /// Give everything without a name one, such as `$#func10`.
    pub name_unnamed: bool,
}

/// Why a binary could not be printed.
#[derive(Debug)]
pub struct PrintError(String);

impl fmt::Display for PrintError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot print as text: {}", escape(&self.0))
    }
}

impl std::error::Error for PrintError {}

const MODULE_HEADER: &[u8] = b"\0asm\x01\0\0\0";

/// The producers fields that the text format has words for.
const PRODUCER_FIELDS: [&[u8]; 3] = [b"language", b"processed-by", b"sdk"];

/// Writes a module or component in the text format.
///
/// Names become identifiers and custom sections become `(@custom …)` annotations. Strings of the
/// module come out as printable ASCII, so the text is safe to show on a terminal.
///
/// # Errors
///
/// Where the binary is malformed. It need not be valid.
pub fn print(bytes: &[u8], options: &PrintOptions) -> Result<String, PrintError> {
    match print_as(bytes, options) {
        // Exceptions as they were before 3.0 have no nested form.
        Err(_) if options.fold => print_as(bytes, &PrintOptions { fold: false, ..*options }),
        printed => printed,
    }
}

fn print_as(bytes: &[u8], options: &PrintOptions) -> Result<String, PrintError> {
    let mut output = Output { text: String::new(), is_module: bytes.starts_with(MODULE_HEADER) };
    Config::new()
        .print_skeleton(options.skeleton)
        .print_offsets(options.offsets)
        .fold_instructions(options.fold)
        .name_unnamed(options.name_unnamed)
        .print(bytes, &mut output)
        .map_err(|error| PrintError(error.to_string()))?;
    output.text.push('\n');
    Ok(output.text)
}

struct Output {
    text: String,
    is_module: bool,
}

impl Print for Output {
    fn write_str(&mut self, s: &str) -> io::Result<()> {
        if s.bytes().all(|b| matches!(b, b'\n' | b' '..=b'~')) {
            self.text.push_str(s);
            return Ok(());
        }
        // Strings arrive escaped, but not every piece of the binary arrives as a string.
        for (i, line) in s.split('\n').enumerate() {
            if i > 0 {
                self.text.push('\n');
            }
            fmt::Write::write_fmt(
                &mut self.text,
                format_args!("{}", escape(line).limit(usize::MAX)),
            )
            .map_err(io::Error::other)?;
        }
        Ok(())
    }

    fn print_custom_section(&mut self, name: &str, _offset: u64, data: &[u8]) -> io::Result<bool> {
        // `(@producers …)` knows three fields; with any other, only the raw form is read back.
        let raw = name == "producers" && self.is_module;
        if !raw || producers_are_known(data).unwrap_or(false) {
            return Ok(false);
        }
        self.text.push_str("\n  (@custom \"producers\" (after last) \"");
        for &byte in data {
            self.text.push_str(&format!("\\{byte:02x}"));
        }
        self.text.push_str("\")");
        Ok(true)
    }
}

/// Whether each field of a producers section is one the text format has a word for, once each.
fn producers_are_known(data: &[u8]) -> Option<bool> {
    let mut reader = Reader(data);
    let mut seen = Vec::new();
    for _ in 0..reader.u32()? {
        let field = reader.bytes()?;
        if !PRODUCER_FIELDS.contains(&field) || seen.contains(&field) {
            return Some(false);
        }
        seen.push(field);
        for _ in 0..reader.u32()? {
            reader.bytes()?;
            reader.bytes()?;
        }
    }
    Some(reader.0.is_empty())
}

/// Reads the binary format's `u32` and `vec(byte)`.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    fn u32(&mut self) -> Option<u32> {
        let mut value = 0u32;
        for shift in [0, 7, 14, 21, 28] {
            let byte = self.byte()?;
            value |= u32::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = usize::try_from(self.u32()?).ok()?;
        let (head, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(head)
    }
}
