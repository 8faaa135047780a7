//! How much work allocating registers is going to be, before it is begun.
//!
//! The allocator looks, for each block and each value that is live where it begins, through some part of
//! the values that branches carry. That is little in all but a few functions: those with thousands of
//! locals and blocks, which would take minutes.

use cranelift_codegen::entity::SecondaryMap;
use cranelift_codegen::flowgraph::ControlFlowGraph;
use cranelift_codegen::ir::{Block, Function, Value, ValueDef};
use dunlin_code::native::CompileError;

/// The most that this may come to: about a second.
const WORK_MAX: u64 = 2_000_000_000;

/// Refuses functions whose registers would take too long to allocate.
pub(crate) fn check(func: &Function) -> Result<(), CompileError> {
    let carried = carried(func);
    let pairs_max = WORK_MAX / carried.max(1);
    let (blocks, values) = (func.dfg.num_blocks() as u64, func.dfg.num_values() as u64);
    if blocks.saturating_mul(values) <= pairs_max {
        return Ok(());
    }
    match live_pairs(func, pairs_max) {
        Some(_) => Ok(()),
        None => Err(CompileError::TooLarge("values that branches carry past others", carried)),
    }
}

/// How many values branches carry.
fn carried(func: &Function) -> u64 {
    let mut carried = 0;
    for block in func.layout.blocks() {
        for inst in func.layout.block_insts(block) {
            let to = func.dfg.insts[inst]
                .branch_destination(&func.dfg.jump_tables, &func.dfg.exception_tables);
            carried += to.iter().map(|to| to.len(&func.dfg.value_lists) as u64).sum::<u64>();
        }
    }
    carried
}

/// In how many blocks values are live from the beginning, counted for each value; `None` if that is more
/// than `most`.
fn live_pairs(func: &Function, most: u64) -> Option<u64> {
    let mut uses: Vec<(Value, Block)> = Vec::new();
    for block in func.layout.blocks() {
        for inst in func.layout.block_insts(block) {
            uses.extend(func.dfg.inst_values(inst).map(|v| (func.dfg.resolve_aliases(v), block)));
        }
    }
    uses.sort_unstable();
    uses.dedup();
    let flow = ControlFlowGraph::with_function(func);
    // For each block the last value that was found to be live there.
    let mut seen: SecondaryMap<Block, Option<Value>> = SecondaryMap::new();
    let (mut pairs, mut open) = (0, Vec::new());
    for (value, block) in uses {
        let born = match func.dfg.value_def(value) {
            ValueDef::Param(block, _) => Some(block),
            ValueDef::Result(inst, _) => func.layout.inst_block(inst),
            ValueDef::Union(..) => None,
        };
        open.push(block);
        while let Some(block) = open.pop() {
            if Some(block) == born || seen[block] == Some(value) {
                continue;
            }
            seen[block] = Some(value);
            pairs += 1;
            if pairs > most {
                return None;
            }
            open.extend(flow.pred_iter(block).map(|pred| pred.block));
        }
    }
    Some(pairs)
}
