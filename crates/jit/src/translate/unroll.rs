//! Translating the body of a loop several times in a row ([`crate::unroll`]).
//!
//! ```text
//! header: look for interruption; body ──► body ──► body ──┐
//!   ▲                              │       │       │      └──► header
//!   │                              └───────┴───────┴─────────► what follows the loop
//! ```
//!
//! Branches back to the loop go to the next copy, those in the last one to the header. The reader is set
//! back for each.

use cranelift_codegen::ir::Block;
use dunlin_code::native::Effort;
use dunlin_module::op::OperatorsReader;

use super::control::{Control, Kind};
use super::{Result, Translator};

/// The loop whose body is translated several times: no loop lies in it.
pub(super) struct Unrolled<'m> {
    /// Open blocks around it.
    depth: usize,
    header: Block,
    /// At its first instruction.
    reader: OperatorsReader<'m>,
    /// Copies that still follow the current one.
    left: u32,
    /// Where the copies meet that are left at their end.
    after: Option<Block>,
}

impl<'m> Translator<'_, 'm> {
    /// Begins the first copy of the body of the loop that was opened last, if it is to be unrolled.
    pub(super) fn begin_copies(&mut self, header: Block) {
        self.unrolled = None;
        // The interpreter pays for a stretch that goes on behind the loop once, not once for each copy.
        let outermost = self.callers.is_empty() && self.osr_operands.is_none();
        let wanted = outermost && self.effort == Effort::Most && !self.settings.fuel;
        let copies = self.survey.unrolled.get(&self.body.operator_at);
        if let (true, Some(copies)) = (wanted, copies) {
            self.unrolled = Some(Unrolled {
                depth: self.control.len() - 1,
                header,
                reader: self.body.reader.clone(),
                left: copies - 1,
                after: None,
            });
        }
    }

    /// Closes a loop, or goes on with its next copy.
    pub(super) fn close_loop(&mut self, block: Control) -> Result {
        let depth = self.control.len();
        match self.unrolled.take_if(|unrolled| unrolled.depth == depth) {
            Some(unrolled) if block.used && unrolled.left > 0 => self.next_copy(block, unrolled)?,
            Some(Unrolled { header, after: Some(after), .. }) => {
                let sig = self.module.block_type(block.ty);
                if !self.unreachable {
                    self.jump_with_top(after, sig.results().len());
                }
                self.b.seal_block(header);
                self.go_on(after);
                self.reset_stack(block.height, sig.results(), after);
                self.unreachable = false;
            }
            unrolled => {
                if let Some(header) = unrolled.map(|unrolled| unrolled.header).or(block.label) {
                    self.b.seal_block(header);
                }
                if self.unreachable {
                    self.stack.truncate(block.height);
                }
            }
        }
        Ok(())
    }

    fn next_copy(&mut self, block: Control, mut unrolled: Unrolled<'m>) -> Result {
        let sig = self.module.block_type(block.ty);
        if !self.unreachable {
            let after = match unrolled.after {
                Some(after) => after,
                None => *unrolled.after.insert(self.block_for(sig.results())?),
            };
            self.jump_with_top(after, sig.results().len());
        }
        if let Some(copy) = block.label {
            self.go_on(copy);
            self.reset_stack(block.height, sig.params(), copy);
        }
        self.unreachable = false;
        self.body.reader = unrolled.reader.clone();
        unrolled.left -= 1;
        let label = (unrolled.left == 0).then_some(unrolled.header);
        self.control.push(Control { kind: Kind::Loop, label, used: false, ..block });
        self.unrolled = Some(unrolled);
        self.work.edge(0)
    }
}
