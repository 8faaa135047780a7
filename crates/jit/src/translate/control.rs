//! Control: blocks, loops, branches, returns (core spec §4.4.8).

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{Block, BlockArg, BlockCall, InstBuilder, JumpTableData, Value};
use dunlin_code::{Trap, unreachable};
use dunlin_module::ValType;
use dunlin_module::op::{BlockType, BrTable, Operator};

use super::stack::clif_type;
use super::{Result, Translator, malformed};

#[derive(Clone, Debug)]
pub(super) enum Kind {
    Func,
    /// The body of a function that stands in place of a call.
    Inlined,
    Block,
    Loop,
    /// With the block where the `else` part begins, and the parameters for it.
    If(Block, Vec<Value>),
    Else,
    /// The part of a `try` or `try_table` whose exceptions are caught.
    Try,
    /// A part of a `try` that catches, with the number of the handler.
    Catch(usize),
}

/// An open block.
#[derive(Clone, Debug)]
pub(super) struct Control {
    pub(super) kind: Kind,
    /// Where a branch to this block goes, once there is one: of a loop, the beginning of the next copy
    /// of its body, or its header.
    pub(super) label: Option<Block>,
    /// Whether anything branches to it.
    pub(super) used: bool,
    /// Operands below the block's parameters.
    pub(super) height: usize,
    pub(super) ty: BlockType,
    /// The handler of exceptions thrown in the block, outside of blocks in it.
    pub(super) handler: Option<usize>,
}

impl<'m> Translator<'_, 'm> {
    pub(super) fn enter_function(&mut self) {
        self.control.push(Control {
            kind: Kind::Func,
            label: None,
            used: false,
            height: 0,
            ty: BlockType::Empty,
            handler: None,
        });
        self.begin_fuel();
        self.charge_for_locals();
    }

    /// Follows the nesting of unreachable code; true if `op` needs nothing else.
    pub(super) fn skip(&mut self, op: &Operator<'_>) -> bool {
        unreachable::skip(op, &mut self.skipped)
    }

    /// Translates a control instruction; false if `op` is none.
    pub(super) fn control(&mut self, op: &Operator<'_>) -> Result<bool> {
        match op {
            Operator::Unreachable => self.trap(Trap::Unreachable),
            Operator::Block { blockty } => self.open(Kind::Block, *blockty)?,
            Operator::Loop { blockty } => self.open_loop(*blockty)?,
            Operator::If { blockty } => self.open_if(*blockty)?,
            Operator::Else => self.open_else()?,
            Operator::End => self.close()?,
            Operator::Br { relative_depth } => {
                self.branch(*relative_depth)?;
                self.unreachable = true;
            }
            Operator::BrIf { relative_depth } => {
                let condition = self.pop();
                self.branch_if(*relative_depth, condition)?;
            }
            Operator::BrTable { targets } => self.branch_table(targets)?,
            Operator::BrOnNull { relative_depth } => {
                let operand = self.pop_operand();
                let null = self.compare(IntCC::Equal, operand.value, 0);
                self.branch_if(*relative_depth, null)?;
                self.stack.push(operand);
            }
            Operator::BrOnNonNull { relative_depth } => {
                let reference = self.top(1)[0];
                let some = self.compare(IntCC::NotEqual, reference, 0);
                self.branch_if(*relative_depth, some)?;
                self.pop();
            }
            Operator::Return => {
                let depth = self.control.len() - 1 - self.body.control_base;
                self.branch(depth as u32)?;
                self.unreachable = true;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Opens a block whose parameters are the top operands.
    pub(super) fn open(&mut self, kind: Kind, ty: BlockType) -> Result {
        let params = self.module.block_type(ty).params().len();
        let height = self.stack.len() - params;
        let handler = self.control.last().and_then(|block| block.handler);
        self.control.push(Control { kind, label: None, used: false, height, ty, handler });
        self.work.edge(0)
    }

    fn open_loop(&mut self, ty: BlockType) -> Result {
        let params = self.module.block_type(ty).params().to_vec();
        let header = self.block_for(&params)?;
        self.begin_loop(header, params.len())?;
        self.open(Kind::Loop, ty)?;
        self.begin_copies(header);
        let height = match self.control.last_mut() {
            Some(block) => {
                block.label = if self.unrolled.is_some() { None } else { Some(header) };
                block.height
            }
            None => 0,
        };
        self.reset_stack(height, &params, header);
        self.poll();
        self.begin_fuel();
        Ok(())
    }

    fn open_if(&mut self, ty: BlockType) -> Result {
        let condition = self.pop();
        let (then, otherwise) = (self.b.create_block(), self.b.create_block());
        self.b.ins().brif(condition, then, &[], otherwise, &[]);
        self.b.seal_block(then);
        self.b.seal_block(otherwise);
        self.b.switch_to_block(then);
        let params = self.top(self.module.block_type(ty).params().len());
        self.work.edge(params.len())?;
        self.open(Kind::If(otherwise, params), ty)?;
        self.begin_fuel();
        Ok(())
    }

    fn open_else(&mut self) -> Result {
        let Some(mut block) = self.control.pop() else { return Ok(()) };
        self.finish_part(&mut block)?;
        let sig = self.module.block_type(block.ty);
        if let Kind::If(otherwise, params) = std::mem::replace(&mut block.kind, Kind::Else) {
            self.b.switch_to_block(otherwise);
            self.stack.truncate(block.height);
            for (value, ty) in params.into_iter().zip(sig.params()) {
                self.push_ty(value, *ty);
            }
        }
        self.unreachable = false;
        self.control.push(block);
        self.begin_fuel();
        Ok(())
    }

    /// Ends a part of a block behind which comes another part.
    pub(super) fn finish_part(&mut self, block: &mut Control) -> Result {
        if self.unreachable {
            return Ok(());
        }
        let sig = self.module.block_type(block.ty);
        let results = sig.results();
        let label = self.label_of(block, results)?;
        self.jump_with_top(label, results.len());
        Ok(())
    }

    /// Where branches to `block`, which is no loop, go: it is used.
    pub(super) fn label_of(&mut self, block: &mut Control, results: &[ValType]) -> Result<Block> {
        block.used = true;
        match block.label {
            Some(label) => Ok(label),
            None => Ok(*block.label.insert(self.block_for(results)?)),
        }
    }

    pub(super) fn close(&mut self) -> Result {
        if matches!(self.control.last(), Some(Control { kind: Kind::Try, .. })) {
            self.end_try()?;
        }
        let Some(mut block) = self.control.pop() else { return Ok(()) };
        let sig = self.module.block_type(block.ty);
        let results = sig.results();
        match &mut block.kind {
            Kind::Func => {
                if !self.unreachable {
                    self.return_top();
                }
                return Ok(());
            }
            Kind::Loop => return self.close_loop(block),
            Kind::If(otherwise, params) => {
                let (otherwise, params) = (*otherwise, std::mem::take(params));
                self.finish_part(&mut block)?;
                let label = self.label_of(&mut block, results)?;
                self.b.switch_to_block(otherwise);
                self.jump(label, &params);
                self.unreachable = true;
            }
            Kind::Inlined => {
                // What the callee does never decides whether what follows is translated, so that fuel
                // is counted as if it had been called.
                let label = self.label_of(&mut block, results)?;
                self.finish_part(&mut block)?;
                self.end_inlined();
                self.go_on(label);
                self.reset_stack(block.height, results, label);
                self.unreachable = false;
                return self.end_arm();
            }
            Kind::Block | Kind::Else | Kind::Try | Kind::Catch(_) => {}
        }
        if block.used {
            self.finish_part(&mut block)?;
            let label = self.label_of(&mut block, results)?;
            self.b.seal_block(label);
            self.b.switch_to_block(label);
            self.reset_stack(block.height, results, label);
            self.unreachable = false;
            self.begin_fuel();
        } else if self.unreachable {
            self.stack.truncate(block.height);
        }
        Ok(())
    }

    /// A block that takes values of `types`.
    pub(super) fn block_for(&mut self, types: &[ValType]) -> Result<Block> {
        self.work.edge(types.len())?;
        let block = self.b.create_block();
        for &ty in types {
            self.b.append_block_param(block, clif_type(ty));
        }
        Ok(block)
    }

    /// The stack as it is at the beginning of `block`: `height` operands below, then its parameters.
    pub(super) fn reset_stack(&mut self, height: usize, types: &[ValType], block: Block) {
        self.stack.truncate(height);
        for (at, &ty) in types.iter().enumerate() {
            let value = self.b.block_params(block)[at];
            self.push_ty(value, ty);
        }
    }

    pub(super) fn jump(&mut self, block: Block, values: &[Value]) {
        let args: Vec<BlockArg> = values.iter().copied().map(BlockArg::Value).collect();
        self.b.ins().jump(block, &args);
    }

    /// Jumps with the top `count` operands, without changing the stack.
    pub(super) fn jump_with_top(&mut self, block: Block, count: usize) {
        let values = self.top(count);
        self.jump(block, &values);
    }

    /// Where a branch to `depth` goes, and how many values it carries; `None` if it returns.
    pub(super) fn target(&mut self, depth: u32) -> Result<Option<(Block, usize)>> {
        let at = self.control.len() - 1 - depth as usize;
        let sig = self.module.block_type(self.control[at].ty);
        let types = match self.control[at].kind {
            Kind::Func => return Ok(None),
            Kind::Loop => sig.params(),
            _ => sig.results(),
        };
        let label = match self.control[at].label {
            Some(label) => label,
            None => {
                let label = self.block_for(types)?;
                *self.control[at].label.insert(label)
            }
        };
        let target = (label, types.len());
        self.control[at].used = true;
        self.work.edge(target.1)?;
        Ok(Some(target))
    }

    /// Branches to `depth` with the top operands, without changing the stack.
    pub(super) fn branch(&mut self, depth: u32) -> Result {
        match self.target(depth)? {
            Some((label, arity)) => self.jump_with_top(label, arity),
            None => self.return_top(),
        }
        Ok(())
    }

    /// Does so if `condition` is not zero.
    pub(super) fn branch_if(&mut self, depth: u32, condition: Value) -> Result {
        let next = self.b.create_block();
        match self.target(depth)? {
            Some((label, arity)) => {
                let values = self.top(arity);
                let args: Vec<BlockArg> = values.into_iter().map(BlockArg::Value).collect();
                self.b.ins().brif(condition, label, &args, next, &[]);
            }
            None => {
                let leave = self.b.create_block();
                self.b.ins().brif(condition, leave, &[], next, &[]);
                self.b.seal_block(leave);
                self.b.switch_to_block(leave);
                self.return_top();
            }
        }
        self.go_on(next);
        Ok(())
    }

    /// Goes on in `block`, which nothing else will branch to.
    pub(super) fn go_on(&mut self, block: Block) {
        self.b.seal_block(block);
        self.b.switch_to_block(block);
    }

    /// Branches to a block for what is rare if `condition` is not zero: that one and the other. The
    /// former is sealed, the latter is to be gone on in.
    pub(super) fn branch_cold(&mut self, condition: Value) -> (Block, Block) {
        let (cold, next) = (self.b.create_block(), self.b.create_block());
        self.b.set_cold_block(cold);
        self.b.ins().brif(condition, cold, &[], next, &[]);
        self.b.seal_block(cold);
        (cold, next)
    }

    fn branch_table(&mut self, targets: &BrTable<'_>) -> Result {
        let index = self.pop();
        self.work.table(targets.len())?;
        let all: Vec<u32> =
            targets.targets().collect::<std::result::Result<_, _>>().map_err(malformed)?;
        // Depths whose branch carries values or returns: each gets a block of its own, once.
        let mut stubs: Vec<Option<Block>> = vec![None; self.control.len()];
        let mut made = Vec::new();
        let mut calls = Vec::with_capacity(all.len() + 1);
        for depth in all.into_iter().chain([targets.default()]) {
            let block = match self.target(depth)? {
                Some((label, 0)) => label,
                _ => *stubs[depth as usize].get_or_insert_with(|| {
                    let stub = self.b.create_block();
                    made.push((depth, stub));
                    stub
                }),
            };
            calls.push(BlockCall::new(block, [], &mut self.b.func.dfg.value_lists));
        }
        let (default, calls) = match calls.split_last() {
            Some((default, calls)) => (*default, calls),
            None => return Ok(()),
        };
        let table = self.b.create_jump_table(JumpTableData::new(default, calls));
        self.b.ins().br_table(index, table);
        for (depth, stub) in made {
            self.go_on(stub);
            self.branch(depth)?;
        }
        self.unreachable = true;
        Ok(())
    }
}
