//! Bytes to [`Module`]: sections are checked and read in order, then all bodies are checked, on
//! several threads where that pays.

mod bodies;
mod init;
pub(crate) mod sections;
mod types;

use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use wasmparser::{
    Encoding, FunctionBody, Parser, Payload, ValidPayload, Validator, ValidatorResources,
};

use crate::error::{Error, ErrorKind};
use crate::features::Features;
use crate::index::FuncIndex;
use crate::init::{ConstExpr, DataSegment, ElemSegment};
use crate::limits;
use crate::module::{CustomSection, Export, Import, ImportCounts, Module, Section};
use crate::registry::{TypeHold, TypeRegistry};
use crate::types::{CompositeType, GlobalType, MemoryType, TableType, TagType, TypeId};

/// What every binary begins with (core spec §5.5.16).
const MAGIC: &[u8] = b"\0asm";

impl Module {
    /// Checks and reads a binary module, completely. Bodies are checked on up to as many threads
    /// as there are cores; the result, and the error if there are several, does not depend on it.
    ///
    /// # Errors
    ///
    /// The error at the lowest offset of the binary.
    pub fn decode(
        bytes: impl Into<Arc<[u8]>>,
        features: &Features,
        types: &TypeRegistry,
    ) -> Result<Module, Error> {
        decode(bytes.into(), features, types, || Bodies::Check(None))
    }

    /// The same as [`Module::decode`], for a binary that it has accepted before: everything but the
    /// bodies is checked again, and these are taken to be valid.
    ///
    /// This is what makes large modules start quickly a second time, and it is as good as the memory
    /// of whoever says that the very same bytes were accepted, with the same features, by the same
    /// build of this crate. With other bytes whatever uses the module may do anything.
    ///
    /// # Errors
    ///
    /// The error at the lowest offset of the binary outside of bodies.
    pub fn decode_accepted(
        bytes: impl Into<Arc<[u8]>>,
        features: &Features,
        types: &TypeRegistry,
    ) -> Result<Module, Error> {
        decode(bytes.into(), features, types, || Bodies::Accepted)
    }

    /// [`Module::decode_accepted`] if `is_accepted` says so, and [`Module::decode`] if not. It is asked
    /// when all but the bodies has been read, so that whoever has to find out can do so meanwhile.
    ///
    /// # Errors
    ///
    /// As these.
    pub fn decode_unless_accepted(
        bytes: impl Into<Arc<[u8]>>,
        features: &Features,
        types: &TypeRegistry,
        is_accepted: impl FnOnce() -> bool,
    ) -> Result<Module, Error> {
        decode(bytes.into(), features, types, || match is_accepted() {
            true => Bodies::Accepted,
            false => Bodies::Check(None),
        })
    }

    /// The same as [`Module::decode`], on at most `threads` threads including the caller's.
    ///
    /// # Errors
    ///
    /// The error at the lowest offset of the binary.
    pub fn decode_with_threads(
        bytes: impl Into<Arc<[u8]>>,
        features: &Features,
        types: &TypeRegistry,
        threads: NonZeroUsize,
    ) -> Result<Module, Error> {
        decode(bytes.into(), features, types, || Bodies::Check(Some(threads)))
    }
}

/// What is done about function bodies.
enum Bodies {
    /// They are checked, on so many threads.
    Check(Option<NonZeroUsize>),
    /// They were checked before.
    Accepted,
}

fn decode(
    bytes: Arc<[u8]>,
    features: &Features,
    types: &TypeRegistry,
    bodies: impl FnOnce() -> Bodies,
) -> Result<Module, Error> {
    check_header(&bytes)?;
    let mut decoder = Decoder::new(features, types);
    let sections = decoder.sections(&bytes);
    // Bodies come before whatever stopped the reading of sections, so their errors win.
    if let Bodies::Check(threads) = bodies() {
        bodies::validate(&decoder, &bytes, threads)?;
    }
    sections?;
    Ok(decoder.finish(bytes))
}

/// Says what is wrong with bytes that are no WebAssembly at all, or too many.
pub(crate) fn check_header(bytes: &[u8]) -> Result<(), Error> {
    if bytes.len() > limits::MODULE_BYTES {
        let (found, limit) = (bytes.len(), limits::MODULE_BYTES);
        let message = format!("module has {found} bytes, expected at most {limit}");
        return Err(Error::new(ErrorKind::LimitExceeded, message, None));
    }
    if !bytes.starts_with(MAGIC) {
        let found = String::from_utf8_lossy(&bytes[..bytes.len().min(MAGIC.len())]);
        let message = match bytes.is_empty() {
            true => "expected a WebAssembly binary, found nothing".to_string(),
            false => format!("expected a WebAssembly binary, found bytes starting with `{found}`"),
        };
        return Err(Error::new(ErrorKind::Malformed, message, Some(0)));
    }
    Ok(())
}

/// The module under construction.
struct Decoder<'r> {
    registry: &'r TypeRegistry,
    features: Features,
    validator: Validator,
    /// What bodies are checked against; there once the first body has been met.
    resources: Option<ValidatorResources>,
    types_held: Option<TypeHold>,
    types: Vec<TypeId>,
    composite_types: Vec<CompositeType>,
    imports: Vec<Import>,
    imported: ImportCounts,
    funcs: Vec<u32>,
    tables: Vec<TableType>,
    table_inits: Vec<Option<ConstExpr>>,
    memories: Vec<MemoryType>,
    globals: Vec<GlobalType>,
    global_inits: Vec<ConstExpr>,
    tags: Vec<TagType>,
    tag_types: Vec<u32>,
    exports: Vec<Export>,
    start: Option<FuncIndex>,
    elems: Vec<ElemSegment>,
    data: Vec<DataSegment>,
    bodies: Vec<Range<u32>>,
    customs: Vec<CustomSection>,
    sections: Vec<Section>,
    escaping: Vec<FuncIndex>,
}

impl<'r> Decoder<'r> {
    fn new(features: &Features, registry: &'r TypeRegistry) -> Decoder<'r> {
        Decoder {
            registry,
            features: *features,
            validator: Validator::new_with_features(features.flags()),
            resources: None,
            types_held: None,
            types: Vec::new(),
            composite_types: Vec::new(),
            imports: Vec::new(),
            imported: ImportCounts::default(),
            funcs: Vec::new(),
            tables: Vec::new(),
            table_inits: Vec::new(),
            memories: Vec::new(),
            globals: Vec::new(),
            global_inits: Vec::new(),
            tags: Vec::new(),
            tag_types: Vec::new(),
            exports: Vec::new(),
            start: None,
            elems: Vec::new(),
            data: Vec::new(),
            bodies: Vec::new(),
            customs: Vec::new(),
            sections: Vec::new(),
            escaping: Vec::new(),
        }
    }

    fn sections(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let mut parser = Parser::new(0);
        parser.set_features(self.features.flags());
        for payload in parser.parse_all(bytes) {
            let payload =
                payload.map_err(|error| Error::from_parser(&error, true, &self.features))?;
            self.payload(&payload)?;
        }
        Ok(())
    }

    fn payload(&mut self, payload: &Payload<'_>) -> Result<(), Error> {
        if let Payload::Version { encoding: Encoding::Component, range, .. } = payload {
            let message = "expected a core module, found a component";
            return Err(Error::new(ErrorKind::Unsupported(None), message, Some(range.start)));
        }
        sections::check_count(payload)?;
        match self.validator.payload(payload) {
            Ok(ValidPayload::Func(func, body)) => {
                self.resources.get_or_insert(func.resources);
                self.bodies.push(body_range(&body));
                return Ok(());
            }
            Ok(_) => {}
            Err(error) => return Err(sections::error(payload, &error, &self.features)),
        }
        if let Some((id, range)) = payload.as_section() {
            self.sections.push(Section { id, range: narrow(range) });
        }
        match payload {
            Payload::TypeSection(section) => self.type_section(section)?,
            _ => self
                .section(payload)
                .map_err(|error| Error::from_parser(&error, true, &self.features))?,
        }
        self.check_tables(payload)
    }

    /// The parser lets through more tables than instructions of the bytecode can name.
    fn check_tables(&self, payload: &Payload<'_>) -> Result<(), Error> {
        let (found, limit) = (self.tables.len(), limits::TABLES);
        if found <= limit as usize {
            return Ok(());
        }
        let message = format!("module has {found} tables, expected at most {limit}");
        let at = payload.as_section().map(|(_, range)| range.start);
        Err(Error::new(ErrorKind::LimitExceeded, message, at))
    }

    fn finish(mut self, bytes: Arc<[u8]>) -> Module {
        self.escaping.sort_unstable();
        self.escaping.dedup();
        Module {
            bytes,
            types_held: self.types_held.unwrap_or_else(|| TypeHold::empty(self.registry)),
            types: self.types.into(),
            composite_types: self.composite_types.into(),
            imports: self.imports.into(),
            funcs: self.funcs.into(),
            tables: self.tables.into(),
            table_inits: self.table_inits.into(),
            memories: self.memories.into(),
            globals: self.globals.into(),
            global_inits: self.global_inits.into(),
            tags: self.tags.into(),
            exports: self.exports.into(),
            start: self.start,
            elems: self.elems.into(),
            data: self.data.into(),
            bodies: self.bodies.into(),
            imported: self.imported,
            customs: self.customs.into(),
            sections: self.sections.into(),
            escaping_funcs: self.escaping.into(),
            tag_types: self.tag_types.into(),
            features: self.features,
            flags: self.features.flags(),
            names: OnceLock::new(),
            types_by_id: OnceLock::new(),
            exports_by_name: OnceLock::new(),
            fixed_tables: OnceLock::new(),
        }
    }
}

fn body_range(body: &FunctionBody<'_>) -> Range<u32> {
    narrow(body.range())
}

/// The module is known to be smaller than 4 GiB.
fn narrow(range: Range<u64>) -> Range<u32> {
    range.start as u32..range.end as u32
}
