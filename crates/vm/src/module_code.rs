//! The code of a module: shared by its instances, made function by function at the first call.
//!
//! ```text
//!  entry.ip null ──first call──► lower (code::lower) ──► publish: numbers → handlers
//!                                                        └─► keep the words, set entry, entry.ip last
//! ```

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::collections::BTreeMap;
use std::ops::Range;
use std::ptr::NonNull;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use dunlin_code::artifact::Packed;
use dunlin_code::bytecode::field;
use dunlin_code::lower::{Observer, lower_observed};
use dunlin_code::native::Entry;
use dunlin_code::op::{Op, PlainOp};
use dunlin_code::roots::Roots;
use dunlin_code::{Bytecode, Handler, LowerError, Settings, Trap, lower};
use dunlin_module::{DefinedFuncIndex, Module};

use crate::interp;
use crate::native::{Batch, EnterCode, NativeModule};
use crate::store::Fixed;
use crate::tiers::{ModuleTiers, Tiers};
use crate::vmctx::CodeEntry;

/// A module, what its code is made for, and the code made so far.
#[derive(Debug)]
pub struct ModuleCode {
    module: Arc<Module>,
    settings: Settings,
    /// What bytecode is lowered for.
    lowering: Settings,
    entries: Entries,
    published: Mutex<Published>,
    me: Weak<ModuleCode>,
    /// What is compiled; `None` if everything stays interpreted.
    tiers: Option<ModuleTiers>,
    /// Where native code is that was not needed yet, if there is any.
    source: OnceLock<Box<dyn NativeSource>>,
}

/// Native code that is at hand, but not in memory.
pub trait NativeSource: std::fmt::Debug + Send + Sync {
    /// Hands the code of `func` to `install`, and what is better read with it; nothing if there is none,
    /// or it was handed out before. Called from guests, which must not wait for long.
    fn load(&self, module: &Module, func: DefinedFuncIndex, install: &mut dyn FnMut(Batch<'_>));
}

/// Published code, by the address of its first word, so that an instruction's function is found.
#[derive(Debug, Default)]
struct Published {
    by_address: BTreeMap<usize, Body>,
    errors: BTreeMap<u32, Arc<LowerError>>,
    /// Root maps of the functions that were found on a stack.
    roots: BTreeMap<u32, Arc<Roots>>,
    /// Native code, once there is some.
    native: Option<NativeModule>,
    /// What the entries of native functions hold, as far as the interpreter calls them.
    entered: Vec<Fixed<EnterCode>>,
}

#[derive(Debug)]
struct Body {
    func: DefinedFuncIndex,
    words: Box<[u64]>,
    handlers: Box<[Handler]>,
}

/// There is no native code in this build, or no room for more of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NoRoom;

/// The function that an instruction belongs to.
#[derive(Clone, Debug)]
pub(crate) struct Located<'c> {
    pub(crate) func: DefinedFuncIndex,
    /// The addresses of its code.
    pub(crate) code: Range<usize>,
    pub(crate) handlers: &'c [Handler],
}

impl ModuleCode {
    /// The code of `module`, none of it made yet. All of it is going to be interpreted.
    pub fn new(module: Arc<Module>, settings: Settings) -> Arc<ModuleCode> {
        ModuleCode::tiered(module, settings, None)
    }

    /// The code of `module`, none of it made yet. With `tiers`, native code is made when these say.
    pub fn tiered(
        module: Arc<Module>,
        settings: Settings,
        tiers: Option<&Arc<Tiers>>,
    ) -> Arc<ModuleCode> {
        let entries = Entries::new(module.bodies.len());
        Arc::new_cyclic(|me| ModuleCode {
            module,
            settings,
            lowering: tiers.map_or(settings, |tiers| tiers.lowering(settings)),
            entries,
            published: Mutex::default(),
            me: me.clone(),
            tiers: tiers.map(|tiers| ModuleTiers::new(tiers, me)),
            source: OnceLock::new(),
        })
    }

    /// The module.
    pub fn module(&self) -> &Arc<Module> {
        &self.module
    }

    /// What the code is made for.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What is compiled of it, if anything ever is.
    pub(crate) fn tiers(&self) -> Option<&ModuleTiers> {
        self.tiers.as_ref()
    }

    /// The entry of a defined function.
    pub(crate) fn entry(&self, func: DefinedFuncIndex) -> &CodeEntry {
        assert!(func.index() < self.entries.count, "a function of another module");
        // SAFETY: inside the table, which lives as long as `self` and is made of atomics.
        unsafe { &*self.entries().add(func.index()) }
    }

    /// The function of an entry.
    pub(crate) fn func_of(&self, entry: *const CodeEntry) -> DefinedFuncIndex {
        let index = (entry.addr() - self.entries().addr()) / size_of::<CodeEntry>();
        DefinedFuncIndex(index as u32)
    }

    /// The table of entries of the defined functions.
    pub(crate) fn entries(&self) -> *const CodeEntry {
        self.entries.at.as_ptr()
    }

    /// Why a function could not be lowered, if it was called and could not.
    pub(crate) fn lower_error(&self, func: DefinedFuncIndex) -> Option<Arc<LowerError>> {
        self.lock().errors.get(&func.0).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, Published> {
        // Nothing under the lock leaves the maps half changed.
        self.published.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lowers the function of `entry` and publishes its code.
    ///
    /// # Safety
    ///
    /// `entry` is in the table of this module's entries.
    pub(crate) unsafe fn lower_entry(&self, entry: *const CodeEntry) -> Result<*const u64, Trap> {
        let func = self.func_of(entry);
        if let Some(ip) = self.known_code(func) {
            return Ok(ip);
        }
        self.demand(func);
        let mut error = None;
        let mut code = match lower(&self.module, func, &self.lowering) {
            Ok(code) => code,
            Err(e) => {
                let code = self.trapping(func, &e);
                error = Some(Arc::new(e));
                code
            }
        };
        if cfg!(debug_assertions)
            && let Err(e) = dunlin_code::check(&code)
        {
            // Debug builds only, so that tests stop at the function that is wrong.
            panic!("function {} is lowered wrong: {e}", func.0);
        }
        if !interp::publish(&mut code.words, self.settings.memory_kind) {
            return Err(Trap::Bug);
        }
        let mut published = self.lock();
        let entry = self.entry(func);
        let known = entry.ip.load(Ordering::Acquire);
        if !known.is_null() {
            return Ok(known);
        }
        if let Some(error) = error {
            published.errors.insert(func.0, error);
        }
        let words = code.words.into_boxed_slice();
        let ip = words.as_ptr();
        let handlers = code.handlers.into_boxed_slice();
        published.by_address.insert(ip as usize, Body { func, words, handlers });
        entry.frame_slots.store(code.frame_slots, Ordering::Relaxed);
        entry.header_slot.store(code.header_slot, Ordering::Relaxed);
        entry.zero_slots.store(code.zero_slots, Ordering::Relaxed);
        let native = entry.native.load(Ordering::Acquire).cast_const();
        let ip = match native.is_null() {
            true => ip,
            false => self.entering(&mut published, func, native, ip),
        };
        entry.ip.store(ip.cast_mut(), Ordering::Release);
        drop(published);
        let Some(tiers) = &self.tiers else { return Ok(ip) };
        tiers.first_call(self, func);
        Ok(self.known_code(func).unwrap_or(ip))
    }

    /// The code of `func`, also while it is not in its entry because the tiers wait for a call.
    fn known_code(&self, func: DefinedFuncIndex) -> Option<*const u64> {
        let entry = self.entry(func);
        if let Some(tiers) = &self.tiers {
            tiers.end_probe(entry, func);
        }
        let ip = entry.ip.load(Ordering::Acquire).cast_const();
        (!ip.is_null()).then_some(ip)
    }

    /// Code that enters the native code `code` of `func`, whose code for the interpreter is at
    /// `interpreted`.
    fn entering(
        &self,
        published: &mut Published,
        func: DefinedFuncIndex,
        code: *const u8,
        interpreted: *const u64,
    ) -> *const u64 {
        let ty = self.module.func_type(self.module.func_index(func));
        let mut enter = Fixed::new(EnterCode {
            words: [0; 2],
            code,
            interpreted,
            header_slot: self.header_slot(func),
            ty: Arc::as_ptr(ty),
        });
        let op = Op::plain(PlainOp::EnterNative);
        let at = enter.as_ptr();
        enter.words = [interp::handler(op), at.expose_provenance() as u64];
        let words = at.cast::<u64>().cast_const();
        published.entered.push(enter);
        words
    }

    /// Installs native code: from now on functions in `batch` are native wherever they are called, and
    /// loops can be entered.
    ///
    /// # Errors
    ///
    /// If this build has no native code, or there is no room for more.
    pub fn install(&self, batch: Batch<'_>) -> Result<(), NoRoom> {
        self.install_as(batch, false)
    }

    /// As [`ModuleCode::install`], for code that came from where it is kept: [`ModuleCode::each_native`]
    /// leaves it out.
    ///
    /// # Errors
    ///
    /// As [`ModuleCode::install`].
    pub fn install_kept(&self, batch: Batch<'_>) -> Result<(), NoRoom> {
        self.install_as(batch, true)
    }

    fn install_as(&self, batch: Batch<'_>, is_kept: bool) -> Result<(), NoRoom> {
        let mut published = self.lock();
        if published.native.is_none() {
            let bodies = self.module.bodies.iter().map(|body| body.len()).sum();
            let native = NativeModule::new(self.module.bodies.len(), bodies).map_err(|_| NoRoom)?;
            published.native = Some(native);
        }
        let Some(native) = &mut published.native else { return Err(NoRoom) };
        let starts = native.install(batch, is_kept, &self.me).map_err(|_| NoRoom)?;
        for (function, start) in batch.iter().zip(starts) {
            if function.entry != Entry::Function {
                continue;
            }
            let code: *const u8 = std::ptr::with_exposed_provenance(start);
            // SAFETY: V2: a defined function's index is inside the table, which lives as long as `self`.
            let entry = unsafe { &*self.entries().add(function.func.index()) };
            entry.native.store(code.cast_mut(), Ordering::Release);
            let ip = entry.ip.load(Ordering::Acquire).cast_const();
            // One that is native already keeps what enters the older code.
            if published.by_address.contains_key(&ip.addr()) {
                let ip = self.entering(&mut published, function.func, code, ip);
                entry.ip.store(ip.cast_mut(), Ordering::Release);
            }
        }
        Ok(())
    }

    /// Says where native code comes from when it is needed; the first source counts.
    pub fn set_source(&self, source: Box<dyn NativeSource>) {
        // There is one for a module at most.
        let _ = self.source.set(source);
    }

    /// Installs the native code of `func` if it is at hand; whether it is native now.
    pub(crate) fn demand(&self, func: DefinedFuncIndex) -> bool {
        let Some(source) = self.source.get() else { return false };
        source.load(&self.module, func, &mut |batch| {
            // Without room for it everything works, only slower.
            let _ = self.install_kept(batch);
        });
        self.is_native(func)
    }

    /// Whether `func` is native.
    pub fn is_native(&self, func: DefinedFuncIndex) -> bool {
        // SAFETY: V2: as above.
        func.index() < self.entries.count
            && unsafe {
                !(*self.entries().add(func.index())).native.load(Ordering::Acquire).is_null()
            }
    }

    /// The native code for the loop of `func` at `offset` in the module's binary, if there is any.
    pub(crate) fn native_loop(&self, func: DefinedFuncIndex, offset: u32) -> Option<*const u8> {
        self.lock().native.as_ref()?.loop_at(func, offset)
    }

    /// How many functions and loops are native.
    pub fn native_count(&self) -> usize {
        self.lock().native.as_ref().map_or(0, NativeModule::count)
    }

    /// All native code that did not come from where it is kept, one after the other: what is for the
    /// same function and entry, the latest last.
    pub fn each_native(&self, mut each: impl FnMut(DefinedFuncIndex, Entry, Packed<'_>)) {
        let installed = self.lock().native.as_ref().map(NativeModule::unkept).unwrap_or_default();
        // Not locked throughout, as whoever takes it may be slow.
        let read = |start, end| {
            self.lock().native.as_ref().map_or_else(Vec::new, |native| native.read(start, end))
        };
        for installed in installed {
            installed.each(read, &mut each);
        }
    }

    /// Bytes of native code, in whole pages.
    pub fn native_bytes(&self) -> usize {
        self.lock().native.as_ref().map_or(0, NativeModule::bytes)
    }

    /// Code that traps, for a function that cannot be lowered.
    fn trapping(&self, func: DefinedFuncIndex, error: &LowerError) -> Bytecode {
        let ty = self.module.func_type(self.module.func_index(func));
        let header_slot = ty.param_slots().max(ty.result_slots());
        Bytecode {
            words: vec![
                u64::from(Op::plain(PlainOp::Trap).0),
                field::ab_hi(0, 0, error.trap() as u32),
            ],
            frame_slots: header_slot + dunlin_code::frame::HEADER_SLOTS + 4,
            header_slot,
            zero_slots: 0,
            handlers: Vec::new(),
        }
    }

    /// The function whose code the instruction at `ip` belongs to.
    pub(crate) fn function_at(&self, ip: *const u64) -> Option<Located<'_>> {
        let published = self.lock();
        let (start, body) = published.by_address.range(..=ip as usize).next_back()?;
        let code = *start..*start + size_of_val(&*body.words);
        let handlers: *const [Handler] = &raw const *body.handlers;
        // SAFETY: V8: published code is never changed or taken back, and `self` owns it.
        let handlers = unsafe { &*handlers };
        code.contains(&ip.addr()).then_some(Located { func: body.func, code, handlers })
    }

    /// In which slots frames of `func` hold references; `None` if it is no function with code.
    pub(crate) fn roots(&self, func: DefinedFuncIndex) -> Option<Arc<Roots>> {
        if let Some(roots) = self.lock().roots.get(&func.0) {
            return Some(roots.clone());
        }
        let roots = Arc::new(Roots::find(&self.module, func, &self.lowering).ok()?);
        self.lock().roots.insert(func.0, roots.clone());
        Some(roots)
    }

    /// The offsets in the module's binary of the instructions that `words` of the code of `func` were
    /// lowered from; `words` ascend. They are found by lowering the function again, so that code
    /// which never traps keeps no table.
    pub(crate) fn offsets(&self, func: DefinedFuncIndex, words: &[usize]) -> Vec<u64> {
        let first = u64::from(self.module.bodies[func.index()].start);
        let mut find = FindOffsets { words, offsets: vec![first; words.len()] };
        // A function that cannot be lowered has trapping code, which stands for its beginning.
        if lower_observed(&self.module, func, &self.lowering, &mut find).is_err() {
            return vec![first; words.len()];
        }
        find.offsets
    }

    /// The offset in the module's binary of the loop that branches back to `word` go to.
    pub(crate) fn loop_at(&self, func: DefinedFuncIndex, word: usize) -> Option<u32> {
        let mut find = FindLoop { word, offset: None };
        lower_observed(&self.module, func, &self.lowering, &mut find).ok()?;
        find.offset
    }

    /// The slot of the frame header in frames of `func`; 0 if it never ran.
    pub(crate) fn header_slot(&self, func: DefinedFuncIndex) -> u32 {
        // SAFETY: a defined function's index is inside the table.
        unsafe { (*self.entries().add(func.index())).header_slot.load(Ordering::Acquire) }
    }
}

struct FindOffsets<'a> {
    words: &'a [usize],
    offsets: Vec<u64>,
}

impl Observer for FindOffsets<'_> {
    fn instruction(&mut self, word: usize, offset: u64) {
        // Of the instructions that begin at or before a word, the last is the one; so each overwrites
        // what is found for the words from its own on.
        let from = self.words.partition_point(|wanted| *wanted < word);
        self.offsets[from..].fill(offset);
    }
}

struct FindLoop {
    word: usize,
    offset: Option<u32>,
}

impl Observer for FindLoop {
    fn loop_header(&mut self, word: usize, offset: u64) {
        // Of several loops that begin at the word the innermost.
        if word == self.word {
            self.offset = u32::try_from(offset).ok();
        }
    }
}

/// A zeroed table of entries: memory the system commits when it is first touched.
#[derive(Debug)]
struct Entries {
    at: NonNull<CodeEntry>,
    count: usize,
}

// SAFETY: an entry is made of atomics; the table is owned.
unsafe impl Send for Entries {}
// SAFETY: as above.
unsafe impl Sync for Entries {}

impl Entries {
    fn new(count: usize) -> Entries {
        let Some(layout) = Entries::layout(count) else {
            return Entries { at: NonNull::dangling(), count: 0 };
        };
        // SAFETY: the layout is not of size zero.
        let at = unsafe { alloc_zeroed(layout) };
        // All-zero bytes are an entry without code.
        match NonNull::new(at.cast()) {
            Some(at) => Entries { at, count },
            None => handle_alloc_error(layout),
        }
    }

    fn layout(count: usize) -> Option<Layout> {
        Layout::array::<CodeEntry>(count).ok().filter(|layout| layout.size() > 0)
    }
}

impl Drop for Entries {
    fn drop(&mut self) {
        if let Some(layout) = Entries::layout(self.count) {
            // SAFETY: allocated in `new` with this layout.
            unsafe { dealloc(self.at.as_ptr().cast(), layout) };
        }
    }
}
