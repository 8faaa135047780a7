//! Looking names up: on a thread, with something to wait for, by a resolver that tests can replace.

use std::collections::VecDeque;
use std::fmt;
use std::net::{IpAddr, ToSocketAddrs};
use std::os::fd::BorrowedFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::gate::{Network, Operation};
use super::http::Host;
use crate::host::Error;
use crate::host::poll::{Interest, Wait};
use crate::host::signal::Signal;

use super::name::Name;

/// Who knows the addresses of names, and what time it is.
pub trait Resolver: Send + Sync + fmt::Debug {
    /// The addresses of a name, best first. Fails with [`Error::NameUnknown`], [`Error::ResolverBusy`] or
    /// [`Error::ResolverFailed`].
    fn resolve(&self, name: &Name) -> Result<Vec<IpAddr>, Error>;

    /// Time that only goes forward, from an arbitrary start.
    fn now(&self) -> Duration {
        static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
        START.get_or_init(Instant::now).elapsed()
    }
}

/// The resolver of the system, with its configuration and its `hosts` file.
#[derive(Debug)]
pub struct SystemResolver;

impl Resolver for SystemResolver {
    fn resolve(&self, name: &Name) -> Result<Vec<IpAddr>, Error> {
        match (name.as_str(), 0).to_socket_addrs() {
            Ok(found) => Ok(found.map(|address| address.ip()).collect()),
            // The standard library keeps the sort of failure to itself, but for its text.
            Err(error) => {
                let text = error.to_string();
                Err(match () {
                    () if text.contains("emporary failure") => Error::ResolverBusy,
                    () if text.contains("on-recoverable failure") => Error::ResolverFailed,
                    () => Error::NameUnknown,
                })
            }
        }
    }
}

/// A look-up that goes on, or has ended. Dropping it is the end of it for the guest.
#[derive(Debug)]
pub struct Lookup {
    pending: Option<Arc<Pending>>,
    found: VecDeque<IpAddr>,
    failed: Option<Error>,
}

#[derive(Debug)]
struct Pending {
    answer: Mutex<Option<Result<Vec<IpAddr>, Error>>>,
    /// Raised with the answer.
    ready: Signal,
}

/// The longest text of a host that is looked at.
const HOST_MAX: usize = 1024;

impl Network {
    /// Looks up the addresses of a name, or of a text that is an address.
    ///
    /// Never waits. Names that may not be looked up give [`Error::Access`], what is no name gives
    /// [`Error::Invalid`]. A look-up that the guest no longer waits for is still one of those that it may
    /// have at once, until the resolver gives up.
    pub fn look_up(&self, text: &str) -> Result<Lookup, Error> {
        if text.len() > HOST_MAX {
            return Err(Error::Invalid);
        }
        if let Ok(ip) = text.parse::<IpAddr>() {
            return Ok(Lookup::ended(vec![ip.to_canonical()]));
        }
        let name = match Host::new(text) {
            Some(Host::Name(name)) => name,
            Some(Host::Address(ip)) => return Ok(Lookup::ended(vec![ip.to_canonical()])),
            None => return Err(Error::Invalid),
        };
        self.ask(Operation::Resolve { name: &name })?;
        if name.is_localhost() {
            return Ok(Lookup::ended(self.resolve(&name)?));
        }
        let place = self.place_of_lookup()?;
        let pending = Arc::new(Pending { answer: Mutex::new(None), ready: Signal::new()? });
        let (network, answering) = (self.clone(), Arc::clone(&pending));
        let thread = std::thread::Builder::new().name("dunlin-lookup".into()).stack_size(512 << 10);
        let started = thread.spawn(move || {
            let answer = network.resolve(&name);
            drop(place);
            *answering.answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
            answering.ready.raise();
        });
        started.map_err(|_| Error::NoMemory)?;
        Ok(Lookup { pending: Some(pending), found: VecDeque::new(), failed: None })
    }
}

impl Lookup {
    fn ended(found: Vec<IpAddr>) -> Lookup {
        Lookup { pending: None, found: found.into(), failed: None }
    }

    /// The next address, best first, or nothing when there are no more. Without an answer yet it waits, or
    /// fails with [`Error::Again`].
    pub fn next(&mut self, wait: Wait<'_>) -> Result<Option<IpAddr>, Error> {
        if let Some(pending) = self.pending.take() {
            let take = || pending.answer.lock().unwrap_or_else(PoisonError::into_inner).take();
            let mut answer = take();
            if answer.is_none() {
                match wait.ready(pending.ready.fd(), Interest::Read) {
                    Ok(()) => answer = take(),
                    Err(error) => {
                        self.pending = Some(pending);
                        return Err(error);
                    }
                }
            }
            match answer {
                None => {
                    self.pending = Some(pending);
                    return Err(Error::Again);
                }
                Some(Ok(found)) => self.found = found.into(),
                Some(Err(error)) => self.failed = Some(error),
            }
        }
        match self.failed {
            Some(error) => Err(error),
            None => Ok(self.found.pop_front()),
        }
    }

    /// What becomes readable with the answer; nothing if that is there.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.pending.as_ref().map(|pending| pending.ready.fd())
    }
}
