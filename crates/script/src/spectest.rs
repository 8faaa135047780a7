//! The host module `spectest` that the spec's scripts import from.

use std::collections::HashMap;

use dunlin_engine::{
    Error, Extern, Func, FuncType, Global, GlobalType, Memory, MemoryType, Ref, RefType, Store,
    Table, TableType, Val, ValType,
};

use crate::run::PrintSink;
use crate::value::Shown;

/// The items of `spectest` in one store, each made when it is first imported.
pub(crate) struct Spectest {
    print: Option<PrintSink>,
    items: HashMap<String, Extern>,
}

impl Spectest {
    pub(crate) fn new(print: Option<PrintSink>) -> Spectest {
        Spectest { print, items: HashMap::new() }
    }

    /// The item called `name`, if `spectest` has one.
    pub(crate) fn item(
        &mut self,
        store: &mut Store<()>,
        name: &str,
    ) -> Result<Option<Extern>, Error> {
        if let Some(item) = self.items.get(name) {
            return Ok(Some(*item));
        }
        let item = self.make(store, name)?;
        if let Some(item) = &item {
            self.items.insert(name.to_string(), *item);
        }
        Ok(item)
    }

    fn make(&self, store: &mut Store<()>, name: &str) -> Result<Option<Extern>, Error> {
        use ValType::{F32, F64, I32, I64};
        let item = match name {
            "print" => self.print_func(store, name, &[])?,
            "print_i32" => self.print_func(store, name, &[I32])?,
            "print_i64" => self.print_func(store, name, &[I64])?,
            "print_f32" => self.print_func(store, name, &[F32])?,
            "print_f64" => self.print_func(store, name, &[F64])?,
            "print_i32_f32" => self.print_func(store, name, &[I32, F32])?,
            "print_f64_f64" => self.print_func(store, name, &[F64, F64])?,
            "global_i32" => global(store, I32, Val::I32(666))?,
            "global_i64" => global(store, I64, Val::I64(666))?,
            "global_f32" => global(store, F32, Val::F32(666.6f32.to_bits()))?,
            "global_f64" => global(store, F64, Val::F64(666.6f64.to_bits()))?,
            "table" => table(store, false)?,
            "table64" => table(store, true)?,
            "memory" => memory(store, false)?,
            "shared_memory" => memory(store, true)?,
            _ => return Ok(None),
        };
        Ok(Some(item))
    }

    fn print_func(
        &self,
        store: &mut Store<()>,
        name: &str,
        params: &[ValType],
    ) -> Result<Extern, Error> {
        let ty = FuncType::new(params.iter().copied(), []);
        let print = self.print.clone();
        let name = name.to_string();
        let func = Func::try_new(store, ty, move |_caller, arguments, _results| {
            if let Some(print) = &print {
                let arguments = arguments.iter().map(|value| format!(" {}", Shown(value)));
                print(&format!("{name}{}", arguments.collect::<String>()));
            }
            Ok(())
        })?;
        Ok(Extern::Func(func))
    }
}

fn global(store: &mut Store<()>, val: ValType, value: Val) -> Result<Extern, Error> {
    let ty = GlobalType { val, mutable: false, shared: false };
    Ok(Extern::Global(Global::new(store, ty, value)?))
}

fn table(store: &mut Store<()>, index64: bool) -> Result<Extern, Error> {
    let ty = TableType { elem: RefType::FUNC, min: 10, max: Some(20), index64, shared: false };
    Ok(Extern::Table(Table::new(store, ty, Ref::Func(None))?))
}

fn memory(store: &mut Store<()>, shared: bool) -> Result<Extern, Error> {
    let ty = MemoryType { min: 1, max: Some(2), index64: false, shared, page_size_log2: 16 };
    Ok(Extern::Memory(Memory::new(store, ty)?))
}
