//! How much work allocating registers is going to be, before it is begun.
//!
//! The allocator looks, for each block and each value that is live where it begins, through the values that
//! branches carry, from where it last saw one that it keeps in several places. Values that live across calls
//! mostly are such. So it is little in all but a few functions: those with thousands of locals and blocks
//! and hardly a call, which would take minutes.

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

/// The most pairs of a block and a value that are looked at to find out.
const LOOKS_MAX: u64 = 40_000_000;

/// In how many blocks values are live from the beginning, counted for each value that does not live across
/// a block that calls; `None` if that is more than `most`.
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
    let mut calls: SecondaryMap<Block, bool> = SecondaryMap::new();
    for block in func.layout.blocks() {
        let mut insts = func.layout.block_insts(block);
        calls[block] = insts.any(|inst| func.dfg.insts[inst].opcode().is_call());
    }
    // For each block the last value that was found to be live there.
    let mut seen: SecondaryMap<Block, Option<Value>> = SecondaryMap::new();
    let (mut looks, mut pairs, mut open) = (0, 0, Vec::new());
    let mut uses = uses.chunk_by(|a, b| a.0 == b.0);
    uses.all(|uses| {
        let value = uses[0].0;
        let born = match func.dfg.value_def(value) {
            ValueDef::Param(block, _) => Some(block),
            ValueDef::Result(inst, _) => func.layout.inst_block(inst),
            ValueDef::Union(..) => None,
        };
        let (mut count, mut crosses) = (0, false);
        open.extend(uses.iter().map(|(_, block)| *block));
        while let Some(block) = open.pop() {
            if Some(block) == born || seen[block] == Some(value) {
                continue;
            }
            seen[block] = Some(value);
            count += 1;
            for pred in flow.pred_iter(block) {
                crosses |= calls[pred.block];
                open.push(pred.block);
            }
        }
        looks += count;
        pairs += if crosses { 0 } else { count };
        pairs <= most && looks <= LOOKS_MAX
    })
    .then_some(pairs)
}
