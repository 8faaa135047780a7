//! The native code of one module: installing it, and what is known of each function.
//!
//! A call of a function that is not native yet goes to its *stub*, which says which function it is and
//! jumps to what the function's slot holds: the bridge, later its code.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, Weak};

use dunlin_code::layout;
use dunlin_code::native::{
    CallSite, Entry, Inlined, NativeCode, Position, Reloc, RelocTarget, TrapCause, TrapSite,
    callee_of,
};
use dunlin_module::DefinedFuncIndex;

use super::asm;
use super::memory::{CodeMemory, align_code};
use super::registry::Registered;
use crate::module_code::ModuleCode;
use crate::sys::NoMemory;

/// Bytes of a stub.
const STUB_BYTES: usize = 17;

/// Bytes of native code for each byte of wasm that room is set aside for, with what is known of the code.
const CODE_PER_BODY_BYTE: usize = 24;
/// The same for each function, because code is installed in whole pages.
const CODE_PER_FUNCTION: usize = 8 << 10;
/// The same for a module.
const CODE_BYTES_MIN: usize = 2 << 20;

/// Functions to install together.
pub type Batch<'a> = &'a [(DefinedFuncIndex, Entry, &'a NativeCode)];

/// Native code of one function.
#[derive(Debug)]
pub(crate) struct NativeFunc {
    pub(crate) module: Weak<ModuleCode>,
    pub(crate) func: DefinedFuncIndex,
    pub(crate) entry: Entry,
    /// Its first address.
    pub(crate) start: usize,
    pub(crate) end: usize,
    align: u32,
    relocs: Box<[Reloc]>,
    calls: Box<[CallSite]>,
    traps: Box<[(u32, TrapCause)]>,
    positions: Box<[(u32, Position)]>,
    inlined: Box<[Inlined]>,
}

impl NativeFunc {
    /// Its code, to be entered.
    pub(crate) fn code(&self) -> *const u8 {
        std::ptr::with_exposed_provenance(self.start)
    }

    /// The call that returns to address `ret`.
    pub(crate) fn call_at(&self, ret: usize) -> Option<&CallSite> {
        let offset = u32::try_from(ret.checked_sub(self.start)?).ok()?;
        let at = self.calls.binary_search_by_key(&offset, |call| call.ret).ok()?;
        self.calls.get(at)
    }

    /// What a fault of the instruction at address `pc` means.
    pub(crate) fn trap_at(&self, pc: usize) -> Option<TrapCause> {
        let offset = u32::try_from(pc.checked_sub(self.start)?).ok()?;
        let at = self.traps.binary_search_by_key(&offset, |trap| trap.0).ok()?;
        self.traps.get(at).map(|trap| trap.1)
    }

    /// Where in which functions the instruction at address `pc` comes from, innermost first.
    pub(crate) fn positions_at(
        &self,
        pc: usize,
    ) -> impl Iterator<Item = (DefinedFuncIndex, u64)> + '_ {
        let offset = pc.saturating_sub(self.start) as u32;
        let at = self.positions.partition_point(|(start, _)| *start <= offset);
        let first = at.checked_sub(1).map(|at| self.positions[at].1).unwrap_or_default();
        std::iter::successors(Some(first), |position| {
            let outer = self.inlined.get((position.inlined as usize).checked_sub(1)?)?;
            // Calls of outer functions have smaller numbers, so that this ends.
            (outer.call.inlined < position.inlined).then_some(outer.call)
        })
        .map(|position| {
            let inlined = (position.inlined as usize).checked_sub(1);
            let func = inlined.and_then(|at| self.inlined.get(at)).map_or(self.func, |i| i.func);
            (func, u64::from(position.offset))
        })
    }
}

/// Functions by address.
#[derive(Debug, Default)]
pub(super) struct Functions(RwLock<BTreeMap<usize, Arc<NativeFunc>>>);

impl Functions {
    pub(super) fn find(&self, pc: usize) -> Option<Arc<NativeFunc>> {
        let functions = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let (_, func) = functions.range(..=pc).next_back()?;
        (pc < func.end).then(|| func.clone())
    }
}

/// The native code of a module. Used under the lock of the module's code.
#[derive(Debug)]
pub(crate) struct NativeModule {
    /// Dropped first: once the memory is gone its addresses may be another module's.
    _registered: Registered,
    memory: CodeMemory,
    functions: Arc<Functions>,
    /// Function → its code, entered with the register ABI.
    entries: HashMap<DefinedFuncIndex, usize>,
    loops: BTreeMap<(DefinedFuncIndex, u32), Arc<NativeFunc>>,
    stubs: HashMap<DefinedFuncIndex, usize>,
}

impl NativeModule {
    /// Room for the native code of a module with so many functions and so many bytes of bodies.
    pub(crate) fn new(functions: usize, body_bytes: usize) -> Result<NativeModule, NoMemory> {
        let code = CODE_BYTES_MIN
            .saturating_add(body_bytes.saturating_mul(CODE_PER_BODY_BYTE))
            .saturating_add(functions.saturating_mul(CODE_PER_FUNCTION));
        if !asm::AVAILABLE {
            return Err(NoMemory);
        }
        asm::prepare();
        let memory = CodeMemory::new(functions, code)?;
        let functions = Arc::new(Functions::default());
        let (start, end) = memory.range();
        Ok(NativeModule {
            memory,
            functions: functions.clone(),
            entries: HashMap::new(),
            loops: BTreeMap::new(),
            stubs: HashMap::new(),
            _registered: Registered::new(start, end, functions),
        })
    }

    /// Installs code, and gives the functions in the order of `batch`.
    pub(crate) fn install(
        &mut self,
        batch: Batch<'_>,
        module: &Weak<ModuleCode>,
    ) -> Result<Vec<Arc<NativeFunc>>, NoMemory> {
        let base = self.memory.next();
        let mut starts = Vec::with_capacity(batch.len());
        let mut at = base;
        for (_, _, code) in batch {
            at = align_code(at);
            starts.push(at);
            at += code.bytes.len();
        }
        let mut targets = Targets { batch: HashMap::new(), stubs: BTreeSet::new() };
        for ((func, entry, _), start) in batch.iter().zip(&starts) {
            if *entry == Entry::Function {
                targets.batch.insert(*func, *start);
            }
        }
        for (_, _, code) in batch {
            for reloc in &code.relocs {
                let RelocTarget::Func(func) = reloc.target;
                if !targets.batch.contains_key(&func) && !self.is_known(func) {
                    targets.stubs.insert(func);
                }
            }
        }
        let first_stub = at;
        let mut bytes = vec![TRAP_BYTE; at - base + targets.stubs.len() * STUB_BYTES];
        let stub_addresses = (first_stub..).step_by(STUB_BYTES);
        let new_stubs: HashMap<_, _> = targets.stubs.iter().copied().zip(stub_addresses).collect();
        for (func, address) in &new_stubs {
            let to = address - base;
            let code = stub_code(*func, *address, self.memory.slot(func.0).addr())?;
            bytes[to..to + STUB_BYTES].copy_from_slice(&code);
        }
        for ((_, _, code), start) in batch.iter().zip(&starts) {
            let to = start - base;
            let copy = &mut bytes[to..to + code.bytes.len()];
            copy.copy_from_slice(&code.bytes);
            for reloc in &code.relocs {
                let RelocTarget::Func(func) = reloc.target;
                let known = targets.batch.get(&func).or_else(|| self.entries.get(&func));
                let target = known.or_else(|| self.stubs.get(&func));
                let target = target.or_else(|| new_stubs.get(&func)).ok_or(NoMemory)?;
                let place = reloc.offset as usize;
                let field = copy.get_mut(place..place + 4).ok_or(NoMemory)?;
                field.copy_from_slice(&distance(start + place + 4, *target)?);
            }
        }
        for func in &targets.stubs {
            // SAFETY: the slot is in the table, and only ever used as an atomic.
            let slot = unsafe { AtomicUsize::from_ptr(self.memory.slot(func.0)) };
            slot.store(asm::bridge().expose_provenance(), Ordering::Release);
        }
        self.memory.add(&bytes)?.expose_provenance();
        self.stubs.extend(new_stubs);
        Ok(self.register(batch, &starts, module))
    }

    fn is_known(&self, func: DefinedFuncIndex) -> bool {
        self.entries.contains_key(&func) || self.stubs.contains_key(&func)
    }

    /// Makes what was just installed known to whoever looks for it.
    fn register(
        &mut self,
        batch: Batch<'_>,
        starts: &[usize],
        module: &Weak<ModuleCode>,
    ) -> Vec<Arc<NativeFunc>> {
        let mut made = Vec::with_capacity(batch.len());
        for ((func, entry, code), start) in batch.iter().zip(starts) {
            made.push(Arc::new(NativeFunc {
                module: module.clone(),
                func: *func,
                entry: *entry,
                start: *start,
                end: start + code.bytes.len(),
                align: code.align,
                relocs: code.relocs.clone().into(),
                calls: code.calls.clone().into(),
                traps: code.traps.iter().map(|trap| (trap.offset, trap.cause)).collect(),
                positions: code.positions.clone().into(),
                inlined: code.inlined.clone().into(),
            }));
        }
        let mut functions = self.functions.0.write().unwrap_or_else(PoisonError::into_inner);
        functions.extend(made.iter().map(|func| (func.start, func.clone())));
        drop(functions);
        for func in &made {
            match func.entry {
                Entry::Function => {
                    self.entries.insert(func.func, func.start);
                    // SAFETY: the slot is in the table, and only ever used as an atomic.
                    let slot = unsafe { AtomicUsize::from_ptr(self.memory.slot(func.func.0)) };
                    slot.store(func.start, Ordering::Release);
                }
                Entry::Loop(offset) => {
                    self.loops.insert((func.func, offset), func.clone());
                }
            }
        }
        made
    }

    /// The code for the loop at `offset` in the module's binary.
    pub(crate) fn loop_at(&self, func: DefinedFuncIndex, offset: u32) -> Option<Arc<NativeFunc>> {
        self.loops.get(&(func, offset)).cloned()
    }

    /// All functions, by address.
    pub(crate) fn functions(&self) -> Vec<Arc<NativeFunc>> {
        let functions = self.functions.0.read().unwrap_or_else(PoisonError::into_inner);
        functions.values().cloned().collect()
    }

    /// What was installed as `func`; places that were filled in are zero.
    pub(crate) fn code_of(&self, func: &NativeFunc) -> NativeCode {
        let mut bytes = self.memory.read(func.start, func.end);
        for reloc in &func.relocs {
            let place = reloc.offset as usize;
            if let Some(field) = bytes.get_mut(place..place + 4) {
                field.fill(0);
            }
        }
        let traps =
            func.traps.iter().map(|(offset, cause)| TrapSite { offset: *offset, cause: *cause });
        NativeCode {
            bytes,
            align: func.align,
            relocs: func.relocs.to_vec(),
            calls: func.calls.to_vec(),
            traps: traps.collect(),
            positions: func.positions.to_vec(),
            inlined: func.inlined.to_vec(),
        }
    }

    /// Bytes of code, pages counted whole.
    pub(crate) fn bytes(&self) -> usize {
        self.memory.used()
    }
}

struct Targets {
    batch: HashMap<DefinedFuncIndex, usize>,
    /// Functions that need a new stub.
    stubs: BTreeSet<DefinedFuncIndex>,
}

/// What is between functions: an instruction that traps.
const TRAP_BYTE: u8 = 0xcc;

/// The distance from `from` to `to` as code has it.
fn distance(from: usize, to: usize) -> Result<[u8; 4], NoMemory> {
    let distance = to.wrapping_sub(from) as isize;
    Ok(i32::try_from(distance).map_err(|_| NoMemory)?.to_le_bytes())
}

/// Code that says that `func` is called and jumps to what its slot holds.
fn stub_code(func: DefinedFuncIndex, at: usize, slot: usize) -> Result<[u8; STUB_BYTES], NoMemory> {
    let callee = i32::try_from(callee_of(func)).map_err(|_| NoMemory)?;
    let mut code = [0; STUB_BYTES];
    // mov qword ptr [rdi + CALLEE], callee
    code[..3].copy_from_slice(&[0x48, 0xc7, 0x87]);
    code[3..7].copy_from_slice(&layout::vmctx::CALLEE.to_le_bytes());
    code[7..11].copy_from_slice(&callee.to_le_bytes());
    // jmp qword ptr [rip + distance]
    code[11..13].copy_from_slice(&[0xff, 0x25]);
    code[13..].copy_from_slice(&distance(at + STUB_BYTES, slot)?);
    Ok(code)
}
