//! Continuations: made, bound, resumed, suspended, switched (stack-switching proposal).
//!
//! Whatever leaves a frame so settles it as a call does. Handlers stand behind the `resume` they
//! belong to: it is the instruction at which the frame is while what it resumed runs. All of these
//! instructions make objects or run other code, and so are safepoints; their operands are among the
//! roots, as an object may be made before they are used.

use dunlin_module::op::{Handle, Operator, ResumeTable};
use dunlin_module::{HeapType, RefType, TagIndex, ValType};

use crate::bytecode::{RESUME_HANDLER_WORDS, SWITCH, field};
use crate::op::PlainOp;

use super::Lower;
use super::stack::Place;

fn slots(types: &[ValType]) -> u32 {
    types.iter().map(|ty| ty.slots()).sum()
}

impl Lower<'_> {
    /// Lowers an instruction about continuations; false if `op` is none.
    pub(super) fn continuation(&mut self, op: &Operator<'_>) -> bool {
        let module = self.module;
        match op {
            Operator::ContNew { cont_type_index } => {
                let base = self.operands(1);
                let near = self.code.write(base, 1);
                self.code.copy(near.into(), base, 1);
                let words = [field::ab_hi(near, 0, *cont_type_index)];
                let at = self.code.plain(PlainOp::ContNew, &words);
                self.results(at, 1, &[self.cont_type(*cont_type_index)]);
                self.code.wrote(near, base, 1);
            }
            Operator::ContBind { argument_index, result_index } => {
                let from = module.cont_func(*argument_index);
                let to = module.cont_func(*result_index);
                let bound = &from.params[..from.params.len() - to.params.len()];
                let base = self.operands(bound.len() + 1);
                let words = [
                    field::lo_hi(base, slots(bound)),
                    field::lo_hi(*argument_index, *result_index),
                ];
                let at = self.code.plain(PlainOp::ContBind, &words);
                self.results(at, bound.len() + 1, &[self.cont_type(*result_index)]);
            }
            Operator::Suspend { tag_index } => {
                let ty = module.tag_type(TagIndex(*tag_index));
                let base = self.operands(ty.params.len());
                let words = [field::lo_hi(*tag_index, base), field::lo_hi(ty.param_slots(), 0)];
                let at = self.code.plain(PlainOp::Suspend, &words);
                self.results(at, ty.params.len(), &ty.results);
            }
            Operator::Resume { cont_type_index, resume_table } => {
                let ty = module.cont_func(*cont_type_index);
                let arguments = (ty.params.len(), ty.param_slots());
                self.resume(PlainOp::Resume, arguments, 0, &ty.results, resume_table);
            }
            Operator::ResumeThrow { cont_type_index, tag_index, resume_table } => {
                let ty = module.cont_func(*cont_type_index);
                let payload = module.tag_type(TagIndex(*tag_index));
                let arguments = (payload.params.len(), payload.param_slots());
                let (op, tag) = (PlainOp::ResumeThrow, *tag_index);
                self.resume(op, arguments, tag, &ty.results, resume_table);
            }
            Operator::ResumeThrowRef { cont_type_index, resume_table } => {
                let ty = module.cont_func(*cont_type_index);
                self.resume(PlainOp::ResumeThrowRef, (1, 1), 0, &ty.results, resume_table);
            }
            Operator::Switch { cont_type_index, tag_index } => {
                let ty = module.cont_func(*cont_type_index);
                // The last parameter is the continuation that the instruction makes.
                let Some((made, given)) = ty.params.split_last() else { return false };
                let Some(results) = module.cont_ref(*made) else { return false };
                let base = self.operands(given.len() + 1);
                let words = [
                    field::lo_hi(*tag_index, base),
                    field::lo_hi(slots(given), self.type_of(*made)),
                ];
                let at = self.code.plain(PlainOp::Switch, &words);
                self.results(at, given.len() + 1, &results.params);
            }
            _ => return false,
        }
        true
    }

    /// References to continuations of module type index `ty`.
    fn cont_type(&self, ty: u32) -> ValType {
        let heap = HeapType::Concrete(self.module.types[ty as usize]);
        ValType::Ref(RefType { nullable: false, heap })
    }

    /// The module type index of what `ty` refers to.
    fn type_of(&self, ty: ValType) -> u32 {
        match ty {
            ValType::Ref(RefType { heap: HeapType::Concrete(id), .. }) => {
                self.module.type_index(id).unwrap_or_default()
            }
            _ => 0,
        }
    }

    /// Puts the top `count` operands in their home slots; the first of these.
    fn operands(&mut self, count: usize) -> u32 {
        self.settle_top(count);
        self.stack.home_at(self.stack.len() - count)
    }

    /// The instruction at word `at` takes `operands` operands and leaves values of `types`.
    fn results(&mut self, at: usize, operands: usize, types: &[ValType]) {
        self.safepoint(at);
        self.stack.truncate(self.stack.len() - operands);
        self.code.forget();
        for &ty in types {
            self.stack.push_ty(ty, Place::Home);
        }
    }

    /// Emits a `resume` with so many arguments in so many slots, and its handlers.
    fn resume(
        &mut self,
        op: PlainOp,
        (count, argument_slots): (usize, u32),
        tag: u32,
        results: &[ValType],
        table: &ResumeTable,
    ) {
        let base = self.operands(count + 1);
        let handlers = table.handlers.len();
        let at = self.code.plain(
            op,
            &[
                field::lo_hi(base, argument_slots),
                field::lo_hi(tag, slots(results)),
                field::lo_hi(handlers as u32, 0),
            ],
        );
        let words = self.code.here();
        self.code.words.resize(words + RESUME_HANDLER_WORDS * handlers, 0);
        for (i, handle) in table.handlers.iter().enumerate() {
            let word = words + RESUME_HANDLER_WORDS * i;
            let (tag, payload, continuation, ty) = match *handle {
                Handle::OnLabel { tag, label } => {
                    let made = self.label_types(label).last().copied();
                    let (label, payload) = self.landing(label);
                    self.code.refer(label, at, word, true);
                    let slots = self.module.tag_type(TagIndex(tag)).param_slots();
                    (tag, payload, payload + slots, made.map_or(0, |made| self.type_of(made)))
                }
                Handle::OnSwitch { tag } => (tag, 0, SWITCH, 0),
            };
            self.code.words[word] = field::lo_hi(tag, 0);
            self.code.words[word + 1] = field::lo_hi(payload, continuation);
            self.code.words[word + 2] = field::lo_hi(ty, 0);
        }
        // The table is no instruction that another could be merged with.
        self.code.fence();
        self.results(at, count + 1, results);
    }
}
