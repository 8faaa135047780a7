//! Random bytes, from the kernel or from a seed.

use std::sync::atomic::{AtomicU64, Ordering};

use rustix::io::Errno;
use rustix::rand::{GetRandomFlags, getrandom};

use super::Error;
use super::interrupt::Interrupt;

/// How much is fetched between two looks at the interruption.
const CHUNK: usize = 1 << 20;

/// Where a guest's random bytes come from.
#[derive(Debug, Default)]
pub enum Random {
    /// The kernel: unpredictable.
    #[default]
    Kernel,
    /// A seed that decides them all (SplitMix64): good for statistics, worthless for secrets.
    Seeded(AtomicU64),
}

impl Random {
    /// Fills a buffer.
    pub fn fill(&self, buffer: &mut [u8], interrupt: &Interrupt) -> Result<(), Error> {
        for chunk in buffer.chunks_mut(CHUNK) {
            interrupt.check()?;
            match self {
                Random::Kernel => from_kernel(chunk)?,
                Random::Seeded(state) => from_seed(chunk, state),
            }
        }
        Ok(())
    }
}

fn from_kernel(mut rest: &mut [u8]) -> Result<(), Error> {
    while !rest.is_empty() {
        match getrandom(&mut *rest, GetRandomFlags::empty()) {
            Ok(got) => rest = rest.get_mut(got..).ok_or(Error::Io)?,
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}

fn from_seed(buffer: &mut [u8], state: &AtomicU64) {
    const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
    for word in buffer.chunks_mut(8) {
        let z = state.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let bytes = (z ^ (z >> 31)).to_le_bytes();
        for (to, from) in word.iter_mut().zip(bytes) {
            *to = from;
        }
    }
}
