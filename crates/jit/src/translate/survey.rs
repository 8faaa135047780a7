//! A first look at a body: what has to be known before it is translated.

use dunlin_module::op::Operator;
use dunlin_module::{DefinedFuncIndex, Module};

use super::{Result, malformed};
use crate::limits::Work;

/// What the instructions of a body are.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Survey {
    /// Whether it calls functions.
    pub(super) calls: bool,
    /// Whether it does so by tail calls.
    pub(super) tail_calls: bool,
}

/// Reads the body of `func`; fails if it has too many locals or instructions.
pub(super) fn survey(module: &Module, func: DefinedFuncIndex, work: &mut Work) -> Result<Survey> {
    let body = module.body(func);
    let mut locals = module.func_type(module.func_index(func)).params.len() as u64;
    for group in body.get_locals_reader().map_err(malformed)? {
        locals += u64::from(group.map_err(malformed)?.0);
    }
    Work::locals(locals)?;
    let mut survey = Survey::default();
    let mut counted = *work;
    let mut reader = body.get_operators_reader().map_err(malformed)?;
    while !reader.eof() {
        counted.operator()?;
        match reader.read().map_err(malformed)? {
            Operator::Call { .. } | Operator::CallIndirect { .. } | Operator::CallRef { .. } => {
                survey.calls = true;
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
    Ok(survey)
}
