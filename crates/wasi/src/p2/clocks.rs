//! `wasi:clocks`: the time of day, and time that only goes forward.

use dunlin_component::{ComponentType, Resource};
use dunlin_engine::Result;

use super::error::fatal;
use super::poll::Pollable;
use super::{Get, Wasi};
use crate::WasiCtx;
use crate::host::Clock;

/// Nanoseconds of a second.
const SECOND: u64 = 1_000_000_000;

/// A point in time since 1970, or a span of time.
#[derive(ComponentType, Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Datetime {
    /// Whole seconds.
    pub(super) seconds: u64,
    /// The rest, less than a second.
    pub(super) nanoseconds: u32,
}

impl Datetime {
    /// That of so many nanoseconds.
    pub(super) fn new(nanoseconds: u64) -> Datetime {
        // Less than a second always fits.
        Datetime { seconds: nanoseconds / SECOND, nanoseconds: (nanoseconds % SECOND) as u32 }
    }

    /// In nanoseconds; nothing if there are too many, or if the part of a second is more than one.
    pub(super) fn in_nanoseconds(self) -> Option<u64> {
        let rest = u64::from(self.nanoseconds);
        let all = self.seconds.checked_mul(SECOND)?.checked_add(rest)?;
        (rest < SECOND).then_some(all)
    }
}

pub(super) fn add<T: 'static, G: Get<T>>(wasi: &mut Wasi<'_, T, G>) -> Result<()> {
    wasi.interface("clocks", "monotonic-clock")?
        .func("now", |ctx, ()| now(ctx, Clock::Monotonic))?
        .func("resolution", |ctx, ()| resolution(ctx, Clock::Monotonic))?
        .func("subscribe-instant", |ctx, (when,): (u64,)| {
            ctx.p2.table.push(Pollable::until(when), 0)
        })?
        .func("subscribe-duration", subscribe_duration)?;
    wasi.interface("clocks", "wall-clock")?
        .func("now", |ctx, ()| Ok(Datetime::new(now(ctx, Clock::Realtime)?)))?
        .func("resolution", |ctx, ()| Ok(Datetime::new(resolution(ctx, Clock::Realtime)?)))?;
    Ok(())
}

fn now(ctx: &mut WasiCtx, clock: Clock) -> Result<u64> {
    ctx.time.now(clock).map_err(fatal)
}

fn resolution(ctx: &mut WasiCtx, clock: Clock) -> Result<u64> {
    ctx.time.resolution(clock).map_err(fatal)
}

fn subscribe_duration(ctx: &mut WasiCtx, (span,): (u64,)) -> Result<Resource<Pollable>> {
    let pollable = match span {
        0 => Pollable::ready(),
        span => Pollable::until(now(ctx, Clock::Monotonic)?.saturating_add(span)),
    };
    ctx.p2.table.push(pollable, 0)
}
