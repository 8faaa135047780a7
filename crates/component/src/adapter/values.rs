//! Copying values between two guests, as core wasm.

use wasm_encoder::{BlockType, Function, InstructionSink, MemArg, MemArgTarget, ValType};

use super::group::Failure;
use crate::flags::MAY_LEAVE;
use crate::plan::{Cases, Field, MAX_BYTES, Op, Plan, PlanId, Plans};

/// Parts of values that one adapter copies at most: what is longer the host does as well.
const PARTS_MAX: u32 = 256;
/// Bytes that are copied with loads and stores.
const WORDS_MAX: u32 = 64;

/// One end of a copy, by positions of imports.
#[derive(Clone, Copy, Debug)]
pub(super) struct End {
    pub(super) memory: Option<u32>,
    /// What is going on in the instance.
    pub(super) flags: u32,
    pub(super) realloc: Option<u32>,
    /// What looks at strings.
    pub(super) text: Option<u32>,
    /// What says what is wrong with lists.
    pub(super) list: Option<u32>,
}

/// Where a value is.
#[derive(Clone, Copy)]
pub(super) enum Spot {
    /// In locals, one for each core value, from this one on.
    Locals(u32),
    /// In memory, so many bytes from where a local points.
    Memory(u32, u32),
}

impl Spot {
    /// Where a local points.
    pub(super) fn memory(base: u32) -> Spot {
        Spot::Memory(base, 0)
    }

    fn field(self, field: &Field) -> Spot {
        self.part(field.flat, field.offset)
    }

    fn payload(self, cases: &Cases) -> Spot {
        self.part(1, cases.payload)
    }

    /// So many core values, or bytes, further on.
    fn part(self, flat: u32, offset: u32) -> Spot {
        match self {
            Spot::Locals(first) => Spot::Locals(first + flat),
            Spot::Memory(base, at) => Spot::Memory(base, at + offset),
        }
    }
}

/// Code of a function that is being written.
pub(super) struct Code {
    bytes: Vec<u8>,
    /// The types of parameters and locals.
    locals: Vec<ValType>,
    params: usize,
    fail: u32,
    parts: u32,
}

impl Code {
    pub(super) fn new(fail: u32, params: impl Iterator<Item = ValType>) -> Code {
        let locals: Vec<_> = params.collect();
        Code { bytes: Vec::new(), params: locals.len(), locals, fail, parts: 0 }
    }

    pub(super) fn out(&mut self) -> InstructionSink<'_> {
        InstructionSink::new(&mut self.bytes)
    }

    /// A new local.
    pub(super) fn local(&mut self, ty: ValType) -> u32 {
        self.locals.push(ty);
        self.locals.len() as u32 - 1
    }

    fn is_long(&self, local: u32) -> bool {
        self.locals.get(local as usize) == Some(&ValType::I64)
    }

    pub(super) fn fail(&mut self, failure: Failure) {
        let fail = self.fail;
        self.out().i32_const(failure as i32).call(fail).unreachable();
    }

    /// Fails if there is a number other than 0 on the stack.
    pub(super) fn fail_if(&mut self, failure: Failure) {
        self.out().if_(BlockType::Empty);
        self.fail(failure);
        self.out().end();
    }

    pub(super) fn into_function(self) -> Function {
        let own = self.locals.into_iter().skip(self.params);
        let mut function = Function::new_with_locals_types(own);
        function.raw(self.bytes);
        function
    }
}

/// Copies from the first end to the second. Whatever it cannot follow makes it give nothing.
pub(super) struct Copy<'a> {
    pub(super) code: &'a mut Code,
    pub(super) plans: &'a Plans,
    /// Whether both ends have strings in UTF-8.
    pub(super) utf8: bool,
    pub(super) ends: Option<[End; 2]>,
}

impl<'a> Copy<'a> {
    fn end(&self, which: usize) -> Option<End> {
        self.ends?.get(which).copied()
    }

    fn memory(&self, which: usize) -> Option<u32> {
        self.end(which)?.memory
    }

    /// Fails unless all of a value that a local points to is there, at an end.
    pub(super) fn check(&mut self, which: usize, at: u32, plan: &Plan) -> Option<()> {
        if plan.align > 1 {
            self.code.out().local_get(at).i32_const(plan.align as i32 - 1).i32_and();
            self.code.fail_if(Failure::Unaligned);
        }
        self.code.out().local_get(at).i64_extend_i32_u().i64_const(plan.size.into()).i64_add();
        self.beyond(which)?;
        self.code.fail_if(Failure::OutOfBounds);
        Some(())
    }

    /// Whether the 64-bit address on the stack is beyond the end of a memory.
    fn beyond(&mut self, which: usize) -> Option<()> {
        let memory = self.memory(which)?;
        let mut out = self.code.out();
        out.memory_size(memory).i64_extend_i32_u().i64_const(16).i64_shl().i64_gt_u();
        Some(())
    }

    /// Room at the other end for a value: in a local.
    pub(super) fn room(&mut self, plan: &Plan) -> Option<u32> {
        if u64::from(plan.size) >= MAX_BYTES {
            return None;
        }
        let size = self.code.local(ValType::I32);
        self.code.out().i32_const(plan.size as i32).local_set(size);
        self.allocate(plan.align, size)
    }

    /// Has the other end allocate as many bytes as a local says: a local points to them.
    fn allocate(&mut self, align: u32, size: u32) -> Option<u32> {
        let end = self.end(1)?;
        let (flags, at) = (self.code.local(ValType::I32), self.code.local(ValType::I32));
        let mut out = self.code.out();
        out.global_get(end.flags).local_tee(flags).i32_const(!MAY_LEAVE as i32).i32_and();
        out.global_set(end.flags);
        out.i32_const(0).i32_const(0).i32_const(align as i32).local_get(size);
        out.call(end.realloc?).local_set(at);
        out.local_get(flags).global_set(end.flags);
        if align > 1 {
            out.local_get(at).i32_const(align as i32 - 1).i32_and();
            self.code.fail_if(Failure::Unaligned);
        }
        let mut out = self.code.out();
        out.local_get(at).i64_extend_i32_u().local_get(size).i64_extend_i32_u().i64_add();
        self.beyond(1)?;
        self.code.fail_if(Failure::Outside);
        Some(at)
    }

    /// Copies a value.
    pub(super) fn planned(&mut self, plan: &'a Plan, from: Spot, to: Spot) -> Option<()> {
        self.code.parts += 1;
        if self.code.parts > PARTS_MAX {
            return None;
        }
        if plan.plain
            && let (Spot::Memory(source, at), Spot::Memory(target, to)) = (from, to)
        {
            return self.bytes((source, at), (target, to), plan.size);
        }
        match &plan.op {
            Op::Record(fields) => {
                fields.iter().try_for_each(|f| self.value(f.plan, from.field(f), to.field(f)))
            }
            Op::FixedList(id, count) => {
                let element = self.plans.value(*id);
                (0..*count).try_for_each(|i| {
                    let spot = |spot: Spot| spot.part(i * element.flat, i * element.size);
                    self.planned(element, spot(from), spot(to))
                })
            }
            Op::Variant(cases) => self.variant(cases, from, to),
            Op::String => self.string(from, to),
            Op::List(element) => self.list(self.plans.value(*element), from, to),
            Op::Own(_) | Op::Borrow(_) | Op::Async(_) => None,
            Op::S64 | Op::U64 | Op::F64 => self.as_it_is(from, to),
            Op::F32 if !self.is_long(from) => self.as_it_is(from, to),
            op => self.number(op, plan.size, from, to),
        }
    }

    /// Copies a number whose bits all count between locals; in memory it is plain.
    fn as_it_is(&mut self, from: Spot, to: Spot) -> Option<()> {
        let (Spot::Locals(from), Spot::Locals(to)) = (from, to) else { return None };
        self.code.out().local_get(from).local_set(to);
        Some(())
    }

    fn value(&mut self, id: PlanId, from: Spot, to: Spot) -> Option<()> {
        self.planned(self.plans.value(id), from, to)
    }

    fn is_long(&self, spot: Spot) -> bool {
        matches!(spot, Spot::Locals(local) if self.code.is_long(local))
    }

    /// Puts a number of 32 bits at most, of so many bytes in memory, on the stack.
    fn load(&mut self, spot: Spot, width: u32) -> Option<()> {
        match spot {
            Spot::Locals(local) if self.code.is_long(local) => {
                self.code.out().local_get(local).i32_wrap_i64();
            }
            Spot::Locals(local) => {
                self.code.out().local_get(local);
            }
            Spot::Memory(base, at) => {
                let arg = argument(self.memory(0)?, at);
                let mut out = self.code.out();
                out.local_get(base);
                match width {
                    1 => out.i32_load8_u(arg),
                    2 => out.i32_load16_u(arg),
                    _ => out.i32_load(arg),
                };
            }
        }
        Some(())
    }

    /// Writes the number in a local to where it belongs.
    fn store(&mut self, number: u32, spot: Spot, width: u32) -> Option<()> {
        match spot {
            Spot::Locals(local) if self.code.is_long(local) => {
                self.code.out().local_get(number).i64_extend_i32_u().local_set(local);
            }
            Spot::Locals(local) => {
                self.code.out().local_get(number).local_set(local);
            }
            Spot::Memory(base, at) => {
                let arg = argument(self.memory(1)?, at);
                let mut out = self.code.out();
                out.local_get(base).local_get(number);
                match width {
                    1 => out.i32_store8(arg),
                    2 => out.i32_store16(arg),
                    _ => out.i32_store(arg),
                };
            }
        }
        Some(())
    }

    /// Copies a number of 32 bits at most, as it lifts (`CanonicalABI.md`, "Flat Lifting").
    fn number(&mut self, op: &Op, width: u32, from: Spot, to: Spot) -> Option<()> {
        let number = self.code.local(ValType::I32);
        self.load(from, width)?;
        let mut out = self.code.out();
        match op {
            Op::Bool => out.i32_const(0).i32_ne(),
            Op::S8 => out.i32_const(24).i32_shl().i32_const(24).i32_shr_s(),
            Op::S16 => out.i32_const(16).i32_shl().i32_const(16).i32_shr_s(),
            Op::U8 => out.i32_const(0xff).i32_and(),
            Op::U16 => out.i32_const(0xffff).i32_and(),
            Op::Flags(count @ 0..=31) => out.i32_const(((1u32 << count) - 1) as i32).i32_and(),
            Op::S32 | Op::U32 | Op::F32 | Op::Flags(_) | Op::Char => &mut out,
            _ => return None,
        };
        out.local_set(number);
        if matches!(op, Op::Char) {
            // Below the surrogates, or above them and not beyond the last.
            out.local_get(number).i32_const(0xd800).i32_ge_u();
            out.local_get(number).i32_const(0xe000).i32_sub().i32_const(0x10_2000).i32_ge_u();
            out.i32_and();
            self.code.fail_if(Failure::Char);
        }
        self.store(number, to, width)
    }

    fn variant(&mut self, cases: &'a Cases, from: Spot, to: Spot) -> Option<()> {
        let tag = self.code.local(ValType::I32);
        self.load(from, cases.tag)?;
        let mut out = self.code.out();
        out.local_tee(tag).i32_const(cases.cases.len() as i32).i32_ge_u();
        self.code.fail_if(Failure::Case);
        self.store(tag, to, cases.tag)?;
        for (case, payload) in cases.cases.iter().enumerate() {
            let Some(id) = payload else { continue };
            self.code.out().local_get(tag).i32_const(case as i32).i32_eq();
            self.code.out().if_(BlockType::Empty);
            self.value(*id, from.payload(cases), to.payload(cases))?;
            self.code.out().end();
        }
        Some(())
    }

    /// Puts address and length of a string or list into locals.
    fn pair(&mut self, from: Spot) -> Option<(u32, u32)> {
        let (at, len) = (self.code.local(ValType::I32), self.code.local(ValType::I32));
        self.load(from, 4)?;
        self.code.out().local_set(at);
        self.load(from.part(1, 4), 4)?;
        self.code.out().local_set(len);
        Some((at, len))
    }

    fn store_pair(&mut self, (at, len): (u32, u32), to: Spot) -> Option<()> {
        self.store(at, to, 4)?;
        self.store(len, to.part(1, 4), 4)
    }

    fn string(&mut self, from: Spot, to: Spot) -> Option<()> {
        if !self.utf8 {
            return None;
        }
        let (at, len) = self.pair(from)?;
        let text = self.end(0)?.text?;
        self.code.out().local_get(at).local_get(len).call(text);
        let target = self.allocate(1, len)?;
        let (source_memory, target_memory) = (self.memory(0)?, self.memory(1)?);
        let mut out = self.code.out();
        out.local_get(target)
            .local_get(at)
            .local_get(len)
            .memory_copy(target_memory, source_memory);
        self.store_pair((target, len), to)
    }

    fn list(&mut self, element: &'a Plan, from: Spot, to: Spot) -> Option<()> {
        let (at, len) = self.pair(from)?;
        let bytes = self.list_bytes(element, (at, len))?;
        let target = self.allocate(element.align, bytes)?;
        if element.plain {
            let (source_memory, target_memory) = (self.memory(0)?, self.memory(1)?);
            let mut out = self.code.out();
            out.local_get(target).local_get(at).local_get(bytes);
            out.memory_copy(target_memory, source_memory);
        } else {
            self.elements(element, (at, target), len)?;
        }
        self.store_pair((target, len), to)
    }

    /// How many bytes a list takes, in a local; they are all inside of memory.
    fn list_bytes(&mut self, element: &Plan, (at, len): (u32, u32)) -> Option<u32> {
        let (long, bytes) = (self.code.local(ValType::I64), self.code.local(ValType::I32));
        let judge = self.end(0)?.list?;
        let mut out = self.code.out();
        out.local_get(len).i64_extend_i32_u().i64_const(element.size.into()).i64_mul();
        out.local_tee(long).i64_const(MAX_BYTES as i64).i64_ge_u();
        out.local_get(at).i32_const(element.align as i32 - 1).i32_and().i32_or();
        out.local_get(at).i64_extend_i32_u().local_get(long).i64_add();
        self.beyond(0)?;
        let mut out = self.code.out();
        out.i32_or().if_(BlockType::Empty);
        out.local_get(at).local_get(len);
        out.i32_const(element.size as i32).i32_const(element.align as i32);
        out.call(judge).unreachable().end();
        out.local_get(long).i32_wrap_i64().local_set(bytes);
        Some(bytes)
    }

    /// Copies elements one by one, from and to where locals point.
    fn elements(&mut self, element: &'a Plan, (at, target): (u32, u32), len: u32) -> Option<()> {
        let [from, to, left] = [(); 3].map(|()| self.code.local(ValType::I32));
        let mut out = self.code.out();
        out.local_get(at).local_set(from).local_get(target).local_set(to);
        out.local_get(len).local_set(left);
        out.block(BlockType::Empty).loop_(BlockType::Empty);
        out.local_get(left).i32_eqz().br_if(1);
        self.planned(element, Spot::memory(from), Spot::memory(to))?;
        let mut out = self.code.out();
        let size = element.size as i32;
        out.local_get(from).i32_const(size).i32_add().local_set(from);
        out.local_get(to).i32_const(size).i32_add().local_set(to);
        out.local_get(left).i32_const(1).i32_sub().local_set(left);
        out.br(0).end().end();
        Some(())
    }

    /// Copies bytes that mean the same at both ends.
    fn bytes(&mut self, (from, at): (u32, u32), (to, there): (u32, u32), size: u32) -> Option<()> {
        let (source, target) = (self.memory(0)?, self.memory(1)?);
        let mut out = self.code.out();
        if size > WORDS_MAX {
            out.local_get(to).i32_const(there as i32).i32_add();
            out.local_get(from).i32_const(at as i32).i32_add();
            out.i32_const(size as i32).memory_copy(target, source);
            return Some(());
        }
        let mut done = 0;
        while done < size {
            let (load, store) = (argument(source, at + done), argument(target, there + done));
            out.local_get(to).local_get(from);
            done += match size - done {
                8.. => {
                    out.i64_load(load).i64_store(store);
                    8
                }
                4.. => {
                    out.i32_load(load).i32_store(store);
                    4
                }
                2.. => {
                    out.i32_load16_u(load).i32_store16(store);
                    2
                }
                _ => {
                    out.i32_load8_u(load).i32_store8(store);
                    1
                }
            };
        }
        Some(())
    }
}

/// An access so many bytes from an address, of any alignment.
fn argument(memory: u32, offset: u32) -> MemArg {
    let target = MemArgTarget::Memory(memory);
    MemArg { offset: offset.into(), align: 0, target, ordering: None }
}
