//! Modules: what they say about themselves, and what is refused.

use std::sync::Arc;

use dunlin_engine::{Engine, ErrorKind, Module};

use crate::{check_snapshot, module};

const EXAMPLE: &str = r#"
    (module $example
      (import "env" "log" (func (param i32 i64) (result f32)))
      (import "env" "memory" (memory 1 2))
      (import "env" "table" (table 1 funcref))
      (import "env" "global" (global (mut f64)))
      (func (export "run") (result v128) (v128.const i64x2 0 0))
      (export "memory" (memory 0))
      (@custom "notes" "one")
      (@custom "notes" "two"))"#;

#[test]
fn imports_and_exports_are_listed_in_order() {
    let module = module(&Engine::default(), EXAMPLE);
    let imports: Vec<_> =
        module.imports().map(|i| format!("{}.{} {}", i.module(), i.name(), i.ty())).collect();
    assert_eq!(
        imports,
        [
            "env.log (func (param i32 i64) (result f32))",
            "env.memory (memory 1 2)",
            "env.table (table 1 funcref)",
            "env.global (global (mut f64))",
        ]
    );
    let exports: Vec<_> = module.exports().map(|e| format!("{} {}", e.name(), e.ty())).collect();
    assert_eq!(exports, ["run (func (result v128))", "memory (memory 1 2)"]);
    assert_eq!(module.imports().len(), 4);
    assert_eq!(module.get_export("run").unwrap().to_string(), "(func (result v128))");
    assert!(module.get_export("walk").is_none());
    assert_eq!(module.name(), Some("example"));
    let notes: Vec<_> = module.custom_sections("notes").collect();
    assert_eq!(notes, [&b"one"[..], b"two"]);
    assert_eq!(module.custom_sections("nothing").count(), 0);
}

#[test]
fn bytes_that_are_no_module_are_refused() {
    let engine = Engine::default();
    let mut cut = wat::parse_str(EXAMPLE).unwrap();
    cut.truncate(40);
    let invalid = wat::parse_str("(module $m (func $f (result i32) (i64.const 0)))").unwrap();
    let component = wat::parse_str("(component)").unwrap();
    let cases = [
        ("empty", &b""[..]),
        ("text", b"(module)"),
        ("cut", &cut),
        ("invalid", &invalid),
        ("component", &component),
    ];
    let mut reports = Vec::new();
    for (name, bytes) in cases {
        let error = Module::new(&engine, bytes).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{name}");
        let validated = Module::validate(&engine, bytes).unwrap_err();
        assert_eq!(error.to_string(), validated.to_string(), "{name}");
        assert!(Module::from_shared(&engine, Arc::from(bytes)).is_err(), "{name}");
        reports.push(format!("{name}:\n{}", error.report()));
    }
    check_snapshot("module_invalid", reports.join("\n"));
    Module::validate(&engine, wat::parse_str(EXAMPLE).unwrap()).unwrap();
}

#[test]
fn a_module_comes_from_a_file() {
    let engine = Engine::default();
    let name = format!("dunlin-api-test-{}.wasm", std::process::id());
    let path = std::env::temp_dir().join(name);
    std::fs::write(&path, wat::parse_str(EXAMPLE).unwrap()).unwrap();
    let loaded = Module::from_file(&engine, &path);
    std::fs::remove_file(&path).unwrap();
    assert_eq!(loaded.unwrap().exports().len(), 2);

    let error = Module::from_file(&engine, "no/such/file.wasm").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Host);
    assert!(error.is::<std::io::Error>());
    assert!(error.to_string().starts_with("cannot load `no/such/file.wasm`: "), "{error}");
}
