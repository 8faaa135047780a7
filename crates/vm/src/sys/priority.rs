//! Threads that work only when nobody else wants the processor as much.

/// Lowers the priority of this thread, for good.
#[cfg(all(feature = "guard", target_os = "linux"))]
pub(crate) fn lower_priority() {
    // Of all that is below the usual, the one that still gets something on a machine that is busy.
    const NICE: i32 = 5;
    // SAFETY: takes three numbers. On Linux this is about a thread, and 0 is the one that asks.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, NICE) };
}

/// Here all threads are alike.
#[cfg(not(all(feature = "guard", target_os = "linux")))]
pub(crate) fn lower_priority() {}
