//! A first look at a body: what has to be known before it is translated.

use std::collections::HashMap;

use dunlin_module::op::Operator;
use dunlin_module::{DefinedFuncIndex, Module};

use super::{Result, malformed};
use crate::limits::Work;
use crate::unroll::copies;

/// What the instructions of a body are.
#[derive(Default, Debug)]
pub(super) struct Survey {
    /// Whether it calls functions.
    pub(super) calls: bool,
    /// Whether it does so by tail calls.
    pub(super) tail_calls: bool,
    /// Where loops are whose bodies are translated several times → how often.
    pub(super) unrolled: HashMap<u32, u32>,
}

/// A block that is open.
#[derive(Clone, Copy, Debug)]
struct Open {
    /// Where the loop is, if it is one that may be unrolled still.
    at: Option<u32>,
    /// Instructions before its own.
    before: u32,
}

/// Reads the body of `func`; fails if it has too many locals or instructions.
pub(super) fn survey(module: &Module, func: DefinedFuncIndex, work: &mut Work) -> Result<Survey> {
    let body = module.body(func);
    let mut locals = module.func_type(module.func_index(func)).params.len() as u64;
    for group in body.get_locals_reader().map_err(malformed)? {
        locals += u64::from(group.map_err(malformed)?.0);
    }
    work.locals(locals)?;
    let mut survey = Survey::default();
    let mut counted = *work;
    let mut reader = body.get_operators_reader().map_err(malformed)?;
    let (mut open, mut operators): (Vec<Open>, u32) = (Vec::new(), 0);
    while !reader.eof() {
        counted.operator()?;
        operators += 1;
        let at = reader.original_position() as u32;
        match reader.read().map_err(malformed)? {
            Operator::Block { .. } | Operator::If { .. } => {
                open.push(Open { at: None, before: operators });
            }
            Operator::Loop { .. } => {
                large(&mut open);
                open.push(Open { at: Some(at), before: operators });
            }
            Operator::Try { .. } | Operator::TryTable { .. } => {
                large(&mut open);
                open.push(Open { at: None, before: operators });
            }
            Operator::End | Operator::Delegate { .. } => {
                let copies = |block: Open| Some((block.at?, copies(operators - block.before)));
                survey.unrolled.extend(open.pop().and_then(copies));
            }
            Operator::Call { .. } | Operator::CallIndirect { .. } | Operator::CallRef { .. } => {
                survey.calls = true;
                large(&mut open);
            }
            Operator::ReturnCall { .. }
            | Operator::ReturnCallIndirect { .. }
            | Operator::ReturnCallRef { .. } => {
                survey.calls = true;
                survey.tail_calls = true;
            }
            _ => {}
        }
    }
    survey.unrolled.retain(|_, copies| *copies > 1);
    Ok(survey)
}

/// What comes now takes so much longer than an iteration that unrolling the loops around it is in vain.
fn large(open: &mut [Open]) {
    // Those further out have lost theirs before, when the inner ones were opened.
    if let Some(innermost) = open.iter_mut().rfind(|block| block.at.is_some()) {
        innermost.at = None;
    }
}
