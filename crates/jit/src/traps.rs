//! Trap codes: how causes of traps travel through the code generator as bytes.

use cranelift_codegen::ir::TrapCode;
use dunlin_code::Trap;
use dunlin_code::native::TrapCause;

/// A trap that a builtin left in `Rt::trap`.
pub(crate) const RAISED: TrapCode = TrapCode::unwrap_user(250);

/// The code of a trap.
pub(crate) const fn code(trap: Trap) -> TrapCode {
    TrapCode::unwrap_user(trap as u8 + 1)
}

/// What a code means, be it ours or the code generator's own; `None` if nothing ever asks for it.
pub(crate) fn cause(code: TrapCode) -> Option<TrapCause> {
    let trap = match code {
        RAISED => return Some(TrapCause::Raised),
        TrapCode::STACK_OVERFLOW => Trap::StackOverflow,
        TrapCode::INTEGER_OVERFLOW => Trap::IntegerOverflow,
        TrapCode::HEAP_OUT_OF_BOUNDS => Trap::MemoryOutOfBounds,
        TrapCode::INTEGER_DIVISION_BY_ZERO => Trap::IntegerDivisionByZero,
        TrapCode::BAD_CONVERSION_TO_INTEGER => Trap::BadConversionToInteger,
        user => *Trap::ALL.get(usize::from(user.as_raw().get()) - 1)?,
    };
    Some(TrapCause::Trap(trap))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_traps_come_back() {
        for &trap in Trap::ALL {
            assert_eq!(cause(code(trap)), Some(TrapCause::Trap(trap)));
        }
        assert_eq!(cause(RAISED), Some(TrapCause::Raised));
    }
}
