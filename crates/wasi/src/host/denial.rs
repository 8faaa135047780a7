//! What a guest asked for and was refused, and the flag that would have granted it.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::need::Need;

/// How many different denials are kept; the rest are only counted.
const KEPT: usize = 16;

/// One thing a guest was refused, printed as the text of a help line.
///
/// The text names the grant by the flag that gives it on the command line. Whatever the guest
/// wrote is escaped in it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Denial {
    /// A path outside every granted directory.
    Outside {
        /// The path, as the guest would write it from its root.
        path: String,
        /// The directory that would have to be granted.
        directory: String,
    },
    /// A path below a granted directory that leads out of it by a symbolic link.
    LinkOutside {
        /// The path, as the guest would write it from its root.
        path: String,
        /// The granted directory it leads out of.
        granted: String,
    },
    /// A change below a directory that is granted for reading only.
    ReadOnly {
        /// The path, as the guest would write it from its root.
        path: String,
        /// The granted directory as the host names it.
        host: String,
        /// The granted directory as the guest names it.
        granted: String,
    },
    /// A device, FIFO or socket in a granted directory.
    SpecialFile {
        /// The path, as the guest would write it from its root.
        path: String,
    },
    /// One of the host's own protected files, which no grant covers.
    Protected {
        /// The path, as the guest would write it from its root.
        path: String,
    },
    /// Something that takes a grant of its own.
    Need {
        /// What.
        need: Need,
        /// Why a rule that seems to cover it does not.
        note: Option<String>,
    },
    /// Something that no grant covers.
    Never {
        /// What.
        what: String,
        /// Why not.
        why: &'static str,
    },
    /// A connection accepted on a descriptor that is no listener.
    Listener {
        /// The number of the descriptor.
        descriptor: u32,
    },
}

/// Text a guest wrote, safe to print.
pub(crate) struct Escaped<'a>(pub(crate) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            if c.is_control() || c == '`' || is_bidi(c) {
                write!(f, "{}", c.escape_unicode())?;
            } else {
                write!(f, "{c}")?;
            }
        }
        Ok(())
    }
}

/// Characters that reorder the text around them.
fn is_bidi(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Denial::Outside { path, directory } => write!(
                f,
                "the guest was denied `{}`; grant it with `--dir HOST::{}`",
                Escaped(path),
                Escaped(directory)
            ),
            Denial::LinkOutside { path, granted } => write!(
                f,
                "the guest was denied `{}`, which leads out of `{}` by a symbolic link; \
                 grant what it leads to with `--dir HOST::GUEST`",
                Escaped(path),
                Escaped(granted)
            ),
            Denial::ReadOnly { path, host, granted } => write!(
                f,
                "the guest was denied writing `{}`: `{}` is granted for reading only; \
                 grant it with `--dir {}::{}`, without `:ro`",
                Escaped(path),
                Escaped(granted),
                Escaped(host),
                Escaped(granted)
            ),
            Denial::SpecialFile { path } => write!(
                f,
                "the guest was denied `{}`, which is a device, FIFO or socket: \
                 a granted directory gives files and directories only",
                Escaped(path)
            ),
            Denial::Protected { path } => write!(
                f,
                "the guest was denied `{}`, which is the host's own: no grant covers it",
                Escaped(path)
            ),
            Denial::Need { need, note } => {
                write!(f, "the guest was denied `{need}`")?;
                if let Some(note) = note {
                    write!(f, ": {note}")?;
                }
                write!(f, "; grant it with `{}`", need.flag())
            }
            Denial::Never { what, why } => {
                write!(f, "the guest was denied `{}`: {why}", Escaped(what))
            }
            Denial::Listener { descriptor } => write!(
                f,
                "the guest accepts connections on descriptor {descriptor}, which is no listener; \
                 grant one with `--listen ADDRESS:PORT`"
            ),
        }
    }
}

#[derive(Debug, Default)]
struct Log {
    /// Whom it was denied, and what.
    kept: Vec<(Arc<str>, Denial)>,
    more: u64,
    searched: bool,
}

/// The denials of one guest, in order, each different one once.
///
/// A clone is another handle on the same list, so that it can be read when the guest is gone.
#[derive(Clone, Debug, Default)]
pub struct Denials {
    log: Arc<Mutex<Log>>,
    /// Whose denials are noted by this handle.
    component: Arc<str>,
}

impl Denials {
    /// The same list, to note what a component is denied.
    pub(crate) fn of(&self, component: &Arc<str>) -> Denials {
        Denials { log: Arc::clone(&self.log), component: Arc::clone(component) }
    }

    /// Notes a denial.
    pub fn record(&self, denial: Denial) {
        let denial = (Arc::clone(&self.component), denial);
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        if log.kept.contains(&denial) {
            return;
        }
        if log.kept.len() < KEPT {
            log.kept.push(denial);
        } else {
            log.more = log.more.saturating_add(1);
        }
    }

    /// The denials kept, oldest first.
    pub fn list(&self) -> Vec<Denial> {
        self.by_component().into_iter().map(|(_, denial)| denial).collect()
    }

    /// The denials kept, oldest first, each with the component that lacks the grant.
    pub fn by_component(&self) -> Vec<(Arc<str>, Denial)> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).kept.clone()
    }

    /// Notes that the guest looked for its directories and was given none.
    pub(crate) fn record_search(&self) {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).searched = true;
    }

    /// Whether the guest looked for its directories and was given none.
    ///
    /// Many guests look at their start and only then decide which paths they may try at all, so
    /// that a path they would have needed never reaches the host. This is no denial: they may
    /// not have needed any.
    pub fn found_no_directory(&self) -> bool {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).searched
    }

    /// How many denials came after the list was full.
    pub fn more(&self) -> u64 {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).more
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages() {
        let outside = Denial::Outside { path: "/data/x".into(), directory: "/data".into() };
        assert_eq!(
            outside.to_string(),
            "the guest was denied `/data/x`; grant it with `--dir HOST::/data`"
        );
        let read_only = Denial::ReadOnly {
            path: "/data/\u{1b}]52;`x".into(),
            host: "./d".into(),
            granted: "/data".into(),
        };
        assert_eq!(
            read_only.to_string(),
            "the guest was denied writing `/data/\\u{1b}]52;\\u{60}x`: `/data` is granted for \
             reading only; grant it with `--dir ./d::/data`, without `:ro`"
        );
        let link = Denial::LinkOutside { path: "/d/l\u{202e}".into(), granted: "/d".into() };
        assert_eq!(
            link.to_string(),
            "the guest was denied `/d/l\\u{202e}`, which leads out of `/d` by a symbolic link; \
             grant what it leads to with `--dir HOST::GUEST`"
        );
        assert_eq!(
            Denial::Listener { descriptor: 3 }.to_string(),
            "the guest accepts connections on descriptor 3, which is no listener; \
             grant one with `--listen ADDRESS:PORT`"
        );
    }

    #[test]
    fn bounded_and_distinct() {
        let denials = Denials::default();
        for _ in 0..3 {
            for n in 0..20 {
                denials.record(Denial::SpecialFile { path: format!("/{n}") });
            }
        }
        assert_eq!(denials.list().len(), KEPT);
        assert_eq!(denials.more(), 12, "four did not fit, three times over");
        assert_eq!(denials.list().first(), Some(&Denial::SpecialFile { path: "/0".into() }));
    }
}
