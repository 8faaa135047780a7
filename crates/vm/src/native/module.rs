//! The native code of one module: installing it, so that it calls and is called.
//!
//! A call of a function that is not native yet goes to its *stub*, which says which function it is and
//! jumps to what the function's slot holds: the bridge, later its code.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use dunlin_code::artifact::Function;
use dunlin_code::layout;
use dunlin_code::native::{Entry, RelocTarget, callee_of};
use dunlin_module::DefinedFuncIndex;

use super::asm;
use super::known::{Functions, Installed};
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
pub type Batch<'a> = &'a [Function<'a>];

/// The native code of a module. Used under the lock of the module's code.
#[derive(Debug)]
pub(crate) struct NativeModule {
    /// Dropped first: once the memory is gone its addresses may be another module's.
    _registered: Registered,
    memory: CodeMemory,
    functions: Arc<Functions>,
    loops: BTreeMap<(DefinedFuncIndex, u32), usize>,
    stubs: HashMap<DefinedFuncIndex, usize>,
}

/// Where everything is that a batch is made of, and what it calls.
struct Plan {
    base: usize,
    bytes: usize,
    /// The functions of the batch, in its order.
    starts: Vec<usize>,
    /// Stubs to be made: for whom, where.
    stubs: Vec<(DefinedFuncIndex, usize)>,
    /// Where calls of functions go.
    targets: HashMap<DefinedFuncIndex, usize>,
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
            loops: BTreeMap::new(),
            stubs: HashMap::new(),
            _registered: Registered::new(start, end, functions),
        })
    }

    /// Installs code, and gives the addresses in the order of `batch`. `is_kept` says that the cache has
    /// it already.
    pub(crate) fn install(
        &mut self,
        batch: Batch<'_>,
        is_kept: bool,
        module: &Weak<ModuleCode>,
    ) -> Result<Vec<usize>, NoMemory> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let plan = self.plan(batch);
        let installed = Installed::new(batch, &plan.starts, is_kept, module).ok_or(NoMemory)?;
        let slots: Vec<usize> =
            plan.stubs.iter().map(|(func, _)| self.memory.slot(func.0).addr()).collect();
        self.memory.add(plan.bytes, |bytes| plan.write(batch, &slots, bytes))?;
        for (func, _) in &plan.stubs {
            self.slot(*func).store(asm::bridge().expose_provenance(), Ordering::Release);
        }
        self.stubs.extend(plan.stubs);
        self.functions.add(installed);
        for (function, start) in batch.iter().zip(&plan.starts) {
            match function.entry {
                Entry::Function => self.slot(function.func).store(*start, Ordering::Release),
                Entry::Loop(offset) => {
                    self.loops.insert((function.func, offset), *start);
                }
            }
        }
        Ok(plan.starts)
    }

    fn plan(&self, batch: Batch<'_>) -> Plan {
        let base = self.memory.next();
        let (mut starts, mut targets) = (Vec::with_capacity(batch.len()), HashMap::new());
        let mut at = base;
        for function in batch {
            at = align_code(at);
            starts.push(at);
            if function.entry == Entry::Function {
                targets.insert(function.func, at);
            }
            at += function.code.len();
        }
        let mut stubs = Vec::new();
        for reloc in batch.iter().flat_map(Function::relocs) {
            let RelocTarget::Func(func) = reloc.target;
            targets.entry(func).or_insert_with(|| {
                let known = self.code_of(func).or_else(|| self.stubs.get(&func).copied());
                known.unwrap_or_else(|| {
                    stubs.push((func, at));
                    at += STUB_BYTES;
                    at - STUB_BYTES
                })
            });
        }
        Plan { base, bytes: at - base, starts, stubs, targets }
    }

    fn slot(&self, func: DefinedFuncIndex) -> &AtomicUsize {
        // SAFETY: the slot is in the table, and only ever used as an atomic.
        unsafe { AtomicUsize::from_ptr(self.memory.slot(func.0)) }
    }

    /// The code of a function, if it is native: what its slot holds, once that is not the bridge.
    fn code_of(&self, func: DefinedFuncIndex) -> Option<usize> {
        let code = self.slot(func).load(Ordering::Acquire);
        (code != 0 && code != asm::bridge().addr()).then_some(code)
    }

    /// The code for the loop at `offset` in the module's binary.
    pub(crate) fn loop_at(&self, func: DefinedFuncIndex, offset: u32) -> Option<*const u8> {
        let start = self.loops.get(&(func, offset))?;
        Some(std::ptr::with_exposed_provenance(*start))
    }

    /// How many functions and loops were installed.
    pub(crate) fn count(&self) -> usize {
        self.functions.all().iter().map(|installed| installed.len()).sum()
    }

    /// What was installed and the cache does not have.
    pub(crate) fn unkept(&self) -> Vec<Arc<Installed>> {
        let mut all = self.functions.all();
        all.retain(|installed| !installed.is_kept);
        all
    }

    /// A copy of the code between two addresses.
    pub(crate) fn read(&self, start: usize, end: usize) -> Vec<u8> {
        self.memory.read(start, end)
    }

    /// Bytes of code, pages counted whole.
    pub(crate) fn bytes(&self) -> usize {
        self.memory.used()
    }
}

impl Plan {
    /// Writes the code, filled in, and the stubs, whose `slots` these are.
    fn write(&self, batch: Batch<'_>, slots: &[usize], bytes: &mut [u8]) -> Result<(), NoMemory> {
        let mut end = 0;
        for (function, start) in batch.iter().zip(&self.starts) {
            let to = start - self.base;
            bytes.get_mut(end..to).ok_or(NoMemory)?.fill(TRAP_BYTE);
            end = to + function.code.len();
            let copy = bytes.get_mut(to..end).ok_or(NoMemory)?;
            copy.copy_from_slice(function.code);
            for reloc in function.relocs() {
                let RelocTarget::Func(func) = reloc.target;
                let target = self.targets.get(&func).ok_or(NoMemory)?;
                let place = reloc.offset as usize;
                let field = copy.get_mut(place..place + 4).ok_or(NoMemory)?;
                field.copy_from_slice(&distance(start + place + 4, *target)?);
            }
        }
        for ((func, address), slot) in self.stubs.iter().zip(slots) {
            let to = address - self.base;
            let stub = bytes.get_mut(to..to + STUB_BYTES).ok_or(NoMemory)?;
            stub.copy_from_slice(&stub_code(*func, *address, *slot)?);
            end = to + STUB_BYTES;
        }
        bytes.get_mut(end..).ok_or(NoMemory)?.fill(TRAP_BYTE);
        Ok(())
    }
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
