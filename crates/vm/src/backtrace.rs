//! Where guest code was: the frames of one call from the host, innermost first.

mod dwarf;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use dunlin_code::LowerError;
use dunlin_module::{DefinedFuncIndex, FuncIndex, Module, Proposal, escape};

pub use self::dwarf::Location;
use crate::frames::{Activation, Place, Walk};
use crate::module_code::ModuleCode;
use crate::store::Store;

/// Frames kept; those further out are only counted.
const FRAMES_MAX: usize = 64;

/// Bytes of each section with debug information that are looked at; a larger one is ignored.
const DEBUG_BYTES_MAX: usize = 64 << 20;

/// The number of a section with code (core spec §5.5.13).
const CODE_SECTION: u8 = 10;

/// The frames of a call, innermost first.
#[derive(Clone, Default)]
pub struct Backtrace {
    /// The innermost frames.
    pub frames: Vec<Frame>,
    /// How many more there were.
    pub omitted: usize,
}

/// One activation of a function.
#[derive(Clone)]
pub struct Frame {
    code: Arc<ModuleCode>,
    func: DefinedFuncIndex,
    offset: u64,
}

impl Frame {
    /// The module.
    pub fn module(&self) -> &Arc<Module> {
        self.code.module()
    }

    /// The name of the module, if it has one.
    pub fn module_name(&self) -> Option<&str> {
        self.module().names().module()
    }

    /// The function.
    pub fn func(&self) -> FuncIndex {
        self.module().func_index(self.func)
    }

    /// The name of the function, if it has one.
    pub fn func_name(&self) -> Option<&str> {
        self.module().func_name(self.func())
    }

    /// The instruction, as an offset in the module's binary: for frames further out, the call.
    pub fn offset(&self) -> u64 {
        self.offset
    }
}

impl Backtrace {
    /// The frames of guest code that just stopped, as the runtime record of `store` tells.
    pub(crate) fn capture(store: &Store) -> Backtrace {
        // SAFETY: the record is alive; V1.
        let exit = unsafe { Place::exit(store.rt()) };
        let Some(mut walk) = Walk::new(store).filter(|_| !exit.ip.is_null()) else {
            return Backtrace::default();
        };
        let mut backtrace = Backtrace::default();
        let mut words = Vec::new();
        let mut next = Some(exit);
        while let Some(place) = next {
            let Some(activation) = walk.activation(place) else { break };
            match &activation {
                Activation::Interpreted(found) => {
                    if backtrace.add(found.code, found.func, 0) {
                        words.push((backtrace.frames.len() - 1, found.word));
                    }
                }
                Activation::Replaced => {}
                Activation::Native(func) => {
                    let Some(code) = func.module.upgrade() else { break };
                    for (inlined, offset) in func.positions_at(place.ip.addr()) {
                        backtrace.add(&code, inlined, offset);
                    }
                }
            }
            next = walk.outwards(&activation, place);
        }
        backtrace.find_offsets(&words);
        backtrace
    }

    /// Adds a frame, if there is room.
    fn add(&mut self, code: &Arc<ModuleCode>, func: DefinedFuncIndex, offset: u64) -> bool {
        let room = self.frames.len() < FRAMES_MAX;
        match room {
            true => self.frames.push(Frame { code: code.clone(), func, offset }),
            false => self.omitted += 1,
        }
        room
    }

    /// Fills in the offsets of frames of the interpreter, given the words of their code. Finding them
    /// means lowering the function again, which is done once for each function there is.
    fn find_offsets(&mut self, words: &[(usize, usize)]) {
        let mut by_function: HashMap<_, Vec<(usize, usize)>> = HashMap::new();
        for &(at, word) in words {
            let frame = &self.frames[at];
            let function = (Arc::as_ptr(&frame.code), frame.func);
            by_function.entry(function).or_default().push((word, at));
        }
        for mut places in by_function.into_values() {
            places.sort_unstable();
            let words: Vec<usize> = places.iter().map(|(word, _)| *word).collect();
            let frame = &self.frames[places[0].1];
            let offsets = frame.code.offsets(frame.func, &words);
            for ((_, at), offset) in places.into_iter().zip(offsets) {
                self.frames[at].offset = offset;
            }
        }
    }

    /// Appends the frames of the call around this one, when a host function is between them.
    pub fn extend(&mut self, outer: Backtrace) {
        let room = (2 * FRAMES_MAX).saturating_sub(self.frames.len());
        self.omitted += outer.omitted + outer.frames.len().saturating_sub(room);
        self.frames.extend(outer.frames.into_iter().take(room));
    }

    /// The places in source code of all frames, where the modules have debug information.
    pub fn locations(&self) -> Vec<Option<Location>> {
        let mut locations = vec![None; self.frames.len()];
        let mut done = vec![false; self.frames.len()];
        for first in 0..self.frames.len() {
            if done[first] {
                continue;
            }
            // All frames of one module in one pass over its line tables.
            let module = self.frames[first].module();
            let mut frames = Vec::new();
            for (at, frame) in self.frames.iter().enumerate().skip(first) {
                if Arc::ptr_eq(frame.module(), module) {
                    done[at] = true;
                    frames.push((at, frame.offset));
                }
            }
            let offsets: Vec<u64> = frames.iter().map(|(_, offset)| *offset).collect();
            for ((at, _), location) in frames.iter().zip(module_locations(module, &offsets)) {
                locations[*at] = location;
            }
        }
        locations
    }

    /// Why the innermost function has no code, if that is why it stopped.
    pub(crate) fn lower_error(&self) -> Option<Arc<LowerError>> {
        let frame = self.frames.first()?;
        frame.code.lower_error(frame.func)
    }

    /// The proposal whose instruction the innermost function could not execute, if that is why it
    /// stopped.
    pub fn missing_proposal(&self) -> Option<Proposal> {
        match *self.lower_error()? {
            LowerError::Unsupported(_, proposal) => proposal,
            _ => None,
        }
    }
}

/// The places in source code of instructions of `module`, given by their offsets in its binary.
fn module_locations(module: &Module, offsets: &[u64]) -> Vec<Option<Location>> {
    let section = |name: &str| {
        let found = module.customs.iter().find(|custom| &*custom.name == name)?;
        let bytes = module.bytes.get(found.range.start as usize..found.range.end as usize)?;
        (bytes.len() <= DEBUG_BYTES_MAX).then_some(bytes)
    };
    let code = module.sections.iter().find(|section| section.id == CODE_SECTION);
    let (Some(line), Some(code)) = (section(".debug_line"), code) else {
        return vec![None; offsets.len()];
    };
    // Addresses in the debug information of a module count from the contents of its code section.
    let start = u64::from(code.range.start);
    let addresses: Vec<u64> = offsets.iter().map(|offset| offset.saturating_sub(start)).collect();
    let sections = dwarf::Sections {
        line,
        line_str: section(".debug_line_str").unwrap_or_default(),
        str: section(".debug_str").unwrap_or_default(),
    };
    dwarf::locate(&sections, &addresses)
}

/// One line for each frame, without a line break after the last.
impl fmt::Display for Backtrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let locations = self.locations();
        for (at, (frame, location)) in self.frames.iter().zip(locations).enumerate() {
            if at > 0 {
                writeln!(f)?;
            }
            write!(f, "  {at}: ")?;
            match frame.func_name() {
                Some(name) => write!(f, "`{}`", escape(name))?,
                None => write!(f, "function {}", frame.func().0)?,
            }
            if let Some(location) = location {
                write!(f, " at {location}")?;
            }
            write!(f, " (offset {:#x}", frame.offset)?;
            match frame.module_name() {
                Some(name) => write!(f, " of `{}`)", escape(name))?,
                None => f.write_str(")")?,
            }
        }
        match self.omitted {
            0 => Ok(()),
            more => write!(f, "\n  and {more} more"),
        }
    }
}

impl fmt::Debug for Backtrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backtrace")
            .field("frames", &self.frames)
            .field("omitted", &self.omitted)
            .finish()
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame")
            .field("func", &self.func)
            .field("name", &self.func_name())
            .field("offset", &self.offset)
            .finish_non_exhaustive()
    }
}
