//! The one error type of the API: what failed, whose fault it is, and where the guest was.

use std::any::Any;
use std::error::Error as StdError;
use std::fmt;

use dunlin_code::Trap;
use dunlin_module::Proposal;
use dunlin_vm::{
    Backtrace, CallError, ExceptionReport, InstantiateError, LimitError, Misuse, StoreError,
    TrapReport,
};

use crate::reference::ExnRef;

/// A result whose error is an [`Error`] unless another type is named.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong in any part of the API.
///
/// One word wide. [`Error::kind`] says whose fault it is; `Display` prints one line;
/// [`Error::report`] and `{:?}` print everything that is known: causes, the guest's backtrace and
/// what could be done about it.
///
/// Every standard error converts into it, so that `?` works in host functions. An error that a host
/// function returns comes out of the call that reached it as it went in: find it again with
/// [`Error::downcast_ref`].
///
/// ```
/// use dunlin_engine::{Error, ErrorKind};
///
/// let error = Error::from("x".parse::<u32>().unwrap_err());
/// assert_eq!(error.kind(), ErrorKind::Host);
/// assert!(error.downcast_ref::<std::num::ParseIntError>().is_some());
/// ```
///
/// Like other errors that swallow every standard error, it is none itself; it converts into
/// `Box<dyn std::error::Error + Send + Sync>`.
pub struct Error(Box<Inner>);

/// Whose fault an [`Error`] is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The bytes are no valid module, or one that this version cannot run.
    Invalid,
    /// Imports and exports do not fit together, or something is not exported.
    Link,
    /// The guest stopped itself or was stopped; see [`Error::trap`].
    Trap,
    /// No guest caught an exception; see [`Error::exception`].
    Exception,
    /// A host function failed; see [`Error::downcast_ref`].
    Host,
    /// The embedder used the API in a way that cannot work, such as a handle of another store.
    Misuse,
    /// A limit of the store or the engine was reached.
    Limit,
    /// The engine broke a promise of its own. Please report it.
    Bug,
}

struct Inner {
    cause: Cause,
    /// What was being attempted, innermost first.
    context: Vec<String>,
    backtrace: Option<Backtrace>,
    help: Option<String>,
}

enum Cause {
    Invalid(dunlin_module::Error),
    Limit(LimitError),
    Trap {
        trap: Trap,
        detail: Option<String>,
    },
    /// The exception, and what is to be said about it.
    Exception(ExnRef, String),
    Host(Box<dyn StdError + Send + Sync>),
    /// A sentence of ours and, where several things went wrong at once, one line for each.
    Message {
        kind: ErrorKind,
        text: String,
        items: Vec<String>,
    },
}

impl Error {
    fn from_cause(cause: Cause) -> Error {
        Error(Box::new(Inner { cause, context: Vec::new(), backtrace: None, help: None }))
    }

    /// An error of a host function, kept as it is. As in [`Error::from_boxed`], an `Error` or a
    /// [`Trap`] is not wrapped again.
    pub fn host(error: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
        Error::from_boxed(error.into())
    }

    /// An error of a host function that is only a message.
    pub fn msg(message: impl fmt::Display) -> Error {
        Error::host(message.to_string())
    }

    /// An error from a boxed one. If there is an `Error` inside, that one comes out.
    pub fn from_boxed(error: Box<dyn StdError + Send + Sync>) -> Error {
        // The machine's own errors come this way too: `?` knows no other.
        match own(error) {
            Ok(error) => error,
            Err(host) => Error::from_cause(Cause::Host(host)),
        }
    }

    fn from_trap(trap: Trap) -> Error {
        Error::from_cause(Cause::Trap { trap, detail: None })
    }

    fn from_trap_report(report: TrapReport) -> Error {
        let TrapReport { trap, backtrace, detail } = report;
        let mut error = Error::from_cause(Cause::Trap { trap, detail });
        error.0.backtrace = Some(backtrace);
        error
    }

    fn from_exception_report(report: ExceptionReport) -> Error {
        let ExceptionReport { exception, backtrace, text } = report;
        let mut error = Error::from_cause(Cause::Exception(ExnRef(exception), text));
        error.0.backtrace = Some(backtrace);
        error
    }

    /// An error with which a host function throws `exception` where it was called.
    pub fn throw(exception: ExnRef) -> Error {
        Error::from_cause(Cause::Exception(exception, String::new()))
    }

    fn from_call(error: CallError) -> Error {
        match error {
            CallError::Exception(report) => Error::from_exception_report(report),
            CallError::Trap(report) => Error::from_trap_report(report),
            CallError::Host(error, backtrace) => Error::from_host(error, backtrace),
            CallError::Misuse(misuse) => misuse.into(),
            CallError::Limit(limit) => limit.into(),
            other => Error::from_cause(Cause::Host(Box::new(other))),
        }
    }

    fn from_instantiate(error: InstantiateError) -> Error {
        match error {
            InstantiateError::Link(error) => Error::link(error.to_string()),
            InstantiateError::Trap(report) => Error::from_trap_report(report),
            InstantiateError::Exception(report) => Error::from_exception_report(report),
            InstantiateError::Host(error, backtrace) => Error::from_host(error, backtrace),
            InstantiateError::Limit(limit) => limit.into(),
            InstantiateError::Misuse(misuse) => misuse.into(),
            unsupported => Error::message(ErrorKind::Invalid, unsupported.to_string()),
        }
    }

    fn from_store(error: StoreError) -> Error {
        match error {
            StoreError::Misuse(misuse) => misuse.into(),
            StoreError::Limit(limit) => limit.into(),
            StoreError::Type(error) => error.into(),
            other => Error::message(ErrorKind::Misuse, other.to_string()),
        }
    }

    /// A failed host function, seen from the call that reached it.
    fn from_host(error: Box<dyn StdError + Send + Sync>, outer: Backtrace) -> Error {
        let mut error = Error::from_boxed(error);
        match &mut error.0.backtrace {
            Some(inner) => inner.extend(outer),
            none => *none = Some(outer),
        }
        error
    }

    /// A trap of which more is known than its code, for crates that build on this one.
    #[doc(hidden)]
    pub fn trap_because(trap: Trap, detail: impl Into<String>) -> Error {
        Error::from_cause(Cause::Trap { trap, detail: Some(detail.into()) })
    }

    pub(crate) fn message(kind: ErrorKind, text: impl Into<String>) -> Error {
        Error::list(kind, text, Vec::new())
    }

    #[doc(hidden)]
    pub fn list(kind: ErrorKind, text: impl Into<String>, items: Vec<String>) -> Error {
        Error::from_cause(Cause::Message { kind, text: text.into(), items })
    }

    #[doc(hidden)]
    pub fn link(text: impl Into<String>) -> Error {
        Error::message(ErrorKind::Link, text)
    }

    #[doc(hidden)]
    pub fn misuse(text: impl Into<String>) -> Error {
        Error::message(ErrorKind::Misuse, text)
    }

    /// A broken invariant of ours: stops tests where it is found, and ends one call elsewhere.
    #[cold]
    #[doc(hidden)]
    pub fn bug(text: &str) -> Error {
        debug_assert!(false, "{text}");
        Error::message(ErrorKind::Bug, text)
    }

    /// Adds what was being attempted; it becomes the first thing printed.
    #[must_use]
    pub fn context(mut self, attempt: impl fmt::Display) -> Error {
        self.0.context.push(attempt.to_string());
        self
    }

    /// Replaces the advice printed at the end of [`Error::report`].
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Error {
        self.0.help = Some(help.into());
        self
    }

    /// Whose fault it is.
    pub fn kind(&self) -> ErrorKind {
        match &self.0.cause {
            Cause::Invalid(_) => ErrorKind::Invalid,
            Cause::Limit(_) => ErrorKind::Limit,
            Cause::Trap { trap: Trap::LimitExceeded, .. } => ErrorKind::Limit,
            Cause::Trap { trap: Trap::Bug, .. } => ErrorKind::Bug,
            Cause::Trap { .. } => ErrorKind::Trap,
            Cause::Exception(..) => ErrorKind::Exception,
            Cause::Host(_) => ErrorKind::Host,
            Cause::Message { kind, .. } => *kind,
        }
    }

    /// Why the guest stopped, if it did.
    pub fn trap(&self) -> Option<Trap> {
        match self.0.cause {
            Cause::Trap { trap, .. } => Some(trap),
            _ => None,
        }
    }

    /// The exception that no guest caught. A host function may look at it, and either go on or
    /// return the error, which throws the exception again.
    pub fn exception(&self) -> Option<ExnRef> {
        match &self.0.cause {
            Cause::Exception(exception, _) => Some(exception.clone()),
            _ => None,
        }
    }

    /// The proposal without which the module is not valid, or whose instruction this version does not
    /// execute, if that is what went wrong.
    pub fn missing_feature(&self) -> Option<Proposal> {
        match &self.0.cause {
            Cause::Invalid(error) => match error.kind() {
                dunlin_module::ErrorKind::Unsupported(proposal) => proposal,
                _ => None,
            },
            Cause::Trap { trap: Trap::Unsupported, .. } => self.backtrace()?.missing_proposal(),
            _ => None,
        }
    }

    /// Where the guest was, innermost call first.
    pub fn backtrace(&self) -> Option<&Backtrace> {
        self.0.backtrace.as_ref()
    }

    /// What could be done about it, where there is something to say.
    pub fn help(&self) -> Option<String> {
        if let Some(help) = &self.0.help {
            return Some(help.clone());
        }
        match &self.0.cause {
            Cause::Invalid(_) => {
                let name = self.missing_feature()?.name();
                let field = name.replace('-', "_");
                Some(format!("enable with `Features::{field}`, or `--wasm {name}`"))
            }
            Cause::Limit(error) => error.help(),
            Cause::Trap { trap: Trap::OutOfFuel, .. } => {
                Some("give the guest more with `Store::set_fuel`".to_string())
            }
            Cause::Trap { trap: Trap::HostPanic, .. } => {
                Some("the store cannot be used any more: make a new one".to_string())
            }
            _ if self.kind() == ErrorKind::Bug => {
                Some("this is a fault of Dunlin: please report it".to_string())
            }
            Cause::Trap { .. } | Cause::Exception(..) | Cause::Host(_) | Cause::Message { .. } => {
                None
            }
        }
    }

    /// The error of type `E` that a host function returned, or the [`Trap`] when asked for that.
    pub fn downcast_ref<E: StdError + 'static>(&self) -> Option<&E> {
        match &self.0.cause {
            Cause::Invalid(error) => (error as &dyn Any).downcast_ref(),
            Cause::Limit(error) => (error as &dyn Any).downcast_ref(),
            Cause::Trap { trap, .. } => (trap as &dyn Any).downcast_ref(),
            Cause::Host(error) => error.downcast_ref(),
            Cause::Exception(..) | Cause::Message { .. } => None,
        }
    }

    /// Takes the error of type `E` out, or gives the whole error back.
    pub fn downcast<E: StdError + Send + Sync + 'static>(self) -> Result<E, Error> {
        if !self.is::<E>() {
            return Err(self);
        }
        let Inner { cause, context, backtrace, help } = *self.0;
        let cause = match cause {
            Cause::Host(error) => match error.downcast::<E>() {
                Ok(found) => return Ok(*found),
                Err(other) => Cause::Host(other),
            },
            Cause::Invalid(error) => match unbox(error) {
                Ok(found) => return Ok(found),
                Err(error) => Cause::Invalid(error),
            },
            Cause::Limit(error) => match unbox(error) {
                Ok(found) => return Ok(found),
                Err(error) => Cause::Limit(error),
            },
            Cause::Trap { trap, detail } => match unbox(trap) {
                Ok(found) => return Ok(found),
                Err(trap) => Cause::Trap { trap, detail },
            },
            message => message,
        };
        Err(Error(Box::new(Inner { cause, context, backtrace, help })))
    }

    /// Whether [`Error::downcast_ref`] would find an `E`.
    pub fn is<E: StdError + 'static>(&self) -> bool {
        self.downcast_ref::<E>().is_some()
    }

    /// The error beneath this one, as [`std::error::Error::source`] would say.
    pub fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match &self.0.cause {
            Cause::Invalid(error) => error.source(),
            Cause::Host(error) => error.source(),
            Cause::Limit(_) | Cause::Trap { .. } | Cause::Exception(..) | Cause::Message { .. } => {
                None
            }
        }
    }

    /// Everything that is known, one fact a line:
    ///
    /// ```text
    /// error: what was attempted
    /// caused by: why it failed
    /// wasm backtrace:
    ///   0: …
    /// help: what could be done
    /// ```
    pub fn report(&self) -> impl fmt::Display + '_ {
        Report { error: self, first: "error: " }
    }
}

fn from_misuse(misuse: Misuse) -> Error {
    let error = Error::misuse(misuse.to_string());
    match misuse {
        Misuse::Poisoned => error.with_help("make a new store"),
        _ => error,
    }
}

/// The error of ours that is in a box, if there is one.
fn own(error: Box<dyn StdError + Send + Sync>) -> Result<Error, Box<dyn StdError + Send + Sync>> {
    let error = match error.downcast::<Carrier>() {
        Ok(carrier) => return Ok(carrier.0),
        Err(other) => other,
    };
    let error = match error.downcast::<CallError>() {
        Ok(call) => return Ok(Error::from_call(*call)),
        Err(other) => other,
    };
    let error = match error.downcast::<InstantiateError>() {
        Ok(instantiate) => return Ok(Error::from_instantiate(*instantiate)),
        Err(other) => other,
    };
    let error = match error.downcast::<StoreError>() {
        Ok(store) => return Ok(Error::from_store(*store)),
        Err(other) => other,
    };
    let error = match error.downcast::<Misuse>() {
        Ok(misuse) => return Ok(from_misuse(*misuse)),
        Err(other) => other,
    };
    let error = match error.downcast::<LimitError>() {
        Ok(limit) => return Ok(Error::from_cause(Cause::Limit(*limit))),
        Err(other) => other,
    };
    let error = match error.downcast::<dunlin_module::Error>() {
        Ok(invalid) => return Ok(Error::from_cause(Cause::Invalid(*invalid))),
        Err(other) => other,
    };
    error.downcast::<Trap>().map(|trap| Error::from_trap(*trap))
}

/// `value` as an `E`, if that is its type.
fn unbox<V: Any, E: Any>(value: V) -> Result<E, V> {
    let mut value = Some(value);
    match (&mut value as &mut dyn Any).downcast_mut::<Option<E>>() {
        Some(found) => match found.take() {
            Some(found) => Ok(found),
            None => unreachable!("filled above"),
        },
        None => match value {
            Some(value) => Err(value),
            None => unreachable!("filled above"),
        },
    }
}

/// A cause without its items.
impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::Invalid(error) => {
                // Advice has a line of its own in the report.
                let text = error.to_string();
                f.write_str(text.split("\nhelp: ").next().unwrap_or(&text))
            }
            Cause::Limit(error) => error.fmt(f),
            Cause::Trap { trap, detail: None } => write!(f, "trap: {trap}"),
            Cause::Trap { trap, detail: Some(detail) } => write!(f, "trap: {trap}: {detail}"),
            Cause::Exception(_, text) if text.is_empty() => f.write_str("uncaught exception"),
            Cause::Exception(_, text) => write!(f, "uncaught exception {text}"),
            Cause::Host(error) => error.fmt(f),
            Cause::Message { text, .. } => f.write_str(text),
        }
    }
}

impl Cause {
    fn items(&self) -> &[String] {
        match self {
            Cause::Message { items, .. } => items,
            _ => &[],
        }
    }
}

/// One line: what was attempted, then what failed.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { cause, context, .. } = &*self.0;
        for attempt in context.iter().rev() {
            write!(f, "{attempt}: ")?;
        }
        cause.fmt(f)?;
        for (i, item) in cause.items().iter().enumerate() {
            write!(f, "{}{item}", if i == 0 { ": " } else { "; " })?;
        }
        Ok(())
    }
}

/// The lines of [`Error::report`], without the word `error:`.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Report { error: self, first: "" }, f)
    }
}

struct Report<'a> {
    error: &'a Error,
    first: &'static str,
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { cause, context, backtrace, .. } = &*self.error.0;
        f.write_str(self.first)?;
        for attempt in context.iter().rev() {
            write!(f, "{attempt}\ncaused by: ")?;
        }
        cause.fmt(f)?;
        for item in cause.items() {
            write!(f, "\n  {item}")?;
        }
        let mut source = self.error.source();
        while let Some(error) = source {
            write!(f, "\ncaused by: {error}")?;
            source = error.source();
        }
        if let Some(backtrace) = backtrace
            && !backtrace.frames.is_empty()
        {
            write!(f, "\nwasm backtrace:\n{backtrace}")?;
        }
        match self.error.help() {
            Some(help) => write!(f, "\nhelp: {help}"),
            None => Ok(()),
        }
    }
}

impl<E: StdError + Send + Sync + 'static> From<E> for Error {
    fn from(error: E) -> Error {
        Error::from_boxed(Box::new(error))
    }
}

impl From<Error> for Box<dyn StdError + Send + Sync> {
    fn from(error: Error) -> Self {
        // The machine knows its own errors only, and it must see what is thrown.
        match error.0.cause {
            Cause::Exception(ExnRef(exception), text) => {
                let backtrace = error.0.backtrace.unwrap_or_default();
                Box::new(CallError::Exception(ExceptionReport { exception, backtrace, text }))
            }
            _ => Box::new(Carrier(error)),
        }
    }
}

impl From<Error> for Box<dyn StdError> {
    fn from(error: Error) -> Self {
        Box::new(Carrier(error))
    }
}

/// An [`Error`] on its way through code that wants a standard error.
struct Carrier(Error);

impl fmt::Display for Carrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Carrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl StdError for Carrier {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_word() {
        assert_eq!(size_of::<Error>(), size_of::<usize>());
        assert_eq!(size_of::<Option<Error>>(), size_of::<usize>());
    }

    #[test]
    fn an_error_survives_the_way_through_a_box() {
        let boxed: Box<dyn StdError + Send + Sync> = Error::misuse("wrong").context("try").into();
        assert_eq!(boxed.to_string(), "try: wrong");
        let back = Error::from_boxed(boxed);
        assert_eq!(back.kind(), ErrorKind::Misuse);
        assert_eq!(back.to_string(), "try: wrong");
    }

    #[test]
    fn the_report_lists_causes_items_and_help() {
        let error = Error::list(ErrorKind::Link, "two things", vec!["a".into(), "b".into()])
            .context("start `m`")
            .with_help("define them");
        assert_eq!(error.to_string(), "start `m`: two things: a; b");
        let report = "start `m`\ncaused by: two things\n  a\n  b\nhelp: define them";
        assert_eq!(format!("{error:?}"), report);
        assert_eq!(error.report().to_string(), format!("error: {report}"));
    }

    #[test]
    fn downcast_takes_host_errors_and_traps_out() {
        let parse = || "x".parse::<u8>().unwrap_err();
        assert_eq!(Error::from(parse()).downcast::<std::num::ParseIntError>().unwrap(), parse());
        assert!(Error::from(parse()).downcast::<std::fmt::Error>().is_err());
        assert_eq!(Error::from(Trap::Unreachable).downcast::<Trap>().unwrap(), Trap::Unreachable);
    }
}
