//! What happens when an invariant of ours is found broken: a panic in debug builds, so that tests
//! stop there; a trap in release builds, so that one store ends and the process goes on.

/// Evaluates to [`Trap::Bug`](dunlin_code::Trap::Bug); in debug builds panics with the message.
macro_rules! bug {
    ($($message:tt)+) => {{
        if cfg!(debug_assertions) {
            panic!($($message)+);
        }
        dunlin_code::Trap::Bug
    }};
}

pub(crate) use bug;
