//! Components that mean harm: too deep, too many, too large, damaged. All are refused or decoded, on a
//! small stack, and none takes long.

mod text;

use std::path::Path;

use dunlin_module::component::{Component, DefinedType};
use dunlin_module::{Error, ErrorKind, Features, Module, TypeRegistry, limits};
use text::binary;

const SAMPLE: &str = include_str!("modules/component.wat");

const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";
const MODULE: &[u8] = b"\0asm\x01\0\0\0";

/// As much stack as the engine is promised.
fn on_small_stack(run: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(256 << 10).spawn(run).unwrap().join().unwrap();
}

/// Decodes, and asks everything that is answered only when asked.
fn decode(bytes: &[u8]) -> Result<Component, Error> {
    let component = Component::decode(bytes, &Features::all());
    match &component {
        Ok(component) => {
            assert_eq!(component.outline().len(), component.instances.len());
            assert!(component.producers().len() <= limits::PRODUCERS);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    component
}

#[track_caller]
fn refused(bytes: &[u8], kind: ErrorKind, message: &str) {
    let error = match decode(bytes) {
        Ok(_) => panic!("decodes, expected `{message}`"),
        Err(error) => error,
    };
    assert!(error.message().contains(message), "{error}");
    assert_eq!(error.kind(), kind, "{error}");
}

fn leb(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// The index of a type where a type of values is meant: a signed number.
fn type_index(at: usize) -> Vec<u8> {
    let mut bytes = leb(at);
    if let Some(last) = bytes.last_mut().filter(|last| **last & 0x40 != 0) {
        *last |= 0x80;
        bytes.push(0);
    }
    bytes
}

fn section(id: u8, contents: &[u8]) -> Vec<u8> {
    [&[id], &leb(contents.len())[..], contents].concat()
}

/// A section with a list of entries.
fn list(id: u8, entries: &[Vec<u8>]) -> Vec<u8> {
    section(id, &[leb(entries.len()), entries.concat()].concat())
}

fn component(sections: &[Vec<u8>]) -> Vec<u8> {
    [COMPONENT, &sections.concat()].concat()
}

#[test]
fn layers_are_not_confused() {
    // A version of components that nobody has.
    let other = [b"\0asm\x07\0\x01\0", &section(0, b"\x01x")[..]].concat();
    refused(&other, ErrorKind::Malformed, "unknown binary version");
    // A component's header over a module's sections, and the other way round.
    let module = binary(r#"(module (func (export "f")))"#);
    assert!(decode(&[COMPONENT, &module[8..]].concat()).is_err());
    let body = &binary(SAMPLE)[8..];
    let module = [MODULE, body].concat();
    assert!(Module::decode(module.clone(), &Features::all(), &TypeRegistry::new()).is_err());
    assert!(decode(&module).is_err());
    refused(MODULE, ErrorKind::Unsupported(None), "expected a component, found a core module");
    assert!(decode(COMPONENT).is_ok());
}

/// Each component holds the one before.
fn nested(depth: usize) -> Vec<u8> {
    (0..depth).fold(COMPONENT.to_vec(), |inner, _| component(&[section(4, &inner)]))
}

#[test]
fn components_nest_up_to_a_limit() {
    on_small_stack(|| {
        assert!(decode(&nested(900)).is_ok());
        refused(&nested(1000), ErrorKind::LimitExceeded, "1000");
        refused(&nested(5000), ErrorKind::LimitExceeded, "1000");
    });
}

/// Types of which each has the one before in it.
fn chain(length: usize, next: impl Fn(usize) -> Vec<u8>) -> Vec<u8> {
    let types: Vec<Vec<u8>> =
        (0..length).map(|at| if at == 0 { vec![0x7d] } else { next(at - 1) }).collect();
    component(&[list(7, &types)])
}

#[test]
fn types_nest_up_to_a_limit() {
    on_small_stack(|| {
        type Next = fn(usize) -> Vec<u8>;
        let kinds: [Next; 4] = [
            |at| [&[0x70], &type_index(at)[..]].concat(),
            |at| [&[0x6b], &type_index(at)[..]].concat(),
            |at| [&[0x6a, 1], &type_index(at)[..], &[0]].concat(),
            |at| [&[0x6f, 1], &type_index(at)[..]].concat(),
        ];
        for next in kinds {
            assert!(decode(&chain(99, next)).is_ok());
            assert!(decode(&chain(limits::TYPE_DEPTH, next)).is_ok());
            for length in [limits::TYPE_DEPTH + 2, 100_000] {
                refused(&chain(length, next), ErrorKind::LimitExceeded, "nesting is too deep");
            }
        }
    });
}

#[test]
fn types_that_double_are_refused_before_they_are_large() {
    let pair = |at: usize| [&[0x6f, 2], &type_index(at)[..], &type_index(at)].concat();
    refused(&chain(60, pair), ErrorKind::LimitExceeded, "exceeds the limit");
    let component = decode(&chain(18, pair)).unwrap();
    assert_eq!(component.types.defined.len(), 17, "each is there once");
}

#[test]
fn records_have_so_many_fields() {
    let record = |fields: usize| {
        let fields: Vec<Vec<u8>> = (0..fields)
            .map(|at| {
                let name = format!("f{at}");
                [&leb(name.len())[..], name.as_bytes(), &[0x7d]].concat()
            })
            .collect();
        component(&[list(7, &[[&[0x72], &leb(fields.len())[..], &fields.concat()].concat()])])
    };
    let component = decode(&record(10_000)).unwrap();
    assert!(
        matches!(&component.types.defined[0], DefinedType::Record(fields) if fields.len() == 10_000)
    );
    refused(&record(10_001), ErrorKind::LimitExceeded, "record field size is out of bounds");
}

/// Components of which each instantiates the one before so many times.
fn tower(height: usize, times: usize) -> Vec<u8> {
    let alias = |at: usize| list(6, &[[&[4, 2, 1], &leb(at)[..]].concat()]);
    let instances = list(5, &vec![vec![0, 0, 0]; times]);
    let first = component(&[section(1, MODULE), list(2, &[vec![0, 0, 0]])]);
    let mut sections = vec![section(4, &first)];
    for at in 0..height {
        sections.push(section(4, &component(&[alias(at), instances.clone()])));
    }
    sections.push(list(5, &[[&[0], &leb(height)[..], &[0]].concat()]));
    component(&sections)
}

#[test]
fn instances_of_instances_are_counted() {
    on_small_stack(|| {
        // High is no problem, wide is one.
        let high = decode(&tower(900, 1)).unwrap();
        assert_eq!(high.instances.len(), 902);
        let wide = decode(&tower(10, 2)).unwrap();
        assert_eq!(wide.steps.len(), 1024);
        refused(&tower(40, 2), ErrorKind::LimitExceeded, "component instances");
        refused(&tower(3, 1000), ErrorKind::LimitExceeded, "component instances");
    });
}

#[test]
fn work_is_bounded_where_few_things_come_of_it() {
    let types: Vec<Vec<u8>> = vec![vec![0x7d]; 20_000];
    let inner = component(&[list(7, &types)]);
    let instances = list(5, &vec![vec![0, 0, 0]; 1000]);
    let outer = component(&[section(4, &inner), instances]);
    refused(&outer, ErrorKind::LimitExceeded, "counted as often as they are instantiated");
}

#[test]
fn validation_is_bounded_where_a_large_type_is_instantiated_often() {
    let exports: String = (0..2000).map(|at| format!("(export \"f{at}\" (func $f))")).collect();
    let text = format!(
        "(component
           (component $c
             (type $r (resource (rep i32)))
             (export $e \"r\" (type $r))
             (core module $m (func (export \"f\") (param i32)))
             (core instance $i (instantiate $m))
             (func $f (param \"x\" (own $e)) (canon lift (core func $i \"f\")))
             {exports})
           {})",
        "(instance (instantiate $c))".repeat(4000)
    );
    refused(&binary(&text), ErrorKind::LimitExceeded, "types of what is instantiated");
}

#[test]
fn instances_nest_up_to_a_limit() {
    on_small_stack(|| {
        // Bags of exports, each with the one before in it, and the last is exported.
        let bags = |count: usize| {
            let mut entries = vec![vec![1, 0]];
            for at in 1..count {
                entries.push([&[1, 1, 0, 1, b'x', 5], &leb(at - 1)[..], &[]].concat());
            }
            let export = [&[0, 1, b'e', 5], &leb(count - 1)[..], &[0]].concat();
            component(&[list(5, &entries), list(11, &[export])])
        };
        assert!(decode(&bags(50)).is_ok());
        refused(&bags(200), ErrorKind::LimitExceeded, "deep");
        refused(&bags(4000), ErrorKind::LimitExceeded, "deep");
    });
}

#[test]
fn many_arguments_and_names_are_looked_up_in_time() {
    let names: Vec<Vec<u8>> = (0..90_000)
        .map(|at| {
            let name = format!("a{at}");
            [&leb(name.len())[..], name.as_bytes()].concat()
        })
        .collect();
    // A module with that many imports, given that many instances, one of which is used for all.
    let imports: Vec<Vec<u8>> =
        names.iter().map(|name| [name, &[1, b'f', 0, 0][..]].concat()).collect();
    let user = [MODULE, &list(1, &[vec![0x60, 0, 0]]), &list(2, &imports)].concat();
    let maker = binary(r#"(module (func (export "f")))"#);
    let args: Vec<Vec<u8>> = names.iter().map(|name| [name, &[0x12, 0][..]].concat()).collect();
    let instances = [vec![0, 0, 0], [&[0, 1], &leb(args.len())[..], &args.concat()].concat()];
    let bytes = component(&[section(1, &maker), section(1, &user), list(2, &instances)]);
    let component = decode(&bytes).unwrap();
    assert_eq!(component.steps.len(), 2);
}

#[test]
fn names_that_are_alike_are_refused() {
    for (one, other) in [("a-b", "A-B"), ("a:b/c@1.0.0", "a:b/c@1.0.0")] {
        let text =
            format!(r#"(component (import "{one}" (instance)) (import "{other}" (instance)))"#);
        refused(&binary(&text), ErrorKind::Invalid, "conflicts with previous name");
    }
    let text = r#"(component (import "a:b/c@1.0.0" (instance)) (import "a:b/c@1.0.1" (instance)))"#;
    assert!(decode(&binary(text)).is_ok(), "only the runtime says which versions are alike");
}

#[test]
fn counts_reserve_nothing() {
    for id in [2, 3, 5, 6, 7, 8, 10, 11] {
        let bytes = component(&[section(id, &leb(0x0fff_ffff))]);
        refused(&bytes, ErrorKind::Malformed, "unexpected end-of-file");
    }
}

#[test]
fn every_prefix_and_every_flipped_bit() {
    on_small_stack(|| {
        let sample = binary(SAMPLE);
        decode(&sample).unwrap();
        for end in 0..sample.len() {
            let _ = decode(&sample[..end]);
        }
        for at in 0..sample.len() {
            for bit in 0..8 {
                let mut damaged = sample.clone();
                damaged[at] ^= 1 << bit;
                let _ = decode(&damaged);
            }
        }
    });
}

#[test]
fn damaged_components_of_others() {
    let Some(root) = std::env::var_os("DUNLIN_SUITES") else {
        eprintln!("skipped: DUNLIN_SUITES is not set");
        return;
    };
    on_small_stack(move || {
        let folder = Path::new(&root).join("jco-components/components-p2");
        let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = move || {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as usize
        };
        let mut tried = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap_or_default();
            if !(8..100_000).contains(&bytes.len()) {
                continue;
            }
            for _ in 0..40 {
                let mut damaged = bytes.clone();
                for _ in 0..1 + random() % 8 {
                    let at = random() % damaged.len();
                    damaged[at] = random() as u8;
                }
                let _ = decode(&damaged);
                tried += 1;
            }
        }
        assert!(tried > 100, "{tried}");
    });
}
