//! Function bodies: validation, on several threads.

use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use wasmparser::{
    BinaryReader, FuncToValidate, FuncValidator, FuncValidatorAllocations, FunctionBody,
    OperatorsReader, ValidatorResources, WasmFeatures,
};

use super::Decoder;
use crate::error::{Error, ErrorKind, FunctionLabel};
use crate::index::FuncIndex;
use crate::limits::OPERANDS;
use crate::module::ExternIndex;
use crate::names::{NameSpace, Names};
use crate::types::CompositeType;

/// Less code than this is checked by the calling thread alone: starting a thread costs as much.
const PARALLEL_BYTES: u64 = 256 << 10;
/// About so much code is taken by a thread at a time.
const CHUNK_BYTES: u32 = 64 << 10;
/// Bodies that cannot have more than this many times [`OPERANDS`] operands, by their length, are
/// checked without counting.
const UNCOUNTED: u64 = 8;
/// Stack of a validating thread. Nothing here recurses over the guest's input.
const STACK_BYTES: usize = 256 << 10;

/// Checks all bodies read so far; the error is that of the first wrong body.
pub(super) fn validate(
    decoder: &Decoder<'_>,
    bytes: &Arc<[u8]>,
    threads: Option<NonZeroUsize>,
) -> Result<(), Error> {
    let Some(resources) = &decoder.resources else {
        return Ok(());
    };
    let job = Job {
        bytes,
        bodies: &decoder.bodies,
        types: &decoder.funcs[decoder.imported.funcs as usize..],
        imported: decoder.imported.funcs,
        features: decoder.features.flags(),
        resources,
        next: AtomicUsize::new(0),
        first_error: Mutex::new(None),
        error_at: AtomicUsize::new(usize::MAX),
        results_max: {
            let types = decoder.composite_types.iter().filter_map(CompositeType::as_func);
            types.map(|ty| ty.results.len()).max()
        },
    };
    let len: u64 = decoder.bodies.iter().map(|body| u64::from(body.end - body.start)).sum();
    // Asking for the number of cores costs as much as checking a small module.
    let cores = || std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let threads = if len < PARALLEL_BYTES { 1 } else { threads.unwrap_or_else(cores).get() };
    let chunks = usize::try_from(len.div_ceil(CHUNK_BYTES.into())).unwrap_or(usize::MAX);
    match threads.min(chunks) {
        0 | 1 => job.run(),
        threads => std::thread::scope(|scope| {
            for _ in 1..threads {
                let thread = std::thread::Builder::new()
                    .name("dunlin-validate".into())
                    .stack_size(STACK_BYTES);
                // Where the system gives no more threads, the ones there are do the work.
                if thread.spawn_scoped(scope, || job.run()).is_err() {
                    break;
                }
            }
            job.run();
        }),
    }
    let first = job.first_error.into_inner().unwrap_or_else(PoisonError::into_inner);
    match first {
        None => Ok(()),
        Some((at, error)) => {
            let flags = decoder.features.flags();
            let func = FuncIndex(at as u32 + decoder.imported.funcs);
            let error = match error {
                Fault::Invalid(error) => {
                    let read = read_error(bytes, &decoder.bodies[at], flags);
                    Error::from_parser(&error, read == Some(error.offset()), &decoder.features)
                }
                Fault::TooManyOperands(offset) => {
                    let message = format!("function has more than {OPERANDS} operands at once");
                    Error::new(ErrorKind::LimitExceeded, message, Some(offset))
                }
            };
            Err(error.in_function(func_label(decoder, bytes, func)))
        }
    }
}

/// Checks a body instruction by instruction, so that the operand stack cannot outgrow its limit.
fn validate_counting(
    validator: &mut FuncValidator<&ValidatorResources>,
    body: &FunctionBody<'_>,
) -> Result<(), Fault> {
    let mut reader = body.get_binary_reader();
    validator.read_locals(&mut reader)?;
    while !reader.eof() {
        let offset = reader.original_position();
        reader.visit_operator(&mut validator.visitor(offset))??;
        if validator.operand_stack_height() > OPERANDS {
            return Err(Fault::TooManyOperands(offset));
        }
    }
    Ok(reader.finish_expression(&validator.visitor(reader.original_position()))?)
}

/// The work shared by all threads.
struct Job<'a> {
    bytes: &'a [u8],
    bodies: &'a [Range<u32>],
    /// Module type index of each body's function.
    types: &'a [u32],
    imported: u32,
    features: WasmFeatures,
    resources: &'a ValidatorResources,
    /// The first body nobody has taken yet.
    next: AtomicUsize,
    first_error: Mutex<Option<(usize, Fault)>>,
    /// Position of `first_error`; nothing after it needs to be looked at.
    error_at: AtomicUsize,
    /// The most results of any function type of the module.
    results_max: Option<usize>,
}

/// What is wrong with a body.
enum Fault {
    Invalid(wasmparser::Error),
    /// At this offset.
    TooManyOperands(u64),
}

impl From<wasmparser::Error> for Fault {
    fn from(error: wasmparser::Error) -> Fault {
        Fault::Invalid(error)
    }
}

impl Job<'_> {
    fn run(&self) {
        let mut allocations = FuncValidatorAllocations::default();
        while let Some(chunk) = self.take() {
            for at in chunk {
                if at > self.error_at.load(Ordering::Relaxed) {
                    return;
                }
                let func = FuncToValidate {
                    resources: self.resources,
                    index: self.imported + at as u32,
                    ty: self.types[at],
                    features: self.features,
                };
                let mut validator = func.into_validator(allocations);
                let body = body(self.bytes, &self.bodies[at], self.features);
                let bytes = self.bodies[at].len() as u64;
                let results = self.results_max.unwrap_or_default().max(1) as u64;
                let checked = if bytes * results > u64::from(OPERANDS) * UNCOUNTED {
                    validate_counting(&mut validator, &body)
                } else {
                    validator.validate(&body).map_err(Fault::from)
                };
                if let Err(error) = checked {
                    self.report(at, error);
                    return;
                }
                allocations = validator.into_allocations();
            }
        }
    }

    /// Takes bodies that nobody has taken. Chunks are taken in order, so when one fails all bodies
    /// before it are, or will be, looked at by somebody.
    fn take(&self) -> Option<Range<usize>> {
        let mut start = self.next.load(Ordering::Relaxed);
        loop {
            let first = self.bodies.get(start)?;
            let full = first.start.saturating_add(CHUNK_BYTES);
            let rest = &self.bodies[start..];
            // Bodies lie in order: the chunk ends at the first that begins behind its bytes.
            let len = rest.partition_point(|body| body.start < full).max(1);
            let taken = self.next.compare_exchange_weak(
                start,
                start + len,
                Ordering::Relaxed,
                Ordering::Relaxed,
            );
            match taken {
                Ok(_) => return Some(start..start + len),
                Err(now) => start = now,
            }
        }
    }

    fn report(&self, at: usize, error: Fault) {
        let mut first = self.first_error.lock().unwrap_or_else(PoisonError::into_inner);
        if first.as_ref().is_none_or(|(other, _)| at < *other) {
            *first = Some((at, error));
            self.error_at.fetch_min(at, Ordering::Relaxed);
        }
    }
}

fn body<'a>(bytes: &'a [u8], range: &Range<u32>, features: WasmFeatures) -> FunctionBody<'a> {
    let body = &bytes[range.start as usize..range.end as usize];
    FunctionBody::new(BinaryReader::new_features(body, range.start.into(), features))
}

/// Where merely reading a body fails.
fn read_error(bytes: &[u8], range: &Range<u32>, features: WasmFeatures) -> Option<u64> {
    let read = || -> Result<(), wasmparser::Error> {
        let body = body(bytes, range, features);
        let mut reader = OperatorsReader::new(body.get_binary_reader_for_operators()?);
        while !reader.eof() {
            reader.read()?;
        }
        reader.finish()
    };
    read().err().map(|error| error.offset())
}

/// What to call a function in an error: its name, else that of an export, else its index.
fn func_label(decoder: &Decoder<'_>, bytes: &Arc<[u8]>, func: FuncIndex) -> FunctionLabel {
    let names = name_section(bytes).map(|range| Names::read(bytes, range));
    let name = names.as_ref().and_then(|names| names.get(NameSpace::Func, func.0));
    let exports = || decoder.exports.iter().find(|e| e.item == ExternIndex::Func(func));
    match name.or_else(|| exports().map(|export| &*export.name)) {
        Some(name) => FunctionLabel::Name(name.into()),
        None => FunctionLabel::Index(func.0),
    }
}

/// The contents of the name section, which comes after the code: found even if sections between
/// could not be read.
fn name_section(bytes: &[u8]) -> Option<Range<u32>> {
    let mut reader = BinaryReader::new(bytes.get(8..)?, 8);
    while !reader.eof() {
        let id = reader.read_u8().ok()?;
        let mut contents = reader.read_reader().ok()?;
        if id == 0 && contents.read_string().ok()? == "name" {
            return Some(super::narrow(contents.remaining_range()));
        }
    }
    None
}
