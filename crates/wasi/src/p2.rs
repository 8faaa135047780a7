//! WASI 0.2: interfaces of components, over the same host as 0.1.
//!
//! This module translates values and keeps what guests hold; it does nothing itself. Each function of WASI is
//! a Rust function that takes the guest's [`WasiCtx`] and the parameters as a tuple. Semantics are those
//! of the comments in version 0.2.12 of the WIT.
//!
//! | interfaces | here |
//! |---|---|
//! | `wasi:io` | `error`, `poll`, `streams` |
//! | `wasi:cli` | `cli` |
//! | `wasi:clocks`, `wasi:random` | `clocks`, `random` |
//! | `wasi:filesystem` | `filesystem` |
//! | `wasi:sockets` | `sockets` |
//! | `wasi:config`, `wasi:keyvalue` | `config`, `keyvalue`, which are drafts |

mod cli;
mod clocks;
mod config;
mod error;
mod filesystem;
mod keyvalue;
mod poll;
mod random;
mod sockets;
mod state;
mod streams;
mod table;
#[cfg(test)]
mod testing;

use std::any::Any;

use dunlin_component::{Caller, Linker, LinkerInstance, Params, Resource, ReturnedToGuest};
use dunlin_engine::raw::raw;
use dunlin_engine::{AsContextMut, Result};

pub use error::IoError;
pub use poll::{Pollable, Waits};
pub use state::RESOURCES_MAX;
pub(crate) use state::State;
pub use streams::{InputStream, OutputStream};
pub use table::ResourceTable;

use crate::WasiCtx;

/// Functions of `wasi:io`, for whoever stands in for a guest.
pub mod call {
    pub use super::poll::{block, poll, ready};
    pub use super::streams::{StreamError, blocking_write_and_flush, check_write, read, write};
}

/// Defines the interfaces of WASI 0.2 in a linker.
///
/// `get` finds the guest's [`WasiCtx`] in the store's data. What ends a guest comes out of the call as an
/// error of the host: find it again as [`Exit`](crate::Exit) or [`Interrupted`](crate::Interrupted).
///
/// # Errors
///
/// If one of the names is defined already.
pub fn add_to_linker<T, G>(linker: &mut Linker<T>, get: G) -> Result<()>
where
    T: 'static,
    G: Fn(&mut T) -> &mut WasiCtx + Copy + Send + Sync + 'static,
{
    let linker = &mut Wasi::new(linker, get);
    error::add(linker)?;
    poll::add(linker)?;
    streams::add(linker)?;
    cli::add(linker)?;
    clocks::add(linker)?;
    random::add(linker)?;
    filesystem::add(linker)?;
    sockets::add(linker)?;
    config::add(linker)?;
    keyvalue::add(linker)
}

/// A linker that is given interfaces of WASI: those of this crate, and those of others over the same world.
pub struct Wasi<'a, T: 'static, G> {
    linker: &'a mut Linker<T>,
    get: G,
}

impl<T: 'static, G> std::fmt::Debug for Wasi<'_, T, G> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wasi").field("linker", self.linker).finish_non_exhaustive()
    }
}

/// One interface of WASI in a linker.
pub struct Interface<'a, T: 'static, G> {
    names: LinkerInstance<'a, T>,
    get: G,
}

/// How the world of a guest is found in the data of its store.
pub trait Get<T>: Fn(&mut T) -> &mut WasiCtx + Copy + Send + Sync + 'static {}

impl<T, G: Fn(&mut T) -> &mut WasiCtx + Copy + Send + Sync + 'static> Get<T> for G {}

impl<'a, T: 'static, G: Get<T>> Wasi<'a, T, G> {
    /// A linker, and how its functions find the world of the guest that calls.
    pub fn new(linker: &'a mut Linker<T>, get: G) -> Wasi<'a, T, G> {
        Wasi { linker, get }
    }

    /// An interface of the release.
    ///
    /// # Errors
    ///
    /// If it is defined as something else.
    pub fn interface(&mut self, package: &str, name: &str) -> Result<Interface<'_, T, G>> {
        self.version(package, name, "0.2.12")
    }

    /// An interface in a version of its own.
    fn version(&mut self, package: &str, name: &str, version: &str) -> Result<Interface<'_, T, G>> {
        let names = self.linker.instance(&format!("wasi:{package}/{name}@{version}"))?;
        Ok(Interface { names, get: self.get })
    }
}

impl<T: 'static, G> std::fmt::Debug for Interface<'_, T, G> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Interface").finish_non_exhaustive()
    }
}

impl<T: 'static, G: Get<T>> Interface<'_, T, G> {
    /// Defines a function.
    ///
    /// # Errors
    ///
    /// If the name is defined already.
    pub fn func<P, R>(
        &mut self,
        name: &'static str,
        f: impl Fn(&mut WasiCtx, P) -> Result<R> + Send + Sync + 'static,
    ) -> Result<&mut Self>
    where
        P: Params + 'static,
        R: ReturnedToGuest + 'static,
    {
        let get = self.get;
        self.names.func_wrap(name, move |mut caller: Caller<'_, T>, params: P| {
            let source = caller.source();
            if !get(caller.data_mut()).p2.table.is_charged() {
                let budget = raw(caller.as_context_mut()).budget().share();
                get(caller.data_mut()).p2.table.charge_to(budget);
            }
            let ctx = get(caller.data_mut());
            ctx.enter(source.component.as_ref(), name)?;
            f(ctx, params)
        })?;
        Ok(self)
    }

    /// Defines a resource type, whose resources are objects of type `R` in the guest's table.
    ///
    /// # Errors
    ///
    /// If the name is defined already.
    pub fn resource<R: Any>(&mut self, name: &str) -> Result<&mut Self> {
        let get = self.get;
        self.names.resource::<R>(name, move |mut store, rep| {
            get(store.data_mut()).p2.table.remove(Resource::<R>::new_own(rep))
        })?;
        Ok(self)
    }
}
