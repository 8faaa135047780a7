//! Random bytes, without a guest.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use crate::p2::testing::charged;

#[test]
fn lengths_are_charged_first() {
    let mut ctx = charged(WasiCtx::builder(), 1 << 20);
    for length in [(1 << 20) + 1, u64::from(u32::MAX), 1 << 63, u64::MAX] {
        assert!(bytes(&mut ctx, (length,)).is_err(), "{length}");
    }
    assert_eq!(bytes(&mut ctx, (0,)).unwrap(), b"");
    let random = bytes(&mut ctx, (1 << 20,)).unwrap();
    assert_eq!(random.len(), 1 << 20);
    assert!(random.chunks(64).all(|chunk| chunk.iter().any(|byte| *byte != 0)));
}

#[test]
fn a_seed_decides() {
    let draw = |seed| {
        let mut ctx = charged(WasiCtx::builder().deterministic(seed), 1 << 20);
        (bytes(&mut ctx, (9,)).unwrap(), number(&mut ctx, ()).unwrap())
    };
    assert_eq!(draw(1), draw(1));
    assert_ne!(draw(1), draw(2));
}
