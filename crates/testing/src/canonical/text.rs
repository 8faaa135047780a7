//! Components as text that receive and pass on values of a function type, with a `realloc` that a test can
//! tell to misbehave.
//!
//! Each has the exports `call`, of the function type; `forward`, which calls the import `target`, of the
//! same type, with what `call` was given last; and `poke` and `dump` to set and see its memory. Where
//! everything is in memory, [`super::guest`] says.

use std::fmt::Write;

use super::guest;
use super::types::{Core, FuncType, Pointer, Type};
use super::value::Encoding;

/// What the components of a text are like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Encoding of the strings of the component that the host calls.
    pub encoding: Encoding,
    /// Of the component that this one calls; if there is none, it calls the host.
    pub inner: Option<Encoding>,
    /// Whether there is a `post-return`.
    pub post_return: bool,
}

/// How many resource types the host provides.
pub const RESOURCES: u32 = 2;

/// The name of the instance that the host provides, with the resource types `r0` and `r1`, the types that
/// need a name, and the function `target`.
pub const HOST: &str = "test:canonical/host";

/// A component; or one that holds two, of which the first calls the second. The exports of the second are
/// then `inner-poke` and `inner-dump`.
pub fn component_text(ty: &FuncType, options: Options) -> String {
    let names = Names::of(ty);
    match options.inner {
        None => {
            format!("(component\n{})\n", body(ty, &names, options.encoding, options.post_return))
        }
        Some(inner) => composed(ty, &names, options, inner),
    }
}

fn composed(ty: &FuncType, names: &Names, options: Options, inner: Encoding) -> String {
    let mut text = "(component\n".to_string();
    names.import(&mut text);
    let callee = body(ty, names, inner, options.post_return);
    let caller = body(ty, names, options.encoding, options.post_return);
    let _ = writeln!(text, "(component $Callee\n{callee})");
    let _ = writeln!(text, "(component $Caller\n{caller})");
    let _ = writeln!(
        text,
        "(instance $callee (instantiate $Callee (with \"{HOST}\" (instance $host))))"
    );
    for export in ["call", "poke", "dump"] {
        let _ = writeln!(text, "(alias export $callee \"{export}\" (func $callee-{export}))");
    }
    let _ = writeln!(text, "(instance $between");
    for resource in 0..RESOURCES {
        let _ = writeln!(text, "  (export \"r{resource}\" (type $r{resource}))");
    }
    for number in 0..names.definitions.len() {
        let _ = writeln!(text, "  (export \"t{number}\" (type $t{number}))");
    }
    text.push_str("  (export \"target\" (func $callee-call)))\n");
    let _ = writeln!(
        text,
        "(instance $caller (instantiate $Caller (with \"{HOST}\" (instance $between))))"
    );
    for export in ["call", "forward", "poke", "dump"] {
        let _ = writeln!(text, "(alias export $caller \"{export}\" (func $caller-{export}))");
        let _ = writeln!(text, "(export \"{export}\" (func $caller-{export}))");
    }
    for export in ["poke", "dump"] {
        let _ = writeln!(text, "(export \"inner-{export}\" (func $callee-{export}))");
    }
    text.push_str(")\n");
    text
}

/// The types that must have a name to be used by a function that is exported.
struct Names {
    definitions: Vec<String>,
    signature: String,
}

impl Names {
    fn of(ty: &FuncType) -> Names {
        let mut names = Names { definitions: Vec::new(), signature: String::new() };
        let mut signature = String::from("(func");
        for (number, param) in ty.params.iter().enumerate() {
            let _ = write!(signature, " (param \"p{number}\" {})", names.reference(param));
        }
        if let Some(result) = &ty.result {
            let _ = write!(signature, " (result {})", names.reference(result));
        }
        names.signature = signature + ")";
        names
    }

    /// The text of a type; what it needs that is not yet defined is defined before.
    fn reference(&mut self, ty: &Type) -> String {
        let primitive = match ty {
            Type::Bool => "bool",
            Type::S8 => "s8",
            Type::U8 => "u8",
            Type::S16 => "s16",
            Type::U16 => "u16",
            Type::S32 => "s32",
            Type::U32 => "u32",
            Type::S64 => "s64",
            Type::U64 => "u64",
            Type::F32 => "f32",
            Type::F64 => "f64",
            Type::Char => "char",
            Type::String => "string",
            _ => return self.composite(ty),
        };
        primitive.to_string()
    }

    fn composite(&mut self, ty: &Type) -> String {
        match ty {
            Type::List(element) => format!("(list {})", self.reference(element)),
            Type::FixedList(element, length) => {
                format!("(list {} {length})", self.reference(element))
            }
            Type::Tuple(types) => {
                let types: Vec<String> = types.iter().map(|ty| self.reference(ty)).collect();
                format!("(tuple {})", types.join(" "))
            }
            Type::Option(some) => format!("(option {})", self.reference(some)),
            Type::Result(ok, error) => {
                let ok = ok.as_ref().map(|ty| format!(" {}", self.reference(ty)));
                let error = error.as_ref().map(|ty| format!(" (error {})", self.reference(ty)));
                format!("(result{}{})", ok.unwrap_or_default(), error.unwrap_or_default())
            }
            Type::Map(key, value) => {
                format!("(map {} {})", self.reference(key), self.reference(value))
            }
            Type::Own(resource) => format!("(own $r{resource})"),
            Type::Borrow(resource) => format!("(borrow $r{resource})"),
            named => {
                let definition = self.definition(named);
                self.definitions.push(definition);
                format!("$t{}", self.definitions.len() - 1)
            }
        }
    }

    fn definition(&mut self, ty: &Type) -> String {
        let mut text = String::new();
        let labels = |kind: &str, labels: &[String]| {
            let quoted: Vec<String> = labels.iter().map(|label| format!("\"{label}\"")).collect();
            format!("({kind} {})", quoted.join(" "))
        };
        match ty {
            Type::Record(fields) => {
                text.push_str("(record");
                for (label, ty) in fields {
                    let _ = write!(text, " (field \"{label}\" {})", self.reference(ty));
                }
                text + ")"
            }
            Type::Variant(cases) => {
                text.push_str("(variant");
                for (label, ty) in cases {
                    let ty = ty.as_ref().map(|ty| format!(" {}", self.reference(ty)));
                    let _ = write!(text, " (case \"{label}\"{})", ty.unwrap_or_default());
                }
                text + ")"
            }
            Type::Enum(all) => labels("enum", all),
            Type::Flags(all) => labels("flags", all),
            other => unreachable!("{other:?} needs no name"),
        }
    }

    /// The import of the host's instance, and names for what is in it.
    fn import(&self, text: &mut String) {
        text.push_str("(type $Host (instance\n");
        for resource in 0..RESOURCES {
            let _ = writeln!(text, "  (export \"r{resource}\" (type $r{resource} (sub resource)))");
        }
        for (number, definition) in self.definitions.iter().enumerate() {
            let _ = writeln!(text, "  (type $d{number} {definition})");
            let _ = writeln!(text, "  (export \"t{number}\" (type $t{number} (eq $d{number})))");
        }
        let _ = writeln!(text, "  (type $f {})", self.signature);
        text.push_str("  (export \"target\" (func (type $f)))))\n");
        let _ = writeln!(text, "(import \"{HOST}\" (instance $host (type $Host)))");
        for resource in 0..RESOURCES {
            let _ = writeln!(text, "(alias export $host \"r{resource}\" (type $r{resource}))");
        }
        for number in 0..self.definitions.len() {
            let _ = writeln!(text, "(alias export $host \"t{number}\" (type $t{number}))");
        }
        text.push_str("(alias export $host \"target\" (func $target))\n");
    }
}

fn body(ty: &FuncType, names: &Names, encoding: Encoding, post_return: bool) -> String {
    let encoding = match encoding {
        Encoding::Utf8 => "utf8",
        Encoding::Utf16 => "utf16",
        Encoding::Latin1OrUtf16 => "latin1+utf16",
    };
    let post_return_option = if post_return { " (post-return $post-return)" } else { "" };
    let mut text = String::new();
    names.import(&mut text);
    text.push_str(&memory_module());
    text.push_str(&main_module(ty));
    let _ = write!(
        text,
        r#"(type $local (resource (rep i32)))
(core func $leave (canon resource.new $local))
(core func $drop0 (canon resource.drop $r0))
(core func $drop1 (canon resource.drop $r1))
(core instance $memory (instantiate $Memory (with "" (instance (export "leave" (func $leave))))))
(alias core export $memory "memory" (core memory $mem))
(alias core export $memory "realloc" (core func $realloc))
(core func $target (canon lower (func $target) (memory $mem) (realloc $realloc) string-encoding={encoding}))
(core instance $main (instantiate $Main
  (with "memory" (instance $memory))
  (with "" (instance (export "target" (func $target))
    (export "drop0" (func $drop0)) (export "drop1" (func $drop1))))))
(alias core export $main "call" (core func $core-call))
(alias core export $main "forward" (core func $core-forward))
(alias core export $main "post-return" (core func $post-return))
(alias core export $memory "poke" (core func $core-poke))
(alias core export $memory "poke-realloc" (core func $poke-realloc))
(alias core export $memory "dump" (core func $core-dump))
(type $call {signature})
(func $call (type $call) (canon lift (core func $core-call)
  (memory $mem) (realloc $realloc) string-encoding={encoding}{post_return_option}))
(func $forward (canon lift (core func $core-forward)))
(func $poke (param "image" (list u8))
  (canon lift (core func $core-poke) (memory $mem) (realloc $poke-realloc)))
(func $dump (param "from" u32) (param "length" u32) (result (list u8))
  (canon lift (core func $core-dump) (memory $mem)))
(export "call" (func $call))
(export "forward" (func $forward))
(export "poke" (func $poke))
(export "dump" (func $dump))
"#,
        signature = names.signature,
    );
    text
}

/// The memory and everything that does not depend on a function type.
fn memory_module() -> String {
    let le = |number: u64| -> String {
        (number as u32).to_le_bytes().iter().map(|byte| format!("\\{byte:02x}")).collect()
    };
    let mut text = include_str!("guest.wat").to_string();
    let numbers = [
        ("REALLOC_COUNT", guest::REALLOC_COUNT),
        ("REALLOC_USUAL", guest::REALLOC_USUAL),
        ("STRIKE_AT", guest::STRIKE_AT),
        ("STRIKE", guest::STRIKE),
        ("TOP", guest::TOP),
        ("DUMP", guest::DUMP),
        ("PARAMS", guest::PARAMS),
        ("LOG_ENTRY", guest::LOG_ENTRY),
        ("LOG_MASK", guest::LOG_LENGTH - 1),
        ("LOG", guest::LOG),
        ("HEAP", guest::HEAP),
        ("PAGES_MAX", guest::PAGES_MAX),
        ("BYTES_MAX", guest::PAGES_MAX * guest::PAGE),
        ("GARBAGE", u64::from(guest::GARBAGE)),
    ];
    for (name, number) in numbers {
        text = text.replace(&format!("%{name}%"), &number.to_string());
    }
    text.replace("%TOP_BYTES%", &le(guest::HEAP))
}

fn core_name(core: Core) -> &'static str {
    match core {
        Core::I32 => "i32",
        Core::I64 => "i64",
        Core::F32 => "f32",
        Core::F64 => "f64",
    }
}

fn core_signature(params: &[Core], results: &[Core]) -> String {
    let list = |kind: &str, all: &[Core]| match all {
        [] => String::new(),
        all => {
            format!(" ({kind} {})", all.iter().map(|c| core_name(*c)).collect::<Vec<_>>().join(" "))
        }
    };
    list("param", params) + &list("result", results)
}

/// The functions whose types follow from the function type.
fn main_module(ty: &FuncType) -> String {
    let (params, results) = ty.lifted(Pointer::I32);
    let (lower_params, lower_results) = ty.lowered(Pointer::I32);
    let mut text =
        String::from("(core module $Main\n  (import \"memory\" \"memory\" (memory 1))\n");
    let target = core_signature(&lower_params, &lower_results);
    let _ = writeln!(text, "  (import \"\" \"target\" (func $target{target}))");
    text.push_str("  (import \"\" \"drop0\" (func $drop0 (param i32)))\n");
    text.push_str("  (import \"\" \"drop1\" (func $drop1 (param i32)))\n");

    let _ = writeln!(text, "  (func $call (export \"call\"){}", core_signature(&params, &results));
    text.push_str("    (local $left i32) (local $entry i32)\n");
    for (number, core) in params.iter().enumerate() {
        let at = guest::PARAMS + 8 * number as u64;
        let core = core_name(*core);
        let _ = writeln!(text, "    (i64.store (i32.const {at}) (i64.const 0))");
        let _ = writeln!(text, "    ({core}.store (i32.const {at}) (local.get {number}))");
    }
    let _ = writeln!(
        text,
        "    (if (i32.load (i32.const {})) (then (call $forward)))",
        guest::FORWARDS
    );
    let _ = writeln!(
        text,
        r"    (local.set $left (i32.load (i32.const {})))
    (local.set $entry (i32.const {}))
    (loop $again (if (local.get $left) (then
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (if (i32.load (local.get $entry))
        (then (call $drop1 (i32.load offset=4 (local.get $entry))))
        (else (call $drop0 (i32.load offset=4 (local.get $entry)))))
      (local.set $entry (i32.add (local.get $entry) (i32.const 8)))
      (br $again))))",
        guest::DROP_COUNT,
        guest::DROPS
    );
    if let [result] = results[..] {
        let _ = writeln!(text, "    ({}.load (i32.const {}))", core_name(result), guest::RESULT);
    }
    text.push_str("  )\n");

    text.push_str("  (func $forward (export \"forward\")\n");
    if !lower_results.is_empty() {
        let _ = writeln!(text, "    (i32.const {})", guest::RESULT);
    }
    for (number, core) in params.iter().enumerate() {
        let at = guest::PARAMS + 8 * number as u64;
        let _ = writeln!(text, "    ({}.load (i32.const {at}))", core_name(*core));
    }
    let through_memory = lower_params.len() > params.len();
    if through_memory {
        let _ = writeln!(text, "    (i32.const {})", guest::RESULT_AREA);
    }
    text.push_str("    (call $target)\n");
    if let [result] = lower_results[..] {
        let _ = writeln!(text, "    ({}.store)", core_name(result));
    } else if through_memory {
        let (at, area) = (guest::RESULT, guest::RESULT_AREA);
        let _ = writeln!(text, "    (i32.store (i32.const {at}) (i32.const {area}))");
    }
    text.push_str("  )\n");

    let _ = writeln!(text, "  (func (export \"post-return\"){}", core_signature(&results, &[]));
    let count = guest::POST_COUNT;
    let _ = writeln!(
        text,
        "    (i32.store (i32.const {count}) (i32.add (i32.load (i32.const {count})) (i32.const 1)))"
    );
    if let [result] = results[..] {
        let at = guest::POST_PARAM;
        let _ = writeln!(text, "    ({}.store (i32.const {at}) (local.get 0))", core_name(result));
    }
    text.push_str("  )\n)\n");
    text
}
