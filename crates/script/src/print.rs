//! Binary to text format.

use std::fmt;
use std::io;

use dunlin_module::escape;
use wasmprinter::{Config, Print};

use crate::text::TEXT_BYTES_MAX;

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
pub struct PrintError(Fault);

#[derive(Debug)]
enum Fault {
    Malformed(String),
    TooLong,
    Write(io::Error),
}

impl PrintError {
    /// What failed about writing the text, if that is what failed.
    pub fn write_error(&self) -> Option<&io::Error> {
        match &self.0 {
            Fault::Write(error) => Some(error),
            Fault::Malformed(_) | Fault::TooLong => None,
        }
    }
}

impl fmt::Display for PrintError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Fault::Malformed(message) => write!(f, "cannot print as text: {}", escape(message)),
            Fault::TooLong => {
                write!(f, "cannot print as text: it would have more than {TEXT_BYTES_MAX} bytes")
            }
            Fault::Write(error) => write!(f, "cannot write text: {error}"),
        }
    }
}

impl std::error::Error for PrintError {}

/// How much text is collected before any is written, so that of most modules nothing is written
/// unless all can be.
const BUFFER_BYTES: usize = 16 << 20;

const MODULE_HEADER: &[u8] = b"\0asm\x01\0\0\0";

/// The producers fields that the text format has words for.
const PRODUCER_FIELDS: [&[u8]; 3] = [b"language", b"processed-by", b"sdk"];

/// Writes a module or component in the text format.
///
/// Names become identifiers and custom sections become `(@custom …)` annotations. Strings of the
/// module come out as printable ASCII, so the text is safe to show on a terminal.
///
/// A few bytes of a binary can stand for thousands of text: where modules are not trusted,
/// [`print_to`] needs less memory.
///
/// # Errors
///
/// Where the binary is malformed, which is less than being valid; and if the text would be longer
/// than [`TEXT_BYTES_MAX`].
pub fn print(bytes: &[u8], options: &PrintOptions) -> Result<String, PrintError> {
    let mut text = Vec::new();
    print_to(bytes, options, &mut text)?;
    String::from_utf8(text).map_err(|error| PrintError(Fault::Malformed(error.to_string())))
}

/// As [`print`](print()), but writes the text to `out` as it comes.
///
/// # Errors
///
/// As [`print`](print()), and if `out` fails.
pub fn print_to(
    bytes: &[u8],
    options: &PrintOptions,
    out: &mut dyn io::Write,
) -> Result<(), PrintError> {
    // Exceptions as they were before 3.0 have no nested form.
    let fold = options.fold && print_as(bytes, options, &mut io::sink()).is_ok();
    print_as(bytes, &PrintOptions { fold, ..*options }, out)
}

fn print_as(
    bytes: &[u8],
    options: &PrintOptions,
    out: &mut dyn io::Write,
) -> Result<(), PrintError> {
    let is_module = bytes.starts_with(MODULE_HEADER);
    let mut output = Output { out, buffer: String::new(), bytes: 0, is_module, fault: None };
    let printed = Config::new()
        .print_skeleton(options.skeleton)
        .print_offsets(options.offsets)
        .fold_instructions(options.fold)
        .name_unnamed(options.name_unnamed)
        .print(bytes, &mut output);
    match (printed, output.fault.take()) {
        (_, Some(fault)) => Err(PrintError(fault)),
        (Err(error), None) => Err(PrintError(Fault::Malformed(error.to_string()))),
        (Ok(()), None) => {
            output.buffer.push('\n');
            output.flush().map_err(|error| PrintError(Fault::Write(error)))
        }
    }
}

/// Where the printer's text goes.
struct Output<'a> {
    out: &'a mut dyn io::Write,
    buffer: String,
    /// Of the text so far.
    bytes: usize,
    is_module: bool,
    /// Why there is no more text, as the printer would not say it.
    fault: Option<Fault>,
}

impl Output<'_> {
    fn flush(&mut self) -> io::Result<()> {
        self.out.write_all(self.buffer.as_bytes())?;
        self.buffer.clear();
        Ok(())
    }

    /// Takes note of text that was put into the buffer.
    fn count(&mut self, bytes: usize) -> io::Result<()> {
        self.bytes += bytes;
        if self.bytes > TEXT_BYTES_MAX {
            self.fault = Some(Fault::TooLong);
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        if self.buffer.len() >= BUFFER_BYTES
            && let Err(error) = self.flush()
        {
            let kind = error.kind();
            self.fault = Some(Fault::Write(error));
            return Err(kind.into());
        }
        Ok(())
    }
}

impl Print for Output<'_> {
    fn write_str(&mut self, s: &str) -> io::Result<()> {
        let before = self.buffer.len();
        if s.bytes().all(|b| matches!(b, b'\n' | b' '..=b'~')) {
            self.buffer.push_str(s);
            return self.count(s.len());
        }
        // Strings arrive escaped, but not every piece of the binary arrives as a string.
        for (i, line) in s.split('\n').enumerate() {
            if i > 0 {
                self.buffer.push('\n');
            }
            fmt::Write::write_fmt(
                &mut self.buffer,
                format_args!("{}", escape(line).limit(usize::MAX)),
            )
            .map_err(io::Error::other)?;
        }
        self.count(self.buffer.len() - before)
    }

    fn print_custom_section(&mut self, name: &str, _offset: u64, data: &[u8]) -> io::Result<bool> {
        // `(@producers …)` knows three fields; with any other, only the raw form is read back.
        let raw = name == "producers" && self.is_module;
        if !raw || producers_are_known(data).unwrap_or(false) {
            return Ok(false);
        }
        self.write_str("\n  (@custom \"producers\" (after last) \"")?;
        for &byte in data {
            self.write_str(&format!("\\{byte:02x}"))?;
        }
        self.write_str("\")")?;
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
