//! Ctrl-C: the first asks the program to stop, the second ends the process at once.

use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use dunlin::InterruptHandle;

use crate::Exit;
use crate::report::Failure;

/// How long a program that was asked to stop may take. It stops at once while it computes; only
/// where it waits for the world (a terminal, a socket) nobody can ask it.
const GRACE: Duration = Duration::from_millis(200);

/// What became of Ctrl-C since the program was started.
#[derive(Clone, Default)]
pub(crate) struct CtrlC {
    pressed: Arc<AtomicBool>,
    /// Set by whoever tells the user, so that it is told once.
    told: Arc<AtomicBool>,
}

impl CtrlC {
    /// From now on Ctrl-C stops the program that runs in the store of `handle`.
    ///
    /// Where the system allows no handler, Ctrl-C does what it always did: it ends the process.
    pub(crate) fn watch(handle: InterruptHandle) -> CtrlC {
        let state = CtrlC::default();
        let handler = state.clone();
        let installed = ctrlc::set_handler(move || {
            if handler.pressed.swap(true, Ordering::SeqCst) {
                process::exit(Exit::Stopped.code().into());
            }
            handle.interrupt();
            // A thread of its own, because the next press comes on this one.
            let state = handler.clone();
            let last_resort = thread::Builder::new().spawn(move || state.stop_after_grace());
            if last_resort.is_err() {
                handler.stop_after_grace();
            }
        });
        drop(installed);
        state
    }

    /// Whether Ctrl-C was pressed.
    pub(crate) fn is_pressed(&self) -> bool {
        self.pressed.load(Ordering::SeqCst)
    }

    /// Whether the caller is the one to tell the user how the program ended.
    pub(crate) fn may_tell(&self) -> bool {
        !self.told.swap(true, Ordering::SeqCst)
    }

    fn stop_after_grace(&self) {
        thread::sleep(GRACE);
        if self.may_tell() {
            Failure::new(Exit::Stopped, "stopped with Ctrl-C").print();
            process::exit(Exit::Stopped.code().into());
        }
    }
}
