//! Waiting: for descriptors, for a time, and never past the embedder's interruption.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::Error;
use super::interrupt::{Interrupt, SLICE};

/// What a waiter wants of a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Interest {
    /// Something to read, or the end of it.
    Read,
    /// Room to write.
    Write,
}

impl Interest {
    fn flags(self) -> PollFlags {
        match self {
            Interest::Read => PollFlags::IN,
            Interest::Write => PollFlags::OUT,
        }
    }
}

/// How an operation that could wait should go about it.
#[derive(Clone, Copy, Debug)]
pub struct Wait<'a> {
    /// Wait, rather than fail with [`Error::Again`].
    pub blocking: bool,
    /// What may end the wait.
    pub interrupt: &'a Interrupt,
}

impl Wait<'_> {
    /// Waits for one descriptor, or says that it would have to.
    pub(crate) fn ready(&self, fd: BorrowedFd<'_>, interest: Interest) -> Result<(), Error> {
        let mut fds = [PollFd::from_borrowed_fd(fd, interest.flags())];
        let timeout = if self.blocking { None } else { Some(Duration::ZERO) };
        match wait(&mut fds, &[interest], timeout, self.interrupt)? {
            0 => Err(Error::Again),
            _ => Ok(()),
        }
    }
}

/// Descriptors to wait for at once.
#[derive(Debug, Default)]
pub(crate) struct Watch<'a> {
    fds: Vec<PollFd<'a>>,
    interests: Vec<Interest>,
}

/// A wait that was put off, with descriptors of its own.
#[derive(Debug)]
pub(crate) struct Deferred {
    fds: Vec<(OwnedFd, Interest)>,
    timeout: Option<Duration>,
}

impl Deferred {
    /// Waits until one is ready or the time is over.
    pub(crate) fn wait(&self, interrupt: &Interrupt) -> Result<(), Error> {
        let mut watch = Watch::default();
        for (fd, interest) in &self.fds {
            watch.add(fd.as_fd(), *interest);
        }
        watch.wait(self.timeout, interrupt)
    }
}

/// How a descriptor came to be ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readiness {
    /// There is something to read, or room to write.
    Ready,
    /// The other end is gone.
    HungUp,
    /// The host no longer has it open.
    Closed,
}

impl<'a> Watch<'a> {
    /// Adds a descriptor, and gives the number it is asked for by.
    pub(crate) fn add(&mut self, fd: BorrowedFd<'a>, interest: Interest) -> usize {
        self.fds.push(PollFd::from_borrowed_fd(fd, interest.flags()));
        self.interests.push(interest);
        self.fds.len().saturating_sub(1)
    }

    /// Waits until one is ready or the time is over.
    pub(crate) fn wait(
        &mut self,
        timeout: Option<Duration>,
        interrupt: &Interrupt,
    ) -> Result<(), Error> {
        wait(&mut self.fds, &self.interests, timeout, interrupt).map(drop)
    }

    /// Whether a descriptor was ready after the wait.
    pub(crate) fn readiness(&self, number: usize) -> Option<Readiness> {
        let flags = self.fds.get(number).map_or(PollFlags::empty(), PollFd::revents);
        if flags.is_empty() {
            None
        } else if flags.contains(PollFlags::NVAL) {
            Some(Readiness::Closed)
        } else if flags.intersects(PollFlags::HUP | PollFlags::RDHUP) {
            Some(Readiness::HungUp)
        } else {
            Some(Readiness::Ready)
        }
    }
}

/// Waits until a descriptor is ready or the time is over; gives the number of ready ones.
fn wait(
    fds: &mut [PollFd<'_>],
    interests: &[Interest],
    timeout: Option<Duration>,
    interrupt: &Interrupt,
) -> Result<usize, Error> {
    if interrupt.defers() && timeout != Some(Duration::ZERO) {
        interrupt.check()?;
        match poll(fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })) {
            Ok(0) | Err(Errno::INTR) => {}
            Ok(ready) => return Ok(ready),
            Err(errno) => return Err(errno.into()),
        }
        let owned = fds
            .iter()
            .zip(interests)
            .map(|(fd, interest)| Ok((fd.as_fd().try_clone_to_owned()?, *interest)));
        // Without descriptors to spare, it is waited all the same.
        if let Ok(fds) = owned.collect::<Result<Vec<_>, std::io::Error>>() {
            interrupt.defer(Deferred { fds, timeout });
            return Err(Error::Interrupted);
        }
    }
    let start = Instant::now();
    loop {
        let left = timeout.map(|timeout| timeout.saturating_sub(start.elapsed()));
        let slice = match left {
            Some(left) if !interrupt.is_set() => Some(left),
            Some(left) => Some(left.min(SLICE)),
            None if interrupt.is_set() => Some(SLICE),
            None => None,
        };
        interrupt.check()?;
        match poll(fds, slice.map(timespec).as_ref()) {
            Ok(0) if left.is_some_and(|left| Some(left) == slice) => return Ok(0),
            Ok(0) | Err(Errno::INTR) => {}
            Ok(ready) => return Ok(ready),
            Err(errno) => return Err(errno.into()),
        }
    }
}

fn timespec(time: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(time.subsec_nanos()),
    }
}
