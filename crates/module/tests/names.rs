//! Names are for people: read late, believed never, printed safely.

mod text;

use dunlin_module::{Features, FuncIndex, Module, NameSpace, TypeRegistry, escape};
use text::binary;

fn decode(bytes: Vec<u8>) -> Module {
    Module::decode(bytes, &Features::default(), &TypeRegistry::new()).unwrap()
}

/// A module with three functions, the second exported, and these contents of a name section.
fn with_name_section(contents: &[u8]) -> Module {
    let text =
        r#"(module (import "env" "print" (func)) (func (export "run") (export "again")) (func))"#;
    let mut bytes = binary(text);
    let payload = [&b"\x04name"[..], contents].concat();
    assert!(payload.len() < 128 * 128);
    bytes.extend([0, payload.len() as u8 | 0x80, (payload.len() >> 7) as u8]);
    bytes.extend(payload);
    decode(bytes)
}

fn func_names(module: &Module) -> [Option<&str>; 3] {
    [0, 1, 2].map(|index| module.func_name(FuncIndex(index)))
}

const NO_NAMES: [Option<&str>; 3] = [Some("env.print"), Some("run"), None];

#[test]
fn all_kinds_of_names() {
    let module = decode(binary(
        "(module $m (type $t (func)) (import \"a\" \"b\" (func $imported))
           (func $f (param $x i32) (local $y i64) (block $b (loop $l)))
           (table $tab 1 funcref) (memory $mem 1) (global $glob i32 (i32.const 0))
           (tag $tag) (elem $el func) (data $dat \"\"))",
    ));
    let names = module.names();
    assert_eq!(names.module(), Some("m"));
    assert_eq!(func_names(&module), [Some("imported"), Some("f"), None]);
    assert_eq!(names.local(FuncIndex(1), 0), Some("x"));
    assert_eq!(names.local(FuncIndex(1), 1), Some("y"));
    assert_eq!(names.local(FuncIndex(1), 2), None);
    assert_eq!(names.local(FuncIndex(0), 0), None);
    assert_eq!(names.label(FuncIndex(1), 0), Some("b"));
    assert_eq!(names.label(FuncIndex(1), 1), Some("l"));
    let spaces = [
        (NameSpace::Type, "t"),
        (NameSpace::Table, "tab"),
        (NameSpace::Memory, "mem"),
        (NameSpace::Global, "glob"),
        (NameSpace::Tag, "tag"),
        (NameSpace::Elem, "el"),
        (NameSpace::Data, "dat"),
    ];
    for (space, name) in spaces {
        assert_eq!(names.get(space, 0), Some(name));
        assert_eq!(names.get(space, 1), None);
    }
}

#[test]
fn functions_without_a_name_go_by_their_export_or_import() {
    assert_eq!(func_names(&with_name_section(b"")), NO_NAMES);
    let some = with_name_section(b"\x01\x05\x01\x02\x02f2");
    assert_eq!(func_names(&some), [NO_NAMES[0], NO_NAMES[1], Some("f2")]);
}

#[test]
fn names_in_any_order_the_first_of_an_index_wins() {
    let module = with_name_section(b"\x01\x0d\x04\x02\x01c\x00\x01a\x02\x01x\x01\x01b");
    assert_eq!(func_names(&module), [Some("a"), Some("b"), Some("c")]);
}

#[test]
fn broken_parts_give_no_names_and_spoil_no_others() {
    let broken: [&[u8]; 7] = [
        b"\x01\x03\x02\x00\x01",             // cut off
        b"\x01\x05\xff\xff\xff\xff\x0f",     // a count without entries
        b"\x01\x04\x01\x00\x01\xff",         // not UTF-8
        b"\x01\x06\x01\x00\xff\xff\xff\x0f", // a length beyond the end
        b"\x01\xff\xff\xff\xff\x0f",         // a part beyond the end
        b"\x01\x06\x80\x80\x80\x80\x80\x00", // a number that does not end
        b"\x63\x02ab",                       // an unknown part
    ];
    for contents in broken {
        assert_eq!(func_names(&with_name_section(contents)), NO_NAMES);
        let good = [b"\x00\x02\x01m", contents].concat();
        let module = with_name_section(&good);
        assert_eq!(module.names().module(), Some("m"));
        assert_eq!(func_names(&module), NO_NAMES);
    }
    let module = with_name_section(b"\x01\x04\x01\x00\x01\xff\x00\x02\x01m");
    assert_eq!(module.names().module(), Some("m"));
    let module = with_name_section(b"\x02\x09\x01\x01\x02\x00\x01a\x01\x01\xff");
    assert_eq!(module.names().local(FuncIndex(1), 0), None);
}

#[test]
fn names_of_nothing_are_harmless() {
    let module = with_name_section(b"\x01\x0a\x02\x01\x01f\xff\xff\xff\xff\x0f\x00");
    assert_eq!(func_names(&module), [NO_NAMES[0], Some("f"), None]);
}

#[test]
fn a_million_names_are_read_quickly() {
    let mut contents = vec![0xc0, 0x84, 0x3d];
    for index in 0..1_000_000u32 {
        contents.extend([
            index as u8 | 0x80,
            (index >> 7) as u8 | 0x80,
            (index >> 14) as u8,
            1,
            b'n',
        ]);
    }
    let len = contents.len();
    let size =
        |n: usize| [n as u8 | 0x80, (n >> 7) as u8 | 0x80, (n >> 14) as u8 | 0x80, (n >> 21) as u8];
    let part = [&[1][..], &size(len), &contents].concat();
    let section = [&b"\x04name"[..], &part].concat();
    let mut bytes = binary("(module (func) (func))");
    bytes.push(0);
    bytes.extend(size(section.len()));
    bytes.extend(section);
    let module = decode(bytes);
    assert_eq!(module.func_name(FuncIndex(1)), Some("n"));
    assert_eq!(module.names().get(NameSpace::Func, 999_999), Some("n"));
}

#[test]
fn escaping() {
    let shown = |text: &str| escape(text).to_string();
    assert_eq!(shown("plain ünïcödé 函数 🦀"), "plain ünïcödé 函数 🦀");
    assert_eq!(shown("\u{1b}[31m\r\n\t\0"), "\\u{1b}[31m\\u{d}\\u{a}\\u{9}\\u{0}");
    assert_eq!(shown("\u{9b}1m\u{7f}"), "\\u{9b}1m\\u{7f}");
    for hidden in
        ['\u{202e}', '\u{2066}', '\u{200b}', '\u{feff}', '\u{2028}', '\u{e0041}', '\u{ad}']
    {
        let text = format!("a{hidden}b");
        assert_eq!(shown(&text), format!("a{}b", hidden.escape_unicode()));
    }
    let long = "ü".repeat(1000);
    assert_eq!(shown(&long).chars().count(), 257);
    assert!(shown(&long).ends_with('…'));
    assert_eq!(escape(&long).limit(4).to_string(), "üü…");
    assert_eq!(escape("abcd").limit(4).to_string(), "abcd");
}
