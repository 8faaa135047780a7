//! Files that hold modules: reading them, telling text from binary, showing that it takes time.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dunlin::Module;
use dunlin_module::escape;
use dunlin_script::TextError;

use crate::Exit;
use crate::progress::Progress;
use crate::report::{Failure, io_reason, quoted};

/// Larger files are refused, as the engine would refuse them (the limit on a module's bytes).
const FILE_BYTES_MAX: u64 = 1 << 30;

/// How much of a file of another format is looked at to name that format.
const MAGIC_BYTES: usize = 8;

/// The contents of a file.
pub(crate) struct Input {
    /// Where it was read from; `-` is stdin.
    pub(crate) path: PathBuf,
    pub(crate) bytes: Arc<[u8]>,
}

/// What a file holds, by its contents.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Format {
    Binary,
    Text,
    /// A compiled program, with a module in it.
    Compiled,
}

/// Reads a module and translates it to binary if it is text.
pub(crate) fn load_binary(path: &Path) -> Result<Input, Failure> {
    let input = load(path)?;
    match input.format()? {
        Format::Compiled => Err(input.is_compiled()),
        Format::Binary | Format::Text => Ok(input),
    }
}

/// As [`load_binary`], and compiled programs as they are.
pub(crate) fn load(path: &Path) -> Result<Input, Failure> {
    let input = read(path)?;
    match input.format()? {
        Format::Binary | Format::Compiled => Ok(input),
        Format::Text => {
            let binary = input.translate()?;
            Ok(Input { bytes: binary.into(), path: input.path })
        }
    }
}

/// Reads a file, or stdin if it is `-`.
pub(crate) fn read(path: &Path) -> Result<Input, Failure> {
    let bytes = if is_stdin(path) {
        let _progress = Progress::start("reading stdin", None);
        read_stream(io::stdin().lock()).map_err(|error| {
            Failure::new(Exit::Unreached, format!("cannot read stdin: {}", io_reason(&error)))
        })
    } else {
        read_file(path).map_err(|error| unreadable(path, &error))
    };
    Ok(Input { path: path.to_owned(), bytes: bytes? })
}

/// Opens a file that holds a compiled program, of which only what is needed is read; `None` if it is
/// anything else, or cannot be read.
pub(crate) fn open_compiled(path: &Path) -> Option<File> {
    if is_stdin(path) {
        return None;
    }
    let file = File::open(path).ok().filter(|file| file.metadata().is_ok_and(|m| m.is_file()))?;
    let mut first = [0; MAGIC_BYTES];
    file.read_exact_at(&mut first, 0).ok()?;
    Module::is_compiled_program(&first).then_some(file)
}

pub(crate) fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

fn read_file(path: &Path) -> io::Result<Arc<[u8]>> {
    let mut file = File::open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    // What the system makes up as it is read (pipes, /proc) has no size.
    if !metadata.is_file() || metadata.len() == 0 {
        return read_stream(file);
    }
    if metadata.len() > FILE_BYTES_MAX {
        return Err(too_large());
    }
    let _progress = Progress::start("reading", Some(metadata.len()));
    // Straight into its final place: a module of 26 MB is neither copied nor held twice.
    let mut bytes: Arc<[u8]> = std::iter::repeat_n(0, metadata.len() as usize).collect();
    if let Some(bytes) = Arc::get_mut(&mut bytes) {
        file.read_exact(bytes)?;
    }
    Ok(bytes)
}

fn read_stream(stream: impl Read) -> io::Result<Arc<[u8]>> {
    let mut bytes = Vec::new();
    stream.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(too_large());
    }
    Ok(bytes.into())
}

fn too_large() -> io::Error {
    io::Error::other(format!("larger than {FILE_BYTES_MAX} bytes, the most a module may have"))
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    let name = quoted(&path.to_string_lossy());
    let failure =
        Failure::new(Exit::Unreached, format!("cannot read {name}: {}", io_reason(error)));
    if error.kind() != io::ErrorKind::NotFound {
        return failure;
    }
    let near = ["wasm", "wat"].map(|ending| path.with_added_extension(ending));
    match near.iter().find(|near| near.is_file()) {
        Some(near) => failure.help(format!("there is a file {}", quoted(&near.to_string_lossy()))),
        None => failure,
    }
}

/// A path as messages show it.
pub(crate) fn name(path: &Path) -> String {
    match is_stdin(path) {
        true => "stdin".to_owned(),
        false => quoted(&path.to_string_lossy()),
    }
}

impl Input {
    /// The path as messages show it.
    pub(crate) fn name(&self) -> String {
        name(&self.path)
    }

    /// The path as results begin with it.
    pub(crate) fn title(&self) -> String {
        match is_stdin(&self.path) {
            true => "stdin".to_owned(),
            false => escape(&self.path.to_string_lossy()).to_string(),
        }
    }

    /// Tells text from binary.
    pub(crate) fn format(&self) -> Result<Format, Failure> {
        if self.bytes.starts_with(b"\0asm") {
            return Ok(Format::Binary);
        }
        if Module::is_compiled_program(&self.bytes) {
            return Ok(Format::Compiled);
        }
        let first = self.bytes.trim_ascii_start().first();
        if matches!(first, Some(b'(' | b';')) {
            return Ok(Format::Text);
        }
        let found = match describe(&self.bytes) {
            Some(found) => found.to_owned(),
            None => hex(&self.bytes),
        };
        let message = format!(
            "{} is not a WebAssembly module: expected `\\0asm` (binary) or `(` (text) at its \
             start, found {found}",
            self.name(),
        );
        Err(Failure::new(Exit::Unreached, message))
    }

    /// What to say where a compiled program will not do.
    pub(crate) fn is_compiled(&self) -> Failure {
        let message = format!("{} is a compiled program: expected a module", self.name());
        Failure::new(Exit::Unreached, message)
            .help("it can be run with `dunlin run`, and shown with `dunlin inspect`")
    }

    /// The text.
    pub(crate) fn text(&self) -> Result<&str, TextError> {
        dunlin_script::decode_text(&self.bytes, Some(self.place()))
    }

    /// The binary of a module in the text format.
    pub(crate) fn translate(&self) -> Result<Vec<u8>, Failure> {
        let _progress = Progress::start("translating", Some(self.bytes.len() as u64));
        let text = self.text();
        text.and_then(|text| dunlin_script::wat_to_wasm(text, Some(self.place()))).map_err(
            |error| {
                let message = format!("cannot translate {}", self.name());
                Failure::new(Exit::Unreached, message).caused_by(error)
            },
        )
    }

    /// The path as places in the text begin with it.
    pub(crate) fn place(&self) -> &Path {
        if is_stdin(&self.path) { Path::new("<stdin>") } else { &self.path }
    }
}

/// What a file that is no module is, if its first bytes say so.
fn describe(bytes: &[u8]) -> Option<&'static str> {
    const MAGICS: [(&[u8], &str); 12] = [
        (b"\x1f\x8b", "a gzip archive"),
        (b"\x28\xb5\x2f\xfd", "a zstd archive"),
        (b"\xfd7zXZ", "an xz archive"),
        (b"PK\x03\x04", "a zip archive"),
        (b"\x7fELF", "a native program (ELF)"),
        (b"MZ", "a native program (PE)"),
        (b"\xcf\xfa\xed\xfe", "a native program (Mach-O)"),
        (b"!<arch>", "an archive of object files"),
        (b"BC\xc0\xde", "LLVM bitcode"),
        (b"#!", "a script"),
        (b"<", "markup, such as a web page"),
        (b"{", "JSON"),
    ];
    if bytes.is_empty() {
        return Some("nothing: it is empty");
    }
    MAGICS.iter().find(|(magic, _)| bytes.starts_with(magic)).map(|(_, name)| *name)
}

fn hex(bytes: &[u8]) -> String {
    let first: Vec<String> =
        bytes.iter().take(MAGIC_BYTES).map(|byte| format!("{byte:02x}")).collect();
    let rest = if bytes.len() > MAGIC_BYTES { " …" } else { "" };
    format!("the bytes {}{rest}", first.join(" "))
}
