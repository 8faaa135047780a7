//! Code that is entered at a loop.
//!
//! ```text
//!  entry: locals from the frame ──► operands from the frame ──► header of the loop ◄── back edges
//!                                                                    ▲
//!  (begin of the function ──► what is before the loop) ──────────────┘ never runs
//! ```
//!
//! The whole body is translated as ever, but nothing leads to its beginning: what only that leads to
//! vanishes. Operands below the loop become variables at its header, because they come from two places.
//! As all that runs comes from the header, whatever follows may use their values there.

use cranelift_codegen::ir::{Block, InstBuilder, Value};
use dunlin_code::native::{CompileError, Entry};

use super::access::Region;
use super::control::Kind;
use super::stack::{clif_type, slots};
use super::{Result, Translator};

impl Translator<'_, '_> {
    /// Reads the locals from the frame at `fp` and goes on as at the beginning of the function.
    pub(super) fn enter_loop_code(&mut self, fp: Value) {
        self.frame_base = Some(fp);
        let starts: Vec<u32> = match &self.frame {
            Some(frame) => (0..frame.local_count()).map(|index| frame.local(index)).collect(),
            None => Vec::new(),
        };
        for (at, start) in starts.into_iter().enumerate() {
            let local = self.locals[at];
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

    /// Whether the current instruction is the loop that is entered.
    pub(super) fn is_entered_loop(&self) -> bool {
        self.entry == Entry::Loop(self.operator_at)
    }

    /// Enters the loop whose header is `header` with the top `params` operands, from the code before
    /// it and from the frame. Then the header is the current block, and the operands below its
    /// parameters are what they are there.
    pub(super) fn enter_loop(&mut self, header: Block, params: usize) -> Result {
        let below = self.stack.len() - params;
        // What such a loop pushed may be used behind a branch, or where an exception lands, that does
        // not come past the header again.
        let outer = self.control.iter().find(|block| matches!(block.kind, Kind::Loop));
        if outer.is_some_and(|outer| outer.height < below) {
            let what = "entry at a loop with operands of another loop around it";
            return Err(CompileError::Unsupported(what.to_owned()));
        }
        let mut vars = Vec::with_capacity(below);
        for at in 0..below {
            let operand = self.stack[at];
            let var = self.b.declare_var(self.type_of(operand.value));
            if operand.traced {
                self.b.declare_var_needs_stack_map(var);
            }
            self.b.def_var(var, operand.value);
            vars.push(var);
        }
        self.jump_with_top(header, params);
        let Some(operands) = self.osr_operands.take() else { return Ok(()) };
        self.b.switch_to_block(operands);
        self.osr_reached = true;
        let (Some(fp), Some(frame)) = (self.frame_base, &self.frame) else { return Ok(()) };
        let first = frame.operands;
        for at in 0..self.stack.len() {
            let operand = self.stack[at];
            let ty = self.type_of(operand.value);
            debug_assert!(slots(ty) > 0);
            let offset = 8 * (first + operand.home) as i32;
            let value = self.load_field(ty, Region::Frame, fp, offset);
            match vars.get(at) {
                Some(var) => self.b.def_var(*var, value),
                None => self.stack[at].value = value,
            }
        }
        self.jump_with_top(header, params);
        self.b.switch_to_block(header);
        for (at, var) in vars.into_iter().enumerate() {
            self.stack[at].value = self.b.use_var(var);
        }
        Ok(())
    }
}
