//! Which calls are inlined.
//!
//! Functions are inlined that are small, so that a call would take longer than what they do, and that
//! do not loop, so that time spent in them is time spent entering them; in themselves, where that is so
//! anyway, also those that loop. What is inlined is translated at every place again: how much that may be
//! in all depends on the size of the function around it.

use std::collections::HashMap;

use dunlin_code::native::Effort;
use dunlin_module::op::Operator;
use dunlin_module::{DefinedFuncIndex, Module};

/// Bytes of a body that is inlined.
const BODY_BYTES_MAX: usize = 96;
/// The same, where a function calls itself.
const SELF_BYTES_MAX: usize = 160;
/// Its parameters and locals.
const LOCALS_MAX: usize = 24;
/// How deeply inlined functions may lie in each other.
const DEPTH_MAX: usize = 5;
/// How often a function may lie in itself.
const RECURSION_MAX: usize = 2;
/// Bytes of bodies that may be inlined into any function, and so many times its own size.
const GROWTH_BYTES: usize = 1200;
const GROWTH_FACTOR: usize = 2;
/// The same for functions of which most hardly ever run, as a part of that.
const LITTLE: usize = 4;

/// What may still be inlined into a function.
#[derive(Debug)]
pub(crate) struct Inlining {
    /// Bytes of bodies; 0 if nothing is inlined.
    left: usize,
    /// What is known of functions.
    known: HashMap<DefinedFuncIndex, Shape>,
}

impl Inlining {
    /// For a function whose body has so many bytes.
    pub(crate) fn new(body_bytes: usize, effort: Effort) -> Inlining {
        let most = GROWTH_BYTES + GROWTH_FACTOR * body_bytes;
        let left = if effort == Effort::Most { most } else { most / LITTLE };
        Inlining { left, known: HashMap::new() }
    }

    /// Nothing is inlined.
    pub(crate) fn none() -> Inlining {
        Inlining { left: 0, known: HashMap::new() }
    }

    /// Takes from what may be inlined; false if it is not there.
    pub(crate) fn take(&mut self, bytes: usize) -> bool {
        let left = self.left.checked_sub(bytes);
        self.left = left.unwrap_or(self.left);
        left.is_some()
    }

    /// Whether a call of `func` is to be inlined in a function that lies in `callers`, the outermost
    /// first and the calling one last. If so, it is counted.
    pub(crate) fn wants(
        &mut self,
        module: &Module,
        func: DefinedFuncIndex,
        at: At,
        callers: impl Iterator<Item = DefinedFuncIndex>,
    ) -> bool {
        let (mut depth, mut within) = (0, 0);
        for caller in callers {
            depth += 1;
            within += usize::from(caller == func);
        }
        if depth > DEPTH_MAX || within > RECURSION_MAX {
            return false;
        }
        let bytes = module.bodies[func.index()].len();
        let bytes_max = if within > 0 { SELF_BYTES_MAX } else { BODY_BYTES_MAX };
        if bytes > self.left.min(bytes_max) {
            return false;
        }
        let shape = *self.known.entry(func).or_insert_with(|| shape(module, func));
        // Where a function that loops calls itself, time is spent entering it nevertheless.
        let worth = (!shape.loops || within > 0) && (at == At::Call || !shape.calls);
        let wanted = shape.fits && worth;
        if wanted {
            self.left -= bytes;
        }
        wanted
    }
}

/// What is called.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum At {
    /// The one function that is called here.
    Call,
    /// One of several, most of which would be in vain.
    Arm,
}

/// What kind of function one is.
#[derive(Clone, Copy, Debug)]
struct Shape {
    /// Whether translation can put it in place of a call.
    fits: bool,
    loops: bool,
    calls: bool,
}

/// Nothing else is known of what does not fit.
fn shape(module: &Module, func: DefinedFuncIndex) -> Shape {
    read(module, func).unwrap_or(Shape { fits: false, loops: false, calls: false })
}

fn read(module: &Module, func: DefinedFuncIndex) -> Option<Shape> {
    let body = module.body(func);
    let mut locals = module.func_type(module.func_index(func)).params.len();
    for group in body.get_locals_reader().ok()? {
        locals = locals.saturating_add(group.ok()?.0 as usize);
    }
    if locals > LOCALS_MAX {
        return None;
    }
    let mut shape = Shape { fits: true, loops: false, calls: false };
    let mut reader = body.get_operators_reader().ok()?;
    while !reader.eof() {
        match reader.read().ok()? {
            Operator::Loop { .. } => shape.loops = true,
            Operator::Call { .. } | Operator::CallIndirect { .. } | Operator::CallRef { .. } => {
                shape.calls = true;
            }
            Operator::TryTable { .. }
            | Operator::Try { .. }
            | Operator::ReturnCall { .. }
            | Operator::ReturnCallIndirect { .. }
            | Operator::ReturnCallRef { .. } => return None,
            _ => {}
        }
    }
    Some(shape)
}
