//! Branch hints are read, and what is wrong with them is said; the module is valid all the same.

mod text;

use dunlin_module::{BranchHint, Features, FuncIndex, Module, TypeRegistry};
use text::binary;

fn decode(text: &str) -> Module {
    Module::decode(binary(text), &Features::default(), &TypeRegistry::new()).unwrap()
}

/// A module with a loop around a `br_if` at offset 5 of its only body, and these hints.
fn with_hints(hints: &str) -> Module {
    decode(&format!(
        "(module (import \"a\" \"b\" (func))
           (@custom \"metadata.code.branch_hint\" (before code) \"{hints}\")
           (func (loop (br_if 0 (i32.const 1)))))"
    ))
}

#[test]
fn hints_are_read() {
    let module = decode(
        "(module (func (param i32))
           (func (param i32)
             (@metadata.code.branch_hint \"\\01\") (if (local.get 0) (then))
             (block (@metadata.code.branch_hint \"\\00\") (br_if 0 (local.get 0)))))",
    );
    let func = FuncIndex(1);
    assert_eq!(
        module.branch_hints().unwrap(),
        [
            BranchHint { func, offset: 3, taken: true },
            BranchHint { func, offset: 10, taken: false }
        ]
    );
    assert_eq!(decode("(module)").branch_hints().unwrap(), []);
    let hint = BranchHint { func, offset: 5, taken: true };
    assert_eq!(with_hints("\\01\\01\\01\\05\\01\\01").branch_hints().unwrap(), [hint]);
}

#[test]
fn hints_that_are_none() {
    for (hints, message) in [
        ("\\01\\01\\01\\05\\01\\02", "branch hint is neither 0 nor 1"),
        ("\\01\\01\\01\\05\\02\\01", "branch hint is neither 0 nor 1"),
        ("\\01\\01\\02\\05\\01\\01\\05\\01\\01", "branch hints out of order"),
        ("\\02\\01\\00\\01\\00", "branch hints out of order"),
        ("\\01\\01\\01\\05\\01\\01x", "more than branch hints"),
        ("\\01\\01\\01\\05\\01", "unexpected end-of-file"),
        ("\\01\\00\\01\\05\\01\\01", "branch hint for a function that has no body"),
        ("\\01\\02\\01\\05\\01\\01", "branch hint for a function that has no body"),
        ("\\01\\01\\01\\03\\01\\01", "branch hint for no conditional branch"),
        ("\\01\\01\\01\\04\\01\\01", "branch hint for no conditional branch"),
        ("\\01\\01\\01\\06\\01\\01", "branch hint for no conditional branch"),
        ("\\01\\01\\01\\7f\\01\\01", "branch hint for no conditional branch"),
    ] {
        let error = with_hints(hints).branch_hints().expect_err(hints);
        assert_eq!(error.message(), message, "{hints}");
    }
    let late = "(module (func) (@custom \"metadata.code.branch_hint\" (after code) \"\\00\"))";
    assert_eq!(decode(late).branch_hints().unwrap_err().message(), "branch hints behind the code");
}
