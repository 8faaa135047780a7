//! The functions of both revisions, defined in an engine's linker.

use dunlin_engine::{Caller, Error, Extern, Linker, Result};

use super::memory::CallerMemory;
use super::{Errno, MODULE, MODULE_UNSTABLE, Stop, call, call_unstable, proc_exit};
use crate::WasiCtx;

/// Defines WASI 0.1 in a linker, under `wasi_snapshot_preview1` and `wasi_unstable`.
///
/// `get` finds the guest's [`WasiCtx`] in the store's data. A guest's memory is the one it
/// exports as `memory`; without one, every pointer is out of bounds. What ends a guest comes out
/// of the call as an error of the host: find it again as [`Exit`](super::Exit) or
/// [`Interrupted`](super::Interrupted).
pub fn add_to_linker<T, G>(linker: &mut Linker<T>, get: G) -> Result<()>
where
    T: 'static,
    G: Fn(&mut T) -> &mut WasiCtx + Copy + Send + Sync + 'static,
{
    define(linker, Alone(get))
}

/// Where a call finds the guest's world.
pub(crate) trait World<T: 'static>: Copy + Send + Sync + 'static {
    /// Makes one call with the world and the caller's memory. The call may be made several times, if
    /// those before did nothing.
    fn call(
        self,
        caller: &mut Caller<'_, T>,
        call: impl FnMut(&mut WasiCtx, &mut CallerMemory<'_>) -> Outcome,
    ) -> Outcome;
}

/// What a call gives.
pub(crate) type Outcome = std::result::Result<Errno, Stop>;

/// A world in the data of one store.
#[derive(Clone, Copy)]
struct Alone<G>(G);

impl<T: 'static, G> World<T> for Alone<G>
where
    G: Fn(&mut T) -> &mut WasiCtx + Copy + Send + Sync + 'static,
{
    fn call(
        self,
        caller: &mut Caller<'_, T>,
        mut call: impl FnMut(&mut WasiCtx, &mut CallerMemory<'_>) -> Outcome,
    ) -> Outcome {
        let Some(Extern::Memory(memory)) = caller.get_export("memory") else {
            return call((self.0)(caller.data_mut()), &mut CallerMemory::Own(&mut []));
        };
        if let Some(shared) = memory.shared(&*caller) {
            return call((self.0)(caller.data_mut()), &mut CallerMemory::Shared(shared));
        }
        let (bytes, data) = memory.data_and_store_mut(caller);
        call((self.0)(data), &mut CallerMemory::Own(bytes))
    }
}

/// Defines all functions over a world.
pub(crate) fn define<T: 'static>(linker: &mut Linker<T>, world: impl World<T>) -> Result<()> {
    macro_rules! define {
        ($($name:ident $params:tt $home:ident [$($old:ident)?];)*) => {
            $(
                define!(@one MODULE, call, $name $params);
                $(define!(@one MODULE_UNSTABLE, call_unstable, $name $params $old);)?
            )*
        };
        (@one $module:ident, $calls:ident, $name:ident($($arg:ident: $ty:ty),*) $($old:ident)?) => {
            linker.func_wrap(
                $module,
                stringify!($name),
                move |mut caller: Caller<'_, T>, $($arg: $ty),*| -> Result<u32> {
                    let outcome = world.call(&mut caller, |ctx, memory| {
                        $calls::$name(ctx, memory, $($arg),*)
                    });
                    outcome.map(|errno| u32::from(errno.0)).map_err(error)
                },
            )?;
        };
    }
    for_each_function!(define);
    for module in [MODULE, MODULE_UNSTABLE] {
        linker.func_wrap(module, "proc_exit", |code: u32| -> Result<()> {
            Err(error(proc_exit(code)))
        })?;
    }
    Ok(())
}

fn error(stop: Stop) -> Error {
    match stop {
        Stop::Exit(exit) => Error::host(exit),
        Stop::Interrupted(interrupted) => Error::host(interrupted),
    }
}
