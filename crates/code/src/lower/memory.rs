//! Memory: scalar loads and stores, size, growth, bulk operations (core spec §4.4.7).

use dunlin_module::op::{MemArg, MemArgTarget, Operator};

use crate::bytecode::field;
use crate::op::{
    AddrForm, BinForm, BinOp, Class, Dst, LoadOp, Op, OpKind, PlainOp, StoreForm, StoreOp,
};

use super::Lower;
use super::emit::Arg;

/// The memory and offset an access names.
#[derive(Clone, Copy, Debug)]
pub(super) struct Address {
    pub(super) memory: u16,
    pub(super) offset: u64,
}

impl Address {
    /// `None` for an access to an array, not a memory.
    pub(super) fn new(memarg: &MemArg) -> Option<Address> {
        match memarg.target {
            MemArgTarget::Memory(memory) => {
                Some(Address { memory: memory as u16, offset: memarg.offset })
            }
            MemArgTarget::Array(_) => None,
        }
    }
}

macro_rules! load_op {
    ($($name:ident $memory:tt $result:tt,)*) => {
        fn load_op(op: &Operator<'_>) -> Option<(LoadOp, Address)> {
            match op {
                $(Operator::$name { memarg } => Some((LoadOp::$name, Address::new(memarg)?)),)*
                _ => None,
            }
        }
    };
}
crate::for_each_load_op!(load_op);

macro_rules! store_op {
    ($($name:ident $value:tt $memory:tt,)*) => {
        fn store_op(op: &Operator<'_>) -> Option<(StoreOp, Address)> {
            match op {
                $(Operator::$name { memarg } => Some((StoreOp::$name, Address::new(memarg)?)),)*
                _ => None,
            }
        }
    };
}
crate::for_each_store_op!(store_op);

/// The form of a load whose address is this sum, if it is one.
fn sum_form(kind: OpKind) -> Option<AddrForm> {
    match kind {
        OpKind::Bin(BinOp::I32Add, BinForm::Ss, Dst::Acc) => Some(AddrForm::Ss),
        OpKind::Bin(BinOp::I32Add, BinForm::Rs, Dst::Acc) => Some(AddrForm::Rs),
        OpKind::Bin(BinOp::I32Add, BinForm::Si, Dst::Acc) => Some(AddrForm::Si),
        OpKind::Bin(BinOp::I32Add, BinForm::Ri, Dst::Acc) => Some(AddrForm::Ri),
        _ => None,
    }
}

impl Lower<'_> {
    /// Lowers a memory instruction; false if `op` is none.
    pub(super) fn memory(&mut self, op: &Operator<'_>) -> bool {
        if let Some((op, at)) = load_op(op) {
            self.load(op, at);
            return true;
        }
        if let Some((op, at)) = store_op(op) {
            self.store(op, at);
            return true;
        }
        match *op {
            Operator::MemorySize { mem } => {
                let page = u32::from(self.module.memories[mem as usize].page_size_log2);
                self.slot_result(Class::Int, |dst| {
                    (Op::plain(PlainOp::MemorySize), [field::ab_hi(dst, mem as u16, page), 0, 0])
                });
            }
            Operator::MemoryGrow { mem } => {
                let wide = u16::from(self.module.memories[mem as usize].index64);
                self.based(PlainOp::MemoryGrow, 1, &[Class::Int], |base| {
                    field::abcd(base, mem as u16, wide, 0)
                });
            }
            Operator::MemoryFill { mem } => {
                self.based(PlainOp::MemoryFill, 3, &[], |b| field::abcd(b, mem as u16, 0, 0));
            }
            Operator::MemoryCopy { dst_mem, src_mem } => {
                self.based(PlainOp::MemoryCopy, 3, &[], |base| {
                    field::abcd(base, dst_mem as u16, src_mem as u16, 0)
                });
            }
            Operator::MemoryInit { data_index, mem } => {
                self.based(PlainOp::MemoryInit, 3, &[], |base| {
                    field::ab_hi(base, mem as u16, data_index)
                });
            }
            Operator::DataDrop { data_index } => {
                self.code.plain(PlainOp::DataDrop, &[field::ab_hi(0, 0, data_index)]);
            }
            _ => return false,
        }
        true
    }

    /// The offset, if the access can use the short forms: memory 0, 32-bit addresses, 64 KiB pages.
    fn short_offset(&self, at: Address) -> Option<u32> {
        let ty = &self.module.memories[at.memory as usize];
        let short = at.memory == 0 && !ty.index64 && ty.page_size_log2 == 16;
        if short { u32::try_from(at.offset).ok() } else { None }
    }

    fn load(&mut self, op: LoadOp, at: Address) {
        let class = op.result().class();
        let Some(offset) = self.short_offset(at) else {
            let addr = self.pop_slot();
            let word = field::abcd(0, self.code.read(addr, 1), at.memory, 0);
            let op = Op::load(op, AddrForm::G, Dst::Acc);
            self.produce(op, &[word, at.offset], class);
            return;
        };
        let entry = self.stack.pop();
        if let Some((OpKind::Bin(_, form, _), word, _)) =
            self.take_back_producer(entry, |kind| sum_form(kind).is_some())
            && let Some(form) = sum_form(OpKind::Bin(BinOp::I32Add, form, Dst::Acc))
        {
            let (b, c) = (field::b(word), field::c(word));
            let second = field::lo_hi(offset, field::hi(word));
            let c = if matches!(form, AddrForm::Ss | AddrForm::Rs) { c } else { 0 };
            let op = Op::load(op, form, Dst::Acc);
            self.produce(op, &[field::abcd(0, b, c, 0), second], class);
            return;
        }
        let (src, addr) = self.src_of(entry);
        let form = match src {
            crate::op::Src::R => AddrForm::R,
            crate::op::Src::S => AddrForm::S,
        };
        let word = field::ab_hi(0, addr, offset);
        self.produce(Op::load(op, form, Dst::Acc), &[word], class);
    }

    fn store(&mut self, op: StoreOp, at: Address) {
        let value = self.stack.pop();
        let addr = self.stack.pop();
        let Some(offset) = self.short_offset(at) else {
            let (value, addr) = (self.slot_of(value), self.slot_of(addr));
            let (value, addr) = (self.code.read(value, 1), self.code.read(addr, 1));
            let word = field::abcd(addr, value, at.memory, 0);
            self.code.op(Op::store(op, StoreForm::G), &[word, at.offset]);
            return;
        };
        let mut value_arg = self.arg(value);
        let addr_arg = match self.arg(addr) {
            Arg::Const(bits) => {
                self.code.constant(addr.home, bits);
                Arg::Slot(addr.home)
            }
            arg => arg,
        };
        if let (Arg::Acc(..), Arg::Acc(slot, _)) = (addr_arg, value_arg)
            && op.value().class() == Class::Int
        {
            // Only a local can be both, and locals are always in their slots.
            value_arg = Arg::Slot(slot);
        }
        let mut near = |arg| match arg {
            Arg::Slot(slot) => self.code.read(slot, 1),
            _ => 0,
        };
        let word = field::ab_hi(near(addr_arg), near(value_arg), offset);
        let form = match (addr_arg, value_arg) {
            (Arg::Slot(_), Arg::Slot(_)) => StoreForm::Ss,
            (Arg::Slot(_), Arg::Acc(..)) => StoreForm::Sr,
            (Arg::Slot(_), Arg::Const(_)) => StoreForm::Si,
            (_, Arg::Slot(_)) => StoreForm::Rs,
            (_, Arg::Acc(..)) => StoreForm::Rr,
            (_, Arg::Const(_)) => StoreForm::Ri,
        };
        let code = Op::store(op, form);
        match value_arg {
            Arg::Const(bits) => self.code.op(code, &[word, bits]),
            _ => self.code.op(code, &[word]),
        };
    }
}
