//! Exceptions: throwing, `try_table`, and the form of before 3.0 (core spec §4.4.8).
//!
//! Entering a block that catches costs nothing but what entering any block costs: the frame is
//! settled. What is caught where stands in a table beside the code ([`Handler`]), which is looked at
//! only when something was thrown.
//!
//! In the older form a caught exception is no operand, and yet `rethrow` must find it: it has a home
//! slot below the payload, as an entry of the operand stack that no instruction can reach.

use dunlin_module::op::{BlockType, Catch, Operator, TryTable};
use dunlin_module::{HeapType, RefType, TagIndex, ValType};

use crate::bytecode::{Clause, Handler, field};
use crate::op::PlainOp;

use super::control::Kind;
use super::emit::{Code, Label};
use super::stack::Place;
use super::{Lower, Result};

const EXNREF: ValType = ValType::Ref(RefType { nullable: true, heap: HeapType::Exn });

/// A [`Handler`] whose targets are still labels.
#[derive(Debug)]
pub(super) struct OpenHandler {
    start: u32,
    end: u32,
    outer: Option<u32>,
    next: Option<u32>,
    clauses: Vec<(Clause, Label)>,
}

impl OpenHandler {
    /// The handler, when all labels are bound.
    pub(super) fn finish(self, code: &Code) -> Handler {
        let clauses = self.clauses.into_iter();
        Handler {
            words: self.start..self.end,
            outer: self.outer,
            next: self.next,
            clauses: clauses
                .map(|(clause, label)| Clause { target: code.word_of(label), ..clause })
                .collect(),
        }
    }
}

impl<'m> Lower<'m> {
    /// Lowers an instruction about exceptions; false if `op` is none.
    pub(super) fn exception(&mut self, op: &Operator<'m>) -> Result<bool> {
        match op {
            Operator::Throw { tag_index } => {
                let ty = self.module.tag_type(TagIndex(*tag_index));
                let (count, slots) = (ty.params.len(), ty.param_slots());
                self.settle_top(count);
                let base = self.stack.home_at(self.stack.len() - count);
                let words = [field::lo_hi(*tag_index, base), field::lo_hi(slots, 0)];
                let at = self.code.plain(PlainOp::Throw, &words);
                // The payload is among the roots: making the exception comes first.
                self.safepoint(at);
                self.unreachable = true;
            }
            Operator::ThrowRef => {
                let slot = self.pop_slot();
                self.throw_slot(slot);
            }
            Operator::TryTable { try_table } => self.open_try_table(try_table),
            Operator::Try { blockty } => {
                self.settle_all();
                self.open_try(*blockty);
            }
            Operator::Catch { tag_index } => self.open_catch(Some(*tag_index)),
            Operator::CatchAll => self.open_catch(None),
            Operator::Rethrow { relative_depth } => {
                let at = self.control.len() - 1 - *relative_depth as usize;
                let slot = self.stack.home_at(self.control[at].height as usize);
                self.throw_slot(slot);
            }
            Operator::Delegate { relative_depth } => {
                let block = self.control.len() - 1;
                let around = self.control[block - 1 - *relative_depth as usize].handler;
                if let Some(handler) = self.control[block].handler {
                    self.handlers[handler as usize].next = around;
                }
                self.close();
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn throw_slot(&mut self, slot: u32) {
        self.settle_top(0);
        self.code.plain(PlainOp::ThrowRef, &[field::lo_hi(0, slot)]);
        self.unreachable = true;
    }

    fn open_try_table(&mut self, table: &TryTable) {
        self.settle_all();
        // Labels of clauses count from outside the block.
        let clauses = table.catches.iter().map(|catch| self.clause(catch)).collect();
        let handler = self.open_try(table.ty);
        self.handlers[handler as usize].clauses = clauses;
    }

    fn clause(&mut self, catch: &Catch) -> (Clause, Label) {
        let (tag, depth, reference) = match *catch {
            Catch::One { tag, label } => (Some(tag), label, false),
            Catch::OneRef { tag, label } => (Some(tag), label, true),
            Catch::All { label } => (None, label, false),
            Catch::AllRef { label } => (None, label, true),
        };
        let (label, payload) = self.landing(depth);
        (self.clause_at(tag, payload, reference), label)
    }

    /// A clause that leaves the payload from slot `payload` on and the reference behind it.
    fn clause_at(&self, tag: Option<u32>, payload: u32, reference: bool) -> Clause {
        let slots = tag.map_or(0, |tag| self.module.tag_type(TagIndex(tag)).param_slots());
        let reference = reference.then_some(payload + slots);
        Clause { tag, payload, payload_slots: slots, reference, target: 0 }
    }

    /// Opens a block with a handler that has no clauses yet, and gives its number.
    fn open_try(&mut self, ty: BlockType) -> u32 {
        let outer = self.control.last().and_then(|block| block.handler);
        let number = self.handlers.len() as u32;
        // Nothing from outside the range may be merged with what is inside.
        let start = self.code.fence();
        self.handlers.push(OpenHandler { start, end: start, outer, next: outer, clauses: vec![] });
        self.open(Kind::Try, ty);
        if let Some(block) = self.control.last_mut() {
            block.handler = Some(number);
        }
        number
    }

    /// Ends the range of the handler of the innermost block; `block.handler` is what applies from
    /// here on.
    pub(super) fn end_try(&mut self) -> Option<u32> {
        let end = self.code.fence();
        let block = self.control.last_mut()?;
        let number = block.handler?;
        let handler = &mut self.handlers[number as usize];
        handler.end = end;
        block.handler = handler.outer;
        Some(number)
    }

    /// Begins the part of a `try` that runs when an exception with tag `tag`, or any, was thrown.
    fn open_catch(&mut self, tag: Option<u32>) {
        let Some(block) = self.control.last().copied() else { return };
        self.finish_part(&block);
        let number = match block.kind {
            Kind::Try => self.end_try(),
            Kind::Catch(number) => Some(number),
            _ => None,
        };
        let (Some(number), Some(block)) = (number, self.control.last_mut()) else { return };
        block.kind = Kind::Catch(number);
        block.used = true;
        let label = self.code.label();
        self.code.bind(label);
        self.stack.truncate(block.height as usize);
        self.stack.push_ty(EXNREF, Place::Home);
        let reference = self.stack.home_at(block.height as usize);
        if let Some(tag) = tag {
            for &ty in &self.module.tag_type(TagIndex(tag)).params {
                self.stack.push_ty(ty, Place::Home);
            }
        }
        let clause = self.clause_at(tag, reference + 1, false);
        let clause = Clause { reference: Some(reference), ..clause };
        self.handlers[number as usize].clauses.push((clause, label));
        self.unreachable = false;
        self.begin_fuel();
    }
}
