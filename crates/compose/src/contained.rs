//! Where the libraries under this crate run: on a stack of their own, with their panics caught.

use std::thread;

use crate::error::{Error, ErrorKind};

/// Enough for the deepest nesting of types and components that validation accepts; only what is used
/// of it takes memory.
const STACK_BYTES: usize = 256 << 20;

/// Runs `work`, and makes an error of a panic.
pub(crate) fn contained<T: Send>(
    work: impl FnOnce() -> Result<T, Error> + Send,
) -> Result<T, Error> {
    let done = thread::scope(|scope| {
        let own = thread::Builder::new().name("compose".to_owned()).stack_size(STACK_BYTES);
        own.spawn_scoped(scope, work).map(thread::ScopedJoinHandle::join)
    });
    match done {
        Ok(Ok(result)) => result,
        Ok(Err(panic)) => Err(fault(&*panic)),
        Err(error) => {
            let message = format!("cannot start a thread: {error}");
            Err(Error::new(ErrorKind::Io, message))
        }
    }
}

/// What to say about a panic.
fn fault(panic: &(dyn std::any::Any + Send)) -> Error {
    let said = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned());
    Error::new(ErrorKind::Fault, "a library that works on components failed on this input")
        .because_of(said)
        .help("this is a bug: please report it, with the input")
}
