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
//! | call components, and give them functions | [`component`] |
//! | pass structs and enums to components | [`component::ComponentType`] |
//! | have what WIT says written in Rust | `bindgen!` |
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
/// Host functions are closures, and functions of components are called with Rust values. Structs and enums
/// are types of WIT by a [derive](component::ComponentType):
///
/// ```
/// use dunlin::component::{Component, ComponentType, Linker};
/// use dunlin::{Engine, Store};
///
/// #[derive(ComponentType, Clone, Copy)]
/// struct Order {
///     product: Product,
///     count: u32,
/// }
///
/// #[derive(ComponentType, Clone, Copy)]
/// enum Product {
///     Tea,
///     DarkChocolate,
/// }
///
/// // Compilers make components, and `dunlin component new`; here is one by hand. In WIT:
/// //     enum product { tea, dark-chocolate }
/// //     record order { product: product, count: u32 }
/// //     import price: func(of: order) -> u32;
/// //     export total: func(of: order) -> u32;
/// let engine = Engine::default();
/// let component = Component::new(&engine, wat::parse_str(r#"
///     (component
///       (type $p (enum "tea" "dark-chocolate"))
///       (import "product" (type $product (eq $p)))
///       (type $o (record (field "product" $product) (field "count" u32)))
///       (import "order" (type $order (eq $o)))
///       (import "price" (func $price (param "of" $order) (result u32)))
///       (core func $price (canon lower (func $price)))
///       (core module $shop
///         (import "host" "price" (func $price (param i32 i32) (result i32)))
///         (func (export "total") (param $product i32) (param $count i32) (result i32)
///           (i32.add
///             (call $price (local.get $product) (local.get $count))
///             (i32.const 5)))) ;; for the postage
///       (core instance $i (instantiate $shop
///         (with "host" (instance (export "price" (func $price))))))
///       (func (export "total") (param "of" $order) (result u32)
///         (canon lift (core func $i "total"))))
/// "#)?)?;
///
/// let mut linker = Linker::<()>::new(&engine);
/// linker.root().func_wrap("price", |_caller, (order,): (Order,)| {
///     let price = match order.product {
///         Product::Tea => 4,
///         Product::DarkChocolate => 3,
///     };
///     Ok(order.count * price)
/// })?;
///
/// let mut store = Store::new(&engine, ());
/// let instance = linker.instantiate(&mut store, &component)?;
/// let total = instance.get_typed_func::<(Order,), u32>("total")?;
/// assert_eq!(total.call(&mut store, (Order { product: Product::DarkChocolate, count: 7 },))?, 26);
/// # Ok::<(), dunlin::Error>(())
/// ```
///
/// `bindgen!` writes such types, and traits and structs for whole interfaces, from WIT.
pub mod component {
    pub use dunlin_component::*;
    #[doc(inline)]
    pub use dunlin_derive::FacadeComponentType as ComponentType;
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
