//! Probes: a module that does with another what an embedder would, for engines in other processes.
//!
//! A probe imports what the module under test exports. Its own exports, named by number, take
//! nothing and give `i64`s: one calls an exported function with fixed arguments, one reads a global,
//! one digests a memory. So the driver of an engine need not know types, NaNs do not pass through
//! numbers of the driver's language, and every engine computes the same.

use std::fmt::Write;

use dunlin_engine::{Config, Engine, ExternType, Module, RefType, ValType};
use dunlin_script::{PrintOptions, print, wat_to_wasm};

use super::{Observation, Step, Stop, TABLE_ELEMENTS, Value};

/// What a probe's exports do, in order.
pub(super) struct Probe {
    /// The module to instantiate with the exports of the one under test, as `m`.
    pub(super) binary: Vec<u8>,
    steps: Vec<Planned>,
}

struct Planned {
    name: String,
    what: What,
}

enum What {
    Call(Vec<ValType>),
    Memory,
    Table,
    Global(ValType),
}

/// What an engine said to one export of a probe.
pub(super) enum Answer {
    Values(Vec<u64>),
    Trap(Stop),
}

/// Whether values of a type mean the same everywhere: numbers, and references that can be null.
pub(super) fn is_plain(ty: ValType) -> bool {
    match ty {
        ValType::Ref(RefType { nullable, heap }) => {
            nullable && !matches!(heap, dunlin_engine::HeapType::Concrete(_))
        }
        _ => true,
    }
}

/// The types of a module as text, and for each of its exports the number of its type if it is a
/// function. A probe declares the same types, so that what it imports has the same as what there is
/// also where types have supertypes and companions.
fn types(module: &[u8]) -> Result<(String, Vec<Option<u32>>), String> {
    let options = PrintOptions { skeleton: true, ..PrintOptions::default() };
    let text = print(module, &options).map_err(|error| error.to_string())?;
    let mut lines = text.lines().skip(1).map(str::trim).peekable();
    let (mut types, mut depth) = (String::new(), 0);
    let is_type = |line: &str| line.starts_with("(type ") || line.starts_with("(rec");
    while let Some(line) = lines.next_if(|line| depth > 0 || is_type(line)) {
        depth += line.matches('(').count() as isize - line.matches(')').count() as isize;
        types += line;
        types.push('\n');
    }
    let number = |text: &str| text.split([' ', ')']).next()?.parse::<u32>().ok();
    let (mut funcs, mut exports) = (Vec::new(), Vec::new());
    for line in lines {
        if line.starts_with("(func ") {
            funcs.push(line.split_once("(type ").and_then(|(_, rest)| number(rest)));
        } else if line.starts_with("(export ") {
            exports.push(line.rsplit_once("\" (func ").and_then(|(_, rest)| number(rest)));
        }
    }
    let of_func = |func: Option<u32>| funcs.get(func? as usize).copied().flatten();
    Ok((types, exports.into_iter().map(of_func).collect()))
}

/// The probe of a module, which calls each exported function `calls` times.
pub(super) fn probe(module: &[u8], calls: usize) -> Result<Probe, String> {
    let (types, func_types) = types(module)?;
    let engine = Engine::new(&Config::default()).map_err(|error| error.to_string())?;
    let module = Module::new(&engine, module).map_err(|error| error.to_string())?;
    let mut exports: Vec<_> = module
        .exports()
        .zip(func_types)
        .map(|(export, func)| (export.name().to_string(), export.ty().clone(), func))
        .collect();
    exports.sort_by(|(a, ..), (b, ..)| a.cmp(b));
    let (mut imports, mut funcs, mut steps) = (String::new(), String::new(), Vec::new());
    let mut add = |name: &str, what: What, ty: &str, body: String| {
        let number = steps.len();
        let _ = writeln!(funcs, "(func (export \"{number}\") {ty} {body})");
        steps.push(Planned { name: name.to_string(), what });
    };
    let mut counts = [0; 4];
    let mut import = |index: usize, name: &str, ty: String| {
        let _ = writeln!(imports, "(import \"m\" \"{}\" {ty})", escape(name));
        counts[index] += 1;
        counts[index] - 1
    };
    for (name, ty, number) in &exports {
        let (ExternType::Func { ty, .. }, Some(number)) = (ty, number) else { continue };
        if ty.params.iter().chain(&ty.results).all(|ty| is_plain(*ty)) {
            let at = import(0, name, format!("(func (type {number}))"));
            for call in 0..calls {
                let (signature, body) = call_body(&ty.params, &ty.results, at, call);
                add(name, What::Call(ty.results.to_vec()), &signature, body);
            }
        }
    }
    for (name, ty, _) in &exports {
        match ty {
            ExternType::Memory(ty) => {
                let at = import(1, name, ty.to_string());
                let body = digest_body(at, ty.index64, ty.page_size_log2);
                add(name, What::Memory, "(result i64 i64)", body);
            }
            ExternType::Table(ty) if is_plain(ValType::Ref(ty.elem)) => {
                let at = import(2, name, ty.to_string());
                add(name, What::Table, "(result i64 i64)", table_body(at, ty.index64));
            }
            ExternType::Global(ty) if is_plain(ty.val) => {
                let at = import(3, name, ty.to_string());
                let get = format!("(global.get {at})");
                let (locals, body) = flatten(&[ty.val], &get);
                let signature = format!("(result{}) {locals}", " i64".repeat(width(ty.val)));
                add(name, What::Global(ty.val), &signature, body);
            }
            _ => {}
        }
    }
    let text = format!("(module\n{types}{imports}{funcs})");
    let binary = wat_to_wasm(&text, None).map_err(|error| format!("{error}\nin\n{text}"))?;
    Ok(Probe { binary, steps })
}

/// A name as the text format wants it, whatever is in it.
fn escape(name: &str) -> String {
    name.bytes().map(|byte| format!("\\{byte:02x}")).collect()
}

/// How many `i64`s a value is given as.
fn width(ty: ValType) -> usize {
    if ty == ValType::V128 { 2 } else { 1 }
}

fn call_body(params: &[ValType], results: &[ValType], at: usize, call: usize) -> (String, String) {
    let mut locals = String::new();
    let mut body = String::new();
    for (i, ty) in params.iter().enumerate() {
        match zero(*ty).argument(call, i) {
            Value::I32(x) => body += &format!("(i32.const {x})"),
            Value::I64(x) => body += &format!("(i64.const {x})"),
            Value::F32(x) => body += &format!("(f32.reinterpret_i32 (i32.const {x}))"),
            Value::F64(x) => body += &format!("(f64.reinterpret_i64 (i64.const {x}))"),
            Value::V128(x) => {
                body += &format!("(v128.const i64x2 {} {})", x as u64, (x >> 64) as u64);
            }
            Value::Ref { .. } => {
                let _ = write!(locals, "(local $p{i} {ty})");
                let _ = write!(body, "(local.get $p{i})");
            }
        }
    }
    let (more, body) = flatten(results, &format!("{body}(call {at})"));
    let count: usize = results.iter().map(|ty| width(*ty)).sum();
    (format!("(result{}) {locals}{more}", " i64".repeat(count)), body)
}

/// Locals and code that make `i64`s of the values that `body` leaves.
fn flatten(types: &[ValType], body: &str) -> (String, String) {
    let (mut locals, mut body) = (String::new(), body.to_string());
    for (i, ty) in types.iter().enumerate() {
        let _ = write!(locals, "(local $r{i} {ty})");
    }
    for i in (0..types.len()).rev() {
        let _ = write!(body, "(local.set $r{i})");
    }
    for (i, ty) in types.iter().enumerate() {
        let get = format!("(local.get $r{i})");
        let _ = match ty {
            ValType::I32 => write!(body, "(i64.extend_i32_u {get})"),
            ValType::I64 => write!(body, "{get}"),
            ValType::F32 => write!(body, "(i64.extend_i32_u (i32.reinterpret_f32 {get}))"),
            ValType::F64 => write!(body, "(i64.reinterpret_f64 {get})"),
            ValType::V128 => {
                write!(body, "(i64x2.extract_lane 0 {get})(i64x2.extract_lane 1 {get})")
            }
            ValType::Ref(_) => write!(body, "(i64.extend_i32_u (ref.is_null {get}))"),
        };
    }
    (locals, body)
}

/// The size of a memory in bytes and the digest that [`super::digest`] makes of it.
fn digest_body(at: usize, index64: bool, page_size_log2: u8) -> String {
    let ty = if index64 { "i64" } else { "i32" };
    let step = |load: &str, size: u32| {
        format!(
            "(block (loop
             (br_if 1 (i64.gt_u (i64.add (local.get $p) (i64.const {size})) (local.get $n)))
             (local.set $h (i64.mul (i64.const 0x100000001b3)
               (i64.xor (local.get $h) ({load} {at} align=1 {}))))
             (local.set $p (i64.add (local.get $p) (i64.const {size}))) (br 0)))",
            if index64 { "(local.get $p)" } else { "(i32.wrap_i64 (local.get $p))" }
        )
    };
    let pages = format!("(memory.size {at})");
    let pages = if ty == "i64" { pages } else { format!("(i64.extend_i32_u {pages})") };
    format!(
        "(local $p i64) (local $n i64) (local $h i64)
         (local.set $h (i64.const 0xcbf29ce484222325))
         (local.set $n (i64.shl {pages} (i64.const {page_size_log2})))
         {} {} (local.get $n) (local.get $h)",
        step("i64.load", 8),
        step("i64.load8_u", 1)
    )
}

/// The size of a table and a bit for each null among its first elements.
fn table_body(at: usize, index64: bool) -> String {
    let size = format!("(table.size {at})");
    let size = if index64 { size } else { format!("(i64.extend_i32_u {size})") };
    let index = if index64 { "(local.get $i)" } else { "(i32.wrap_i64 (local.get $i))" };
    format!(
        "(local $i i64) (local $nulls i64)
         (block (loop
           (br_if 1 (i64.ge_u (local.get $i) {size}))
           (br_if 1 (i64.ge_u (local.get $i) (i64.const {TABLE_ELEMENTS})))
           (local.set $nulls (i64.or (local.get $nulls) (i64.shl
             (i64.extend_i32_u (ref.is_null (table.get {at} {index}))) (local.get $i))))
           (local.set $i (i64.add (local.get $i) (i64.const 1))) (br 0)))
         {size} (local.get $nulls)"
    )
}

fn zero(ty: ValType) -> Value {
    match ty {
        ValType::I32 => Value::I32(0),
        ValType::I64 => Value::I64(0),
        ValType::F32 => Value::F32(0),
        ValType::F64 => Value::F64(0),
        ValType::V128 => Value::V128(0),
        ValType::Ref(_) => Value::Ref { null: true },
    }
}

impl Probe {
    /// What was seen, from the answers to all exports of the probe; `None` if they do not fit it.
    pub(super) fn observation(&self, answers: &[Answer]) -> Option<Observation> {
        if answers.len() != self.steps.len() {
            return None;
        }
        let mut steps = vec![Step::Instantiated];
        for (planned, answer) in self.steps.iter().zip(answers) {
            let function = planned.name.clone();
            steps.push(match answer {
                Answer::Trap(trap) => Step::Trapped { function, trap: *trap },
                Answer::Values(values) => planned.step(values)?,
            });
        }
        Some(Observation { steps })
    }
}

impl Planned {
    fn step(&self, values: &[u64]) -> Option<Step> {
        let name = self.name.clone();
        let mut values = values.iter().copied();
        let step = match &self.what {
            What::Call(types) => {
                let results = types.iter().map(|ty| value(*ty, &mut values));
                Step::Returned { function: name, results: results.collect::<Option<_>>()? }
            }
            What::Global(ty) => Step::Global { name, value: value(*ty, &mut values)? },
            What::Memory => {
                let bytes = usize::try_from(values.next()?).ok()?;
                Step::Memory { name, bytes, digest: values.next()? }
            }
            What::Table => {
                let (size, nulls) = (values.next()?, values.next()?);
                let nulls = (0..size.min(TABLE_ELEMENTS)).map(|i| nulls >> i & 1 == 1).collect();
                Step::Table { name, size, nulls }
            }
        };
        values.next().is_none().then_some(step)
    }
}

fn value(ty: ValType, values: &mut impl Iterator<Item = u64>) -> Option<Value> {
    let low = values.next()?;
    Some(match ty {
        ValType::I32 => Value::I32(low as i32),
        ValType::I64 => Value::I64(low as i64),
        ValType::F32 => Value::F32(low as u32),
        ValType::F64 => Value::F64(low),
        ValType::V128 => Value::V128(u128::from(low) | u128::from(values.next()?) << 64),
        ValType::Ref(_) => Value::Ref { null: low == 1 },
    })
}
