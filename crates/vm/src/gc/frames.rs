//! Roots in frames: every live reference is in a slot at a safepoint, and root maps say in which.

use dunlin_code::Trap;

use crate::bug::bug;
use crate::fiber::{FiberId, Fibers};
use crate::frames::{Activation, Place, Walk};

/// Calls `visit` with every slot that holds a traced reference, in the frames from the one at `place`
/// outwards to the host.
pub(super) fn each_root(
    walk: &mut Walk<'_>,
    place: Place,
    mut visit: impl FnMut(*mut u64),
) -> Result<(), Trap> {
    let mut next = (!place.ip.is_null()).then_some(place);
    while let Some(place) = next {
        next = frame(walk, place, &mut visit)?;
    }
    Ok(())
}

/// Calls `visit` with every slot that holds a traced reference, in the frames of the suspended
/// continuation whose outermost fiber is `outermost` and among the arguments it has already.
pub(super) fn each_suspended_root(
    walk: &mut Walk<'_>,
    fibers: &Fibers,
    outermost: FiberId,
    mut visit: impl FnMut(*mut u64),
) -> Result<(), Trap> {
    let (bound, end) = fibers.arguments(outermost);
    for slot in bound {
        visit(*slot);
    }
    let Some(innermost) = walk.suspended(outermost) else { return Ok(()) };
    // What the instruction that suspended took is gone; the arguments come there.
    let live = |slot: *mut u64| {
        if slot < end {
            visit(slot);
        }
    };
    let next = frame(walk, innermost, live)?;
    match next {
        Some(place) => each_root(walk, place, visit),
        None => Ok(()),
    }
}

/// The same for one frame; where its caller is.
fn frame(
    walk: &mut Walk<'_>,
    place: Place,
    mut visit: impl FnMut(*mut u64),
) -> Result<Option<Place>, Trap> {
    let activation = walk.activation(place);
    let found = match &activation {
        Some(Activation::Interpreted(found)) => found,
        Some(Activation::Native(func)) => {
            let Some(call) = func.call_at(place.ip.addr() + 1) else {
                return Err(bug!("no call of native code at {:?}", place.ip));
            };
            let sp = place.fp.wrapping_byte_sub(call.frame as usize);
            for root in &call.roots {
                visit(sp.wrapping_byte_add(*root as usize));
            }
            return Ok(walk.outwards(&Activation::Native(func.clone()), place));
        }
        Some(Activation::Replaced) => return Ok(walk.outwards(&Activation::Replaced, place)),
        None => return Err(bug!("a frame of no function at {:?}", place.ip)),
    };
    let Some(roots) = found.code.roots(found.func) else {
        return Err(bug!("function {} is no function of its module", found.func.0));
    };
    let Some(operands) = roots.operands(found.word as u32) else {
        return Err(bug!("word {} of function {} is no safepoint", found.word, found.func.0));
    };
    for slot in roots.locals().chain(operands) {
        visit(place.fp.wrapping_add(slot as usize));
    }
    Ok(walk.caller(found, place))
}
