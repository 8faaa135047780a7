//! Who hears of what a guest asks for: the list of denials, observers, and who is asked.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::denial::{Denial, Denials};
use super::need::Need;

/// Who asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The component, by its name inside the composition; empty for the outermost, and so for a guest that
    /// is not composed.
    pub component: Arc<str>,
    /// The function of the host that was called.
    pub function: &'static str,
}

/// How it was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A grant covers it.
    Granted,
    /// No grant covers it, and an [`Approver`] let it pass this once.
    Allowed,
    /// It was refused.
    Denied,
}

/// The rule by which passes what somebody who was asked let pass.
pub(crate) const ALLOWED: &str = "allowed when asked";

/// What is said to what no grant covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is refused.
    No,
    /// It passes this once.
    Once,
    /// It passes as if it was granted: the same need will be met with the same answer.
    Granted,
}

impl Answer {
    /// As what it is told to observers, unless it is a refusal.
    pub(crate) fn verdict(self) -> Option<Verdict> {
        match self {
            Answer::No => None,
            Answer::Once => Some(Verdict::Allowed),
            Answer::Granted => Some(Verdict::Granted),
        }
    }
}

/// One question to the policy, and the answer.
#[derive(Clone, Copy)]
pub struct Event<'a> {
    /// Who asked.
    pub source: &'a Source,
    /// The component whose grants decide. That is another one than asked where something is used that was
    /// opened under its grants and passed on.
    pub holder: &'a str,
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
}

/// Is asked where no grant covers what is needed: somebody at a terminal, as a rule.
pub trait Approver: fmt::Debug + Send + Sync {
    /// Whether to let pass what `source` needs and no grant of the component `holder` covers. Asked for
    /// operations of the network, for stores, and for changes below directories that are granted for reading;
    /// other directories have to be there from the start.
    fn approve(&self, source: &Source, holder: &str, need: &Need) -> Answer;
}

/// Where one guest's questions are noted.
///
/// A clone is another handle on the same. Without observers nothing is put together for them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Witness {
    pub(crate) denials: Denials,
    /// Whose grants it witnesses the use of.
    holder: Arc<str>,
    watching: Option<Arc<Watching>>,
}

#[derive(Debug)]
struct Watching {
    observers: Vec<Arc<dyn Observer>>,
    approver: Option<Arc<dyn Approver>>,
    /// Who calls the host, whoever's grants are used.
    caller: Mutex<Caller>,
}

#[derive(Debug)]
struct Caller {
    source: Source,
    /// What was said last during this call, if something was let pass.
    allowed: Option<Verdict>,
}

impl Witness {
    /// A witness for a guest of this name.
    pub(crate) fn new(
        component: &str,
        observers: Vec<Arc<dyn Observer>>,
        approver: Option<Arc<dyn Approver>>,
    ) -> Witness {
        let holder: Arc<str> = component.into();
        let source = || Source { component: Arc::clone(&holder), function: "" };
        let caller = || Mutex::new(Caller { source: source(), allowed: None });
        let watching = (!observers.is_empty() || approver.is_some())
            .then(|| Arc::new(Watching { observers, approver, caller: caller() }));
        Witness { denials: Denials::default(), holder, watching }
    }

    /// A witness for another component of the same guest.
    pub(crate) fn of(&self, component: &Arc<str>) -> Witness {
        Witness {
            denials: self.denials.of(component),
            holder: Arc::clone(component),
            watching: self.watching.clone(),
        }
    }

    /// The same witness, for whom the guest stays in the function it is in. Nobody is asked any more: the
    /// guest goes on meanwhile, and could write around the question.
    pub(crate) fn for_later(&self) -> Witness {
        let watching = self.watching.as_ref().map(|watching| {
            let caller = Mutex::new(Caller { source: watching.source(), allowed: None });
            let observers = watching.observers.clone();
            Arc::new(Watching { observers, approver: None, caller })
        });
        Witness { watching, ..self.clone() }
    }

    /// The holder is in this function of the host from now on.
    pub(crate) fn enter(&self, function: &'static str) {
        if let Some(watching) = &self.watching {
            let mut caller = watching.caller();
            caller.allowed = None;
            caller.source.function = function;
            if !Arc::ptr_eq(&caller.source.component, &self.holder) {
                caller.source.component = Arc::clone(&self.holder);
            }
        }
    }

    /// Whether anybody listens.
    pub(crate) fn is_watched(&self) -> bool {
        self.watching.as_ref().is_some_and(|watching| !watching.observers.is_empty())
    }

    /// Whether anybody has to know who calls.
    pub(crate) fn names_callers(&self) -> bool {
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
        let Some(watching) = self.watching.as_ref().filter(|_| self.is_watched()) else { return };
        let source = watching.source();
        let need = need();
        let holder = &self.holder;
        let event = Event { source: &source, holder, operation, need: &need, verdict, rule };
        for observer in &watching.observers {
            observer.observe(&event);
        }
    }

    /// What somebody says to what no grant covers.
    pub(crate) fn unmet(&self, need: &Need) -> Answer {
        let Some(watching) = &self.watching else { return Answer::No };
        let Some(approver) = &watching.approver else { return Answer::No };
        let answer = approver.approve(&watching.source(), &self.holder, need);
        watching.caller().allowed = answer.verdict();
        answer
    }

    /// As what it is told that something passes in this call that no grant covers, if something did.
    pub(crate) fn allowed(&self) -> Option<Verdict> {
        self.watching.as_ref()?.caller().allowed
    }

    /// Notes a denial.
    pub(crate) fn deny(&self, denial: Denial) {
        self.denials.record(denial);
    }
}

impl Watching {
    fn source(&self) -> Source {
        self.caller().source.clone()
    }

    fn caller(&self) -> MutexGuard<'_, Caller> {
        // Nothing panics under the lock.
        self.caller.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
