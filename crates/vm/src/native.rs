//! Native code at run time.

pub(crate) mod builtins;
