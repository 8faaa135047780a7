//! Compiled functions of a module as bytes: what is written to files, and read back with every check.
//!
//! ```text
//!  NativeCode ──► Packed ──► Builder::finish ──► bytes ──► Artifact::parse ──► Function::unpack
//!                 (compact)                                Artifact::check (against its module)
//! ```
//!
//! The bytes are the same for the same functions, in whatever order they were compiled. They are:
//!
//! | part | what |
//! |---|---|
//! | header | magic, version, settings, digest of the module, sizes of all that follows |
//! | fingerprint | of the compiler ([`Compiler::fingerprint`](crate::native::Compiler::fingerprint)) |
//! | functions | a row for each: function, entry, alignment, length of its code and of its metadata; ascending |
//! | profile | a row for each function or loop that was hot, and how hot; ascending |
//! | metadata | of all functions, in order: see `artifact/meta.rs` |
//! | image | the code of all functions, in order, each at the next offset that is aligned for it |
//!
//! All numbers are little-endian. The parts follow each other without gaps and end with the bytes, and there
//! is one way to write each thing: bytes that can be read are those that writing it again gives. The code
//! refers to nothing by address, so the image may be copied to any place that is aligned to
//! [`IMAGE_ALIGN`] and filled in there.
//!
//! Parsing proves that everything is in range and in order, so that what reads it later cannot be led
//! astray. It cannot prove that the code is what the compiler made: that is what seals are for.

mod build;
mod index;
mod meta;
mod read;

use std::borrow::Cow;
use std::fmt;

use dunlin_module::{DefinedFuncIndex, Module};

pub use build::Builder;
pub use index::Index;

use crate::native::{Entry, NativeCode, Reloc};
use crate::{MemoryKind, Settings};
use meta::Bounds;
use read::Reader;

/// What an artifact begins with.
pub const MAGIC: &[u8; 8] = b"dunlin\0C";
/// The version of the format that is written, and the only one that is read.
pub const VERSION: u32 = 1;
/// Alignment of the image, which satisfies every function.
pub const IMAGE_ALIGN: u32 = 64;

/// Stands for what native code and the runtime have agreed on: another number for each change of it, so
/// that code from before is not used.
pub const CONTRACT: u64 =
    fnv(include_bytes!("layout.rs"), fnv(include_bytes!("native.rs"), FNV_BASIS));

const FNV_BASIS: u64 = 0xcbf2_9ce4_8422_2325;

/// The hash FNV-1a.
const fn fnv(bytes: &[u8], mut hash: u64) -> u64 {
    let mut at = 0;
    while at < bytes.len() {
        hash = (hash ^ bytes[at] as u64).wrapping_mul(0x0000_0100_0000_01b3);
        at += 1;
    }
    hash
}

const HEADER_BYTES: usize = 8 + 4 + 4 + 32 + 4 + 4 + 4 + 8 + 8;
const FUNCTION_BYTES: usize = 20;
const HEAT_BYTES: usize = 12;
/// Stands for [`Entry::Function`] where the offset of a loop would be; modules are shorter.
const AT_BEGINNING: u32 = u32::MAX;

/// What fills the room between functions: a trap on the processors there are.
const PADDING: u8 = 0xcc;

/// The BLAKE3 hash of a module's binary.
pub type ModuleDigest = [u8; 32];

/// What compiled functions are for: they work for nothing else.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Key<'a> {
    /// The compiler, its flags, and the processor.
    pub fingerprint: Cow<'a, str>,
    /// What the code assumes.
    pub settings: Settings,
    /// The module.
    pub module: ModuleDigest,
}

/// Compiled functions, read from bytes.
#[derive(Debug)]
pub struct Artifact<'a> {
    key: Key<'a>,
    functions: Vec<Function<'a>>,
    profile: Vec<Heat>,
    image: &'a [u8],
}

/// How hot a function or a loop was.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Heat {
    /// The function.
    pub func: DefinedFuncIndex,
    /// All of it, or a loop.
    pub entry: Entry,
    /// In samples, or whatever else grows with the time spent there.
    pub weight: u32,
}

/// Native code with its metadata in few bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Packed<'a> {
    align: u32,
    code: Cow<'a, [u8]>,
    meta: Cow<'a, [u8]>,
}

/// One compiled function of an artifact.
#[derive(Clone, Debug)]
pub struct Function<'a> {
    /// Which.
    pub func: DefinedFuncIndex,
    /// Where it is entered.
    pub entry: Entry,
    /// Where its code begins in the image.
    pub offset: usize,
    /// Its code, as in the image: places to be filled in are zero.
    pub code: &'a [u8],
    align: u32,
    meta: &'a [u8],
}

/// Why bytes are no artifact that can be used.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ArtifactError {
    /// They do not begin as one.
    NotAnArtifact,
    /// Another version of the format.
    Version(u32),
    /// They do not follow the format: what is wrong, and in which function.
    Malformed(&'static str, Option<DefinedFuncIndex>),
}

impl fmt::Display for ArtifactError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ArtifactError::NotAnArtifact => {
                f.write_str("expected compiled code, found other bytes")
            }
            ArtifactError::Version(found) => {
                write!(
                    f,
                    "expected version {VERSION} of the format of compiled code, found {found}"
                )
            }
            ArtifactError::Malformed(what, None) => write!(f, "malformed compiled code: {what}"),
            ArtifactError::Malformed(what, Some(func)) => {
                write!(f, "malformed compiled code: {what} (in defined function #{})", func.0)
            }
        }
    }
}

impl std::error::Error for ArtifactError {}

fn malformed(what: &'static str) -> ArtifactError {
    ArtifactError::Malformed(what, None)
}

impl ArtifactError {
    fn of(self, func: DefinedFuncIndex) -> ArtifactError {
        match self {
            ArtifactError::Malformed(what, None) => ArtifactError::Malformed(what, Some(func)),
            other => other,
        }
    }
}

impl<'a> Packed<'a> {
    /// Packs what a compiler made.
    ///
    /// # Errors
    ///
    /// If it does not keep the contract of [`NativeCode`], which would be a fault of the compiler.
    pub fn new(code: &NativeCode) -> Result<Packed<'static>, ArtifactError> {
        let mut bytes = code.bytes.clone();
        for reloc in &code.relocs {
            let at = reloc.offset as usize;
            let field = at.checked_add(4).and_then(|end| bytes.get_mut(at..end));
            field.ok_or_else(|| malformed("a place to be filled in is outside the code"))?.fill(0);
        }
        let meta = meta::write(code);
        check_code(code.align, bytes.len())?;
        meta::read(&meta, &Bounds::of_code(bytes.len()), &mut ())?;
        Ok(Packed { align: code.align, code: Cow::Owned(bytes), meta: Cow::Owned(meta) })
    }

    /// From installed code with its metadata: what was filled in is zero again.
    pub fn unlinked(align: u32, mut code: Vec<u8>, meta: &'a [u8]) -> Packed<'a> {
        for reloc in meta::relocs(meta) {
            let at = reloc.offset as usize;
            if let Some(field) = code.get_mut(at..at + 4) {
                field.fill(0);
            }
        }
        Packed { align, code: Cow::Owned(code), meta: Cow::Borrowed(meta) }
    }

    /// Bytes that it takes, code and metadata.
    pub fn size(&self) -> usize {
        self.code.len() + self.meta.len()
    }

    /// The same, with bytes of its own.
    pub fn into_owned(self) -> Packed<'static> {
        let (code, meta) = (self.code.into_owned(), self.meta.into_owned());
        Packed { align: self.align, code: Cow::Owned(code), meta: Cow::Owned(meta) }
    }

    /// As the code of a function, to be installed.
    pub fn function(&self, func: DefinedFuncIndex, entry: Entry) -> Function<'_> {
        let (code, meta) = (&*self.code, &*self.meta);
        Function { func, entry, offset: 0, code, align: self.align, meta }
    }
}

/// What an artifact begins with.
struct Head<'a> {
    key: Key<'a>,
    functions: usize,
    heats: usize,
    meta_bytes: usize,
    image_bytes: usize,
}

/// How long the parts are.
struct Sizes {
    fingerprint: usize,
    functions: usize,
    heats: usize,
    meta: usize,
    image: usize,
}

impl<'a> Head<'a> {
    /// Reads what is of a fixed length.
    fn fixed(reader: &mut Reader<'a>) -> Result<(Settings, ModuleDigest, Sizes), ArtifactError> {
        if reader.take(MAGIC.len()).ok() != Some(MAGIC) {
            return Err(ArtifactError::NotAnArtifact);
        }
        match reader.u32()? {
            VERSION => {}
            other => return Err(ArtifactError::Version(other)),
        }
        let settings = read_settings(reader.u32()?)?;
        let module: ModuleDigest = reader.array()?;
        let (fingerprint, functions) = (reader.u32()? as usize, reader.u32()? as usize);
        let (heats, meta, image) = (reader.u32()? as usize, reader.size()?, reader.size()?);
        Ok((settings, module, Sizes { fingerprint, functions, heats, meta, image }))
    }

    fn read(reader: &mut Reader<'a>) -> Result<Head<'a>, ArtifactError> {
        let (settings, module, sizes) = Head::fixed(reader)?;
        let Sizes { fingerprint, functions, heats, meta: meta_bytes, image: image_bytes } = sizes;
        let fingerprint = std::str::from_utf8(reader.take(fingerprint)?)
            .map_err(|_| malformed("the compiler's fingerprint is no text"))?;
        let key = Key { fingerprint: Cow::Borrowed(fingerprint), settings, module };
        Ok(Head { key, functions, heats, meta_bytes, image_bytes })
    }
}

impl<'a> Artifact<'a> {
    /// Reads and checks everything.
    ///
    /// # Errors
    ///
    /// If anything is not as [`Builder`] writes it.
    pub fn parse(bytes: &'a [u8]) -> Result<Artifact<'a>, ArtifactError> {
        Artifact::read(bytes, None)
    }

    /// As [`Artifact::parse`] and [`Artifact::check`], going through the bytes once.
    ///
    /// # Errors
    ///
    /// As these; which of several faults is named may differ.
    pub fn parse_for(bytes: &'a [u8], module: &Module) -> Result<Artifact<'a>, ArtifactError> {
        Artifact::read(bytes, Some(module))
    }

    /// Reads only what it is for, and nothing behind that.
    ///
    /// # Errors
    ///
    /// As [`Artifact::parse`].
    pub fn parse_key(bytes: &'a [u8]) -> Result<Key<'a>, ArtifactError> {
        Ok(Head::read(&mut Reader::new(bytes))?.key)
    }

    fn read(bytes: &'a [u8], of: Option<&Module>) -> Result<Artifact<'a>, ArtifactError> {
        let mut reader = Reader::new(bytes);
        let Head { key, functions, heats, meta_bytes, image_bytes } = Head::read(&mut reader)?;
        let mut rows = Reader::new(reader.take_rows(functions, FUNCTION_BYTES)?);
        let mut heat = Reader::new(reader.take_rows(heats, HEAT_BYTES)?);
        let mut meta = Reader::new(reader.take(meta_bytes)?);
        let image = reader.take(image_bytes)?;
        reader.end("bytes behind the code")?;
        let mut artifact = Artifact {
            key,
            functions: Vec::with_capacity(functions),
            profile: Vec::with_capacity(heats),
            image,
        };
        let mut end = 0;
        for _ in 0..functions {
            end = artifact.function(&mut rows, &mut meta, end, of)?;
        }
        if end != image.len() {
            return Err(malformed("the code is longer than its functions"));
        }
        meta.end("the metadata is longer than its functions'")?;
        for _ in 0..heats {
            let (func, entry) = place(&mut heat)?;
            of.map_or(Ok(()), |module| check_place(module, func, entry))?;
            let last = artifact.profile.last();
            if last.is_some_and(|last| (last.func, last.entry) >= (func, entry)) {
                return Err(malformed("the profile is not in order").of(func));
            }
            artifact.profile.push(Heat { func, entry, weight: heat.u32()? });
        }
        Ok(artifact)
    }

    /// Reads the next function, whose code comes behind that which ends at `end`.
    fn function(
        &mut self,
        rows: &mut Reader<'a>,
        meta: &mut Reader<'a>,
        end: usize,
        of: Option<&Module>,
    ) -> Result<usize, ArtifactError> {
        let (func, entry) = place(rows)?;
        of.map_or(Ok(()), |module| check_place(module, func, entry))?;
        let fault = |error: ArtifactError| error.of(func);
        if self.functions.last().is_some_and(|last| (last.func, last.entry) >= (func, entry)) {
            return Err(fault(malformed("functions are not in order")));
        }
        let align = rows.u32()?;
        let (code_bytes, meta_bytes) = (rows.u32()? as usize, rows.u32()? as usize);
        check_code(align, code_bytes).map_err(fault)?;
        let offset = end.checked_next_multiple_of(align as usize);
        let code = offset.and_then(|offset| {
            let between = self.image.get(end..offset)?;
            let code = self.image.get(offset..)?.get(..code_bytes)?;
            between.iter().all(|byte| *byte == PADDING).then_some((offset, code))
        });
        let (offset, code) =
            code.ok_or_else(|| fault(malformed("code is not where it must be")))?;
        let meta = meta.take(meta_bytes).map_err(fault)?;
        let any = Bounds::of_code(code.len());
        let bounds = of.map_or(any, |module| Bounds::of(module, code.len()));
        meta::read(meta, &bounds, &mut ()).map_err(fault)?;
        self.functions.push(Function { func, entry, offset, code, align, meta });
        Ok(offset + code.len())
    }

    /// What it is for.
    pub fn key(&self) -> &Key<'a> {
        &self.key
    }

    /// The functions, ascending by function and entry.
    pub fn functions(&self) -> &[Function<'a>] {
        &self.functions
    }

    /// One of them.
    pub fn get(&self, func: DefinedFuncIndex, entry: Entry) -> Option<&Function<'a>> {
        let at = self.functions.binary_search_by_key(&(func, entry), |f| (f.func, f.entry)).ok()?;
        self.functions.get(at)
    }

    /// What was hot, ascending by function and entry.
    pub fn profile(&self) -> &[Heat] {
        &self.profile
    }

    /// The code of all functions: position-independent, to be aligned to [`IMAGE_ALIGN`].
    pub fn image(&self) -> &'a [u8] {
        self.image
    }

    /// Checks that everything it names is there in `module`, which must be the one it was made from.
    ///
    /// # Errors
    ///
    /// If it names a function, a loop, a tag or a place in the binary that is not there.
    pub fn check(&self, module: &Module) -> Result<(), ArtifactError> {
        for heat in &self.profile {
            check_place(module, heat.func, heat.entry)?;
        }
        for function in &self.functions {
            check_place(module, function.func, function.entry)?;
            let bounds = Bounds::of(module, function.code.len());
            meta::read(function.meta, &bounds, &mut ()).map_err(|e| e.of(function.func))?;
        }
        Ok(())
    }
}

impl<'a> Function<'a> {
    /// A power of two that its code has to be aligned to.
    pub fn align(&self) -> u32 {
        self.align
    }

    /// What is known of places in its code: see [`places`].
    pub fn meta(&self) -> &'a [u8] {
        self.meta
    }

    /// Places to be filled in, in ascending order.
    pub fn relocs(&self) -> impl Iterator<Item = Reloc> + use<'a> {
        meta::relocs(self.meta)
    }

    /// What a compiler made it from; places to be filled in are in ascending order.
    pub fn unpack(&self) -> NativeCode {
        let known = places(self.meta, self.code.len());
        NativeCode { bytes: self.code.to_vec(), align: self.align, ..known }
    }

    /// The same as it is, to be put into another artifact.
    pub fn packed(&self) -> Packed<'a> {
        let (code, meta) = (Cow::Borrowed(self.code), Cow::Borrowed(self.meta));
        Packed { align: self.align, code, meta }
    }
}

/// What is known of places in code of so many bytes, from the [`Function::meta`] of a function: all of
/// [`NativeCode`] but the code itself.
pub fn places(meta: &[u8], code_bytes: usize) -> NativeCode {
    let mut code = NativeCode::default();
    // Whoever made the function has read the same bytes within the same bounds, or narrower ones.
    let read = meta::read(meta, &Bounds::of_code(code_bytes), &mut code);
    debug_assert!(read.is_ok(), "checked before: {read:?}");
    code
}

fn check_code(align: u32, bytes: usize) -> Result<(), ArtifactError> {
    if !align.is_power_of_two() || align > IMAGE_ALIGN {
        return Err(malformed("an alignment is no power of two up to 64"));
    }
    if bytes == 0 || u32::try_from(bytes).is_err() {
        return Err(malformed("a function without code, or with more than 4 GiB"));
    }
    Ok(())
}

fn check_place(module: &Module, func: DefinedFuncIndex, entry: Entry) -> Result<(), ArtifactError> {
    /// The opcode of `loop` (core spec §5.4.1).
    const LOOP: u8 = 0x03;
    let Some(body) = module.bodies.get(func.index()) else {
        return Err(malformed("a function that the module does not have").of(func));
    };
    let Entry::Loop(at) = entry else { return Ok(()) };
    match module.bytes.get(at as usize) {
        Some(&LOOP) if body.contains(&at) => Ok(()),
        _ => Err(malformed("a loop that the module does not have").of(func)),
    }
}

fn place(rows: &mut Reader<'_>) -> Result<(DefinedFuncIndex, Entry), ArtifactError> {
    let func = DefinedFuncIndex(rows.u32()?);
    let entry = match rows.u32()? {
        AT_BEGINNING => Entry::Function,
        at => Entry::Loop(at),
    };
    Ok((func, entry))
}

/// Settings as a number: bits, so that two that differ are written differently.
pub fn settings_bits(settings: &Settings) -> u32 {
    // Without `..`: a setting that is added must be written too.
    let Settings { memory_kind, fuel, interruptible, deterministic } = *settings;
    u32::from(memory_kind == MemoryKind::Compact)
        | u32::from(fuel) << 1
        | u32::from(interruptible) << 2
        | u32::from(deterministic) << 3
}

fn read_settings(bits: u32) -> Result<Settings, ArtifactError> {
    let kinds = [MemoryKind::Guard, MemoryKind::Compact];
    let settings = Settings {
        memory_kind: kinds[(bits & 1) as usize],
        fuel: bits & 2 != 0,
        interruptible: bits & 4 != 0,
        deterministic: bits & 8 != 0,
    };
    match settings_bits(&settings) == bits {
        true => Ok(settings),
        false => Err(malformed("settings that this version does not know")),
    }
}
