//! Functions of shapes that nobody writes: blocks that catch inside one another, clauses and fields by the
//! thousand. All are compiled or refused, in a time that is in proportion.

#![expect(clippy::print_stdout, reason = "whoever runs the tests wants to know how long it took")]

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use dunlin_code::native::{CompileError, Compiler, Effort, Entry, NativeCode, Request};
use dunlin_code::{MemoryKind, Settings};
use dunlin_jit::Jit;
use dunlin_module::{DefinedFuncIndex, Features, Module, TypeRegistry};

/// More than any of them takes, even where the compiler itself is not optimized.
const LONG: Duration = Duration::from_secs(60);

/// Compiles the first function of a module.
fn compile(what: &str, text: &str) -> Result<NativeCode, CompileError> {
    let mut features = Features::all();
    features.legacy_exceptions = true;
    let bytes = wat::parse_str(text).unwrap_or_else(|e| panic!("{e}"));
    let module = Module::decode(bytes, &features, &TypeRegistry::new()).unwrap();
    let settings = Settings {
        memory_kind: MemoryKind::Guard,
        fuel: true,
        interruptible: true,
        deterministic: false,
    };
    let (func, entry) = (DefinedFuncIndex(0), Entry::Function);
    let began = Instant::now();
    let made = Jit::new().unwrap().compile(&Request {
        module: &module,
        func,
        entry,
        settings: &settings,
        effort: Effort::Most,
    });
    let took = began.elapsed();
    match &made {
        Ok(code) => println!("{what}: {} bytes in {took:?}", code.bytes.len()),
        Err(refused) => println!("{what}: {refused} after {took:?}"),
    }
    assert!(took < LONG, "{what}: {took:?}");
    made
}

/// `count` times what `line` makes of a number.
fn repeat(count: usize, line: impl Fn(usize) -> String) -> String {
    (0..count).fold(String::new(), |mut text, at| {
        let _ = writeln!(text, "{}", line(at));
        text
    })
}

fn refused(made: Result<NativeCode, CompileError>) -> bool {
    matches!(made, Err(CompileError::TooLarge(..)))
}

#[test]
fn a_call_lists_each_tag_once_however_deep_it_is() {
    let nested = |depth: usize| {
        let open = repeat(depth, |_| "block try_table (catch $e 0) (catch $f 0)".into());
        let close = repeat(depth, |_| "end end".into());
        format!("(module (tag $e) (tag $f) (func $f {open} call $f {close}))")
    };
    let code = compile("nested try_table", &nested(1000)).unwrap();
    let handlers: Vec<usize> = code.calls.iter().map(|call| call.handlers.len()).collect();
    assert!(handlers.contains(&2) && handlers.iter().all(|count| *count <= 2), "{handlers:?}");
    assert!(refused(compile("more nested try_table", &nested(20_000))));
}

#[test]
fn clauses_behind_one_that_catches_all_are_not_listed() {
    let open = repeat(100, |at| match at {
        99 => "block try_table (catch_all 0)".into(),
        _ => format!("block try_table (catch $e{at} 0)"),
    });
    let tags = repeat(100, |at| format!("(tag $e{at})"));
    let close = repeat(100, |_| "end end".into());
    let code = compile("all caught", &format!("(module {tags} (func $f {open} call $f {close}))"))
        .unwrap();
    assert!(code.calls.iter().all(|call| call.handlers.len() <= 1));
    assert!(code.calls.iter().any(|call| call.handlers.len() == 1));
}

#[test]
fn many_clauses_at_many_calls_are_too_much() {
    let tags = repeat(1000, |at| format!("(tag $e{at})"));
    let clauses = repeat(1000, |at| format!("(catch $e{at} 0)"));
    let module = |calls: usize| {
        let calls = repeat(calls, |_| "call $f".into());
        format!("(module {tags} (func $f block try_table {clauses} {calls} end end))")
    };
    let code = compile("many clauses", &module(3)).unwrap();
    assert_eq!(code.calls.iter().filter(|call| call.handlers.len() == 1000).count(), 3);
    assert!(refused(compile("many clauses at many calls", &module(1000))));
}

#[test]
fn blocks_of_the_older_form_nest_and_delegate() {
    let old = |depth: usize| {
        let open = repeat(depth, |_| "try".into());
        let close = repeat(depth, |at| match at % 3 {
            0 => "catch $e rethrow 0 end".into(),
            1 => "catch_all rethrow 0 end".into(),
            _ => "delegate 0".into(),
        });
        format!("(module (tag $e) (func $f {open} call $f {close}))")
    };
    compile("nested try", &old(1000)).unwrap();
    assert!(refused(compile("more nested try", &old(25_000))));
}

#[test]
fn structs_with_all_the_fields_there_may_be() {
    let fields = |ty: &str| repeat(9999, |_| format!("(field (mut {ty}))"));
    for ty in ["i8", "i64", "v128", "anyref", "funcref"] {
        let text = format!(
            "(module (type $s (struct {}))
               (func (result (ref $s)) (local (ref null $s))
                 (local.set 0 (struct.new_default $s))
                 (struct.set $s 9998 (local.get 0) (struct.get{} $s 9998 (local.get 0)))
                 (ref.as_non_null (local.get 0))))",
            fields(ty),
            if ty == "i8" { "_u" } else { "" },
        );
        let code = compile("struct.new_default", &text).unwrap();
        assert!(code.bytes.len() < 4096, "{} bytes", code.bytes.len());
    }
    let constants = repeat(9999, |at| format!("i32.const {at}"));
    let text = format!(
        "(module (type $s (struct {})) (func (result (ref $s)) {constants} struct.new $s))",
        fields("i32")
    );
    compile("struct.new", &text).unwrap();
    let nulls = repeat(9999, |_| "local.get 0".into());
    let text = format!(
        "(module (type $s (struct {})) (func (param funcref) (result (ref $s)) {nulls} struct.new $s))",
        fields("funcref")
    );
    let _ = compile("struct.new of functions", &text);
    let text = format!(
        "(module (type $a (array anyref)) (func (param anyref) (result (ref $a))
           {nulls} array.new_fixed $a 9999))"
    );
    let made = compile("array.new_fixed", &text);
    assert!(made.is_ok() || refused(made));
}

#[test]
fn references_alive_at_every_allocation() {
    let made = repeat(2000, |_| "struct.new_default $s".into());
    let dropped = repeat(2000, |_| "drop".into());
    let text = format!("(module (type $s (struct)) (func {made} {dropped}))");
    let made = compile("references alive", &text);
    assert!(made.is_ok() || refused(made));
}

/// So many nested loops around changes of so many locals.
fn loops_around(loops: usize, locals: usize) -> String {
    let change = repeat(locals, |at| {
        let (to, from) = (at + 1, (at + 7) % locals + 1);
        format!("(local.set {to} (i32.add (local.get {to}) (local.get {from})))")
    });
    let close = repeat(loops, |_| "(br_if 0 (local.get 0)) end".into());
    let sum = repeat(locals, |at| format!("local.get {} i32.add", at + 1));
    format!(
        "(module (func (param i32) (result i32) (local {}) {} {change} {close} i32.const 0 {sum}))",
        "i32 ".repeat(locals),
        "loop ".repeat(loops)
    )
}

/// So many conditions, in each of which some of so many locals are changed.
fn conditions_on(conditions: usize, locals: usize) -> String {
    let change = repeat(conditions, |at| {
        let sets = repeat(6, |set| {
            let (to, from) = ((at * 7 + set) % locals + 1, (at + set * 3) % locals + 1);
            format!("(local.set {to} (local.get {from}))")
        });
        format!("(if (local.get 0) (then {sets}))")
    });
    let sum = repeat(locals, |at| format!("local.get {} i32.add", at + 1));
    format!(
        "(module (func (param i32) (result i32) (local {}) {change} i32.const 0 {sum}))",
        "i32 ".repeat(locals)
    )
}

#[test]
fn locals_by_the_hundred_that_every_block_changes_are_refused() {
    for (loops, locals) in [(100, 1000), (300, 3000), (1000, 3900)] {
        let what = format!("{loops} loops, {locals} locals");
        assert!(refused(compile(&what, &loops_around(loops, locals))));
    }
    for (conditions, locals) in [(1000, 1000), (3000, 3000)] {
        let what = format!("{conditions} conditions, {locals} locals");
        assert!(refused(compile(&what, &conditions_on(conditions, locals))));
    }
    // And what somebody may write is not.
    compile("few loops", &loops_around(10, 300)).unwrap();
    compile("few conditions", &conditions_on(200, 100)).unwrap();
}
