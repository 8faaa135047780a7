//! What a module does on our engine.

use dunlin_engine::{
    Engine, Error, ErrorKind, Extern, Func, FuncType, Instance, Module, Ref, Store, Trap, Val,
    ValType,
};

use super::probe::is_plain;
use super::{Observation, Step, Stop, TABLE_ELEMENTS, Value, digest};
use crate::matrix::Configuration;

/// The most that objects of a module may take; more than that is no result.
const HEAP_BYTES: u64 = 16 << 20;

/// More than any module spends.
const FUEL: u64 = i64::MAX as u64;

/// Instantiates `module`, calls its exported functions and looks at everything else it exports.
///
/// # Errors
///
/// If the engine does not accept the module, or breaks a promise of its own.
///
/// With the observation comes how much fuel was spent, if the engine counts that.
pub(super) fn observe(
    configuration: &Configuration,
    module: &[u8],
    calls: usize,
) -> Result<(Observation, Option<u64>), Error> {
    // Modules ask for arrays of any size.
    let mut config = configuration.config.clone();
    config.limits.heap_bytes = HEAP_BYTES;
    let engine = Engine::new(&config)?;
    let module = match configuration.load {
        None => Module::new(&engine, module)?,
        Some(load) => load(&engine, module)?,
    };
    let mut store = Store::try_new(&engine, ())?;
    if config.execution.fuel {
        store.set_fuel(FUEL)?;
    }
    let steps = steps(&mut store, &module, calls)?;
    let spent = config.execution.fuel.then(|| store.fuel().map(|left| FUEL - left)).transpose()?;
    Ok((Observation { steps }, spent))
}

/// What comes of instantiating and calling.
fn steps(store: &mut Store<()>, module: &Module, calls: usize) -> Result<Vec<Step>, Error> {
    let mut steps = Vec::new();
    let instance = match Instance::new(&mut *store, module, &[]) {
        Ok(instance) => instance,
        Err(error) => {
            steps.push(trapped("start", error)?);
            return Ok(steps);
        }
    };
    steps.push(Step::Instantiated);
    let mut exports: Vec<(String, Extern)> = module
        .exports()
        .filter_map(|export| {
            let item = instance.get_export(&mut *store, export.name())?;
            Some((export.name().to_string(), item))
        })
        .collect();
    // Engines list them in different orders.
    exports.sort_by(|(a, _), (b, _)| a.cmp(b));
    for (name, item) in &exports {
        if let Extern::Func(func) = item
            && is_callable(&func.ty(&*store))
        {
            for call in 0..calls {
                steps.push(self::call(store, name, *func, call)?);
            }
        }
    }
    for (name, item) in exports {
        steps.extend(look(store, name, item));
    }
    Ok(steps)
}

/// Whether a function takes and gives what means the same everywhere.
fn is_callable(ty: &FuncType) -> bool {
    ty.params.iter().chain(&ty.results).all(|ty| is_plain(*ty))
}

fn call(store: &mut Store<()>, name: &str, func: Func, call: usize) -> Result<Step, Error> {
    let ty = func.ty(&*store);
    let arguments: Vec<Val> = ty
        .params
        .iter()
        .enumerate()
        .filter_map(|(i, &ty)| Val::default_for(ty).map(|zero| argument(zero, call, i)))
        .collect();
    let mut results = vec![Val::I32(0); ty.results.len()];
    match func.call(&mut *store, &arguments, &mut results) {
        Ok(()) => Ok(Step::Returned {
            function: name.to_string(),
            results: results.iter().map(value).collect(),
        }),
        Err(error) => trapped(name, error),
    }
}

fn look(store: &mut Store<()>, name: String, item: Extern) -> Option<Step> {
    match item {
        Extern::Memory(memory) => {
            let data = memory.data(&*store);
            Some(Step::Memory { name, bytes: data.len(), digest: digest(data) })
        }
        Extern::Table(table) if is_plain(ValType::Ref(table.ty(&*store).elem)) => {
            let size = table.size(&*store);
            let nulls = (0..size.min(TABLE_ELEMENTS))
                .map(|i| table.get(&mut *store, i).is_none_or(|element| element.is_null()))
                .collect();
            Some(Step::Table { name, size, nulls })
        }
        Extern::Global(global) if is_plain(global.ty(&*store).val) => {
            let value = value(&global.get(&mut *store));
            Some(Step::Global { name, value })
        }
        _ => None,
    }
}

fn trapped(function: &str, error: Error) -> Result<Step, Error> {
    let trap = match error.trap() {
        Some(Trap::Unreachable) => Stop::Unreachable,
        Some(Trap::MemoryOutOfBounds) => Stop::MemoryOutOfBounds,
        Some(Trap::TableOutOfBounds | Trap::UndefinedElement) => Stop::TableOutOfBounds,
        Some(Trap::UninitializedElement) => Stop::NullElement,
        Some(Trap::BadSignature) => Stop::BadSignature,
        Some(Trap::IntegerOverflow) => Stop::IntegerOverflow,
        Some(Trap::IntegerDivisionByZero) => Stop::DivisionByZero,
        Some(Trap::BadConversionToInteger) => Stop::BadConversion,
        Some(
            Trap::NullReference
            | Trap::NullFunction
            | Trap::NullStruct
            | Trap::NullArray
            | Trap::NullI31
            | Trap::NullException,
        ) => Stop::Null,
        Some(Trap::ArrayOutOfBounds) => Stop::ArrayOutOfBounds,
        Some(Trap::CastFailure) => Stop::Cast,
        Some(Trap::HeapExhausted) => Stop::Engine,
        Some(Trap::StackOverflow) => Stop::StackOverflow,
        // Instructions that this version does not execute yet.
        Some(Trap::Unsupported) => Stop::Engine,
        None if error.kind() == ErrorKind::Limit => Stop::Engine,
        None if error.kind() == ErrorKind::Exception => Stop::Exception,
        _ => return Err(error.context(format_args!("call `{function}`"))),
    };
    Ok(Step::Trapped { function: function.to_string(), trap })
}

fn value(value: &Val) -> Value {
    match value {
        Val::I32(value) => Value::I32(*value),
        Val::I64(value) => Value::I64(*value),
        Val::F32(bits) => Value::F32(*bits),
        Val::F64(bits) => Value::F64(*bits),
        Val::V128(bits) => Value::V128(*bits),
        reference => Value::Ref { null: reference.as_ref().is_none_or(|r: Ref| r.is_null()) },
    }
}

fn argument(zero: Val, call: usize, param: usize) -> Val {
    match value(&zero).argument(call, param) {
        Value::I32(value) => Val::I32(value),
        Value::I64(value) => Val::I64(value),
        Value::F32(bits) => Val::F32(bits),
        Value::F64(bits) => Val::F64(bits),
        Value::V128(bits) => Val::V128(bits),
        Value::Ref { .. } => zero,
    }
}
