//! Who hears of what a guest asks for: the list of denials, and observers with what they are told.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::denial::{Denial, Denials};
use super::need::Need;

/// Who asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The component, by its name inside the composition; empty for a guest that is not composed.
    pub component: Arc<str>,
    /// The function of the host that was called.
    pub function: &'static str,
}

/// How it was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A grant covers it.
    Granted,
    /// No grant covers it, and [`Observer::unmet`] let it pass.
    Allowed,
    /// It was refused.
    Denied,
}

/// One question to the policy, and the answer.
#[derive(Clone, Copy)]
pub struct Event<'a> {
    /// Who asked.
    pub source: &'a Source,
    /// What was to be done, in one word, such as `bind` or `send`. Where a grant for one thing gives
    /// another with it, the word tells: `answer` is to send to who was heard by a socket that listens,
    /// `bind-to-send` to have any address to send from, `connect-for-http` to connect to the host of a
    /// request. Who sends to the guest is told as `receive`; a path with `..` is told once more as
    /// `pass`, as it was written.
    pub operation: &'static str,
    /// What it takes.
    pub need: &'a Need,
    /// The answer.
    pub verdict: Verdict,
    /// The rule that decided, if there was one.
    pub rule: Option<&'a dyn fmt::Display>,
}

/// Is told of every operation that needs a grant, once each, when it has been decided.
///
/// It is called where the operation happens, with nothing locked, and should not take long.
pub trait Observer: fmt::Debug + Send + Sync {
    /// An operation was decided.
    fn observe(&self, event: &Event<'_>);

    /// No grant covers what is needed: whether to let it pass all the same, this once. Asked of network
    /// operations, because directories have to be there from the start.
    fn unmet(&self, source: &Source, need: &Need) -> bool {
        let _ = (source, need);
        false
    }
}

/// Where one guest's questions are noted.
///
/// A clone is another handle on the same. Without observers nothing is put together for them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Witness {
    pub(crate) denials: Denials,
    watching: Option<Arc<Watching>>,
}

#[derive(Debug)]
struct Watching {
    observers: Vec<Arc<dyn Observer>>,
    component: Arc<str>,
    function: Mutex<&'static str>,
}

impl Witness {
    /// A witness for a guest of this name.
    pub(crate) fn new(component: &str, observers: Vec<Arc<dyn Observer>>) -> Witness {
        let watching = (!observers.is_empty()).then(|| {
            Arc::new(Watching { observers, component: component.into(), function: Mutex::new("") })
        });
        Witness { denials: Denials::default(), watching }
    }

    /// The same witness, for whom the guest stays in the function it is in.
    pub(crate) fn for_later(&self) -> Witness {
        let watching = self.watching.as_ref().map(|watching| {
            let Source { component, function } = watching.source();
            let (observers, function) = (watching.observers.clone(), Mutex::new(function));
            Arc::new(Watching { observers, component, function })
        });
        Witness { denials: self.denials.clone(), watching }
    }

    /// Which function of the host the guest is in from now on.
    pub(crate) fn enter(&self, function: &'static str) {
        if let Some(watching) = &self.watching {
            *watching.function.lock().unwrap_or_else(PoisonError::into_inner) = function;
        }
    }

    /// Whether anybody listens.
    pub(crate) fn is_watched(&self) -> bool {
        self.watching.is_some()
    }

    /// Tells of something that was decided; `tell` puts together what it was about, if anybody listens.
    pub(crate) fn tell(
        &self,
        operation: &'static str,
        verdict: Verdict,
        rule: Option<&dyn fmt::Display>,
        need: impl FnOnce() -> Need,
    ) {
        let Some(watching) = &self.watching else { return };
        let source = watching.source();
        let need = need();
        let event = Event { source: &source, operation, need: &need, verdict, rule };
        for observer in &watching.observers {
            observer.observe(&event);
        }
    }

    /// Whether an observer lets pass what no grant covers.
    pub(crate) fn unmet(&self, need: &Need) -> bool {
        let Some(watching) = &self.watching else { return false };
        let source = watching.source();
        watching.observers.iter().any(|observer| observer.unmet(&source, need))
    }

    /// Notes a denial.
    pub(crate) fn deny(&self, denial: Denial) {
        self.denials.record(denial);
    }
}

impl Watching {
    fn source(&self) -> Source {
        let function = *self.function.lock().unwrap_or_else(PoisonError::into_inner);
        Source { component: Arc::clone(&self.component), function }
    }
}
