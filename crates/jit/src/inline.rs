//! Which calls are inlined.
//!
//! Functions are inlined that are small, so that a call would take longer than what they do, and that
//! do not loop or call themselves, so that time spent in them is time spent entering them. What is inlined is translated
//! at every place again: how much that may be in all depends on the size of the function around it.

use std::collections::HashMap;

use dunlin_module::op::Operator;
use dunlin_module::{DefinedFuncIndex, Module};

/// Bytes of a body that is inlined.
const BODY_BYTES_MAX: usize = 96;
/// Its parameters and locals.
const LOCALS_MAX: usize = 24;
/// How deeply inlined functions may lie in each other.
const DEPTH_MAX: usize = 5;
/// How often a function may lie in itself.
const RECURSION_MAX: usize = 2;
/// Bytes of bodies that may be inlined into any function, and so many times its own size.
const GROWTH_BYTES: usize = 1200;
const GROWTH_FACTOR: usize = 2;

/// What may still be inlined into a function.
#[derive(Debug)]
pub(crate) struct Inlining {
    /// Bytes of bodies; 0 if nothing is inlined.
    left: usize,
    /// What is known of functions.
    known: HashMap<DefinedFuncIndex, Suitable>,
}

impl Inlining {
    /// For a function whose body has so many bytes.
    pub(crate) fn new(body_bytes: usize) -> Inlining {
        Inlining { left: GROWTH_BYTES + GROWTH_FACTOR * body_bytes, known: HashMap::new() }
    }

    /// Nothing is inlined.
    pub(crate) fn none() -> Inlining {
        Inlining { left: 0, known: HashMap::new() }
    }

    /// Whether a call of `func` is to be inlined in a function that lies in `callers`, the outermost
    /// first and the calling one last. If so, it is counted.
    pub(crate) fn wants(
        &mut self,
        module: &Module,
        func: DefinedFuncIndex,
        callers: impl Iterator<Item = DefinedFuncIndex>,
    ) -> bool {
        let bytes = module.bodies[func.index()].len();
        if bytes > self.left.min(BODY_BYTES_MAX) {
            return false;
        }
        let (mut depth, mut within) = (0, 0);
        for caller in callers {
            depth += 1;
            within += usize::from(caller == func);
        }
        if depth > DEPTH_MAX || within > RECURSION_MAX {
            return false;
        }
        let known = self.known.entry(func);
        let suitable =
            match known.or_insert_with(|| suitable(module, func).unwrap_or(Suitable::Never)) {
                Suitable::Always => true,
                Suitable::InItself => within > 0,
                Suitable::Never => false,
            };
        if suitable {
            self.left -= bytes;
        }
        suitable
    }
}

/// Where translation can put a function in place of a call, and it is worth it.
#[derive(Clone, Copy, Debug)]
enum Suitable {
    Always,
    /// It loops. Where it calls itself, time is spent entering it nevertheless.
    InItself,
    Never,
}

/// `None` if it cannot be read.
fn suitable(module: &Module, func: DefinedFuncIndex) -> Option<Suitable> {
    let body = module.body(func);
    let mut locals = module.func_type(module.func_index(func)).params.len();
    for group in body.get_locals_reader().ok()? {
        locals = locals.saturating_add(group.ok()?.0 as usize);
    }
    if locals > LOCALS_MAX {
        return Some(Suitable::Never);
    }
    let mut suitable = Suitable::Always;
    let mut reader = body.get_operators_reader().ok()?;
    while !reader.eof() {
        let op = reader.read().ok()?;
        if matches!(op, Operator::Loop { .. }) {
            suitable = Suitable::InItself;
        }
        let catches = matches!(op, Operator::TryTable { .. } | Operator::Try { .. });
        let replaces = matches!(
            op,
            Operator::ReturnCall { .. }
                | Operator::ReturnCallIndirect { .. }
                | Operator::ReturnCallRef { .. }
        );
        if catches || replaces {
            return Some(Suitable::Never);
        }
    }
    Some(suitable)
}
