//! Translation of vector instructions.

use dunlin_module::op::Operator;

use super::{Result, Translator};

impl Translator<'_, '_> {
    /// Translates one of this family; false if `op` is none that is translated.
    pub(super) fn simd(&mut self, _op: &Operator<'_>) -> Result<bool> {
        Ok(false)
    }
}
