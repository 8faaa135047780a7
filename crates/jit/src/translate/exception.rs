//! Translation of exceptions: throwing, `try_table`, and the form of before 3.0 (core spec §4.4.8).
//!
//! A call in a block that catches lists who catches what. Each clause has a *landing*: a block that the
//! runtime enters with the exception, and that all calls in the block share. What `try_table` does with
//! the payload is written behind its body, when it is known which landings there are; in the older form
//! the landing begins the part that catches.
//!
//! In the older form a caught exception is no operand, and yet `rethrow` must find it: it lies below
//! the payload, as an operand that no instruction can reach.

use std::collections::HashSet;
use std::rc::Rc;

use cranelift_codegen::ir::{
    AbiParam, Block, BlockArg, BlockCall, ExceptionTableItem, ExceptionTag, InstBuilder, SigRef,
    Signature, Value, types,
};
use cranelift_codegen::isa::CallConv;
use dunlin_code::layout::vmctx;
use dunlin_code::native::Builtin;
use dunlin_code::object::{HEADER_BYTES, Storage, offsets};
use dunlin_module::TagIndex;
use dunlin_module::op::{BlockType, Catch, Operator, TryTable};

use super::access::Region;
use super::call::Callee;
use super::control::Kind;
use super::gc::FieldPlace;
use super::stack::clif_type;
use super::{Result, Translator, malformed};
use crate::traps;

/// A clause that catches.
#[derive(Clone, Copy, Debug)]
struct Clause {
    /// What it catches; `None` for everything.
    tag: Option<u32>,
    /// Where it leads, counted from outside the block; of no meaning in the older form.
    depth: u32,
    /// Whether it wants the exception itself.
    reference: bool,
    /// Which landing it is.
    landing: usize,
}

/// What catches in the body of a block.
#[derive(Clone, Debug)]
pub(super) struct Handler {
    /// What catches what is thrown outside of the body.
    outer: Option<usize>,
    clauses: Vec<Clause>,
    /// How many of the clauses have begun, in the older form.
    begun: usize,
    /// Tags and landings of these and all outer clauses, as far as they can catch anything.
    all: Rc<[(Option<u32>, usize)]>,
}

/// What stands behind the body of a `try` of the older form.
#[derive(Clone, Default, Debug)]
pub(super) struct TryParts {
    /// The tags of its clauses.
    tags: Vec<Option<u32>>,
    /// The label that it delegates to.
    delegate: Option<u32>,
}

impl<'m> Translator<'_, 'm> {
    /// Translates one of this family; false if `op` is none that is translated.
    pub(super) fn exception(&mut self, op: &Operator<'m>) -> Result<bool> {
        match op {
            Operator::Throw { tag_index } => {
                let count = self.module.tag_type(TagIndex(*tag_index)).params.len();
                let payload = self.pop_many(count);
                self.throw(Builtin::Throw, &payload, *tag_index)?;
            }
            Operator::ThrowRef => {
                let exception = self.pop();
                self.throw(Builtin::ThrowRef, &[exception], 0)?;
            }
            Operator::TryTable { try_table } => self.open_try_table(try_table)?,
            Operator::Try { blockty } => self.open_old_try(*blockty)?,
            Operator::Catch { tag_index } => self.open_catch(Some(*tag_index))?,
            Operator::CatchAll => self.open_catch(None)?,
            Operator::Rethrow { relative_depth } => {
                let block = &self.control[self.control.len() - 1 - *relative_depth as usize];
                let exception = self.stack[block.height].value;
                self.throw(Builtin::ThrowRef, &[exception], 0)?;
            }
            // Whom it delegates to was known when the block was opened.
            Operator::Delegate { .. } => self.close()?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Throws by a builtin, which never returns but to say that nobody catches.
    fn throw(&mut self, builtin: Builtin, args: &[Value], tag: u32) -> Result {
        let address = self.args_address(args);
        let table = self.context_field(vmctx::BUILTINS);
        let code = self.load_constant(types::I64, table, 8 * builtin as i32);
        let (tag, none) = (self.i64(tag.into()), self.i64(0));
        let signature = self.throw_signature();
        let args = [self.vmctx, address, tag, none];
        self.invoke(Callee::Address(code), signature, &args)?;
        self.b.ins().trap(traps::RAISED);
        self.unreachable = true;
        Ok(())
    }

    /// The signature of builtins that throw: those registers, but the one convention that the code
    /// generator has exceptions for.
    fn throw_signature(&mut self) -> SigRef {
        if let Some(known) = self.throw_signature {
            return known;
        }
        let mut signature = Signature::new(CallConv::Tail);
        signature.params = vec![AbiParam::new(types::I64); 4];
        signature.returns = vec![AbiParam::new(types::I64)];
        *self.throw_signature.insert(self.b.import_signature(signature))
    }

    fn open_try_table(&mut self, table: &TryTable) -> Result {
        let mut clauses = Vec::with_capacity(table.catches.len());
        for catch in &table.catches {
            let (tag, depth, reference) = match *catch {
                Catch::One { tag, label } => (Some(tag), label, false),
                Catch::OneRef { tag, label } => (Some(tag), label, true),
                Catch::All { label } => (None, label, false),
                Catch::AllRef { label } => (None, label, true),
            };
            // Whether or not anything in the body throws, as in lowering: fuel depends on it.
            let target = self.control.len() - 1 - depth as usize;
            self.control[target].used = true;
            clauses.push(Clause { tag, depth, reference, landing: self.landing()? });
        }
        let around = self.control.last().and_then(|block| block.handler);
        self.open_try(table.ty, clauses, around)
    }

    fn open_old_try(&mut self, ty: BlockType) -> Result {
        let at = self.body.operator_at;
        if !self.try_parts.contains_key(&at) {
            self.find_try_parts()?;
        }
        let parts = self.try_parts.get(&at).cloned();
        let TryParts { tags, delegate } = parts.unwrap_or_default();
        let mut clauses = Vec::with_capacity(tags.len());
        for tag in tags {
            clauses.push(Clause { tag, depth: 0, reference: true, landing: self.landing()? });
        }
        let at = self.control.len() - 1 - delegate.unwrap_or_default() as usize;
        let around = self.control[at].handler;
        self.open_try(ty, clauses, around)
    }

    /// Finds out where each `try` of the older form in this function is, and what follows its body.
    fn find_try_parts(&mut self) -> Result {
        let mut open: Vec<Option<u32>> = Vec::new();
        let body = self.module.body(self.body.func);
        let mut reader = body.get_operators_reader().map_err(malformed)?;
        while !reader.eof() {
            let at = reader.original_position() as u32;
            let op = reader.read().map_err(malformed)?;
            let innermost = open.last().copied().flatten();
            let parts = innermost.and_then(|at| self.try_parts.get_mut(&at));
            match (op, parts) {
                (
                    Operator::Block { .. }
                    | Operator::Loop { .. }
                    | Operator::If { .. }
                    | Operator::TryTable { .. },
                    _,
                ) => open.push(None),
                (Operator::Try { .. }, _) => {
                    self.try_parts.insert(at, TryParts::default());
                    open.push(Some(at));
                }
                (Operator::Catch { tag_index }, Some(parts)) => parts.tags.push(Some(tag_index)),
                (Operator::CatchAll, Some(parts)) => parts.tags.push(None),
                (Operator::Delegate { relative_depth }, Some(parts)) => {
                    parts.delegate = Some(relative_depth);
                    open.pop();
                }
                (Operator::End, _) => {
                    open.pop();
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// A landing, which becomes a block when something can lead there.
    fn landing(&mut self) -> Result<usize> {
        self.work.edge(0)?;
        self.landings.push(None);
        Ok(self.landings.len() - 1)
    }

    /// Opens a block with such clauses, in which what they do not catch goes to handler `around`.
    fn open_try(&mut self, ty: BlockType, clauses: Vec<Clause>, around: Option<usize>) -> Result {
        let mut seen = HashSet::new();
        let mut all = Vec::new();
        let own = clauses.iter().map(|clause| (clause.tag, clause.landing));
        let above = around.map(|at| self.handlers[at].all.clone()).unwrap_or_default();
        for (tag, landing) in own.chain(above.iter().copied()) {
            if seen.insert(tag) {
                all.push((tag, landing));
            }
            if tag.is_none() {
                break;
            }
        }
        self.work.edge(all.len())?;
        let outer = self.control.last().and_then(|block| block.handler);
        self.handlers.push(Handler { outer, clauses, begun: 0, all: all.into() });
        self.open(Kind::Try, ty)?;
        if let Some(block) = self.control.last_mut() {
            block.handler = Some(self.handlers.len() - 1);
        }
        Ok(())
    }

    /// The handlers of exceptions thrown by a call here, innermost first, and the context of their
    /// tags.
    pub(super) fn handlers(&mut self) -> Result<Vec<ExceptionTableItem>> {
        let Some(number) = self.control.last().and_then(|block| block.handler) else {
            return Ok(Vec::new());
        };
        let all = self.handlers[number].all.clone();
        if all.is_empty() {
            return Ok(Vec::new());
        }
        self.work.edge(all.len())?;
        let mut items = vec![ExceptionTableItem::Context(self.vmctx)];
        for &(tag, landing) in &*all {
            let block = self.landing_block(landing);
            let exception = [BlockArg::TryCallExn(0)];
            let target = BlockCall::new(block, exception, &mut self.b.func.dfg.value_lists);
            items.push(match tag {
                Some(tag) => ExceptionTableItem::Tag(ExceptionTag::from_u32(tag), target),
                None => ExceptionTableItem::Default(target),
            });
        }
        Ok(items)
    }

    /// The block of a landing, whose parameter is the exception.
    fn landing_block(&mut self, landing: usize) -> Block {
        if let Some(block) = self.landings[landing] {
            return block;
        }
        let block = self.b.create_block();
        self.b.append_block_param(block, types::I64);
        *self.landings[landing].insert(block)
    }

    /// Ends the body of the innermost block, which catches, and gives its handler; `block.handler` is
    /// what applies from here on.
    fn leave_body(&mut self) -> Option<usize> {
        let block = self.control.last_mut()?;
        let number = block.handler?;
        block.handler = self.handlers[number].outer;
        Some(number)
    }

    /// Ends the body of the innermost block, a `try_table` or a `try` without clauses, and writes the
    /// landings that something leads to.
    pub(super) fn end_try(&mut self) -> Result {
        let Some(number) = self.leave_body() else { return Ok(()) };
        let mut clauses = std::mem::take(&mut self.handlers[number].clauses);
        clauses.retain(|clause| self.landings[clause.landing].is_some());
        if clauses.is_empty() {
            return Ok(());
        }
        let rest = (!self.unreachable).then(|| self.b.create_block());
        if let Some(rest) = rest {
            self.b.ins().jump(rest, &[]);
        }
        let height = self.stack.len();
        for clause in clauses {
            let block = self.landing_block(clause.landing);
            self.go_on(block);
            let exception = self.b.block_params(block)[0];
            self.push_payload(exception, clause.tag);
            if clause.reference {
                self.push_traced(exception);
            }
            // The block itself is still open.
            self.branch(clause.depth + 1)?;
            self.stack.truncate(height);
        }
        if let Some(rest) = rest {
            self.go_on(rest);
        }
        Ok(())
    }

    /// Begins the part of a `try` that runs when an exception with tag `tag`, or any, was thrown.
    fn open_catch(&mut self, tag: Option<u32>) -> Result {
        let number = match self.control.last().map(|block| &block.kind) {
            Some(Kind::Try) => self.leave_body(),
            Some(Kind::Catch(number)) => Some(*number),
            _ => None,
        };
        let (Some(number), Some(mut block)) = (number, self.control.pop()) else { return Ok(()) };
        self.finish_part(&mut block)?;
        block.kind = Kind::Catch(number);
        block.used = true;
        let handler = &mut self.handlers[number];
        let clause = handler.clauses.get(handler.begun).copied();
        handler.begun += 1;
        self.stack.truncate(block.height);
        self.control.push(block);
        let landing = match clause {
            Some(clause) => clause.landing,
            None => self.landing()?,
        };
        let landing = self.landing_block(landing);
        self.go_on(landing);
        let exception = self.b.block_params(landing)[0];
        self.push_traced(exception);
        self.push_payload(exception, tag);
        self.unreachable = false;
        self.begin_fuel();
        Ok(())
    }

    /// Pushes the payload of an exception that has tag `tag`.
    fn push_payload(&mut self, exception: Value, tag: Option<u32>) {
        let module = self.module;
        let Some(tag) = tag else { return };
        let params = &module.tag_type(TagIndex(tag)).params;
        let storages = params.iter().map(|ty| Storage::of_value(*ty));
        let fields: Vec<_> = offsets(storages).collect();
        let end = fields.last().map_or(HEADER_BYTES, |(offset, last)| offset + last.size());
        let address = self.object(exception, end.into());
        for (&ty, (offset, storage)) in params.iter().zip(fields) {
            let place = FieldPlace { address, offset, storage, region: Region::Fields(storage) };
            let value = self.read(place, clif_type(ty), false);
            self.push_ty(value, ty);
        }
    }
}
