//! What instructions cost, for every tier alike.
//!
//! Fuel is taken in advance for a *stretch*: what follows the entry of a function, the header of a loop, the
//! beginning of an arm or of a handler, or a join, up to the next of these. Work on many bytes is
//! paid for where it is done.

use dunlin_module::op::Operator;

/// Units that `op` adds to its stretch: none if it only structures code.
#[inline]
pub fn cost(op: &Operator<'_>) -> u32 {
    use Operator::{Block, Catch, CatchAll, Delegate, Else, End, Loop, Nop, Try, TryTable};
    let plain = matches!(op, Nop | Block { .. } | Loop { .. } | Else | End);
    let catching = matches!(op, TryTable { .. } | Catch { .. } | CatchAll)
        || matches!(op, Try { .. } | Delegate { .. });
    u32::from(!plain && !catching)
}

/// Units for zeroing so many slots of declared locals on entry: one for each 64 bytes.
#[inline]
pub fn locals_cost(slots: u32) -> u32 {
    slots / 8
}
