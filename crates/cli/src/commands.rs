//! One file per command, each with a `run` that takes the command's flags.

pub(crate) mod cache;
pub(crate) mod call;
pub(crate) mod compile;
pub(crate) mod completions;
pub(crate) mod component;
pub(crate) mod compose;
pub(crate) mod inspect;
pub(crate) mod key;
pub(crate) mod policy;
pub(crate) mod print;
pub(crate) mod run;
pub(crate) mod validate;
pub(crate) mod wast;
pub(crate) mod wat;
pub(crate) mod wit;
