//! Translation of exceptions.

use cranelift_codegen::ir::ExceptionTableItem;
use dunlin_module::op::Operator;

use super::{Result, Translator};

impl Translator<'_, '_> {
    /// Translates one of this family; false if `op` is none that is translated.
    pub(super) fn exception(&mut self, _op: &Operator<'_>) -> Result<bool> {
        Ok(false)
    }

    /// The handlers of exceptions thrown by a call here, innermost first, and the contexts of their
    /// tags.
    pub(super) fn handlers(&mut self) -> Vec<ExceptionTableItem> {
        Vec::new()
    }
}
