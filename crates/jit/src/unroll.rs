//! Which loops are unrolled, and how far.
//!
//! A loop without loops and calls in it is translated several times in a row, so that the end of one
//! iteration is the beginning of the next: the jump back and the look for interruption are there once
//! for all of them, and what an iteration knows the next one knows too. Every iteration still ends as
//! it did, wherever it ends.

/// Instructions of all copies of a body together.
const OPERATORS: u32 = 128;
/// The most copies.
const COPIES_MAX: u32 = 4;

/// How often to translate the body of a loop that has so many instructions.
pub(crate) fn copies(operators: u32) -> u32 {
    (OPERATORS / operators.max(1)).clamp(1, COPIES_MAX)
}

#[cfg(test)]
mod tests {
    use super::copies;

    #[test]
    fn large_bodies_are_not_copied() {
        assert_eq!([0, 1, 32, 33, 64, 65, u32::MAX].map(copies), [4, 4, 4, 3, 2, 1, 1]);
    }
}
