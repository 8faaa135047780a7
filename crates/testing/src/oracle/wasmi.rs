//! What a module does on wasmi, another interpreter.

use ::wasmi::{
    Config, Engine, Error, Extern, F32, F64, Func, Linker, Module, Store, TrapCode, V128, Val,
    ValType,
};

use super::{Observation, Step, Stop, TABLE_ELEMENTS, Value, digest};

/// Much more than any module made here needs; the system provides what is touched.
const STACK_BYTES: usize = 256 << 20;

/// The same steps as on our engine; `None` if wasmi does not accept the module.
pub(super) fn observe(module: &[u8], calls: usize) -> Option<Observation> {
    // It may use native stack in proportion to the instructions it executes.
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
    std::thread::scope(|scope| {
        let thread = thread.spawn_scoped(scope, || run(module, calls)).ok()?;
        // Its panics are no business of ours.
        thread.join().unwrap_or(None)
    })
}

fn run(module: &[u8], calls: usize) -> Option<Observation> {
    let mut config = Config::default();
    config
        .wasm_multi_memory(true)
        .wasm_custom_page_sizes(true)
        .wasm_memory64(true)
        .wasm_wide_arithmetic(true)
        .wasm_simd(true)
        .wasm_relaxed_simd(true)
        .wasm_tail_call(true)
        .wasm_extended_const(true);
    let engine = Engine::new(&config);
    let module = Module::new(&engine, module).ok()?;
    let mut store = Store::new(&engine, ());
    let linker = <Linker<()>>::new(&engine);
    let mut steps = Vec::new();
    let instance = match linker.instantiate_and_start(&mut store, &module) {
        Ok(instance) => instance,
        Err(error) => {
            steps.push(trapped("start", &error));
            return Some(Observation { steps });
        }
    };
    steps.push(Step::Instantiated);
    let mut exports: Vec<(String, Extern)> = module
        .exports()
        .filter_map(|export| {
            let item = instance.get_export(&store, export.name())?;
            Some((export.name().to_string(), item))
        })
        .collect();
    exports.sort_by(|(a, _), (b, _)| a.cmp(b));
    for (name, item) in &exports {
        if let Extern::Func(func) = item {
            for call in 0..calls {
                steps.push(self::call(&mut store, name, *func, call));
            }
        }
    }
    for (name, item) in exports {
        steps.extend(look(&store, name, item));
    }
    Some(Observation { steps })
}

fn call(store: &mut Store<()>, name: &str, func: Func, call: usize) -> Step {
    let ty = func.ty(&*store);
    let argument = |(i, ty): (usize, &ValType)| argument(Val::default_for_ty(*ty), call, i);
    let arguments: Vec<Val> = ty.params().iter().enumerate().map(argument).collect();
    let mut results: Vec<Val> = ty.results().iter().map(|ty| Val::default_for_ty(*ty)).collect();
    match func.call(&mut *store, &arguments, &mut results) {
        Ok(()) => Step::Returned {
            function: name.to_string(),
            results: results.iter().map(value).collect(),
        },
        Err(error) => trapped(name, &error),
    }
}

fn look(store: &Store<()>, name: String, item: Extern) -> Option<Step> {
    Some(match item {
        Extern::Memory(memory) => {
            let data = memory.data(store);
            Step::Memory { name, bytes: data.len(), digest: digest(data) }
        }
        Extern::Table(table) => {
            let size = table.size(store);
            let nulls = (0..size.min(TABLE_ELEMENTS))
                .map(|i| table.get(store, i).is_none_or(|element| element.is_null()))
                .collect();
            Step::Table { name, size, nulls }
        }
        Extern::Global(global) => Step::Global { name, value: value(&global.get(store)) },
        Extern::Func(_) => return None,
    })
}

fn trapped(function: &str, error: &Error) -> Step {
    let trap = match error.as_trap_code() {
        Some(TrapCode::UnreachableCodeReached) => Stop::Unreachable,
        Some(TrapCode::MemoryOutOfBounds) => Stop::MemoryOutOfBounds,
        Some(TrapCode::TableOutOfBounds) => Stop::TableOutOfBounds,
        Some(TrapCode::IndirectCallToNull) => Stop::NullElement,
        Some(TrapCode::BadSignature) => Stop::BadSignature,
        Some(TrapCode::IntegerOverflow) => Stop::IntegerOverflow,
        Some(TrapCode::IntegerDivisionByZero) => Stop::DivisionByZero,
        Some(TrapCode::BadConversionToInteger) => Stop::BadConversion,
        Some(TrapCode::StackOverflow) => Stop::StackOverflow,
        _ => Stop::Engine,
    };
    Step::Trapped { function: function.to_string(), trap }
}

fn value(value: &Val) -> Value {
    match value {
        Val::I32(value) => Value::I32(*value),
        Val::I64(value) => Value::I64(*value),
        Val::F32(value) => Value::F32(value.to_bits()),
        Val::F64(value) => Value::F64(value.to_bits()),
        Val::V128(value) => Value::V128(value.as_u128()),
        Val::FuncRef(reference) => Value::Ref { null: reference.is_null() },
        Val::ExternRef(reference) => Value::Ref { null: reference.is_null() },
    }
}

fn argument(zero: Val, call: usize, param: usize) -> Val {
    match value(&zero).argument(call, param) {
        Value::I32(value) => Val::I32(value),
        Value::I64(value) => Val::I64(value),
        Value::F32(bits) => Val::F32(F32::from_bits(bits)),
        Value::F64(bits) => Val::F64(F64::from_bits(bits)),
        Value::V128(bits) => Val::V128(V128::from(bits)),
        Value::Ref { .. } => zero,
    }
}
