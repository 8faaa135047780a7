//! Types at the edges of what a discriminant or a word of flags holds, nested deeper than anybody means, or
//! larger than they look; and binaries that are components in name only.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use dunlin_component::{Component, Linker};
use dunlin_engine::{Engine, Error, Store};

use super::{alone, assert_trapped, engines};

/// How long a component may take to be refused. The contract is a tenth of this, optimized.
const LONG: Duration = Duration::from_secs(2);

fn load(text: &str) -> Result<Component, Error> {
    let bytes = wat::parse_str(text).unwrap_or_else(|error| panic!("{error}"));
    Component::new(&Engine::default(), bytes)
}

/// `count` words, as text of an enum, flags or the like.
fn labels(count: u32) -> String {
    (0..count).fold(String::new(), |mut text, number| {
        write!(text, " \"l{number}\"").unwrap();
        text
    })
}

/// Passes one value of a type in a list, whose bytes are the number that `pass` is given.
fn passes(ty: &str) -> String {
    format!(
        r#"
(component
  (type $t' {ty})
  (component $Takes
    (type $t'' {ty}) (export $t "t" (type $t''))
    (core module $m (memory (export "memory") 1)
      (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 16))
      (func (export "take") (param i32 i32) (result i32) (i32.load (i32.const 16))))
    (core instance $i (instantiate $m))
    (func (export "take") (param "x" (list $t)) (result u32)
      (canon lift (core func $i "take") (memory (core memory $i "memory"))
        (realloc (core func $i "realloc")))))
  (instance $t (instantiate $Takes))
  (component $Gives
    (import "t" (type $t (eq $t')))
    (import "take" (func $take (param "x" (list $t)) (result u32)))
    (core module $memory (memory (export "memory") 1))
    (core instance $memory (instantiate $memory))
    (core func $take (canon lower (func $take) (memory (core memory $memory "memory"))))
    (core module $m (import "" "take" (func $take (param i32 i32) (result i32)))
      (import "" "memory" (memory 1))
      (func (export "give") (param i32) (result i32)
        (i32.store (i32.const 0) (local.get 0))
        (call $take (i32.const 0) (i32.const 1))))
    (core instance $i (instantiate $m (with "" (instance (export "take" (func $take))
      (export "memory" (memory $memory "memory"))))))
    (func (export "give") (param "x" u32) (result u32) (canon lift (core func $i "give"))))
  (instance $g (instantiate $Gives (with "t" (type $t "t")) (with "take" (func $t "take"))))
  (export "give" (func $g "give")))"#
    )
}

#[test]
fn discriminants_at_the_edges() {
    for count in [1, 2, 255, 256, 257, 10_000] {
        let bytes = if count <= 256 { 1 } else { 2 };
        let text = passes(&format!("(enum{})", labels(count)));
        let most = if bytes == 1 { 0xff } else { 0xffff };
        for engine in engines() {
            for given in [0, count - 1, count, most, most + 1] {
                let (mut store, instance) = alone(&engine, &text);
                let given_bits = given & most;
                let result = super::number(&mut store, &instance, "give", (given,));
                if given_bits < count {
                    assert_eq!(result.unwrap(), given_bits, "{count}");
                } else {
                    assert_trapped(result, "invalid variant discriminant");
                }
            }
        }
    }
    for too_many in [10_001, 65_537] {
        let error = load(&format!("(component (type (enum{})))", labels(too_many))).unwrap_err();
        assert!(error.to_string().contains("enum cases"), "{error}");
    }
    assert!(load("(component (type (enum)))").is_err());
}

#[test]
fn flags_at_the_edges() {
    for count in [1, 7, 8, 9, 15, 16, 17, 31, 32] {
        let text = passes(&format!("(flags{})", labels(count)));
        let mask = u32::MAX >> (32 - count);
        for engine in engines() {
            let (mut store, instance) = alone(&engine, &text);
            for given in [0, 1, mask, mask + u32::from(mask < u32::MAX), u32::MAX] {
                let taken = super::number(&mut store, &instance, "give", (given,)).unwrap();
                assert_eq!(taken, given & mask, "{count} {given:x}");
            }
        }
    }
    for count in [0, 33, 1000] {
        assert!(load(&format!("(component (type (flags{})))", labels(count))).is_err(), "{count}");
    }
}

#[test]
fn characters_and_truths() {
    for engine in engines() {
        for (given, is_char) in [
            (0u32, true),
            (0xd7ff, true),
            (0xd800, false),
            (0xdfff, false),
            (0xe000, true),
            (0x10_ffff, true),
            (0x11_0000, false),
            (u32::MAX, false),
        ] {
            let (mut store, instance) = alone(&engine, &passes("char"));
            let result = super::number(&mut store, &instance, "give", (given,));
            match is_char {
                true => assert_eq!(result.unwrap(), given),
                false => assert_trapped(result, "invalid `char` bit pattern"),
            }
        }
        let (mut store, instance) = alone(&engine, &passes("bool"));
        for (given, taken) in [(0u32, 0), (1, 1), (2, 1), (0x80, 1), (0xff, 1), (0x100, 0)] {
            assert_eq!(super::number(&mut store, &instance, "give", (given,)).unwrap(), taken);
        }
    }
}

/// A type of which each level is one inside of the other.
fn nested(depth: u32, level: impl Fn(u32) -> String) -> String {
    let mut text = "(component (type $t0 (tuple u8))\n".to_owned();
    for number in 1..=depth {
        writeln!(text, "(type $t{number} {})", level(number - 1)).unwrap();
    }
    write!(text, r#"(import "f" (func (param "x" $t{depth}))))"#).unwrap();
    text
}

#[test]
fn types_are_nested_as_deep_as_they_may_be() {
    let levels: [fn(u32) -> String; 5] = [
        |inner| format!("(list $t{inner})"),
        |inner| format!("(option $t{inner})"),
        |inner| format!("(result $t{inner} (error $t{inner}))"),
        |inner| format!("(tuple $t{inner})"),
        |inner| format!("(list $t{inner} 1)"),
    ];
    for (kind, level) in levels.iter().enumerate() {
        let begun = Instant::now();
        for (depth, fits) in [(60, kind != 2), (95, kind != 2), (101, false), (10_000, false)] {
            let loaded = load(&nested(depth, level));
            assert_eq!(loaded.is_ok(), fits, "{kind} {depth}: {:?}", loaded.err());
        }
        assert!(begun.elapsed() < LONG, "{kind}: {:?}", begun.elapsed());
    }
}

/// Twice as large at each level: refused when it is too large, and never written out in full.
#[test]
fn types_that_are_larger_than_they_look() {
    let pair = |inner| format!("(tuple $t{inner} $t{inner})");
    let begun = Instant::now();
    assert!(load(&nested(60, pair)).is_err());
    assert!(begun.elapsed() < LONG, "{:?}", begun.elapsed());

    let component = load(&nested(16, pair)).unwrap();
    let engine = Engine::default();
    let begun = Instant::now();
    let missing = Linker::<()>::new(&engine).instantiate(Store::new(&engine, ()), &component);
    let text = missing.unwrap_err().to_string();
    assert!(text.len() < 2000, "{} bytes", text.len());
    assert!(begun.elapsed() < LONG / 4, "{:?}", begun.elapsed());
}

/// `value` as LEB128.
fn leb(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let byte = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            bytes.push(byte);
            return bytes;
        }
        bytes.push(byte | 0x80);
    }
}

const CORE: &[u8] = b"\0asm\x01\0\0\0";
const LAYER: &[u8] = b"\0asm\x0d\0\x01\0";

/// Components, each the only thing in the other.
fn inside_of_each_other(depth: usize) -> Vec<u8> {
    let mut sizes = vec![LAYER.len()];
    for level in 0..depth {
        sizes.push(LAYER.len() + 1 + leb(sizes[level]).len() + sizes[level]);
    }
    let mut bytes = Vec::new();
    for level in (0..depth).rev() {
        bytes.extend_from_slice(LAYER);
        bytes.push(4);
        bytes.extend(leb(sizes[level]));
    }
    bytes.extend_from_slice(LAYER);
    bytes
}

#[test]
fn binaries_that_are_not_what_they_say() {
    let engine = Engine::default();
    let empty = Component::new(&engine, LAYER).unwrap();
    Linker::<()>::new(&engine).instantiate(Store::new(&engine, ()), &empty).unwrap();

    let joined = |header: &[u8], rest: &[u8]| [header, rest].concat();
    let core_types = [1, 4, 1, 0x60, 0, 0];
    let cases = [
        ("a core module", joined(CORE, &core_types)),
        ("a core body under the header of a component", joined(LAYER, &[3, 2, 1, 0])),
        ("no header", Vec::new()),
        ("half a header", LAYER[..6].to_vec()),
        ("another version", b"\0asm\x0e\0\x01\0".to_vec()),
        ("another layer", b"\0asm\x0d\0\x02\0".to_vec()),
        ("a section that does not end", joined(LAYER, &[4, 0xff, 0xff, 0xff, 0xff, 0x0f])),
        ("a count that lies", joined(LAYER, &[7, 5, 0xff, 0xff, 0xff, 0xff, 0x0f])),
        (
            "a module inside that is none",
            joined(LAYER, &[1, 8, 0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0]),
        ),
        (
            "a component inside that is none",
            joined(LAYER, &[4, 8, 0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]),
        ),
    ];
    for (what, bytes) in cases {
        assert!(Component::new(&engine, bytes).is_err(), "{what}");
    }
    let body = wat::parse_str("(component (core module (func)))").unwrap();
    let under_core = joined(CORE, &body[8..]);
    assert!(Component::new(&engine, under_core.clone()).is_err());
    assert!(dunlin_engine::Module::new(&engine, under_core).is_err());
    for cut in 0..body.len() {
        let _ = Component::new(&engine, body[..cut].to_vec());
    }
}

#[test]
fn components_inside_of_each_other() {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(1 << 20);
        let test = || {
            let engine = Engine::default();
            for (depth, fits) in [(1, true), (50, true), (1000, false), (100_000, false)] {
                let begun = Instant::now();
                let loaded = Component::new(&engine, inside_of_each_other(depth));
                assert_eq!(loaded.is_ok(), fits, "{depth}: {:?}", loaded.err());
                assert!(begun.elapsed() < LONG, "{depth}: {:?}", begun.elapsed());
            }
        };
        thread.spawn_scoped(scope, test).unwrap().join().unwrap();
    });
}

/// As many arguments, exports and names as fit in a file of moderate size.
#[test]
fn long_lists_of_everything() {
    const MANY: u32 = 100_000;
    let mut text = String::from("(component (core module $m) (core instance $i (instantiate $m");
    for number in 0..MANY {
        write!(text, "\n(with \"a{number}\" (instance))").unwrap();
    }
    text.push_str(")))");
    let mut same = String::from("(component");
    for name in ["a:b/c@1.0.0", "a:b/c@1.0.1", "a:b/c@2.0.0"] {
        write!(same, "\n(import \"{name}\" (instance))").unwrap();
    }
    same.push(')');
    assert!(load(&same).is_ok());
    assert!(load(r#"(component (import "a" (instance)) (import "A" (instance)))"#).is_err());
    let begun = Instant::now();
    let _ = load(&text);
    assert!(begun.elapsed() < LONG * 2, "{:?}", begun.elapsed());

    // Many imports of one large type, none of which is there.
    let pair = |inner| format!("(tuple $t{inner} $t{inner})");
    let mut text = nested(7, pair);
    text.truncate(text.rfind("(import").unwrap());
    for number in 0..100 {
        writeln!(text, "(import \"f{number}\" (func (param \"x\" $t7)))").unwrap();
    }
    text.push(')');
    let begun = Instant::now();
    let component = load(&text).unwrap();
    let engine = Engine::default();
    let missing = Linker::<()>::new(&engine).instantiate(Store::new(&engine, ()), &component);
    assert!(missing.unwrap_err().to_string().len() < 40_000);
    assert!(begun.elapsed() < LONG, "{:?}", begun.elapsed());
}
