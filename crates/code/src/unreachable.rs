//! Code that can never run: no tier makes anything of it, but its blocks must be followed to their ends.

use dunlin_module::op::Operator;

/// Follows the nesting of unreachable code, in which `depth` blocks were opened; true if `op` needs
/// nothing else, false if it ends the unreachable code or begins a part of its block that may be
/// reachable.
pub fn skip(op: &Operator<'_>, depth: &mut u32) -> bool {
    match op {
        Operator::Block { .. }
        | Operator::Loop { .. }
        | Operator::If { .. }
        | Operator::Try { .. }
        | Operator::TryTable { .. } => *depth += 1,
        Operator::End | Operator::Delegate { .. } if *depth > 0 => *depth -= 1,
        Operator::Else
        | Operator::Catch { .. }
        | Operator::CatchAll
        | Operator::Delegate { .. }
        | Operator::End
            if *depth == 0 =>
        {
            return false;
        }
        _ => {}
    }
    true
}
