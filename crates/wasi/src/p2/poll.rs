//! `wasi:io/poll`: waiting for any of several things.

use std::any::Any;
use std::collections::HashMap;
use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

use dunlin_component::Resource;
use dunlin_engine::{Error, Result, Trap};

use super::error::fatal;
use super::{Get, ResourceTable, Wasi};
use crate::WasiCtx;
use crate::host::net::Awaits;
use crate::host::{Clock, Interest, Time, Watch};

/// Something that a guest waits for.
#[derive(Debug)]
pub struct Pollable(Kind);

#[derive(Debug)]
enum Kind {
    /// Is ready from the start.
    Ready,
    /// Is ready when the monotonic clock shows this.
    Until(u64),
    /// Is ready when another resource is.
    Of(Parent),
}

/// Another resource, and how it is asked.
#[derive(Clone, Copy, Debug)]
struct Parent {
    rep: u32,
    awaits: fn(&ResourceTable, u32) -> Result<Awaits<'_>>,
    advance: fn(&mut ResourceTable, u32) -> Result<bool>,
}

/// A resource that pollables are made of.
pub trait Waits: Any + Send {
    /// What has to happen before it can be ready.
    fn awaits(&self) -> Awaits<'_>;

    /// That has happened; whether it is ready now.
    fn advance(&mut self) -> bool {
        true
    }
}

impl Pollable {
    /// One that is always ready.
    pub fn ready() -> Pollable {
        Pollable(Kind::Ready)
    }

    /// One that is ready when the monotonic clock shows so many nanoseconds.
    pub fn until(nanoseconds: u64) -> Pollable {
        Pollable(Kind::Until(nanoseconds))
    }

    /// Adds one that is ready whenever a resource is.
    ///
    /// # Errors
    ///
    /// If the table is full.
    pub fn subscribe<R: Waits>(
        table: &mut ResourceTable,
        to: Resource<R>,
    ) -> Result<Resource<Pollable>> {
        let parent = Parent {
            rep: to.rep(),
            awaits: |table, rep| Ok(table.get(Resource::<R>::new_borrow(rep))?.awaits()),
            advance: |table, rep| Ok(table.get_mut(Resource::<R>::new_borrow(rep))?.advance()),
        };
        table.push_child(Pollable(Kind::Of(parent)), to)
    }

    /// The same for a resource that itself needs another one, which is what there is to wait for.
    pub(super) fn subscribe_through<R: Any>(
        table: &mut ResourceTable,
        to: Resource<R>,
        awaits: fn(&ResourceTable, u32) -> Result<Awaits<'_>>,
    ) -> Result<Resource<Pollable>> {
        let parent = Parent { rep: to.rep(), awaits, advance: |_, _| Ok(true) };
        table.push_child(Pollable(Kind::Of(parent)), to)
    }
}

pub(super) fn add<T: 'static, G: Get<T>>(wasi: &mut Wasi<'_, T, G>) -> Result<()> {
    wasi.interface("io", "poll")?
        .resource::<Pollable>("pollable")?
        .func("[method]pollable.ready", ready)?
        .func("[method]pollable.block", block)?
        .func("poll", poll)?;
    Ok(())
}

/// `pollable.ready`
pub fn ready(ctx: &mut WasiCtx, (this,): (Resource<Pollable>,)) -> Result<bool> {
    Ok(wait(ctx, &[this], false)? == [0])
}

/// `pollable.block`
pub fn block(ctx: &mut WasiCtx, (this,): (Resource<Pollable>,)) -> Result<()> {
    wait(ctx, &[this], true).map(drop)
}

/// `poll`
pub fn poll(ctx: &mut WasiCtx, (list,): (Vec<Resource<Pollable>>,)) -> Result<Vec<u32>> {
    if list.is_empty() {
        return Err(Error::trap_because(Trap::Component, "cannot poll an empty list of pollables"));
    }
    wait(ctx, &list, true)
}

/// What is known of one pollable before a wait.
enum Before {
    Ready,
    Waits,
    /// Ready when this entry of the list of descriptors is.
    Watched(usize, Parent),
}

/// Bytes that it takes to wait for one pollable.
const ENTRY_BYTES: u64 = 128;

/// Waits until at least one of the list is ready, unless `patient` is off: those that are then.
fn wait(ctx: &mut WasiCtx, list: &[Resource<Pollable>], patient: bool) -> Result<Vec<u32>> {
    ctx.p2.table.afford(ENTRY_BYTES.saturating_mul(list.len() as u64))?;
    loop {
        let mut watch = Watch::default();
        let mut watched: HashMap<(RawFd, Interest), usize> = HashMap::new();
        let mut before = Vec::with_capacity(list.len());
        let mut least = if patient { None } else { Some(0) };
        for pollable in list {
            let state = match &ctx.p2.table.get(*pollable)?.0 {
                Kind::Ready => Before::Ready,
                Kind::Until(at) => match ctx.time.left_until(Clock::Monotonic, *at) {
                    Ok(0) => Before::Ready,
                    Ok(left) => {
                        least = Some(least.map_or(left, |least: u64| least.min(left)));
                        Before::Waits
                    }
                    Err(error) => return Err(fatal(error)),
                },
                Kind::Of(parent) => match (parent.awaits)(&ctx.p2.table, parent.rep)? {
                    Awaits::Nothing => Before::Ready,
                    Awaits::Fd(fd, interest) => {
                        let add = || watch.add(fd, interest);
                        let key = (fd.as_raw_fd(), interest);
                        Before::Watched(*watched.entry(key).or_insert_with(add), *parent)
                    }
                },
            };
            if let Before::Ready = state {
                least = Some(0);
            }
            before.push(state);
        }
        let is_virtual = matches!(ctx.time, Time::Virtual(_));
        let time = if is_virtual { least.map(|_| 0) } else { least };
        if !watched.is_empty() || time != Some(0) {
            watch.wait(time.map(Duration::from_nanos), &ctx.interrupt).map_err(fatal)?;
        }
        let happened: Vec<bool> = before
            .iter()
            .map(|state| matches!(state, Before::Watched(at, _) if watch.readiness(*at).is_some()))
            .collect();
        let mut found = Vec::new();
        for ((index, state), happened) in (0..).zip(&before).zip(happened) {
            let is_ready = match state {
                Before::Ready => true,
                Before::Waits => false,
                Before::Watched(_, parent) => {
                    happened && (parent.advance)(&mut ctx.p2.table, parent.rep)?
                }
            };
            if is_ready {
                found.push(index);
            }
        }
        if !found.is_empty() || !patient {
            return Ok(found);
        }
        // The time is over, or nothing but virtual time is left to wait for.
        ctx.time.pass(least.unwrap_or(0));
    }
}

#[cfg(test)]
mod tests;
