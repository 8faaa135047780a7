//! Indirect calls whose callees are known: through tables that never change, where few functions are of
//! the type. More than a few are told apart only if all of them are inlined: a jump to a call is slower
//! than the call through the table.
//!
//! ```text
//!           ┌─► index 3: call $f, or the body of $f ──┐
//! index ────┼─► index 7: call $g, or the body of $g ──┼──► what follows
//!           └─► any other: the call as it is written ─┘
//! ```
//!
//! The translator goes on with one arm after the other, as inlined bodies come one after the other.

use std::collections::HashMap;

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{Block, BlockCall, InstBuilder, JumpTableData, Value};
use dunlin_module::{DefinedFuncIndex, FuncIndex};

use super::call::Callee;
use super::stack::Operand;
use super::{Result, Translator};
use crate::inline::At;

/// The most functions that are told apart.
const ARMS_MAX: usize = 16;
/// How many are looked for one after the other; more are found by a table of jumps.
const COMPARED_MAX: usize = 3;
/// Entries of such a table.
const TABLE_MAX: u32 = 64;
/// What an arm with a call counts among the bytes that may be inlined.
const ARM_BYTES: usize = 12;

/// An indirect call whose arms are translated one after the other.
pub(super) struct Dispatch {
    /// Open blocks around it.
    depth: usize,
    table: u32,
    type_index: u32,
    index: Value,
    args: Vec<Operand>,
    arms: Vec<Arm>,
    /// Where the index is none of those.
    other: Block,
    join: Block,
}

/// A function that is not translated yet.
struct Arm {
    block: Block,
    func: DefinedFuncIndex,
    inlined: bool,
}

impl Translator<'_, '_> {
    /// Translates an indirect call if its callees are known; false if they are not.
    pub(super) fn dispatch(&mut self, table: u32, type_index: u32) -> Result<bool> {
        let callees = self.callees(table, type_index);
        if callees.is_empty() || !self.inlining.take(ARM_BYTES * callees.len()) {
            return Ok(false);
        }
        let mut inlined: HashMap<DefinedFuncIndex, bool> = HashMap::new();
        for &(_, func) in &callees {
            inlined.entry(func).or_insert_with(|| self.wants_inlined(func, At::Arm));
        }
        if callees.len() > COMPARED_MAX && inlined.values().any(|inlined| !inlined) {
            return Ok(false);
        }
        let ty = self.module.type_func(type_index);
        let index = self.pop();
        let join = self.block_for(&ty.results)?;
        let other = self.b.create_block();
        self.b.set_cold_block(other);
        let mut blocks: HashMap<DefinedFuncIndex, Block> = HashMap::new();
        let mut arms = Vec::new();
        let mut arm_of = |func, b: &mut cranelift_frontend::FunctionBuilder<'_>| {
            *blocks.entry(func).or_insert_with(|| {
                let block = b.create_block();
                arms.push(Arm { block, func, inlined: inlined[&func] });
                block
            })
        };
        if callees.len() <= COMPARED_MAX {
            for &(at, func) in &callees {
                let arm = arm_of(func, &mut self.b);
                let next = self.b.create_block();
                let is = self.b.ins().icmp_imm_u(IntCC::Equal, index, i64::from(at));
                self.b.ins().brif(is, arm, &[], next, &[]);
                self.go_on(next);
            }
            self.b.ins().jump(other, &[]);
        } else {
            let first = callees[0].0;
            let mut entries = Vec::new();
            for &(at, func) in &callees {
                let arm = arm_of(func, &mut self.b);
                let lists = &mut self.b.func.dfg.value_lists;
                entries.resize_with((at - first) as usize, || BlockCall::new(other, [], lists));
                entries.push(BlockCall::new(arm, [], lists));
            }
            let other = BlockCall::new(other, [], &mut self.b.func.dfg.value_lists);
            let jumps = self.b.create_jump_table(JumpTableData::new(other, &entries));
            let from_first = self.b.ins().iadd_imm_s(index, -i64::from(first));
            self.b.ins().br_table(from_first, jumps);
        }
        let args = self.stack.split_off(self.stack.len() - ty.params.len());
        let depth = self.control.len();
        let dispatch = Dispatch { depth, table, type_index, index, args, arms, other, join };
        self.dispatches.push(dispatch);
        self.next_arm()?;
        Ok(true)
    }

    /// Functions of a type by their index in the table, which is sorted; none if they are not known.
    fn callees(&self, table: u32, type_index: u32) -> Vec<(u32, DefinedFuncIndex)> {
        let none = Vec::new();
        if self.module.tables[table as usize].index64 {
            return none;
        }
        let Some(elements) = self.module.fixed_table(table) else { return none };
        let is_callee = |func: FuncIndex| self.is_of_type(func, type_index);
        let mut callees = Vec::new();
        for (at, func) in elements.iter().enumerate() {
            let Some(func) = func.filter(|func| is_callee(*func)) else { continue };
            // An import is of another instance, or of the host.
            let Some(func) = self.module.defined_func(func) else { return none };
            callees.push((at as u32, func));
            if callees.len() > ARMS_MAX {
                return none;
            }
        }
        let span = callees.first().zip(callees.last()).map_or(0, |(first, last)| last.0 - first.0);
        if callees.len() > COMPARED_MAX && span >= TABLE_MAX { none } else { callees }
    }

    /// Goes on if the call that was just inlined is an arm of a dispatch, which then has one less.
    pub(super) fn end_arm(&mut self) -> Result {
        let depth = self.control.len();
        match self.dispatches.last() {
            Some(dispatch) if dispatch.depth == depth => self.join_arm()?,
            _ => return Ok(()),
        }
        self.next_arm()
    }

    /// Jumps behind the call, with its results on the stack.
    fn join_arm(&mut self) -> Result {
        if let Some(&Dispatch { join, type_index, .. }) = self.dispatches.last() {
            let results = self.module.type_func(type_index).results.len();
            self.work.edge(results)?;
            self.jump_with_top(join, results);
            self.stack.truncate(self.stack.len() - results);
        }
        Ok(())
    }

    /// Translates arms up to one that is inlined, which is gone on with; or all, and goes on behind.
    fn next_arm(&mut self) -> Result {
        while let Some(dispatch) = self.dispatches.last_mut() {
            self.stack.extend_from_slice(&dispatch.args);
            let type_index = dispatch.type_index;
            if let Some(Arm { block, func, inlined }) = dispatch.arms.pop() {
                self.go_on(block);
                if inlined {
                    return self.begin_inlined(func);
                }
                let callee = Callee::Func(self.function(func));
                self.call_with(callee, self.vmctx, type_index)?;
                self.join_arm()?;
                continue;
            }
            let Dispatch { table, index, other, join, .. } = *dispatch;
            self.go_on(other);
            self.push(index);
            let (callee, context) = self.indirect(table, type_index);
            self.call_with(callee, context, type_index)?;
            self.join_arm()?;
            self.dispatches.pop();
            self.go_on(join);
            let results = &self.module.type_func(type_index).results;
            self.reset_stack(self.stack.len(), results, join);
            break;
        }
        Ok(())
    }
}
