//! Feature sets: their text form, and that each switch really switches something.

mod text;

use dunlin_module::component::Component;
use dunlin_module::{ErrorKind, Features, Module, Proposal, TypeRegistry, is_component};
use text::binary;

/// For each proposal a module that needs it.
const USES: &[(Proposal, &str)] = &[
    (Proposal::mutable_global, r#"(module (import "m" "g" (global (mut i32))))"#),
    (
        Proposal::saturating_float_to_int,
        "(module (func (drop (i32.trunc_sat_f32_s (f32.const 1)))))",
    ),
    (Proposal::sign_extension, "(module (func (drop (i32.extend8_s (i32.const 1)))))"),
    (Proposal::multi_value, "(module (func (result i32 i32) i32.const 1 i32.const 2))"),
    (Proposal::bulk_memory, r#"(module (data "passive"))"#),
    (Proposal::reference_types, "(module (func (param externref)))"),
    (Proposal::simd, "(module (func (param v128)))"),
    (
        Proposal::relaxed_simd,
        "(module (func (param v128) (drop (i8x16.relaxed_swizzle (local.get 0) (local.get 0)))))",
    ),
    (Proposal::tail_call, "(module (func $f return_call $f))"),
    (Proposal::extended_const, "(module (global i32 (i32.add (i32.const 1) (i32.const 2))))"),
    (Proposal::multi_memory, "(module (memory 1) (memory 1))"),
    (Proposal::memory64, "(module (memory i64 1))"),
    (Proposal::function_references, "(module (func (param (ref func))))"),
    (Proposal::gc, "(module (type (struct)))"),
    (Proposal::exceptions, "(module (tag))"),
    (Proposal::threads, "(module (memory 1 1 shared))"),
    (
        Proposal::wide_arithmetic,
        "(module (func (param i64) (result i64 i64) local.get 0 local.get 0 i64.mul_wide_s))",
    ),
    (Proposal::custom_page_sizes, "(module (memory 1 (pagesize 1)))"),
    (
        Proposal::compact_imports,
        r#"(module binary "\00asm\01\00\00\00" "\01\04\01\60\00\00"
           "\02\0e\01\01m\00\7f\02\01a\00\00\01b\00\00")"#,
    ),
    (
        Proposal::legacy_exceptions,
        "(module (tag $e) (func try throw $e catch $e rethrow 0 catch_all end
           try delegate 0))",
    ),
    (Proposal::stack_switching, "(module (type $f (func)) (type (cont $f)))"),
    (
        Proposal::memory_control,
        "(module (memory 1) (func (memory.discard (i32.const 0) (i32.const 0))))",
    ),
    (Proposal::acquire_release_atomics, "(module (func pause))"),
    (
        Proposal::multibyte_array_access,
        "(module (type $a (array (mut i8))) (func (param (ref $a))
           (drop (i32.load (type $a) (local.get 0) (i32.const 0)))))",
    ),
    (Proposal::component_model, "(component)"),
    (Proposal::cm_async, "(component (type (func async)))"),
    (
        Proposal::cm_async_stackful,
        r#"(component (core module $m (func (export "f"))) (core instance $i (instantiate $m))
           (func async (canon lift (core func $i "f") async)))"#,
    ),
    (Proposal::cm_more_async_builtins, "(component (core func (canon subtask.cancel async)))"),
    (Proposal::cm_threading, "(component (core func (canon thread.index)))"),
    (Proposal::cm_forward, "(component (type $s (stream)) (core func (canon stream.forward $s)))"),
    (Proposal::cm_error_context, "(component (core func (canon error-context.drop)))"),
    (Proposal::cm_fixed_length_lists, "(component (type (list u8 4)))"),
    (Proposal::cm_map, "(component (type (map string u8)))"),
    (
        Proposal::cm64,
        r#"(component (core module $m (memory (export "m") i64 1))
           (core instance $i (instantiate $m)) (alias core export $i "m" (core memory $m))
           (core func (canon error-context.new (memory $m))))"#,
    ),
    (Proposal::cm_implements, r#"(component (import "a" (implements "b:c/d") (instance)))"#),
    (
        Proposal::cm_canon_names,
        r#"(component (import "a:b/c@0.2" (version-suffix ".1") (instance)))"#,
    ),
    (
        Proposal::cm_accessors,
        r#"(component (import "r" (type $r (sub resource)))
           (import "[get]p" (func (result u8))))"#,
    ),
];

fn kind(text: &str, features: &Features) -> Option<ErrorKind> {
    let binary = binary(text);
    let error = match is_component(&binary) {
        true => Component::decode(binary, features).err(),
        false => Module::decode(binary, features, &TypeRegistry::new()).err(),
    };
    error.map(|error| error.kind())
}

#[test]
fn each_switch_admits_and_refuses() {
    for proposal in Proposal::ALL {
        let (_, text) = USES
            .iter()
            .find(|(p, _)| p == proposal)
            .unwrap_or_else(|| panic!("{} has no example", proposal.name()));
        let mut features = Features::all();
        assert_eq!(kind(text, &features), None, "{} on", proposal.name());
        features.set(*proposal, false);
        let found = kind(text, &features);
        if *proposal == Proposal::multibyte_array_access {
            // Its flag bit is part of the alignment when it is off, which is then too large.
            assert_eq!(found, Some(ErrorKind::Invalid));
        } else {
            let expected = Some(ErrorKind::Unsupported(Some(*proposal)));
            assert_eq!(found, expected, "{} off", proposal.name());
        }
    }
}

/// What is off in `features`, among the proposals that `are_meant`.
fn off(features: Features, are_meant: impl Fn(&str) -> bool) -> Vec<&'static str> {
    let off = Proposal::ALL.iter().filter(|p| !features.contains(**p));
    off.map(|p| p.name()).filter(|name| are_meant(name)).collect()
}

fn is_of_components(name: &str) -> bool {
    name == "component-model" || name.starts_with("cm")
}

#[test]
fn components_in_presets() {
    let unfinished = ["cm-forward", "cm-canon-names", "cm-accessors"];
    assert_eq!(off(Features::default(), is_of_components), unfinished);
    assert_eq!(off(Features::wasm3(), is_of_components), unfinished);
    assert!(!Features::wasm2().component_model && !Features::NONE.cm_map);
}

#[test]
fn presets() {
    let off = |features: Features| off(features, |name| !is_of_components(name));
    let experimental = [
        "legacy-exceptions",
        "stack-switching",
        "memory-control",
        "acquire-release-atomics",
        "multibyte-array-access",
    ];
    assert_eq!(off(Features::default()), experimental);
    let beyond_3 = ["threads", "wide-arithmetic", "custom-page-sizes", "compact-imports"];
    assert_eq!(off(Features::wasm3()), [&beyond_3[..], &experimental].concat());
    let beyond_2 = [
        "relaxed-simd",
        "tail-call",
        "extended-const",
        "multi-memory",
        "memory64",
        "function-references",
        "gc",
        "exceptions",
    ];
    assert_eq!(off(Features::wasm2()), [&beyond_2[..], &beyond_3, &experimental].concat());
    assert!(Features::wasm1().mutable_global && !Features::wasm1().sign_extension);
    assert!(off(Features::all()).is_empty());
    for preset in [Features::NONE, Features::wasm1(), Features::wasm2(), Features::all()] {
        preset.check().unwrap();
    }
}

#[test]
fn lists_are_read_from_left_to_right() {
    let parse = |list: &str| Features::parse(list).unwrap();
    assert_eq!(parse(""), Features::default());
    assert_eq!(parse("wasm2, wasm3"), Features::wasm3());
    assert_eq!(parse("+legacy-exceptions,default"), Features::default());
    assert_eq!(parse("mvp,simd"), Features { simd: true, ..Features::NONE });
    assert_eq!(parse("-gc,+gc"), Features::default());
    assert!(!parse("-multibyte-array-access,-gc").gc);
    for wrong in ["GC", "simd-", "--simd", "-mvp", "gc threads", "wasm4"] {
        Features::parse(wrong).expect_err(wrong);
    }
}

#[test]
fn display_reads_back() {
    for list in ["default", "wasm1", "mvp", "all", "-gc,+legacy-exceptions", "wasm2,threads"] {
        let features = Features::parse(list).unwrap();
        assert_eq!(Features::parse(&features.to_string()).unwrap(), features, "{features}");
    }
    assert_eq!(Features::default().to_string(), "default");
    let features = Features::parse("stack-switching,-threads").unwrap();
    assert_eq!(features.to_string(), "-threads,+stack-switching");
}
