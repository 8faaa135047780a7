//! Tiers as an engine is configured with them, and what it says of them afterwards.

use std::sync::Arc;

use dunlin_code::native::{CompileError, Compiler, NativeCode, Request};
use dunlin_vm::{TierMode, TierPolicy, Tiers};

pub use dunlin_code::native::Entry;
pub use dunlin_vm::{CompiledCode, TierReport};

use crate::error::{Error, ErrorKind, Result};

/// What is compiled to native code. Has no effect on results.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub enum Tier {
    /// Nothing.
    Interp,
    /// What takes time, in the background while it is interpreted. Where there is no compiler, nothing.
    #[default]
    Auto,
    /// Each function before its first call.
    Opt,
    /// For tests of the engine: each function before its second call, each loop before its second
    /// iteration.
    #[doc(hidden)]
    Eager,
    /// For tests of the engine: each loop before its second iteration, and nothing else.
    #[doc(hidden)]
    Loops,
    /// For tests of the engine: nothing, but code looks everywhere whether something should be.
    #[doc(hidden)]
    Looking,
}

/// The compiler of engines that look and compile nothing.
#[derive(Debug)]
struct NoCompiler;

impl Compiler for NoCompiler {
    fn compile(&self, _request: &Request<'_>) -> Result<NativeCode, CompileError> {
        Err(CompileError::Failed("this build has no compiler".into()))
    }

    fn fingerprint(&self) -> &str {
        "none"
    }
}

/// The compiler of this build, if it has one for this processor.
#[cfg(feature = "jit")]
pub(crate) fn compiler() -> Option<Arc<dyn Compiler>> {
    if !dunlin_vm::NATIVE {
        return None;
    }
    Some(Arc::new(dunlin_jit::Jit::new().ok()?))
}

/// None.
#[cfg(not(feature = "jit"))]
pub(crate) fn compiler() -> Option<Arc<dyn Compiler>> {
    None
}

/// What compiles for an engine, if anything does.
pub(crate) fn tiers(
    tier: Tier,
    record: bool,
    compiler: Option<Arc<dyn Compiler>>,
) -> Result<Option<Arc<Tiers>>> {
    let mode = match tier {
        Tier::Interp => return Ok(None),
        Tier::Auto => TierMode::Auto,
        Tier::Opt => TierMode::Opt,
        Tier::Eager => TierMode::Eager,
        Tier::Loops => TierMode::Loops,
        Tier::Looking => TierMode::Looking,
    };
    let compiler = match compiler {
        Some(compiler) => compiler,
        None if tier == Tier::Auto => return Ok(None),
        None if tier == Tier::Looking => Arc::new(NoCompiler),
        None => {
            let text = "`execution.tier`: expected `Interp` or `Auto`, as there is no compiler for \
                        this processor in this build";
            return Err(Error::list(
                ErrorKind::Misuse,
                "cannot build an engine",
                vec![text.into()],
            ));
        }
    };
    Ok(Some(Tiers::new(compiler, TierPolicy { record, ..TierPolicy::new(mode) })))
}
