//! A question to whoever sits at the terminal.

use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::termios::{QueueSelector, isatty, tcflush};

/// How long an answer may be.
const ANSWER_MAX: usize = 256;

/// How often it is asked whether to wait any longer.
const SLICE: Duration = Duration::from_millis(20);

/// One question at a time, whoever asks.
static ASKING: Mutex<()> = Mutex::new(());

/// Whether there is somebody to ask: standard input and standard error are terminals.
pub fn is_interactive() -> bool {
    isatty(rustix::stdio::stdin()) && isatty(rustix::stdio::stderr())
}

/// Writes a question to standard error and waits for a line on standard input: without its end, or nothing
/// if there is none to come, or `stop` says not to wait any longer.
///
/// What was typed before the question was there is no answer to it, and is thrown away. Whatever style
/// a guest
/// has left the terminal in ends here. The question is not escaped.
///
/// # Errors
///
/// If the terminal fails, or is none.
pub fn ask_at_terminal(question: &str, stop: &dyn Fn() -> bool) -> io::Result<Option<String>> {
    let _one = ASKING.lock().unwrap_or_else(PoisonError::into_inner);
    let stdin = rustix::stdio::stdin();
    tcflush(stdin, QueueSelector::IFlush)?;
    // Not locked while it waits: somebody may have to say that all is over.
    io::stderr().lock().write_all(format!("\x1b[0m\n{question}").as_bytes())?;
    let answer = read_line(stdin.as_fd(), stop)?;
    if answer.is_none() {
        // The cursor is still behind the question.
        io::stderr().lock().write_all(b"\n")?;
    }
    Ok(answer)
}

fn read_line(
    from: rustix::fd::BorrowedFd<'_>,
    stop: &dyn Fn() -> bool,
) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    let slice = Timespec::try_from(SLICE).map_err(io::Error::other)?;
    loop {
        if stop() {
            return Ok(None);
        }
        let mut fds = [PollFd::from_borrowed_fd(from, PollFlags::IN)];
        match poll(&mut fds, Some(&slice)) {
            Ok(0) | Err(Errno::INTR) => continue,
            Ok(_) => {}
            Err(errno) => return Err(errno.into()),
        }
        let mut byte = [0; 1];
        match rustix::io::read(from, &mut byte) {
            Ok(0) => return Ok(None),
            Ok(_) if matches!(byte, [b'\n' | b'\r']) => break,
            // Of what is longer the start is kept: it is no answer anyway.
            Ok(_) if line.len() >= ANSWER_MAX => {}
            Ok(_) => line.extend(byte),
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(Some(String::from_utf8_lossy(&line).into_owned()))
}
