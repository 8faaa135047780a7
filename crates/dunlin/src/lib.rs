//! Run any WebAssembly, sandboxed.
//!
//! ```
//! use dunlin::{Caller, Engine, Linker, Module, Result, Store};
//!
//! fn main() -> Result<()> {
//!     // An engine holds settings, a module is validated code. Both are shared between threads.
//!     // Here the module comes as text, through the crate `wat`; compilers write binary.
//!     let engine = Engine::default();
//!     let module = Module::new(&engine, wat::parse_str(
//!         r#"(module
//!              (import "host" "say" (func $say (param i32 i32)))
//!              (memory (export "memory") 1)
//!              (data (i32.const 0) "hello from the guest")
//!              (func (export "greet") (param $times i32) (result i32)
//!                (loop $again
//!                  (call $say (i32.const 0) (i32.const 20))
//!                  (local.set $times (i32.sub (local.get $times) (i32.const 1)))
//!                  (br_if $again (local.get $times)))
//!                (i32.const 42)))"#,
//!     )?)?;
//!
//!     // A guest can do nothing but compute and call what it is given. This one gets a function
//!     // that sees the guest's memory and the data of the host, a list of lines.
//!     let mut linker = Linker::<Vec<String>>::new(&engine);
//!     linker.func_wrap(
//!         "host",
//!         "say",
//!         |mut caller: Caller<'_, Vec<String>>, at: u32, len: u32| -> Result<()> {
//!             let Some(memory) = caller.get_export("memory").and_then(|m| m.into_memory()) else {
//!                 return Err(dunlin::Error::msg("the guest has no memory"));
//!             };
//!             let mut text = vec![0; len.min(1000) as usize];
//!             memory.read(&caller, at as usize, &mut text)?;
//!             caller.data_mut().push(String::from_utf8(text)?);
//!             Ok(())
//!         },
//!     )?;
//!
//!     // A store owns everything that lives: the instance, its memory, and the host's data.
//!     let mut store = Store::new(&engine, Vec::new());
//!     let instance = linker.instantiate(&mut store, &module)?;
//!     let greet = instance.get_typed_func::<u32, u32>(&mut store, "greet")?;
//!
//!     assert_eq!(greet.call(&mut store, 2)?, 42);
//!     assert_eq!(store.data(), &["hello from the guest", "hello from the guest"]);
//!     Ok(())
//! }
//! ```
//!
//! # The types
//!
//! | to … | use |
//! |---|---|
//! | choose proposals, memory kinds, limits | [`Config`], [`Engine`] |
//! | load and inspect code | [`Module`] |
//! | keep what lives, and data of your own | [`Store`] |
//! | write what WIT says in Rust | [`component`], `bindgen!` |
//! | give a guest its imports | [`Linker`], [`Func::wrap`], [`Caller`] |
//! | let a guest read files, arguments, clocks | [`wasi`] |
//! | bring a module to life | [`Linker::instantiate`], [`Instance`] |
//! | call it | [`TypedFunc`], or [`Func`] with [`Val`]s |
//! | share state with it | [`Memory`], [`Table`], [`Global`], [`ExternRef`] |
//! | share memory between threads | [`SharedMemory`], [`Store::sibling_of`] |
//! | let a guest start threads | [`wasi::threads`] |
//! | bound what it may take | [`Limits`], [`Store::with_limits`] |
//! | bound how long it runs | [`Store::set_deadline`], [`Store::set_fuel`], [`InterruptHandle`] |
//! | find out what went wrong | [`Error`], [`ErrorKind`], [`Trap`], [`Backtrace`] |
//!
//! # What a guest can do
//!
//! Nothing that it was not given: no file, no clock, no random number. Its memory is its own, and
//! no instruction of it reaches beyond. What it makes the host allocate is charged to its store,
//! within [`Limits`] that are on by default. It runs as long as it likes unless it is given a
//! deadline or fuel, both of which the engine must be [configured](ExecutionConfig) for.
//!
//! A fault of the guest is an [`Error`] of the call that reached it and leaves the store usable. A
//! panic in a host function is one too, but the store is then no longer usable; other stores go on.

#![forbid(unsafe_code)]

pub use dunlin_engine::*;

#[cfg(feature = "bindgen")]
pub use dunlin_bindgen_macro::bindgen;

/// Requests of guests over HTTP, as far as they are granted.
#[cfg(feature = "http")]
pub mod http {
    pub use dunlin_http::*;
}

/// Components: values of any type across every boundary, linked by interface.
///
/// See [`component::Linker`] for what a call looks like.
pub mod component {
    pub use dunlin_component::*;
}

/// WASI: what guests may see of the system, all of it denied until granted.
///
/// ```
/// use dunlin::wasi::{WasiCtx, p1};
/// use dunlin::{Engine, Linker, Store};
///
/// let engine = Engine::default();
/// let mut linker = Linker::new(&engine);
/// p1::add_to_linker(&mut linker, |ctx: &mut WasiCtx| ctx)?;
/// let store = Store::new(&engine, WasiCtx::builder().arg("guest").build()?);
/// # let _ = store;
/// # Ok::<(), dunlin::Error>(())
/// ```
pub mod wasi {
    pub use dunlin_wasi::*;
}
