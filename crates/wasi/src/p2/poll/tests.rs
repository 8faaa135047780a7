//! Waiting for any of several things, without a guest.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use super::*;
use crate::Interrupted;
use crate::host::{Input, Reader};
use crate::p2::InputStream;
use crate::p2::testing::charged;

fn world() -> WasiCtx {
    charged(WasiCtx::builder(), 1 << 20)
}

fn until(ctx: &mut WasiCtx, nanoseconds: u64) -> Resource<Pollable> {
    let now = ctx.time.now(Clock::Monotonic).unwrap();
    ctx.p2.table.push(Pollable::until(now.saturating_add(nanoseconds)), 0).unwrap()
}

/// A stream of a pipe, what can be polled for it, and the other end.
fn pipe(ctx: &mut WasiCtx) -> (Resource<InputStream>, Resource<Pollable>, std::io::PipeWriter) {
    let (read, write) = std::io::pipe().unwrap();
    let stream = InputStream::new(Reader::Input(Input::file(read)));
    let stream = ctx.p2.table.push(stream, 0).unwrap();
    (stream, Pollable::subscribe(&mut ctx.p2.table, stream).unwrap(), write)
}

#[test]
fn nothing_to_wait_for_is_a_trap() {
    let error = poll(&mut world(), (Vec::new(),)).unwrap_err();
    assert_eq!(error.trap(), Some(Trap::Component));
}

#[test]
fn all_that_are_ready_are_found_in_order() {
    let mut ctx = world();
    let (_, silent, _open) = pipe(&mut ctx);
    let (_, speaking, mut write) = pipe(&mut ctx);
    write.write_all(b"x").unwrap();
    let (over, later) = (until(&mut ctx, 0), until(&mut ctx, u64::MAX));
    let list = vec![silent, speaking, over, later, speaking, over, silent];
    assert_eq!(poll(&mut ctx, (list,)).unwrap(), [1, 2, 4, 5]);
    assert!(ready(&mut ctx, (speaking,)).unwrap());
    assert!(!ready(&mut ctx, (silent,)).unwrap());
    assert!(!ready(&mut ctx, (later,)).unwrap());
    drop(write);
}

#[test]
fn the_end_of_a_stream_is_something_to_read() {
    let mut ctx = world();
    let (_, pollable, write) = pipe(&mut ctx);
    drop(write);
    block(&mut ctx, (pollable,)).unwrap();
}

#[test]
fn a_pollable_outlives_its_stream() {
    let mut ctx = world();
    let (stream, pollable, mut write) = pipe(&mut ctx);
    ctx.p2.table.remove(stream).unwrap();
    assert!(!ready(&mut ctx, (pollable,)).unwrap());
    write.write_all(b"x").unwrap();
    assert!(ready(&mut ctx, (pollable,)).unwrap());
    ctx.p2.table.remove(pollable).unwrap();
    assert!(ctx.p2.table.is_empty());
}

#[test]
fn a_time_is_waited_for() {
    let mut ctx = world();
    let (_, silent, _open) = pipe(&mut ctx);
    let start = Instant::now();
    let soon = until(&mut ctx, 30_000_000);
    assert_eq!(poll(&mut ctx, (vec![silent, soon],)).unwrap(), [1]);
    assert!(start.elapsed() >= Duration::from_millis(30));
    block(&mut ctx, (soon,)).unwrap();
}

#[test]
fn virtual_time_passes_at_once() {
    let mut ctx = charged(WasiCtx::builder().deterministic(1), 1 << 20);
    let start = Instant::now();
    let day = until(&mut ctx, 86_400_000_000_000);
    let two = until(&mut ctx, 2 * 86_400_000_000_000);
    assert_eq!(poll(&mut ctx, (vec![two, day],)).unwrap(), [1]);
    assert_eq!(poll(&mut ctx, (vec![two, day],)).unwrap(), [1]);
    block(&mut ctx, (two,)).unwrap();
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_wait_ends_when_the_guest_should_stop() {
    let asked = Arc::new(AtomicU32::new(0));
    let stop = {
        let asked = Arc::clone(&asked);
        Arc::new(move || asked.fetch_add(1, Ordering::Relaxed) > 2)
    };
    let mut ctx = charged(WasiCtx::builder().interrupt(stop), 1 << 20);
    let (_, silent, _open) = pipe(&mut ctx);
    let never = until(&mut ctx, u64::MAX);
    let error = poll(&mut ctx, (vec![silent, never],)).unwrap_err();
    assert!(error.is::<Interrupted>());
}

#[test]
fn a_million_of_one_is_one() {
    let mut ctx = charged(WasiCtx::builder(), 512 << 20);
    let (_, silent, _open) = pipe(&mut ctx);
    let over = until(&mut ctx, 0);
    let mut list = vec![silent; 1_000_000];
    list.push(over);
    assert_eq!(poll(&mut ctx, (list,)).unwrap(), [1_000_000]);
}

#[test]
fn a_long_list_is_charged() {
    let mut ctx = charged(WasiCtx::builder(), 1 << 20);
    let over = until(&mut ctx, 0);
    assert!(poll(&mut ctx, (vec![over; 100_000],)).is_err());
}
