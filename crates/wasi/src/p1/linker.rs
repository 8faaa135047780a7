//! The functions of both revisions, defined in an engine's linker.

use dunlin_engine::{Caller, Error, Extern, Linker, Result};

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
                    with_memory(&mut caller, get, |ctx, memory| {
                        $calls::$name(ctx, memory, $($arg),*)
                    })
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

/// Makes one call with the guest's world and its memory.
fn with_memory<T, G>(
    caller: &mut Caller<'_, T>,
    get: G,
    call: impl FnOnce(&mut WasiCtx, &mut [u8]) -> std::result::Result<Errno, Stop>,
) -> Result<u32>
where
    T: 'static,
    G: Fn(&mut T) -> &mut WasiCtx,
{
    let errno = match caller.get_export("memory") {
        Some(Extern::Memory(memory)) => {
            let (bytes, data) = memory.data_and_store_mut(caller);
            call(get(data), bytes)
        }
        _ => call(get(caller.data_mut()), &mut []),
    };
    errno.map(|errno| u32::from(errno.0)).map_err(error)
}

fn error(stop: Stop) -> Error {
    match stop {
        Stop::Exit(exit) => Error::host(exit),
        Stop::Interrupted(interrupted) => Error::host(interrupted),
    }
}
