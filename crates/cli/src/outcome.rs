//! How a program ended: the exit code, what is said about it, and what could be done.

use dunlin::wasi::host::Denials;
use dunlin::wasi::p1;
use dunlin::{Error, ErrorKind, LimitError, Limits, Resource, Trap};

use crate::Exit;
use crate::flags::ProgramFlags;
use crate::plan;
use crate::quantity::Size;
use crate::report::{Failure, quoted};

const BUG: &str = "this is a fault of Dunlin: please report it";

/// What is known about the run besides the error that ended it.
pub(crate) struct Circumstances<'a> {
    /// The file, as messages show it.
    pub(crate) name: String,
    /// Whether the program imports functions that nothing provides.
    pub(crate) lacks_imports: bool,
    /// Whether it may want to open files: the C library of most programs knows without asking that it was
    /// granted none, so that nothing is refused.
    pub(crate) opens_files: bool,
    pub(crate) flags: &'a ProgramFlags,
    pub(crate) limits: &'a Limits,
    pub(crate) denials: Denials,
    /// Whether each component has grants of its own.
    pub(crate) grants_apart: bool,
    /// Whether the user asked it to stop.
    pub(crate) ctrl_c: bool,
}

impl Circumstances<'_> {
    /// Explains an error that came out of linking or running.
    pub(crate) fn explain(&self, error: Error) -> Failure {
        if let Some(exit) = error.downcast_ref::<p1::Exit>() {
            let gave_up = exit.0 != 0;
            return self.with_denials(Failure::quiet(Exit::Guest(exit.0)), gave_up);
        }
        // Where a program has no other way to give up, it executes `unreachable`.
        let gave_up = error.trap() == Some(Trap::Unreachable);
        self.with_denials(self.failure(error), gave_up)
    }

    /// A program that said that it failed, with its exit code.
    pub(crate) fn gave_up(&self, code: u32) -> Failure {
        self.with_denials(Failure::quiet(Exit::Guest(code)), true)
    }

    fn failure(&self, error: Error) -> Failure {
        let name = &self.name;
        let stopped = error.is::<p1::Interrupted>() || error.trap() == Some(Trap::Interrupted);
        let (exit, attempt, help) = match error.trap() {
            _ if stopped && self.ctrl_c => {
                (Exit::Stopped, format!("{name} was stopped with Ctrl-C"), None)
            }
            _ if stopped => {
                let time = self.flags.limits.timeout.map(|time| format!(" of {time}"));
                let time = time.unwrap_or_default();
                let help = "give it more with `--timeout`".to_owned();
                (Exit::Spent, format!("{name} did not end within its time{time}"), Some(help))
            }
            Some(Trap::OutOfFuel) => {
                let fuel = self.flags.limits.fuel.map(|fuel| format!(" of {}", fuel.0));
                let fuel = fuel.unwrap_or_default();
                let help = "give it more with `--fuel`".to_owned();
                (Exit::Spent, format!("{name} did not end within its fuel{fuel}"), Some(help))
            }
            Some(Trap::StackOverflow) => {
                let now = Size(plan::stack_bytes(self.limits));
                let help = format!("allow a larger stack with `--max-stack`; now it is {now}");
                (Exit::Trapped, format!("{name} trapped"), Some(help))
            }
            Some(Trap::HeapExhausted) => {
                let now = Size(self.limits.heap_bytes);
                let help = format!("allow a larger heap with `--max-heap`; now it is {now}");
                (Exit::Trapped, format!("{name} trapped"), Some(help))
            }
            Some(_) => (Exit::Trapped, format!("{name} trapped"), self.advice(&error)),
            None if error.kind() == ErrorKind::Exception => {
                (Exit::Trapped, format!("{name} threw an exception"), None)
            }
            // A host function that fails ends the program as a trap does.
            None if error.backtrace().is_some_and(|trace| !trace.frames.is_empty()) => {
                (Exit::Trapped, format!("{name} was ended by a failed call"), self.advice(&error))
            }
            None => (Exit::Unreached, format!("cannot run {name}"), self.advice(&error)),
        };
        let error = match help {
            Some(help) => error.with_help(help),
            None => error,
        };
        Failure::engine(exit, attempt, &error)
    }

    /// Advice in terms of flags, where the library's own speaks of its functions.
    fn advice(&self, error: &Error) -> Option<String> {
        if let Some(limit) = error.downcast_ref::<LimitError>() {
            return match limit.resource() {
                _ if limit.is_system() => None,
                Resource::MemoryBytes => {
                    let now = Size(self.limits.memory_bytes);
                    Some(format!("allow more with `--max-memory`; now it is {now}"))
                }
                Resource::HeapBytes => {
                    let now = Size(self.limits.heap_bytes);
                    Some(format!("allow more with `--max-heap`; now it is {now}"))
                }
                Resource::TableElements => {
                    let now = self.limits.table_elements;
                    Some(format!("allow more with `--max-table`; now it is {now}"))
                }
                _ => Some("this limit cannot be changed from the command line".to_owned()),
            };
        }
        match error.kind() {
            _ if error.trap() == Some(Trap::HostPanic) => Some(BUG.to_owned()),
            ErrorKind::Link if self.lacks_imports && !self.flags.stub_unknown_imports => Some(
                "let unknown functions trap when they are called with `--stub-unknown-imports`"
                    .to_owned(),
            ),
            ErrorKind::Bug => Some(BUG.to_owned()),
            _ => None,
        }
    }

    /// Adds what the program was refused: that may be why it failed, and all the more if it
    /// `gave_up` by itself.
    fn with_denials(&self, mut failure: Failure, gave_up: bool) -> Failure {
        if failure.exit() == Exit::DONE {
            return failure;
        }
        let denials = self.denials.by_component();
        let grants = &self.flags.grants;
        let has_directories = !grants.dirs.is_empty() || grants.rules.policy.is_some();
        if denials.is_empty() && gave_up && self.opens_files && !has_directories {
            return failure.help(
                "the guest has no directory; if it needs one, grant it with \
                 `--dir HOST[::GUEST][:ro]`",
            );
        }
        let in_part = denials.iter().any(|(component, _)| !component.is_empty());
        for (component, denial) in denials {
            failure = failure.help(match component.is_empty() {
                true => denial.to_string(),
                false => format!("in component {}, {denial}", quoted(&component)),
            });
        }
        if in_part && self.grants_apart {
            failure = failure.help(
                "flags grant to the outermost component; what is granted to another one stands in its \
                 table of the policy, `[component.\"NAME\"]`",
            );
        }
        match self.denials.more() {
            0 => failure,
            more => failure.help(format!("{more} more requests of the guest were denied")),
        }
    }
}
