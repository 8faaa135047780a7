//! The table: counting, charging, parents and children.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use dunlin_engine::ErrorKind;

use super::*;
use crate::WasiCtx;
use crate::p2::testing::charged;

/// Counts how many of it are alive.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(alive: &Arc<AtomicUsize>) -> Counted {
        alive.fetch_add(1, Ordering::Relaxed);
        Counted(Arc::clone(alive))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

struct Other;

#[test]
fn a_parent_outlives_its_children_in_any_order() {
    for parent_first in [true, false] {
        let alive = Arc::default();
        let mut table = ResourceTable::new(10);
        let parent = table.push(Counted::new(&alive), 0).unwrap();
        let child = table.push_child(Other, parent).unwrap();
        let grandchild = table.push_child(Other, child).unwrap();
        if parent_first {
            table.remove(parent).unwrap();
            assert_eq!(alive.load(Ordering::Relaxed), 1, "a child needs it");
            table.remove(child).unwrap();
            assert_eq!(table.len(), 3);
            table.remove(grandchild).unwrap();
        } else {
            table.remove(grandchild).unwrap();
            table.remove(child).unwrap();
            assert_eq!(table.len(), 1);
            table.remove(parent).unwrap();
        }
        assert_eq!(alive.load(Ordering::Relaxed), 0);
        assert!(table.is_empty());
        assert!(table.remove(parent).is_err(), "twice");
    }
}

#[test]
fn numbers_and_types_are_checked() {
    let mut table = ResourceTable::new(2);
    let one = table.push(Other, 0).unwrap();
    assert!(table.remove(Resource::<Other>::new_borrow(one.rep())).is_err(), "it is lent");
    assert!(table.get(Resource::<Counted>::new_own(one.rep())).is_err());
    assert!(table.get(Resource::<Other>::new_own(7)).is_err());
    assert!(table.get(Resource::<Other>::new_own(u32::MAX)).is_err());
    assert!(table.push_child(Other, Resource::<Other>::new_own(1)).is_err());
    table.push(Other, 0).unwrap();
    let full = table.push(Other, 0).unwrap_err();
    assert_eq!(full.kind(), ErrorKind::Trap);
    table.remove(one).unwrap();
    assert_eq!(table.push(Other, 0).unwrap().rep(), one.rep(), "numbers are used again");
}

#[test]
fn everything_is_charged_and_given_back() {
    let mut ctx = charged(WasiCtx::builder(), 10_000);
    let table = &mut ctx.p2.table;
    assert!(table.afford(10_001).is_err());
    table.afford(10_000).unwrap();
    let big = table.push(Other, 9_000).unwrap();
    assert!(table.push(Other, 1_000).is_err());
    assert!(table.charge(big, 1_000).is_err());
    table.charge(big, 100).unwrap();
    table.remove(big).unwrap();
    table.afford(10_000).unwrap();
    let held = (0..).map_while(|_| table.push(Other, 0).ok()).count();
    assert_eq!(held, 10_000 / 128);
}

#[test]
fn what_is_taken_is_gone() {
    let alive = Arc::default();
    let mut ctx = charged(WasiCtx::builder(), 10_000);
    let table = &mut ctx.p2.table;
    let parent = table.push(Counted::new(&alive), 5000).unwrap();
    let child = table.push_child(Other, parent).unwrap();
    assert!(table.take(parent).is_err(), "something needs it");
    assert!(table.take(Resource::<Other>::new_own(parent.rep())).is_err(), "it is of another type");
    assert_eq!((table.len(), alive.load(Ordering::Relaxed)), (2, 1));
    table.take(child).unwrap();
    let taken = table.take(parent).unwrap();
    assert_eq!((table.len(), alive.load(Ordering::Relaxed)), (0, 1));
    assert!(table.take(parent).is_err(), "it is taken");
    table.afford(9000).unwrap();
    drop(taken);
    let parent = table.push(Counted::new(&alive), 0).unwrap();
    let child = table.push_child(Other, parent).unwrap();
    table.remove(parent).unwrap();
    table.take(child).unwrap();
    assert_eq!((table.len(), alive.load(Ordering::Relaxed)), (0, 0), "nobody needs it any more");
}
