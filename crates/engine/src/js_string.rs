//! Strings of JavaScript for programs that were compiled for a browser: the builtins of
//! `wasm:js-string` and imported string constants (JS string builtins proposal).
//!
//! A string is a sequence of 16-bit code units, surrogates paired or not, and travels as `externref`.
//! Positions and lengths count code units.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::sync::Arc;

use dunlin_module::{FieldType, FuncType, HeapType, RefType, StorageType, ValType};

use crate::caller::Caller;
use crate::context::{AsContext, AsContextMut};
use crate::error::{Error, Result};
use crate::externs::Extern;
use crate::global::Global;
use crate::linker::Linker;
use crate::module::Module;
use crate::reference::{AnyRef, ExternRef, ObjectType};
use crate::value::Val;
use crate::{ExternType, GlobalType};

/// The name that programs import the builtins from.
pub const MODULE: &str = "wasm:js-string";

/// The names of the builtins.
pub const FUNCTIONS: [&str; 13] = [
    "cast",
    "test",
    "fromCharCodeArray",
    "intoCharCodeArray",
    "fromCharCode",
    "fromCodePoint",
    "charCodeAt",
    "codePointAt",
    "length",
    "concat",
    "substring",
    "equals",
    "compare",
];

/// The most code units of a string: what V8 allows.
const UNITS_MAX: usize = (1 << 29) - 24;

/// A string of JavaScript.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct JsString(Arc<[u16]>);

impl JsString {
    /// A string of these code units.
    pub fn new(units: impl Into<Arc<[u16]>>) -> JsString {
        JsString(units.into())
    }

    /// Its code units.
    pub fn units(&self) -> &[u16] {
        &self.0
    }

    /// Gives it to a store, charged to the store's garbage-collected heap.
    ///
    /// # Errors
    ///
    /// If the string is longer than any may be, or the limits of the store do not allow it.
    pub fn to_extern(&self, mut store: impl AsContextMut) -> Result<ExternRef> {
        JsString::make(&mut store, self.0.len(), |_| Ok(self.0.clone()))
    }

    /// Makes a string of `len` code units, which are charged before there are any.
    fn make<C: AsContextMut>(
        store: &mut C,
        len: usize,
        units: impl FnOnce(&C) -> Result<Arc<[u16]>>,
    ) -> Result<ExternRef> {
        if len > UNITS_MAX {
            return Err(Error::msg(format!(
                "a string is too long: expected at most {UNITS_MAX} code units, found {len}"
            )));
        }
        let bytes = 2 * len as u64 + size_of::<JsString>() as u64;
        store.as_context_mut().vm.extern_reserve(bytes)?;
        let string = units(store).map(JsString);
        let vm = &mut *store.as_context_mut().vm;
        match string {
            Ok(string) => Ok(ExternRef(vm.extern_keep(Box::new(string), bytes)?)),
            Err(error) => {
                vm.extern_release(bytes);
                Err(error)
            }
        }
    }

    /// The string that `reference` refers to, if it is one.
    ///
    /// # Errors
    ///
    /// If the reference belongs to another store.
    pub fn from_extern(reference: &ExternRef, store: impl AsContext) -> Result<Option<JsString>> {
        let context = store.as_context();
        Ok(reference.data(context)?.and_then(|data| data.downcast_ref()).cloned())
    }
}

impl From<&str> for JsString {
    fn from(text: &str) -> JsString {
        JsString(text.encode_utf16().collect())
    }
}

/// As text, with a replacement character for every surrogate that has no pair.
impl std::fmt::Display for JsString {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let chars = char::decode_utf16(self.0.iter().copied());
        for c in chars {
            write!(f, "{}", c.unwrap_or(char::REPLACEMENT_CHARACTER))?;
        }
        Ok(())
    }
}

/// The string an argument refers to.
fn string<T: 'static>(
    caller: &Caller<'_, T>,
    name: &str,
    value: Option<&ExternRef>,
) -> Result<JsString> {
    let string = value.map(|value| JsString::from_extern(value, caller)).transpose()?.flatten();
    string.ok_or_else(|| {
        let found = if value.is_none() { "null" } else { "something else" };
        Error::msg(format!("`{name}`: expected a string, found {found}"))
    })
}

#[cold]
fn out_of_bounds(name: &str, index: u32, len: usize) -> Error {
    Error::msg(format!("`{name}`: position {index} is out of bounds of a string of length {len}"))
}

/// Defines the builtins in `linker`.
///
/// ```
/// use dunlin_engine::js_string::{self, JsString};
/// use dunlin_engine::{Engine, ExternRef, Linker, Module, Store};
///
/// # let wat = r#"(module (import "wasm:js-string" "concat"
/// #     (func $concat (param externref externref) (result (ref extern))))
/// #   (func (export "twice") (param externref) (result (ref extern))
/// #     (call $concat (local.get 0) (local.get 0))))"#;
/// # let wasm = wat::parse_str(wat)?;
/// let engine = Engine::default();
/// let mut store = Store::new(&engine, ());
/// let mut linker = Linker::new(&engine);
/// js_string::add_to_linker(&mut linker)?;
/// let instance = linker.instantiate(&mut store, &Module::new(&engine, &wasm)?)?;
/// let twice = instance.get_typed_func::<Option<ExternRef>, ExternRef>(&mut store, "twice")?;
/// let hello = JsString::from("hello ").to_extern(&mut store)?;
/// let found = twice.call(&mut store, Some(hello))?;
/// let found = JsString::from_extern(&found, &store)?;
/// assert_eq!(found, Some(JsString::from("hello hello ")));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// If one of the names is defined already.
pub fn add_to_linker<T: 'static>(linker: &mut Linker<T>) -> Result<()> {
    add_tests(linker)?;
    add_accessors(linker)?;
    add_makers(linker)?;
    add_arrays(linker)
}

fn add_tests<T: 'static>(linker: &mut Linker<T>) -> Result<()> {
    linker.func_wrap(
        MODULE,
        "test",
        |caller: Caller<'_, T>, value: Option<ExternRef>| -> Result<i32> {
            let Some(value) = value else { return Ok(0) };
            Ok(JsString::from_extern(&value, &caller)?.is_some().into())
        },
    )?;
    linker.func_wrap(
        MODULE,
        "cast",
        |caller: Caller<'_, T>, value: Option<ExternRef>| -> Result<ExternRef> {
            string(&caller, "cast", value.as_ref())?;
            value.ok_or_else(|| Error::msg("`cast`: expected a string, found null"))
        },
    )?;
    linker.func_wrap(
        MODULE,
        "equals",
        |caller: Caller<'_, T>, a: Option<ExternRef>, b: Option<ExternRef>| -> Result<i32> {
            let check = |value: &Option<ExternRef>| match value {
                None => Ok(None),
                Some(value) => string(&caller, "equals", Some(value)).map(Some),
            };
            Ok((check(&a)? == check(&b)?).into())
        },
    )?;
    linker.func_wrap(
        MODULE,
        "compare",
        |caller: Caller<'_, T>, a: Option<ExternRef>, b: Option<ExternRef>| -> Result<i32> {
            let a = string(&caller, "compare", a.as_ref())?;
            let b = string(&caller, "compare", b.as_ref())?;
            Ok(match a.cmp(&b) {
                Ordering::Less => -1,
                Ordering::Equal => 0,
                Ordering::Greater => 1,
            })
        },
    )?;
    Ok(())
}

fn add_accessors<T: 'static>(linker: &mut Linker<T>) -> Result<()> {
    linker.func_wrap(
        MODULE,
        "length",
        |caller: Caller<'_, T>, value: Option<ExternRef>| -> Result<u32> {
            Ok(string(&caller, "length", value.as_ref())?.units().len() as u32)
        },
    )?;
    linker.func_wrap(
        MODULE,
        "charCodeAt",
        |caller: Caller<'_, T>, value: Option<ExternRef>, index: u32| -> Result<u32> {
            let string = string(&caller, "charCodeAt", value.as_ref())?;
            let unit = string.units().get(index as usize);
            unit.map(|unit| (*unit).into())
                .ok_or_else(|| out_of_bounds("charCodeAt", index, string.units().len()))
        },
    )?;
    linker.func_wrap(
        MODULE,
        "codePointAt",
        |caller: Caller<'_, T>, value: Option<ExternRef>, index: u32| -> Result<u32> {
            let string = string(&caller, "codePointAt", value.as_ref())?;
            let rest = string.units().get(index as usize..).unwrap_or_default();
            match char::decode_utf16(rest.iter().copied()).next() {
                Some(Ok(c)) => Ok(c.into()),
                Some(Err(unpaired)) => Ok(unpaired.unpaired_surrogate().into()),
                None => Err(out_of_bounds("codePointAt", index, string.units().len())),
            }
        },
    )?;
    Ok(())
}

fn add_makers<T: 'static>(linker: &mut Linker<T>) -> Result<()> {
    linker.func_wrap(
        MODULE,
        "fromCharCode",
        |caller: Caller<'_, T>, code: u32| -> Result<ExternRef> {
            JsString::new([code as u16]).to_extern(caller)
        },
    )?;
    linker.func_wrap(
        MODULE,
        "fromCodePoint",
        |caller: Caller<'_, T>, code: u32| -> Result<ExternRef> {
            let units = match (u16::try_from(code), char::from_u32(code)) {
                (Ok(unit), _) => JsString::new([unit]),
                (_, Some(c)) => JsString::from(&*c.encode_utf8(&mut [0; 4])),
                _ => {
                    return Err(Error::msg(format!(
                        "`fromCodePoint`: expected at most 0x10ffff, found {code:#x}"
                    )));
                }
            };
            units.to_extern(caller)
        },
    )?;
    linker.func_wrap(
        MODULE,
        "concat",
        |mut caller: Caller<'_, T>, a: Option<ExternRef>, b: Option<ExternRef>| {
            let a = string(&caller, "concat", a.as_ref())?;
            let b = string(&caller, "concat", b.as_ref())?;
            JsString::make(&mut caller, a.units().len() + b.units().len(), |_| {
                Ok([a.units(), b.units()].concat().into())
            })
        },
    )?;
    linker.func_wrap(
        MODULE,
        "substring",
        |mut caller: Caller<'_, T>, value: Option<ExternRef>, start: u32, end: u32| {
            let string = string(&caller, "substring", value.as_ref())?;
            let end = (end as usize).min(string.units().len());
            // What begins behind its end is empty.
            let units = string.units().get(start as usize..end).unwrap_or_default();
            JsString::make(&mut caller, units.len(), |_| Ok(units.into()))
        },
    )?;
    Ok(())
}

/// Those that read and write arrays have a type of their own: `(array (mut i16))`.
fn add_arrays<T: 'static>(linker: &mut Linker<T>) -> Result<()> {
    let units = FieldType { storage: StorageType::I16, mutable: true };
    let object = ObjectType::new_array(linker.engine(), units)?;
    let array = ValType::Ref(RefType { nullable: true, heap: object.heap_type() });
    let string = ValType::Ref(RefType { nullable: false, heap: HeapType::Extern });
    let ty = FuncType::new([array, ValType::I32, ValType::I32], [string]);
    linker.func_new(MODULE, "fromCharCodeArray", ty, |caller, params, results| {
        let ([Val::AnyRef(array), Val::I32(start), Val::I32(end)], [result]) = (params, results)
        else {
            return Err(Error::bug("`fromCharCodeArray` was called with other types"));
        };
        *result = from_array(caller, array.as_ref(), *start as u32, *end as u32)?.into();
        Ok(())
    })?;
    let ty = FuncType::new([ValType::EXTERNREF, array, ValType::I32], [ValType::I32]);
    linker.func_new(MODULE, "intoCharCodeArray", ty, |caller, params, results| {
        let ([Val::ExternRef(value), Val::AnyRef(array), Val::I32(start)], [result]) =
            (params, results)
        else {
            return Err(Error::bug("`intoCharCodeArray` was called with other types"));
        };
        *result = into_array(caller, value.as_ref(), array.as_ref(), *start as u32)?.into();
        Ok(())
    })?;
    Ok(())
}

#[cold]
fn null_array(name: &str) -> Error {
    Error::msg(format!("`{name}`: expected an array, found null"))
}

#[cold]
fn outside(name: &str, start: u32, end: u64) -> Error {
    Error::msg(format!("`{name}`: elements {start} to {end} are out of bounds of the array"))
}

fn from_array<T: 'static>(
    mut caller: Caller<'_, T>,
    array: Option<&AnyRef>,
    start: u32,
    end: u32,
) -> Result<ExternRef> {
    let name = "fromCharCodeArray";
    let array = array.ok_or_else(|| null_array(name))?;
    let count = end.checked_sub(start).ok_or_else(|| outside(name, start, end.into()))?;
    JsString::make(&mut caller, count as usize, |caller| {
        let vm = caller.as_context().vm;
        let units = vm.array_units(vm.root_slot(&array.0)?, start, count);
        units.ok_or_else(|| outside(name, start, end.into()))
    })
}

fn into_array<T: 'static>(
    mut caller: Caller<'_, T>,
    value: Option<&ExternRef>,
    array: Option<&AnyRef>,
    start: u32,
) -> Result<u32> {
    let name = "intoCharCodeArray";
    let string = string(&caller, name, value)?;
    let array = array.ok_or_else(|| null_array(name))?;
    let units = string.units();
    let vm = &mut *caller.as_context_mut().vm;
    let slot = vm.root_slot(&array.0)?;
    let written = vm.array_set_units(slot, start, units);
    written.ok_or_else(|| outside(name, start, u64::from(start) + units.len() as u64))?;
    Ok(units.len() as u32)
}

/// Defines the string constants that `module` imports from `namespace`: a constant global of type
/// `(ref extern)` for each such import, whose value is the name of the import.
///
/// Compilers agree with those who run their output on the namespace; Kotlin's is an apostrophe.
///
/// # Errors
///
/// If one of the names is defined already, or the limits of the store do not allow so many.
pub fn define_constants<T: 'static>(
    linker: &mut Linker<T>,
    mut store: impl AsContextMut<Data = T>,
    module: &Module,
    namespace: &str,
) -> Result<()> {
    let mut names = HashSet::new();
    for import in module.imports() {
        if import.module() != namespace || !is_constant(import.ty()) {
            continue;
        }
        if !names.insert(import.name()) {
            continue;
        }
        let string = JsString::from(import.name()).to_extern(&mut store)?;
        let heap = HeapType::Extern;
        let ty = GlobalType {
            val: ValType::Ref(RefType { nullable: false, heap }),
            mutable: false,
            shared: false,
        };
        let global = Global::new(&mut store, ty, string)?;
        linker.define(namespace, import.name(), Extern::Global(global))?;
    }
    Ok(())
}

/// Whether an import of this type may be a string constant.
pub fn is_constant(ty: &ExternType) -> bool {
    matches!(ty, ExternType::Global(GlobalType { val: ValType::Ref(ty), mutable: false, .. })
        if ty.heap == HeapType::Extern)
}
