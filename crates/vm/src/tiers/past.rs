//! What one run tells the next: where interpreted time went that was not enough to compile for.
//!
//! A program that is started again spends its time where it did before. So heat is carried on, and what
//! is remembered is compiled from the first moment on, the best bargain first, while there is nothing
//! that is hot now. After some runs nothing is left that is worth it.

use std::cmp::Reverse;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use dunlin_module::DefinedFuncIndex;

use super::module::What;
use super::policy::{self, TierMode};
use super::pool::{self, Job};
use super::report::Asked;
use crate::module_code::ModuleCode;

/// What takes longer comes last, 10 ms in units of heat: of a short run it would be all that is tried, and
/// lost at the end, run after run.
const COST_SMALL: u64 = 10 * policy::HEAT_PER_MILLISECOND;

/// Functions of a module that ran before, to be compiled when there is nothing else to do.
#[derive(Debug)]
pub(super) struct Past {
    code: std::sync::Weak<ModuleCode>,
    /// The best bargain last.
    funcs: Vec<DefinedFuncIndex>,
}

impl Past {
    /// The next function that still is interpreted, and its module; `None` if there is none, or nobody
    /// needs it any more.
    pub(super) fn next(&mut self) -> Option<(Arc<ModuleCode>, DefinedFuncIndex)> {
        let code = self.code.upgrade()?;
        let tiers = code.tiers()?;
        while let Some(func) = self.funcs.pop() {
            if tiers.may_compile(&code, func) {
                return Some((code, func));
            }
        }
        None
    }
}

impl ModuleCode {
    /// How hot each function is that was seen interpreted and has no native code, in ascending order; for
    /// [`ModuleCode::remember`] at the next run. Heat that was remembered is in it.
    pub fn past(&self) -> Vec<(DefinedFuncIndex, u32)> {
        let Some(tiers) = self.tiers() else { return Vec::new() };
        let spent = tiers.spent();
        let heat = |func: DefinedFuncIndex| {
            let heat = self.entry(func).heat.load(Ordering::Relaxed);
            policy::warmer(heat, spent.get(&func.0).copied().unwrap_or_default())
        };
        let funcs = (0..self.module().bodies.len() as u32).map(DefinedFuncIndex);
        funcs
            .map(|func| (func, heat(func)))
            .filter(|(_, heat)| *heat > 0)
            .filter(|(func, _)| !self.is_native(*func) && tiers.may_become_native(*func))
            .collect()
    }

    /// Carries on with the heat of earlier runs, and begins to compile what is worth it. Of the functions
    /// all are of this module.
    pub fn remember(&self, past: &[(DefinedFuncIndex, u32)]) {
        let Some(tiers) = self.tiers() else { return };
        if tiers.tiers().policy().mode != TierMode::Auto {
            return;
        }
        let mut funcs = Vec::with_capacity(past.len());
        for (func, heat) in past.iter().filter(|(func, _)| !self.is_native(*func)) {
            self.entry(*func).heat.store(policy::warmer(0, *heat), Ordering::Relaxed);
            let cost = policy::cost(self.module().bodies[func.index()].len());
            // By thousandths, so that there is an order among what was hardly seen.
            let bargain = u64::from(*heat) * 1000 / cost;
            funcs.push((cost <= COST_SMALL, bargain, Reverse(cost), *func));
        }
        funcs.sort_unstable();
        let funcs: Vec<_> = funcs.into_iter().map(|(.., func)| func).collect();
        if !funcs.is_empty() {
            pool::fill(Past { code: tiers.weak(), funcs });
        }
    }
}

/// Compiling `func`, which nobody asked for.
pub(super) fn job(code: &Arc<ModuleCode>, func: DefinedFuncIndex) -> Job {
    let heat = code.entry(func).heat.load(Ordering::Relaxed);
    let asked = Asked { at: Instant::now(), heat: policy::time_of(heat) };
    let cost = policy::cost(code.module().bodies[func.index()].len());
    Job { code: Arc::downgrade(code), func, what: What::Function, asked, cost }
}
