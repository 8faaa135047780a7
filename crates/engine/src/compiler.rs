//! The compiler of this build.

use std::sync::Arc;

use dunlin_code::native::Compiler;

/// The compiler of this build, if it has one for this processor.
#[cfg(feature = "jit")]
pub(crate) fn of_build() -> Option<Arc<dyn Compiler>> {
    // Made once: it is the same for all engines.
    static COMPILER: std::sync::OnceLock<Option<Arc<dyn Compiler>>> = std::sync::OnceLock::new();
    let make = || match dunlin_jit::Jit::new() {
        Ok(jit) if dunlin_vm::NATIVE => Some(Arc::new(jit) as Arc<dyn Compiler>),
        _ => None,
    };
    COMPILER.get_or_init(make).clone()
}

/// The compiler of this build, which has none.
#[cfg(not(feature = "jit"))]
pub(crate) fn of_build() -> Option<Arc<dyn Compiler>> {
    None
}
