//! `poll_oneoff`: waiting for clocks and descriptors.

use std::os::fd::BorrowedFd;
use std::time::Duration;

use super::abi::{Errno, Record, Revision};
use super::clock::clock;
use super::descriptor::{Descriptor, Descriptors, Object};
use super::io::store_count;
use super::memory::GuestMemory;
use super::outcome::{Fail, Outcome};
use crate::WasiCtx;
use crate::host::{Clock, Interest, Readiness, Time, Watch};

/// The most subscriptions one call takes.
const COUNT_MAX: u32 = 4096;

/// Size of an event, in both revisions.
const EVENT: u64 = 32;

/// The peer is gone.
const HANGUP: u16 = 1;

/// What one subscription waits for.
#[derive(Clone, Copy, Debug)]
enum Awaited {
    Clock { id: u32, timeout: u64, absolute: bool },
    Descriptor { fd: u32, interest: Interest },
}

#[derive(Clone, Copy, Debug)]
struct Subscription {
    userdata: u64,
    awaited: Awaited,
}

#[derive(Clone, Copy, Debug)]
struct Event {
    errno: Errno,
    available: u64,
    flags: u16,
}

impl Event {
    fn plain(errno: Errno) -> Event {
        Event { errno, available: 0, flags: 0 }
    }
}

/// What is known of a subscription before the wait.
enum State {
    /// It is over already.
    Done(Event),
    /// It is over when the clock shows this.
    Until(Clock, u64),
    /// It is over when this entry of the list of descriptors says so.
    Watched(usize),
}

/// `poll_oneoff`
pub(crate) fn poll_oneoff<M: GuestMemory + ?Sized>(
    ctx: &mut WasiCtx,
    mem: &mut M,
    subscriptions: u32,
    events: u32,
    count: u32,
    nevents: u32,
) -> Outcome {
    poll(ctx, mem, subscriptions, events, count, nevents, Revision::Preview1)
}

pub(super) fn poll<M: GuestMemory + ?Sized>(
    ctx: &mut WasiCtx,
    mem: &mut M,
    subscriptions: u32,
    events: u32,
    count: u32,
    nevents: u32,
    revision: Revision,
) -> Outcome {
    if count == 0 || count > COUNT_MAX {
        return Err(Errno::INVAL.into());
    }
    let list = read_list(mem, u64::from(subscriptions), u64::from(count), revision)?;
    mem.check(u64::from(events), EVENT.saturating_mul(u64::from(count)))?;
    mem.check(u64::from(nevents), 4)?;

    let found = await_any(ctx, &list)?;

    let mut at = u64::from(events);
    let mut stored = 0u64;
    for (subscription, event) in list.iter().zip(found) {
        let Some(event) = event else { continue };
        let tag = match subscription.awaited {
            Awaited::Clock { .. } => 0,
            Awaited::Descriptor { interest: Interest::Read, .. } => 1,
            Awaited::Descriptor { interest: Interest::Write, .. } => 2,
        };
        let record = Record::<32>::new()
            .u64(subscription.userdata)
            .u16(event.errno.0)
            .u8(tag)
            .u64(event.available)
            .u16(event.flags);
        mem.write(at, record.bytes())?;
        at = at.saturating_add(EVENT);
        stored = stored.saturating_add(1);
    }
    store_count(mem, nevents, stored)
}

fn read_list<M: GuestMemory + ?Sized>(
    mem: &M,
    at: u64,
    count: u64,
    revision: Revision,
) -> Result<Vec<Subscription>, Fail> {
    // In the older revision a clock begins with a number of its own, which nothing reads.
    let (size, clock_at) = match revision {
        Revision::Preview1 => (48, 16),
        Revision::Unstable => (56, 24),
    };
    let bytes = mem.bytes(at, count.saturating_mul(size as u64))?;
    let mut list = Vec::with_capacity(bytes.len() / size);
    for record in bytes.chunks_exact(size) {
        let tag = field::<1>(record, 8);
        let descriptor =
            |interest| Awaited::Descriptor { fd: u32::from_le_bytes(field(record, 16)), interest };
        let awaited = match tag {
            [0] => {
                let flags = u16::from_le_bytes(field(record, clock_at + 24));
                if flags > 1 {
                    return Err(Errno::INVAL.into());
                }
                Awaited::Clock {
                    id: u32::from_le_bytes(field(record, clock_at)),
                    timeout: u64::from_le_bytes(field(record, clock_at + 8)),
                    absolute: flags == 1,
                }
            }
            [1] => descriptor(Interest::Read),
            [2] => descriptor(Interest::Write),
            _ => return Err(Errno::INVAL.into()),
        };
        list.push(Subscription { userdata: u64::from_le_bytes(field(record, 0)), awaited });
    }
    Ok(list)
}

/// The bytes of a field; the record is known to be long enough.
fn field<const N: usize>(record: &[u8], at: usize) -> [u8; N] {
    let bytes = record.get(at..).and_then(|rest| rest.first_chunk());
    bytes.copied().unwrap_or([0; N])
}

/// Waits until at least one subscription is over, and gives what is known of each then.
fn await_any(ctx: &WasiCtx, list: &[Subscription]) -> Result<Vec<Option<Event>>, Fail> {
    let mut watched = Watch::default();
    let mut states = Vec::with_capacity(list.len());
    let mut done = false;
    for subscription in list {
        let state = match subscription.awaited {
            Awaited::Clock { id, timeout, absolute } => deadline(ctx, id, timeout, absolute),
            Awaited::Descriptor { fd, interest } => match watch(&ctx.fds, fd, interest) {
                Ok(Some(fd)) => State::Watched(watched.add(fd, interest)),
                Ok(None) => State::Done(ready(&ctx.fds, fd, interest, Readiness::Ready)),
                Err(errno) => State::Done(Event::plain(errno)),
            },
        };
        done |= matches!(state, State::Done(_));
        states.push(state);
    }
    loop {
        let timeout = if done { Some(0) } else { left(&ctx.time, &states)? };
        let is_virtual = matches!(ctx.time, Time::Virtual(_));
        let wait = if is_virtual { timeout.map(|_| 0) } else { timeout };
        watched.wait(wait.map(Duration::from_nanos), &ctx.interrupt)?;
        let mut any = false;
        let mut events = Vec::with_capacity(list.len());
        for (subscription, state) in list.iter().zip(&states) {
            let event = match (state, subscription.awaited) {
                (State::Done(event), _) => Some(*event),
                (State::Until(clock, at), _) => {
                    let is_over = ctx.time.left_until(*clock, *at)? == 0;
                    is_over.then_some(Event::plain(Errno::SUCCESS))
                }
                (State::Watched(number), Awaited::Descriptor { fd, interest }) => {
                    let readiness = watched.readiness(*number);
                    readiness.map(|readiness| ready(&ctx.fds, fd, interest, readiness))
                }
                (State::Watched(_), Awaited::Clock { .. }) => None,
            };
            any |= event.is_some();
            events.push(event);
        }
        if any {
            return Ok(events);
        }
        // Nothing but virtual time is left to wait for.
        ctx.time.pass(timeout.unwrap_or(0));
    }
}

/// The end of a time that begins now, or began before if the call is tried again.
fn deadline(ctx: &WasiCtx, id: u32, timeout: u64, absolute: bool) -> State {
    let clock = match clock(id) {
        Ok(clock @ (Clock::Realtime | Clock::Monotonic)) => clock,
        // The processor's time stands still while nothing runs.
        Ok(_) => return State::Done(Event::plain(Errno::NOTSUP)),
        Err(errno) => return State::Done(Event::plain(errno)),
    };
    if absolute {
        return State::Until(clock, timeout);
    }
    // Time to wait is not time of day: it goes on when the clock is set.
    match ctx.interrupt.begun_at(|| ctx.time.now(Clock::Monotonic)) {
        Ok(now) => State::Until(Clock::Monotonic, now.saturating_add(timeout)),
        Err(error) => State::Done(Event::plain(error.into())),
    }
}

/// How long until the first deadline.
fn left(time: &Time, states: &[State]) -> Result<Option<u64>, Fail> {
    let mut least = None;
    for state in states {
        if let State::Until(clock, at) = state {
            let left = time.left_until(*clock, *at)?;
            least = Some(least.map_or(left, |least: u64| least.min(left)));
        }
    }
    Ok(least)
}

/// What to wait for; nothing, if the descriptor is always ready.
fn watch(fds: &Descriptors, fd: u32, interest: Interest) -> Result<Option<BorrowedFd<'_>>, Errno> {
    let descriptor = fds.get(fd)?;
    match (&descriptor.object, interest) {
        (Object::Dir(_), _) => return Err(Errno::BADF),
        (Object::Output(_), Interest::Read) | (Object::Input(_), Interest::Write) => {
            return Err(Errno::BADF);
        }
        _ => descriptor.require(Descriptor::poll_rights(interest))?,
    }
    Ok(match &descriptor.object {
        Object::Input(input) => input.waits_on(),
        Object::Output(output) => output.waits_on(),
        Object::Listener(listener) => Some(listener.fd()),
        Object::Stream(stream) => Some(stream.fd()),
        Object::File(_) | Object::Dir(_) => None,
    })
}

/// The event of a descriptor that is ready.
fn ready(fds: &Descriptors, fd: u32, interest: Interest, readiness: Readiness) -> Event {
    let flags = match readiness {
        Readiness::Closed => return Event::plain(Errno::BADF),
        Readiness::HungUp => HANGUP,
        Readiness::Ready => 0,
    };
    let available = match fds.get(fd).map(|descriptor| &descriptor.object) {
        Ok(Object::Input(input)) => input.remaining(),
        Ok(Object::File(file)) if interest == Interest::Read => file.remaining().unwrap_or(0),
        Ok(Object::Stream(stream)) if interest == Interest::Read => stream.available(),
        _ => 0,
    };
    Event { errno: Errno::SUCCESS, available, flags }
}
