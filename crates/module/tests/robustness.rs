//! Damaged modules: any verdict, never a panic, on a small stack; and the same error no matter how
//! many threads look for it.

mod text;

use std::num::NonZeroUsize;

use dunlin_module::{
    DefinedFuncIndex, Error, Features, FuncIndex, Module, NameSpace, TypeRegistry, escape, op,
};
use text::binary;

const SAMPLES: [&str; 2] = [include_str!("modules/linear.wat"), include_str!("modules/typed.wat")];

/// As much stack as the engine is promised.
fn on_small_stack(run: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(256 << 10).spawn(run).unwrap().join().unwrap();
}

fn decode(bytes: &[u8], features: &Features) -> Result<Module, Error> {
    let module = Module::decode(bytes, features, &TypeRegistry::new());
    match &module {
        Ok(module) => look_at_everything(module),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    module
}

/// Asks the module everything that it answers only when asked.
fn look_at_everything(module: &Module) {
    for index in 0..module.funcs.len() as u32 {
        let func = FuncIndex(index);
        let name = module.func_name(func).map(|name| escape(name).to_string());
        assert!(name.is_none_or(|name| !name.contains('\u{1b}')));
        assert!(module.names().local(func, 0).is_none_or(|name| name.len() < 1000));
        assert!(module.names().label(func, 0).is_none_or(|name| name.len() < 1000));
        assert!(module.func_type(func).param_slots() <= 2000);
    }
    assert!(module.names().module().is_none_or(|name| name.len() < 1000));
    assert!(module.names().get(NameSpace::Type, 0).is_none_or(|name| name.len() < 1000));
    assert!(module.producers().len() < 1000);
    for export in &module.exports {
        assert_eq!(module.export(&export.name), Some(export.item));
        module.extern_type(export.item);
    }
    for index in 0..module.bodies.len() as u32 {
        let body = module.body(DefinedFuncIndex(index));
        for local in body.get_locals_reader().unwrap() {
            module.val_type(local.unwrap().1);
        }
        let mut operators = body.get_operators_reader().unwrap();
        while !operators.eof() {
            if let op::Operator::Block { blockty } | op::Operator::Loop { blockty } =
                operators.read().unwrap()
            {
                let ty = module.block_type(blockty);
                assert!(ty.params().len() + ty.results().len() <= 2000);
            }
        }
        operators.finish().unwrap();
    }
}

#[test]
fn samples_are_valid() {
    for sample in SAMPLES {
        decode(&binary(sample), &Features::default()).unwrap();
    }
}

#[test]
fn every_prefix() {
    on_small_stack(|| {
        for sample in SAMPLES {
            let bytes = binary(sample);
            let whole = decode(&bytes, &Features::default()).unwrap();
            let mut ends: Vec<usize> =
                whole.sections.iter().map(|s| s.range.end as usize).collect();
            ends.push(8);
            for len in 0..bytes.len() {
                if decode(&bytes[..len], &Features::default()).is_ok() {
                    assert!(ends.contains(&len), "cut at {len}, not between sections");
                }
            }
        }
    });
}

#[test]
fn every_flipped_bit() {
    on_small_stack(|| {
        let mut accepted = 0;
        for sample in SAMPLES {
            let mut bytes = binary(sample);
            for at in 0..bytes.len() {
                for bit in 0..8 {
                    bytes[at] ^= 1 << bit;
                    accepted += usize::from(decode(&bytes, &Features::all()).is_ok());
                    bytes[at] ^= 1 << bit;
                }
            }
        }
        assert!(accepted > 500, "only {accepted} flips gave a valid module");
    });
}

#[test]
fn every_byte_replaced_by_extremes() {
    on_small_stack(|| {
        for sample in SAMPLES {
            let mut bytes = binary(sample);
            for at in 8..bytes.len() {
                let original = bytes[at];
                for value in [0x00, 0x0b, 0x40, 0x60, 0x7f, 0x80, 0xfb, 0xfe, 0xff] {
                    bytes[at] = value;
                    let _verdict = decode(&bytes, &Features::all());
                }
                bytes[at] = original;
            }
        }
    });
}

#[test]
fn every_inserted_and_removed_byte() {
    on_small_stack(|| {
        for sample in SAMPLES {
            let bytes = binary(sample);
            for at in 8..bytes.len() {
                let removed = [&bytes[..at], &bytes[at + 1..]].concat();
                let _verdict = decode(&removed, &Features::default());
                let inserted = [&bytes[..at], &[0x80], &bytes[at..]].concat();
                let _verdict = decode(&inserted, &Features::default());
            }
        }
    });
}

/// A module with more code than one thread takes; `wrong` says which functions are invalid.
fn many_functions(wrong: &[usize]) -> Vec<u8> {
    let filler = "(local.set 0 (i32.add (local.get 0) (i32.const 1000000)))".repeat(20);
    let mut text = String::from("(module (import \"m\" \"f\" (func))");
    for index in 0..2500 {
        let result = if wrong.contains(&index) { "i64.const 1" } else { "local.get 0" };
        text += &format!("(func $f{index} (param i32) (result i32) {filler} {result})");
    }
    binary(&(text + ")"))
}

fn error_with_threads(bytes: &[u8], threads: usize) -> Option<String> {
    let threads = NonZeroUsize::new(threads).unwrap();
    let registry = TypeRegistry::new();
    let decoded = Module::decode_with_threads(bytes, &Features::default(), &registry, threads);
    decoded.err().map(|error| error.to_string())
}

#[test]
fn the_first_error_is_found_by_any_number_of_threads() {
    for wrong in [&[][..], &[0], &[2499], &[1249, 1250], &[30, 2000, 2400], &[2400, 2401, 7]] {
        let bytes = many_functions(wrong);
        assert!(bytes.len() > 400 << 10, "enough for several threads");
        let expected = error_with_threads(&bytes, 1);
        let first = wrong.iter().min().map(|index| format!("in function `f{index}`)"));
        assert_eq!(expected.is_some(), first.is_some());
        assert!(expected.iter().zip(&first).all(|(error, place)| error.ends_with(place)));
        for threads in [2, 3, 8] {
            for _ in 0..10 {
                assert_eq!(error_with_threads(&bytes, threads), expected);
            }
        }
    }
}

#[test]
fn an_error_in_a_body_comes_before_one_in_a_later_section() {
    let data_section_of_nothing = [11, 1, 9];
    let places = [(&[2499][..], "in function `f2499`"), (&[], "section declares 9 entries")];
    for (wrong, expected) in places {
        let mut bytes = many_functions(wrong);
        bytes.extend(data_section_of_nothing);
        for threads in [1, 4] {
            let error = error_with_threads(&bytes, threads).unwrap();
            assert!(error.contains(expected), "{error}");
        }
    }
}
