//! Memory: addresses, scalar loads and stores, size, growth, bulk operations (core spec §4.4.7).

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Type, Value, types};
use dunlin_code::layout::{memory, vmctx};
use dunlin_code::native::Builtin;
use dunlin_code::{MemoryKind, Trap};
use dunlin_module::op::{MemArg, MemArgTarget, Operator};

use super::access::Region;
use super::{Result, Translator};
use crate::traps;

/// Where an access goes: what a load or store instruction takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Address {
    /// Base of the memory plus index.
    pub(super) base: Value,
    pub(super) offset: i32,
    /// With the alias region and the trap that a fault means.
    pub(super) flags: MemFlagsData,
}

/// The memory that `memarg` names; `None` for an access to an array.
pub(super) fn memory_of(memarg: &MemArg) -> Option<u32> {
    match memarg.target {
        MemArgTarget::Memory(memory) => Some(memory),
        MemArgTarget::Array(_) => None,
    }
}

impl Translator<'_, '_> {
    /// Whether no address leaves what is reserved for the memory, so that nothing need be checked.
    pub(super) fn is_guarded(&self, memory: u32) -> bool {
        let ty = &self.module.memories[memory as usize];
        self.settings.memory_kind == MemoryKind::Guard && !ty.index64 && ty.page_size_log2 == 16
    }

    /// The address of the `MemoryDef`.
    fn memory_def(&mut self, memory: u32) -> Value {
        match memory {
            0 => self.context_field(vmctx::MEM0),
            _ => self.context_entry(self.layout.memories, memory),
        }
    }

    fn memory_base(&mut self, memory: u32) -> Value {
        let stays = self.is_guarded(memory) || self.module.memories[memory as usize].shared;
        if stays && memory == 0 {
            return self.context_field(vmctx::BASE0);
        }
        let def = self.memory_def(memory);
        if stays {
            return self.load_constant(types::I64, def, memory::BASE);
        }
        self.load_field(types::I64, Region::Definitions, def, memory::BASE)
    }

    fn memory_region(&self, memory: u32) -> Region {
        match memory.checked_sub(self.module.imported.memories) {
            None => Region::ImportedMemories,
            Some(defined) => Region::Memory(defined),
        }
    }

    /// Pops an index and gives where `bytes` bytes at the place that `memarg` and it name are: checked,
    /// or so that the access itself traps.
    pub(super) fn pop_address(&mut self, memarg: &MemArg, bytes: u32) -> Address {
        let index = self.pop();
        self.address(memarg, index, bytes)
    }

    /// Where `bytes` bytes at the place that `memarg` and `index` name are.
    pub(super) fn address(&mut self, memarg: &MemArg, index: Value, bytes: u32) -> Address {
        // Validation leaves nothing else that gets here: accesses to arrays are not translated.
        let memory = memory_of(memarg).unwrap_or_default();
        let region = self.memory_region(memory);
        let region = self.region(region);
        let flags = MemFlagsData::new()
            .with_alias_region(Some(region))
            .with_trap_code(Some(traps::code(Trap::MemoryOutOfBounds)));
        let index = self.widened(index);
        let base = self.memory_base(memory);
        if self.is_guarded(memory) {
            let (index, offset) = self.split_offset(index, memarg.offset);
            let base = self.b.ins().iadd(base, index);
            return Address { base, offset, flags };
        }
        let outside = self.is_outside(memory, index, memarg.offset, bytes);
        let (index, offset) = self.split_offset(index, memarg.offset);
        let base = self.b.ins().iadd(base, index);
        let base = match offset {
            0 => base,
            _ => self.b.ins().iadd_imm_s(base, i64::from(offset)),
        };
        // What is outside becomes address 0, where accesses fault, also where the processor runs ahead.
        let nowhere = self.i64(0);
        let base = self.b.ins().select_spectre_guard(outside, nowhere, base);
        Address { base, offset: 0, flags }
    }

    /// An index and an offset with the same sum, of which the offset fits into an instruction.
    fn split_offset(&mut self, index: Value, offset: u64) -> (Value, i32) {
        match i32::try_from(offset) {
            Ok(offset) => (index, offset),
            Err(_) => {
                let offset = self.i64(offset);
                (self.b.ins().iadd(index, offset), 0)
            }
        }
    }

    /// Whether one of `bytes` bytes at `index` plus `offset` is outside of the memory.
    fn is_outside(&mut self, memory: u32, index: Value, offset: u64, bytes: u32) -> Value {
        let def = self.memory_def(memory);
        let len = self.load_field(types::I64, Region::Definitions, def, memory::LEN);
        let Some(reach) = offset.checked_add(bytes.into()) else {
            return self.b.ins().iconst(types::I8, 1);
        };
        if let Some(end) = self.constant_of(index).and_then(|index| index.checked_add(reach)) {
            let end = self.i64(end);
            return self.b.ins().icmp(IntCC::UnsignedGreaterThan, end, len);
        }
        let reach = self.i64(reach);
        let end = if self.module.memories[memory as usize].index64 {
            let trap = traps::code(Trap::MemoryOutOfBounds);
            self.b.ins().uadd_overflow_trap(index, reach, trap)
        } else {
            self.b.ins().iadd(index, reach)
        };
        self.b.ins().icmp(IntCC::UnsignedGreaterThan, end, len)
    }

    /// Translates a memory instruction; false if `op` is none.
    pub(super) fn memory(&mut self, op: &Operator<'_>) -> Result<bool> {
        Ok(self.load(op) || self.store(op) || self.whole_memory(op))
    }

    fn load(&mut self, op: &Operator<'_>) -> bool {
        use types::{F32, F64, I8, I16, I32, I64};
        let (memarg, memory, signed, result) = match op {
            Operator::I32Load { memarg } => (memarg, I32, false, I32),
            Operator::I64Load { memarg } => (memarg, I64, false, I64),
            Operator::F32Load { memarg } => (memarg, F32, false, F32),
            Operator::F64Load { memarg } => (memarg, F64, false, F64),
            Operator::I32Load8S { memarg } => (memarg, I8, true, I32),
            Operator::I32Load8U { memarg } => (memarg, I8, false, I32),
            Operator::I32Load16S { memarg } => (memarg, I16, true, I32),
            Operator::I32Load16U { memarg } => (memarg, I16, false, I32),
            Operator::I64Load8S { memarg } => (memarg, I8, true, I64),
            Operator::I64Load8U { memarg } => (memarg, I8, false, I64),
            Operator::I64Load16S { memarg } => (memarg, I16, true, I64),
            Operator::I64Load16U { memarg } => (memarg, I16, false, I64),
            Operator::I64Load32S { memarg } => (memarg, I32, true, I64),
            Operator::I64Load32U { memarg } => (memarg, I32, false, I64),
            _ => return false,
        };
        if memory_of(memarg).is_none() {
            return false;
        }
        let at = self.pop_address(memarg, memory.bytes());
        let value = self.load_extended(at, memory, signed, result);
        self.push(value);
        true
    }

    fn load_extended(&mut self, at: Address, memory: Type, signed: bool, result: Type) -> Value {
        let Address { base, offset, flags } = at;
        let b = self.b.ins();
        match (memory, signed) {
            (types::I8, true) => b.sload8(result, flags, base, offset),
            (types::I8, false) => b.uload8(result, flags, base, offset),
            (types::I16, true) => b.sload16(result, flags, base, offset),
            (types::I16, false) => b.uload16(result, flags, base, offset),
            (types::I32, true) => b.sload32(flags, base, offset),
            (types::I32, false) if result == types::I64 => b.uload32(flags, base, offset),
            _ => b.load(memory, flags, base, offset),
        }
    }

    fn store(&mut self, op: &Operator<'_>) -> bool {
        use types::{F32, F64, I8, I16, I32, I64};
        let (memarg, memory) = match op {
            Operator::I32Store { memarg } => (memarg, I32),
            Operator::I64Store { memarg } => (memarg, I64),
            Operator::F32Store { memarg } => (memarg, F32),
            Operator::F64Store { memarg } => (memarg, F64),
            Operator::I32Store8 { memarg } | Operator::I64Store8 { memarg } => (memarg, I8),
            Operator::I32Store16 { memarg } | Operator::I64Store16 { memarg } => (memarg, I16),
            Operator::I64Store32 { memarg } => (memarg, I32),
            _ => return false,
        };
        if memory_of(memarg).is_none() {
            return false;
        }
        let value = self.pop();
        let Address { base, offset, flags } = self.pop_address(memarg, memory.bytes());
        let whole = self.type_of(value) == memory;
        let b = self.b.ins();
        match memory {
            _ if whole => b.store(flags, value, base, offset),
            I8 => b.istore8(flags, value, base, offset),
            I16 => b.istore16(flags, value, base, offset),
            _ => b.istore32(flags, value, base, offset),
        };
        true
    }

    fn whole_memory(&mut self, op: &Operator<'_>) -> bool {
        match *op {
            Operator::MemorySize { mem } => self.memory_size(mem),
            Operator::MemoryGrow { mem } => {
                let delta = self.pop();
                let ty = self.type_of(delta);
                self.builtin(Builtin::MemoryGrow, &[delta], mem.into(), 0);
                let old = self.builtin_result(ty, 0);
                self.push(old);
            }
            Operator::MemoryFill { mem } => {
                let args = self.pop_many(3);
                self.builtin(Builtin::MemoryFill, &args, mem.into(), 0);
            }
            Operator::MemoryCopy { dst_mem, src_mem } => {
                let args = self.pop_many(3);
                self.builtin(Builtin::MemoryCopy, &args, dst_mem.into(), src_mem.into());
            }
            Operator::MemoryInit { data_index, mem } => {
                let args = self.pop_many(3);
                self.builtin(Builtin::MemoryInit, &args, data_index.into(), mem.into());
            }
            Operator::DataDrop { data_index } => {
                self.builtin_silent(Builtin::DataDrop, &[], data_index.into(), 0);
            }
            _ => return false,
        }
        true
    }

    fn memory_size(&mut self, memory: u32) {
        let ty = self.module.memories[memory as usize];
        let def = self.memory_def(memory);
        let len = if ty.shared {
            // In the strongest order, for what other threads did before they made the memory larger.
            let flags = self.flags(Region::Definitions);
            let at = self.b.ins().iadd_imm_s(def, i64::from(memory::LEN));
            self.b.ins().atomic_load(types::I64, flags, at)
        } else {
            self.load_field(types::I64, Region::Definitions, def, memory::LEN)
        };
        let pages = self.b.ins().ushr_imm_u(len, i64::from(ty.page_size_log2));
        let pages = if ty.index64 { pages } else { self.b.ins().ireduce(types::I32, pages) };
        self.push(pages);
    }
}
