//! What is known of native code, by address: as packed as it came until somebody asks.
//!
//! Most code never traps, is never found on a stack by the collector, and is in no backtrace. So what is
//! known of places in it stays in the bytes that it was read from, and is unpacked function by function
//! when it is first needed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};

use dunlin_code::artifact::{self, Function, Packed};
use dunlin_code::native::{CallSite, Entry, NativeCode, TrapCause};
use dunlin_module::DefinedFuncIndex;

use crate::module_code::ModuleCode;

/// Native code of one function, and all that is known of it.
#[derive(Debug)]
pub(crate) struct NativeFunc {
    pub(crate) module: Weak<ModuleCode>,
    pub(crate) func: DefinedFuncIndex,
    /// Its first address.
    pub(crate) start: usize,
    /// Without the code.
    places: NativeCode,
}

impl NativeFunc {
    /// The call that returns to address `ret`.
    pub(crate) fn call_at(&self, ret: usize) -> Option<&CallSite> {
        let offset = u32::try_from(ret.checked_sub(self.start)?).ok()?;
        let calls = &self.places.calls;
        let at = calls.binary_search_by_key(&offset, |call| call.ret).ok()?;
        calls.get(at)
    }

    /// What a fault of the instruction at address `pc` means.
    pub(crate) fn trap_at(&self, pc: usize) -> Option<TrapCause> {
        let offset = u32::try_from(pc.checked_sub(self.start)?).ok()?;
        let traps = &self.places.traps;
        let at = traps.binary_search_by_key(&offset, |trap| trap.offset).ok()?;
        traps.get(at).map(|trap| trap.cause)
    }

    /// Where in which functions the instruction at address `pc` comes from, innermost first.
    pub(crate) fn positions_at(
        &self,
        pc: usize,
    ) -> impl Iterator<Item = (DefinedFuncIndex, u64)> + '_ {
        let offset = pc.saturating_sub(self.start) as u32;
        let (positions, inlined) = (&self.places.positions, &self.places.inlined);
        let at = positions.partition_point(|(start, _)| *start <= offset);
        let first = at.checked_sub(1).map(|at| positions[at].1).unwrap_or_default();
        std::iter::successors(Some(first), |position| {
            let outer = inlined.get((position.inlined as usize).checked_sub(1)?)?;
            // Calls of outer functions have smaller numbers, so that this ends.
            (outer.call.inlined < position.inlined).then_some(outer.call)
        })
        .map(|position| {
            let at = (position.inlined as usize).checked_sub(1);
            let func = at.and_then(|at| inlined.get(at)).map_or(self.func, |i| i.func);
            (func, u64::from(position.offset))
        })
    }
}

/// Where one function lies in what was installed with it.
#[derive(Debug)]
struct Row {
    func: DefinedFuncIndex,
    entry: Entry,
    /// Its code, counted from the first address of the batch.
    offset: u32,
    code_bytes: u32,
    /// Where its metadata ends, which begins where that of the function before it does.
    meta_end: u32,
    align: u32,
}

/// Functions that were installed together.
#[derive(Debug)]
pub(crate) struct Installed {
    module: Weak<ModuleCode>,
    start: usize,
    /// Ascending by offset.
    rows: Box<[Row]>,
    meta: Box<[u8]>,
    /// Whether the cache has them already.
    pub(super) is_kept: bool,
    /// What somebody asked for, by row.
    unpacked: Mutex<HashMap<usize, Arc<NativeFunc>>>,
}

impl Installed {
    /// What is known of `batch`, whose functions begin at the addresses `starts`, which ascend. None if
    /// it is larger than code memory can be.
    pub(super) fn new(
        batch: &[Function<'_>],
        starts: &[usize],
        is_kept: bool,
        module: &Weak<ModuleCode>,
    ) -> Option<Installed> {
        let start = *starts.first()?;
        let mut meta = Vec::with_capacity(batch.iter().map(|func| func.meta().len()).sum());
        let mut rows = Vec::with_capacity(batch.len());
        for (function, at) in batch.iter().zip(starts) {
            meta.extend_from_slice(function.meta());
            rows.push(Row {
                func: function.func,
                entry: function.entry,
                offset: u32::try_from(at - start).ok()?,
                code_bytes: u32::try_from(function.code.len()).ok()?,
                meta_end: u32::try_from(meta.len()).ok()?,
                align: function.align(),
            });
        }
        let (rows, meta) = (rows.into_boxed_slice(), meta.into_boxed_slice());
        let (module, unpacked) = (module.clone(), Mutex::default());
        Some(Installed { module, start, rows, meta, is_kept, unpacked })
    }

    /// How many functions and loops.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Each function and loop, with the addresses of its code, and packed with the code that `read` finds
    /// there.
    pub(crate) fn each(
        &self,
        read: impl Fn(usize, usize) -> Vec<u8>,
        mut each: impl FnMut(DefinedFuncIndex, Entry, Packed<'_>),
    ) {
        for (at, row) in self.rows.iter().enumerate() {
            let start = self.start + row.offset as usize;
            let code = read(start, start + row.code_bytes as usize);
            each(row.func, row.entry, Packed::unlinked(row.align, code, self.meta(at)));
        }
    }

    fn meta(&self, at: usize) -> &[u8] {
        let begin = at.checked_sub(1).map_or(0, |before| self.rows[before].meta_end);
        &self.meta[begin as usize..self.rows[at].meta_end as usize]
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<usize, Arc<NativeFunc>>> {
        // Nothing panics under the lock.
        self.unpacked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, pc: usize) -> Option<Arc<NativeFunc>> {
        let offset = u32::try_from(pc.checked_sub(self.start)?).ok()?;
        let at = self.rows.partition_point(|row| row.offset <= offset).checked_sub(1)?;
        let row = self.rows.get(at)?;
        if offset - row.offset >= row.code_bytes {
            return None;
        }
        if let Some(known) = self.lock().get(&at) {
            return Some(known.clone());
        }
        let made = Arc::new(NativeFunc {
            module: self.module.clone(),
            func: row.func,
            start: self.start + row.offset as usize,
            places: artifact::places(self.meta(at), row.code_bytes as usize),
        });
        Some(self.lock().entry(at).or_insert(made).clone())
    }
}

/// All that was installed of a module, by address.
#[derive(Debug, Default)]
pub(super) struct Functions(RwLock<Vec<Arc<Installed>>>);

impl Functions {
    pub(super) fn find(&self, pc: usize) -> Option<Arc<NativeFunc>> {
        let installed = {
            let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
            let at = all.partition_point(|installed| installed.start <= pc).checked_sub(1)?;
            all.get(at)?.clone()
        };
        installed.find(pc)
    }

    /// Adds what was installed behind all the rest.
    pub(super) fn add(&self, installed: Installed) {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        debug_assert!(all.last().is_none_or(|last| last.start < installed.start));
        all.push(Arc::new(installed));
    }

    /// All there is, in the order in which it was installed.
    pub(super) fn all(&self) -> Vec<Arc<Installed>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
