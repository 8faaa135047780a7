//! Random bytes from the kernel.

use rustix::io::Errno;
use rustix::rand::{GetRandomFlags, getrandom};

use super::Error;
use super::interrupt::Interrupt;

/// How much is fetched between two looks at the interruption.
const CHUNK: usize = 1 << 20;

/// Fills a buffer with unpredictable bytes.
pub fn fill(buffer: &mut [u8], interrupt: &Interrupt) -> Result<(), Error> {
    for chunk in buffer.chunks_mut(CHUNK) {
        interrupt.check()?;
        let mut rest = chunk;
        while !rest.is_empty() {
            match getrandom(&mut *rest, GetRandomFlags::empty()) {
                Ok(got) => rest = rest.get_mut(got..).ok_or(Error::Io)?,
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }
    Ok(())
}
