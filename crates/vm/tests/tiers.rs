//! What is compiled when, with compilers that make trivial code or none.

mod world;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use dunlin_code::native::{CompileError, Compiler, Entry, NativeCode, Request};
use dunlin_module::{DefinedFuncIndex, Features, Module, TypeRegistry};
use dunlin_vm::{
    Extern, Func, InstanceHandle, Limits, MemoryKind, ModuleCode, Settings, Store, TierMode,
    TierPolicy, TierReport, Tiers,
};

/// What a fake compiler was asked for.
type Log = Arc<Mutex<Vec<(DefinedFuncIndex, Entry)>>>;

/// Refuses everything, or panics.
#[derive(Debug, Default)]
struct Refuses {
    log: Log,
    panics: bool,
}

impl Compiler for Refuses {
    fn compile(&self, request: &Request<'_>) -> Result<NativeCode, CompileError> {
        self.log.lock().unwrap().push((request.func, request.entry));
        assert!(!self.panics, "this compiler panics");
        Err(CompileError::Unsupported("everything".into()))
    }

    fn fingerprint(&self) -> &str {
        "refuses"
    }
}

/// Waits at a gate before it refuses.
#[derive(Debug, Default)]
struct Waits {
    entered: AtomicUsize,
    open: Mutex<bool>,
    changed: Condvar,
}

impl Waits {
    fn open(&self) {
        *self.open.lock().unwrap() = true;
        self.changed.notify_all();
    }
}

impl Compiler for Waits {
    fn compile(&self, _request: &Request<'_>) -> Result<NativeCode, CompileError> {
        self.entered.fetch_add(1, Ordering::SeqCst);
        let open = self.open.lock().unwrap();
        drop(self.changed.wait_while(open, |open| !*open).unwrap());
        Err(CompileError::Failed("it waited".into()))
    }

    fn fingerprint(&self) -> &str {
        "waits"
    }
}

fn settings() -> Settings {
    let memory_kind = MemoryKind::Compact;
    Settings { memory_kind, fuel: true, interruptible: false, deterministic: false }
}

/// A store with one instance of a module, and the tiers of that.
struct Guest {
    store: Store,
    instance: InstanceHandle,
    code: Arc<ModuleCode>,
    tiers: Arc<Tiers>,
}

impl Guest {
    fn new(text: &str, mode: TierMode, compiler: impl Compiler + 'static) -> Guest {
        let policy = TierPolicy { record: true, ..TierPolicy::new(mode) };
        Guest::with(text, Tiers::new(Arc::new(compiler), policy))
    }

    fn with(text: &str, tiers: Arc<Tiers>) -> Guest {
        let types = TypeRegistry::new();
        let bytes = wat::parse_str(text).unwrap();
        let module = Module::decode(bytes, &Features::default(), &types).unwrap();
        let code = ModuleCode::tiered(Arc::new(module), settings(), Some(&tiers));
        let mut store = Store::new(types, settings(), Limits::default(), Box::new(())).unwrap();
        store.set_fuel(u64::MAX);
        let instance = store.instantiate(&code, &[]).unwrap();
        Guest { store, instance, code, tiers }
    }

    fn func(&mut self, name: &str) -> Func {
        match self.store.export(self.instance, name).unwrap() {
            Some(Extern::Func(func)) => func,
            other => panic!("{other:?}"),
        }
    }

    fn run(&mut self, name: &str, argument: u64) -> u64 {
        let func = self.func(name);
        let mut slots = [argument, 0];
        self.store.call(func, &mut slots).unwrap();
        slots[0]
    }

    /// Calls an export until the report is as wished; gives that.
    fn run_until(
        &mut self,
        name: &str,
        argument: u64,
        done: impl Fn(&TierReport) -> bool,
    ) -> TierReport {
        // Far more often than it takes: a thread that gets no processor is waited for.
        for _ in 0..1_000_000 {
            self.run(name, argument);
            let report = self.tiers.report();
            if done(&report) {
                return report;
            }
            thread::yield_now();
        }
        panic!("this never came: {:?}", self.tiers.report());
    }
}

/// `spin` stays in its loop, `often` calls a function with a short loop again and again.
const WORK: &str = r#"(module
  (func $short (param $n i32) (result i32)
    (local $i i32)
    (loop $again
      (local.set $n (i32.mul (local.get $n) (i32.const 7)))
      (br_if $again
        (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 20))))
    (local.get $n))
  (func (export "often") (param $n i32) (result i32)
    (local $sum i32)
    (loop $again
      (local.set $sum (i32.add (local.get $sum) (call $short (local.get $n))))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $sum))
  (func (export "spin") (param $n i32) (result i32)
    (local $sum i32)
    (loop $outer
      (local.set $sum (i32.xor (local.get $sum) (local.get $n)))
      (br_if $outer (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $sum))
  (func (export "fib") (param $n i32) (result i32)
    (if (result i32) (i32.lt_u (local.get $n) (i32.const 2))
      (then (local.get $n))
      (else (i32.add
        (call 3 (i32.sub (local.get $n) (i32.const 1)))
        (call 3 (i32.sub (local.get $n) (i32.const 2))))))))"#;

const SHORT: DefinedFuncIndex = DefinedFuncIndex(0);
const SPIN: DefinedFuncIndex = DefinedFuncIndex(2);
const FIB: DefinedFuncIndex = DefinedFuncIndex(3);

/// The offset of the loop in `spin`.
fn loop_of_spin(code: &ModuleCode) -> u32 {
    let module = code.module();
    let body = module.bodies[SPIN.index()].clone();
    let bytes = &module.bytes[body.start as usize..body.end as usize];
    // `loop` without parameters and results.
    let at = bytes.windows(2).position(|op| op == [0x03, 0x40]).unwrap();
    body.start + at as u32
}

#[test]
fn looking_changes_no_result_and_no_fuel() {
    let log = Log::default();
    let compiler = Refuses { log: log.clone(), ..Refuses::default() };
    let mut looking = Guest::new(WORK, TierMode::Looking, compiler);
    let mut alone = Guest::new(WORK, TierMode::Opt, Refuses::default());
    for (name, argument) in [("often", 50), ("spin", 1000), ("fib", 15), ("often", 1), ("fib", 1)] {
        assert_eq!(looking.run(name, argument), alone.run(name, argument), "{name}");
        assert_eq!(looking.store.fuel(), alone.store.fuel(), "{name}");
    }
    assert!(log.lock().unwrap().is_empty());
    assert!(looking.tiers.report().interpreted.as_millis() > 1000, "each look is a sample");
}

#[test]
fn what_takes_time_is_compiled_in_the_background() {
    let log = Log::default();
    let compiler = Refuses { log: log.clone(), ..Refuses::default() };
    let mut guest = Guest::new(WORK, TierMode::Auto, compiler);
    let report = guest.run_until("fib", 20, |report| report.refused > 0);
    assert_eq!(log.lock().unwrap().as_slice(), [(FIB, Entry::Function)]);
    let line = &report.lines[0];
    assert_eq!((line.func.0, line.entry), (FIB.0, Entry::Function));
    let refused = CompileError::Unsupported("everything".into());
    assert_eq!(line.outcome, Err(refused.to_string()));
    assert!(line.heat.as_micros() >= 40 && line.asked <= line.began, "{line:?}");
    assert!(report.interpreted >= line.heat / 2, "{report:?}");
}

#[test]
fn a_loop_that_is_never_left_is_compiled_as_such() {
    // So large that several ticks find it before it is worth compiling.
    let line = "(local.set $sum (i32.xor (local.get $sum) (local.get $n)))";
    let text = WORK.replace(line, &line.repeat(400));
    let mut guest = Guest::new(&text, TierMode::Auto, Refuses::default());
    let offset = loop_of_spin(&guest.code);
    let is_loop = |report: &TierReport| {
        report.lines.iter().any(|line| line.entry == Entry::Loop(offset) && line.func.0 == SPIN.0)
    };
    // Long, so that all these ticks find it in the same call.
    guest.run_until("spin", 50_000, is_loop);
}

#[test]
fn a_loop_in_a_function_that_is_called_often_is_not() {
    let log = Log::default();
    let compiler = Refuses { log: log.clone(), ..Refuses::default() };
    let mut guest = Guest::new(WORK, TierMode::Auto, compiler);
    let is_short = |report: &TierReport| report.lines.iter().any(|line| line.func.0 == SHORT.0);
    guest.run_until("often", 20_000, is_short);
    let log = log.lock().unwrap();
    let first = log.iter().find(|(func, _)| *func == SHORT).unwrap();
    assert_eq!(first.1, Entry::Function);
}

#[test]
fn what_was_refused_is_not_asked_for_again() {
    let log = Log::default();
    let compiler = Refuses { log: log.clone(), panics: false };
    let mut guest = Guest::new(WORK, TierMode::Eager, compiler);
    for _ in 0..20 {
        guest.run("fib", 10);
        guest.run("spin", 10);
        guest.run("often", 10);
    }
    let mut asked = log.lock().unwrap().clone();
    let all = asked.len();
    asked.sort_unstable();
    asked.dedup();
    assert_eq!(asked.len(), all, "{asked:?}");
    let offset = loop_of_spin(&guest.code);
    assert!(asked.contains(&(SPIN, Entry::Loop(offset))), "{asked:?}");
    assert!(asked.contains(&(FIB, Entry::Function)), "{asked:?}");
}

#[test]
fn eager_waits_for_the_second_call_and_opt_for_none() {
    let log = Log::default();
    let compiler = Refuses { log: log.clone(), panics: false };
    let mut guest = Guest::new(WORK, TierMode::Eager, compiler);
    guest.run("fib", 1);
    assert!(log.lock().unwrap().is_empty(), "the call of the host does not count");
    guest.run("fib", 2);
    assert_eq!(log.lock().unwrap().as_slice(), [(FIB, Entry::Function)]);

    let log = Log::default();
    let compiler = Refuses { log: log.clone(), panics: false };
    let mut guest = Guest::new(WORK, TierMode::Opt, compiler);
    guest.run("fib", 1);
    assert_eq!(log.lock().unwrap().as_slice(), [(FIB, Entry::Function)]);
    guest.run("fib", 5);
    assert_eq!(log.lock().unwrap().len(), 1);
}

/// Makes code that traps at once.
#[derive(Debug)]
struct Traps;

impl Compiler for Traps {
    fn compile(&self, _request: &Request<'_>) -> Result<NativeCode, CompileError> {
        Ok(NativeCode { bytes: vec![0x0f, 0x0b], align: 1, ..NativeCode::default() })
    }

    fn fingerprint(&self) -> &str {
        "traps"
    }
}

/// Of what ran before the best bargain is compiled first, without any of it being run again.
#[test]
fn what_ran_before_is_compiled_without_being_hot() {
    if !dunlin_vm::NATIVE {
        return;
    }
    let text = "(module (func $cold) (func $warm nop nop) (func $hot nop nop) (func $never))";
    let guest = Guest::new(text, TierMode::Auto, Traps);
    let past = [0, 1, 2].map(|func| (DefinedFuncIndex(func), func * 1000));
    guest.code.remember(&past);
    for _ in 0..100_000 {
        if guest.tiers.report().compiled == 3 {
            break;
        }
        thread::sleep(std::time::Duration::from_millis(1));
    }
    let report = guest.tiers.report();
    let order: Vec<u32> = report.lines.iter().map(|line| line.func.0).collect();
    assert_eq!(order, [2, 1, 0]);
    assert!(guest.code.past().is_empty(), "all of it is native now, and nothing else ran");
    assert!(!guest.code.is_native(DefinedFuncIndex(3)));
}

/// What is told to the next run is what was seen, and what it had been told itself.
#[test]
fn heat_is_carried_on() {
    let (gate, seen) = (Arc::new(Waits::default()), DefinedFuncIndex(1));
    let text = "(module (func) (func))";
    let guest = Guest::with(text, Tiers::new(gate.clone(), TierPolicy::new(TierMode::Auto)));
    assert_eq!(guest.code.past(), []);
    guest.code.remember(&[(seen, 500)]);
    // Also while it is being compiled.
    let past = guest.code.past();
    assert!(past.len() == 1 && past[0].0 == seen && past[0].1 >= 500, "{past:?}");
    gate.open();
    let looking = Guest::new(text, TierMode::Looking, Refuses::default());
    looking.code.remember(&[(seen, 500)]);
    assert_eq!(looking.code.past(), [], "of use only where things are compiled in the background");
}

#[test]
fn a_compiler_that_panics_refuses() {
    let compiler = Refuses { panics: true, ..Refuses::default() };
    let mut guest = Guest::new(WORK, TierMode::Eager, compiler);
    assert_eq!(guest.run("fib", 15), 610);
    let report = guest.tiers.report();
    assert_eq!((report.compiled, report.refused), (0, 1));
    let panicked = CompileError::Failed("it panicked".into());
    assert_eq!(report.lines[0].outcome, Err(panicked.to_string()));
}

#[test]
fn nobody_waits_for_a_compiler() {
    let compiler = Arc::new(Waits::default());
    let policy = TierPolicy { record: true, ..TierPolicy::new(TierMode::Auto) };
    let tiers = Tiers::new(compiler.clone(), policy);
    let mut guest = Guest::with(WORK, tiers.clone());
    while compiler.entered.load(Ordering::SeqCst) == 0 {
        guest.run("fib", 20);
    }
    let module = Arc::downgrade(guest.code.module());
    // All that the guest has goes, but what is being compiled just now.
    drop(guest);
    assert!(module.strong_count() > 0);
    compiler.open();
    while module.strong_count() > 1 {
        thread::yield_now();
    }
    // The line of the report names the module.
    while tiers.report().refused == 0 {
        thread::yield_now();
    }
    assert_eq!(tiers.report().lines.len(), 1);
}

#[test]
fn no_more_native_code_than_the_policy_allows() {
    let policy = TierPolicy { native_bytes: 0, record: true, ..TierPolicy::new(TierMode::Eager) };
    let mut guest = Guest::with(WORK, Tiers::new(Arc::new(Refuses::default()), policy));
    assert_eq!(guest.run("fib", 15), 610);
    let report = guest.tiers.report();
    assert_eq!(report.lines[0].outcome, Err("the module has 0 bytes of native code".into()));
}

/// Machine code that makes constants of functions, and in loops: what runs can be seen by its result.
#[cfg(all(target_os = "linux", target_arch = "x86_64", not(dunlin_portable)))]
mod native {
    use super::*;

    const FUNCTION: u32 = 111;
    const LOOP: u32 = 222;

    #[derive(Debug)]
    struct Constants;

    impl Compiler for Constants {
        fn compile(&self, request: &Request<'_>) -> Result<NativeCode, CompileError> {
            let (code, value): (&[u8], _) = match request.entry {
                // mov eax, value
                Entry::Function => (&[0xb8], FUNCTION),
                // mov qword ptr [rsi], value
                Entry::Loop(_) => (&[0x48, 0xc7, 0x06], LOOP),
            };
            let bytes = [code, &value.to_le_bytes(), &[0xc3]].concat();
            Ok(NativeCode { bytes, align: 1, ..NativeCode::default() })
        }

        fn fingerprint(&self) -> &str {
            "constants"
        }
    }

    /// `spin`, and a function that computes with what it leaves.
    fn text() -> String {
        let caller = r#"(func (export "after") (param $n i32) (result i32)
            (i32.add (call 2 (local.get $n)) (i32.const 1000))))"#;
        format!("{}{caller}", WORK.trim_end().strip_suffix(')').unwrap())
    }

    #[test]
    fn a_loop_is_taken_over_and_its_function_returns() {
        let mut guest = Guest::new(&text(), TierMode::Eager, Constants);
        assert_eq!(guest.run("spin", 1), 1, "no iteration but the first");
        assert_eq!(guest.run("spin", 10), LOOP.into());
        assert_eq!(guest.tiers.report().osr_entries, 1);
        assert_eq!(guest.tiers.report().lines[0].osr_entries, 1);
        // The caller finds the result in its accumulator, as after any call.
        let mut guest = Guest::new(&text(), TierMode::Eager, Constants);
        assert_eq!(guest.run("after", 10), u64::from(LOOP) + 1000);
        // The second call of the interpreter finds native code.
        assert_eq!(guest.run("after", 10), u64::from(FUNCTION) + 1000);
        assert_eq!(guest.run("spin", 10), FUNCTION.into());
        let bytes = guest.tiers.report().native_bytes;
        assert_eq!((guest.tiers.report().compiled, bytes), (2, 8 + 6));
    }

    #[test]
    fn functions_are_native_at_their_first_call() {
        let mut guest = Guest::new(&text(), TierMode::Opt, Constants);
        assert_eq!(guest.run("spin", 10), FUNCTION.into());
        assert_eq!(guest.run("fib", 10), FUNCTION.into());
        assert_eq!(guest.tiers.report().compiled, 2);
    }

    #[test]
    fn the_background_takes_over_what_runs() {
        let mut guest = Guest::new(&text(), TierMode::Auto, Constants);
        // One call, which ends only when it is taken over, unless the machine is asleep for minutes.
        assert_eq!(guest.run("spin", u64::from(u32::MAX)), LOOP.into());
        assert_eq!(guest.run("spin", 10), FUNCTION.into(), "its heat made the function native too");
        let report = guest.tiers.report();
        assert_eq!((report.compiled, report.osr_entries), (2, 1));
    }

    #[test]
    fn threads_are_taken_over_each_for_itself() {
        let tiers = Tiers::new(Arc::new(Constants), TierPolicy::new(TierMode::Auto));
        thread::scope(|scope| {
            for _ in 0..4 {
                let tiers = tiers.clone();
                scope.spawn(move || {
                    let mut guest = Guest::with(&text(), tiers);
                    assert_eq!(guest.run("after", u64::from(u32::MAX)), u64::from(LOOP) + 1000);
                });
            }
        });
        assert_eq!(tiers.report().osr_entries, 4);
    }

    #[test]
    fn a_host_function_may_run_another_store_meanwhile() {
        let tiers = Tiers::new(Arc::new(Constants), TierPolicy::new(TierMode::Auto));
        let mut outer = Guest::with(&text(), tiers.clone());
        let inner = Mutex::new(Guest::with(&text(), tiers));
        let ty = dunlin_module::FuncType::new([], []);
        let call = move |_: &mut dunlin_vm::HostCall<'_>| {
            let mut inner = inner.lock().unwrap();
            assert!([LOOP.into(), FUNCTION.into()].contains(&inner.run("spin", u32::MAX.into())));
            Ok(())
        };
        let host = outer.store.host_func(&ty, dunlin_vm::HostFn::new(call)).unwrap();
        for _ in 0..3 {
            outer.store.call(host, &mut []).unwrap();
        }
        assert_eq!(outer.run("spin", u64::from(u32::MAX)), LOOP.into(), "still sampled");
    }
}

#[test]
fn many_threads_many_modules() {
    let stop = AtomicBool::new(false);
    let log = Log::default();
    let compiler: Arc<dyn Compiler> = Arc::new(Refuses { log: log.clone(), panics: false });
    thread::scope(|scope| {
        for seed in 0..8_u64 {
            let (stop, compiler) = (&stop, compiler.clone());
            scope.spawn(move || {
                let mode = [TierMode::Auto, TierMode::Eager, TierMode::Looking][seed as usize % 3];
                let tiers = Tiers::new(compiler, TierPolicy::new(mode));
                for round in 0..60 {
                    let mut guest = Guest::with(WORK, tiers.clone());
                    assert_eq!(guest.run("fib", 12), 144);
                    assert_eq!(guest.run("spin", 1), 1);
                    guest.run("often", seed * round % 50 + 1);
                }
                stop.store(true, Ordering::Relaxed);
            });
        }
        // One module in two stores at a time, which probe its functions under each other's feet.
        let tiers = Tiers::new(compiler.clone(), TierPolicy::new(TierMode::Looking));
        let first = Guest::with(WORK, tiers);
        let types = first.code.module().types_held.registry().clone();
        for _ in 0..3 {
            let (code, types, stop) = (first.code.clone(), types.clone(), &stop);
            scope.spawn(move || {
                let mut store =
                    Store::new(types, settings(), Limits::default(), Box::new(())).unwrap();
                store.set_fuel(u64::MAX);
                let instance = store.instantiate(&code, &[]).unwrap();
                let tiers =
                    Tiers::new(Arc::new(Refuses::default()), TierPolicy::new(TierMode::Opt));
                let mut guest = Guest { store, instance, code, tiers };
                while !stop.load(Ordering::Relaxed) {
                    assert_eq!(guest.run("fib", 10), 55);
                    assert_eq!(guest.run("spin", 3), 0);
                    guest.run("often", 9);
                }
            });
        }
    });
}
