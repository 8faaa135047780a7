//! The audit log: a line of JSON for everything a guest did that takes a grant.
//!
//! Each line is an object of strings: `time` (UTC), `component`, `function`, `operation`, `need`,
//! `target`, `verdict` and, where one decided, `rule`. Where something is used that another component
//! opened, `holder` is the one whose grants decide. It is ASCII whatever the guest wrote, so that it
//! can be shown on a terminal.

use std::fmt::{self, Write as _};
use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use super::witness::{Event, Observer, Verdict};

/// Writes the audit log.
pub struct Audit(Mutex<State>);

struct State {
    to: Box<dyn Write + Send>,
    failed: Option<io::Error>,
}

impl Audit {
    /// Writes to a file, or anywhere else. Each line is written at once and whole.
    pub fn new(to: impl Write + Send + 'static) -> Audit {
        Audit(Mutex::new(State { to: Box::new(to), failed: None }))
    }

    /// Why the log is not complete, if it is not: nothing is written after a line that could not be.
    pub fn failure(&self) -> Option<io::Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).failed.take()
    }
}

impl fmt::Debug for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Audit").finish_non_exhaustive()
    }
}

impl Observer for Audit {
    fn observe(&self, event: &Event<'_>) {
        let line = line(event, SystemTime::now());
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.failed.is_none()
            && let Err(error) = state.to.write_all(line.as_bytes())
        {
            state.failed = Some(error);
        }
    }
}

fn line(event: &Event<'_>, time: SystemTime) -> String {
    let verdict = match event.verdict {
        Verdict::Granted => "granted",
        Verdict::Allowed => "allowed",
        Verdict::Denied => "denied",
    };
    let mut line = format!("{{\"time\":\"{}\"", Utc(time));
    let mut field = |name: &str, text: &str| {
        // Writing to a string does not fail.
        let _ = write!(line, ",\"{name}\":{}", Json(text));
    };
    field("component", &event.source.component);
    field("function", event.source.function);
    field("operation", event.operation);
    field("need", event.need.kind());
    field("target", &event.need.target());
    field("verdict", verdict);
    if event.holder != &*event.source.component {
        field("holder", event.holder);
    }
    if let Some(rule) = event.rule {
        field("rule", &rule.to_string());
    }
    line.push_str("}\n");
    line
}

/// Text as a string of JSON, in ASCII.
struct Json<'a>(&'a str);

impl fmt::Display for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for c in self.0.chars() {
            match c {
                '"' | '\\' => write!(f, "\\{c}")?,
                ' '..='~' => write!(f, "{c}")?,
                c => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        write!(f, "\\u{unit:04x}")?;
                    }
                }
            }
        }
        f.write_str("\"")
    }
}

/// A time as in RFC 3339, in milliseconds.
struct Utc(SystemTime);

impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = self.0.duration_since(UNIX_EPOCH).unwrap_or_default();
        let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
        let (year, month, day) = date(days);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        let ms = since.subsec_millis();
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
    }
}

/// Year, month and day of a day since the first of 1970.
///
/// Years are counted from March, so that the odd day is at the end, in eras of 400 years.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days.saturating_add(719_468);
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::host::{Need, Source};

    #[test]
    fn lines() {
        let source = Source { component: Arc::from("app"), function: "path_open" };
        let need = Need::Path {
            path: "/a\"\u{1b}]52;\u{202e}\u{1f600}\n".into(),
            write: true,
            mount: None,
        };
        let rule = "--dir a::/a:ro";
        let event = Event {
            source: &source,
            holder: &source.component,
            operation: "open",
            need: &need,
            verdict: Verdict::Denied,
            rule: Some(&rule),
        };
        let time = UNIX_EPOCH + Duration::from_millis(1_772_323_199_007);
        let text = line(&event, time);
        assert_eq!(
            text,
            "{\"time\":\"2026-02-28T23:59:59.007Z\",\"component\":\"app\",\"function\":\"path_open\",\
             \"operation\":\"open\",\"need\":\"write\",\
             \"target\":\"/a\\\"\\u001b]52;\\u202e\\ud83d\\ude00\\u000a\",\"verdict\":\"denied\",\
             \"rule\":\"--dir a::/a:ro\"}\n"
        );
        let read: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        assert_eq!(
            read.get("target").and_then(|target| target.as_str()),
            Some("/a\"\u{1b}]52;\u{202e}\u{1f600}\n")
        );
    }

    #[test]
    fn days() {
        assert_eq!(date(0), (1970, 1, 1));
        assert_eq!(date(11_016), (2000, 2, 29));
        assert_eq!(date(11_017), (2000, 3, 1));
        assert_eq!(date(20_512), (2026, 2, 28));
        assert_eq!(date(20_513), (2026, 3, 1));
        assert_eq!(date(47_540), (2100, 2, 28));
        assert_eq!(date(47_541), (2100, 3, 1));
    }

    #[derive(Debug)]
    struct Full;

    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_log_that_is_not_complete_says_so() {
        let audit = Audit::new(Full);
        assert!(audit.failure().is_none());
        let source = Source { component: Arc::from(""), function: "" };
        let need = Need::Env { name: "A".into() };
        let verdict = Verdict::Granted;
        audit.observe(&Event {
            source: &source,
            holder: &source.component,
            operation: "env",
            need: &need,
            verdict,
            rule: None,
        });
        assert_eq!(audit.failure().map(|e| e.kind()), Some(io::ErrorKind::StorageFull));
    }
}
