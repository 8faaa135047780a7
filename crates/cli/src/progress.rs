//! A line on the terminal while something takes longer than a second.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Quicker steps show nothing.
const QUIET: Duration = Duration::from_secs(1);

/// How often the line is drawn again.
const REDRAW: Duration = Duration::from_millis(200);

/// Files smaller than this cannot take a second, so no thread is started for them.
const SLOW_BYTES: u64 = 1 << 20;

/// Shows the step it was started for until it is dropped.
pub(crate) struct Progress(Option<(Sender<()>, JoinHandle<()>)>);

impl Progress {
    /// Starts a step over `bytes` of input, `None` if that is not known.
    pub(crate) fn start(step: &str, bytes: Option<u64>) -> Progress {
        if bytes.is_some_and(|bytes| bytes < SLOW_BYTES) || !io::stderr().is_terminal() {
            return Progress(None);
        }
        let label = match bytes {
            Some(bytes) => format!("{step} ({} MiB)", bytes >> 20),
            None => step.to_owned(),
        };
        Progress::show(move || label.clone())
    }

    /// Starts a step that says how far it is.
    pub(crate) fn counting(step: &'static str, counter: &Counter) -> Progress {
        if !io::stderr().is_terminal() {
            return Progress(None);
        }
        let counter = counter.clone();
        Progress::show(move || format!("{step} {counter}"))
    }

    fn show(label: impl Fn() -> String + Send + 'static) -> Progress {
        let (sender, receiver) = mpsc::channel();
        let thread = thread::Builder::new().name("progress".to_owned()).spawn(move || {
            // Not locked throughout: the main thread may have an error to print.
            draw(&label, &mut io::stderr(), |wait| {
                receiver.recv_timeout(wait) == Err(RecvTimeoutError::Timeout)
            });
        });
        // Where no thread can be had, nothing is shown.
        Progress(thread.ok().map(|thread| (sender, thread)))
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((sender, thread)) = self.0.take() {
            drop(sender);
            // A failed drawing must not fail the work.
            let _ = thread.join();
        }
    }
}

/// How far a step is.
#[derive(Clone, Default)]
pub(crate) struct Counter(Arc<(AtomicU64, AtomicU64)>);

impl Counter {
    /// So much of so much is done.
    pub(crate) fn set(&self, done: u64, total: u64) {
        // Threads may tell in another order than they were done.
        self.0.0.fetch_max(done, Ordering::Relaxed);
        self.0.1.store(total, Ordering::Relaxed);
    }
}

/// A bar, and percents.
impl std::fmt::Display for Counter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const COLUMNS: u64 = 20;
        let (done, total) =
            (self.0.0.load(Ordering::Relaxed), self.0.1.load(Ordering::Relaxed).max(1));
        let part = |of: u64| (u128::from(done) * u128::from(of) / u128::from(total)) as u64;
        let full = part(COLUMNS).min(COLUMNS) as usize;
        write!(f, "[{}{}] {} %", "#".repeat(full), " ".repeat(COLUMNS as usize - full), part(100))
    }
}

/// Draws until `goes_on` says that the step is over, then takes the line away.
fn draw(label: &impl Fn() -> String, out: &mut impl Write, goes_on: impl Fn(Duration) -> bool) {
    let start = Instant::now();
    if !goes_on(QUIET) {
        return;
    }
    loop {
        let seconds = start.elapsed().as_secs();
        let label = label();
        if write!(out, "\r{label} … {seconds} s\x1b[K").and_then(|()| out.flush()).is_err() {
            return;
        }
        if !goes_on(REDRAW) {
            break;
        }
    }
    // The terminal is gone if this fails, and the line with it.
    let _ = write!(out, "\r\x1b[K").and_then(|()| out.flush());
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    fn drawn(ticks: u32) -> String {
        let left = Cell::new(ticks);
        let mut out = Vec::new();
        draw(&|| "loading".to_owned(), &mut out, |_| {
            let now = left.get();
            left.set(now.saturating_sub(1));
            now > 0
        });
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_bar_grows() {
        let counter = Counter::default();
        assert_eq!(counter.to_string(), format!("[{}] 0 %", " ".repeat(20)));
        counter.set(30, 60);
        counter.set(20, 60);
        assert_eq!(counter.to_string(), format!("[{}{}] 50 %", "#".repeat(10), " ".repeat(10)));
        counter.set(60, 60);
        assert_eq!(counter.to_string(), format!("[{}] 100 %", "#".repeat(20)));
    }

    #[test]
    fn quick_steps_show_nothing() {
        assert_eq!(drawn(0), "");
    }

    #[test]
    fn the_line_is_taken_away_at_the_end() {
        let line = "\rloading … 0 s\x1b[K";
        assert_eq!(drawn(1), format!("{line}\r\x1b[K"));
        assert_eq!(drawn(3), format!("{line}{line}{line}\r\x1b[K"));
    }
}
