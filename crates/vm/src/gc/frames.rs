//! Roots in frames: every live reference is in a slot at a safepoint, and root maps say in which.

use dunlin_code::Trap;

use crate::bug::bug;
use crate::frames::{Place, Walk};

/// Calls `visit` with every slot that holds a traced reference, in the frames from the one at `place`
/// outwards to the host.
pub(super) fn each_root(
    walk: &mut Walk<'_>,
    place: Place,
    mut visit: impl FnMut(*mut u64),
) -> Result<(), Trap> {
    let mut next = (!place.ip.is_null()).then_some(place);
    while let Some(place) = next {
        let Some(found) = walk.function(place) else {
            return Err(bug!("a frame of no function at {:?}", place.ip));
        };
        let Some(roots) = found.code.roots(found.func, found.word as u32) else {
            return Err(bug!("function {} is no function of its module", found.func.0));
        };
        let Some(operands) = roots.operands(found.word as u32) else {
            return Err(bug!("word {} of function {} is no safepoint", found.word, found.func.0));
        };
        for slot in roots.locals().iter().chain(operands) {
            visit(place.fp.wrapping_add(*slot as usize));
        }
        next = walk.caller(&found, place.fp);
    }
    Ok(())
}
