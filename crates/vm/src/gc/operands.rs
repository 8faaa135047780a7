//! Operands of native code that a collection must find: those of the builtin that runs.
//!
//! The interpreter's operands are in slots of frames. Native code copies what it gives to a builtin to
//! slots that no map names, and so the builtin names them.

use dunlin_code::object::Storage;

use super::types::TypeInfo;
use crate::store::Store;

/// Slots outside of frames that hold traced references.
#[derive(Clone, Copy, Debug)]
pub(crate) enum OperandRoots {
    /// There are none.
    None,
    /// So many slots from here on.
    Slots(*mut u64, usize),
    /// Those of the fields of an object of this type, whose values are from here on.
    Fields(*mut u64, *const TypeInfo),
}

impl OperandRoots {
    /// Calls `visit` with every slot.
    pub(super) fn each(self, mut visit: impl FnMut(*mut u64)) {
        match self {
            OperandRoots::None => {}
            OperandRoots::Slots(first, count) => {
                (0..count).for_each(|slot| visit(first.wrapping_add(slot)));
            }
            OperandRoots::Fields(mut slot, info) => {
                // SAFETY: V11: types stay where they are.
                for (_, storage) in &unsafe { &*info }.fields {
                    if *storage == Storage::Ref {
                        visit(slot);
                    }
                    slot = slot.wrapping_add(storage.slots() as usize);
                }
            }
        }
    }
}

impl Store {
    /// Runs `body`, in which collections follow the references in `roots`.
    ///
    /// # Safety
    ///
    /// Until `body` is back nobody else uses these slots, each of which holds a traced reference.
    pub(crate) unsafe fn with_operands<R>(
        &mut self,
        roots: OperandRoots,
        body: impl FnOnce(&mut Store) -> R,
    ) -> R {
        self.operand_roots = roots;
        let result = body(self);
        self.operand_roots = OperandRoots::None;
        result
    }
}
