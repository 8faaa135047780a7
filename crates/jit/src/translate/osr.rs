//! Code that is entered at a loop.
//!
//! ```text
//!  entry: locals from the frame ──► operands from the frame ──► header of the loop ◄── back edges
//!                                                                    ▲
//!  (begin of the function ──► what is before the loop) ──────────────┘ never runs
//! ```
//!
//! The whole body is translated as ever, but nothing leads to its beginning: what only that leads to
//! vanishes. Operands below the loop, and below loops around it, become variables at the headers,
//! because they come from two places. As all that runs comes from the header of the loop that is
//! entered, whatever follows it may use their values there.

use cranelift_codegen::ir::{Block, InstBuilder, Value};
use cranelift_frontend::Variable;
use dunlin_code::native::{CompileError, Entry};

use super::access::Region;
use super::control::Kind;
use super::stack::{Operand, clif_type};
use super::{Result, Translator};

impl Translator<'_, '_> {
    /// Reads the locals from the frame at `fp` and goes on as at the beginning of the function.
    pub(super) fn enter_loop_code(&mut self, fp: Value) {
        self.body.frame_base = Some(fp);
        let starts: Vec<u32> = match &self.body.frame {
            Some(frame) => (0..frame.local_count()).map(|index| frame.local(index)).collect(),
            None => Vec::new(),
        };
        for (at, start) in starts.into_iter().enumerate() {
            let local = self.body.locals[at];
            let value = self.load_field(clif_type(local.ty), Region::Frame, fp, 8 * start as i32);
            self.b.def_var(local.var, value);
        }
        let operands = self.b.create_block();
        self.osr_operands = Some(operands);
        self.b.ins().jump(operands, &[]);
        self.b.seal_block(operands);
        let begin = self.b.create_block();
        self.b.switch_to_block(begin);
        self.b.seal_block(begin);
        self.init_locals(&[]);
    }

    /// Goes on at the header of a loop with the top `params` operands. If the loop that is entered was
    /// not met before, operands below come from variables there; and if this is it, everything comes
    /// from the frame too.
    pub(super) fn begin_loop(&mut self, header: Block, params: usize) -> Result {
        let Some(operands) = self.osr_operands else {
            self.jump_with_top(header, params);
            self.b.switch_to_block(header);
            return Ok(());
        };
        let below = self.stack.len() - params;
        self.work.edge(below)?;
        let vars: Vec<Variable> = (0..below).map(|at| self.operand_variable(at)).collect();
        for (at, var) in vars.iter().enumerate() {
            self.b.def_var(*var, self.stack[at].value);
        }
        self.jump_with_top(header, params);
        if self.callers.is_empty() && self.entry == Entry::Loop(self.body.operator_at) {
            self.refuse_stale(below)?;
            self.osr_operands = None;
            self.b.switch_to_block(operands);
            self.read_operands(&vars);
            self.jump_with_top(header, params);
        }
        self.b.switch_to_block(header);
        for (at, var) in vars.into_iter().enumerate() {
            self.stack[at].value = self.b.use_var(var);
        }
        Ok(())
    }

    /// Refuses to enter a loop with operands below it that a loop around it pushed. In the next iteration
    /// of that one they may be used behind a branch, or where an exception lands, that does not come
    /// past the header of this one, and would be what they are at the header still.
    fn refuse_stale(&self, below: usize) -> Result {
        let outer = self.control.iter().find(|block| matches!(block.kind, Kind::Loop));
        if outer.is_some_and(|outer| outer.height < below) {
            let what = "entry at a loop with operands of a loop around it";
            return Err(CompileError::Unsupported(what.to_owned()));
        }
        Ok(())
    }

    /// The variable for the operand at height `at`, the same at all loops.
    fn operand_variable(&mut self, at: usize) -> Variable {
        let Operand { value, traced, var, .. } = self.stack[at];
        var.unwrap_or_else(|| {
            let var = self.b.declare_var(self.type_of(value));
            if traced {
                self.b.declare_var_needs_stack_map(var);
            }
            self.stack[at].var = Some(var);
            var
        })
    }

    /// Reads all operands from the frame: those that have variables as these.
    fn read_operands(&mut self, vars: &[Variable]) {
        let (Some(fp), Some(frame)) = (self.body.frame_base, &self.body.frame) else { return };
        let first = frame.operands;
        for at in 0..self.stack.len() {
            let Operand { value, home, .. } = self.stack[at];
            let (ty, offset) = (self.type_of(value), 8 * (first + home) as i32);
            let value = self.load_field(ty, Region::Frame, fp, offset);
            match vars.get(at) {
                Some(var) => self.b.def_var(*var, value),
                None => self.stack[at].value = value,
            }
        }
    }
}
