//! Components composed with each other, what is said when they do not fit, and hostile input.

#![allow(clippy::print_stdout, reason = "tests report what they looked at")]

use std::fs;
use std::path::{Path, PathBuf};

use dunlin_compose::make::{self, Options, Strings};
use dunlin_compose::{Deps, Error, ErrorKind, Plug, Reading, Wit, plug, wac};
use dunlin_script::wat_to_wasm;
use dunlin_testing::snapshot;

const WIT: &str = "\
package acme:shop@1.2.0;

interface log {
    record entry { level: u8, text: string }
    write: func(e: entry);
}

interface prices {
    price: func(item: u32) -> u64;
}

world main {
    import log;
    import prices;
    export run: func() -> u64;
}

world prices-only {
    import log;
    export prices;
}

world logger {
    export log;
}
";

const MAIN: &str = r#"(module
  (import "acme:shop/prices@1.2.0" "price" (func $price (param i32) (result i64)))
  (import "acme:shop/log@1.2.0" "write" (func $write (param i32 i32 i32)))
  (memory (export "memory") 1)
  (func (export "run") (result i64)
    (call $write (i32.const 1) (i32.const 0) (i32.const 0))
    (call $price (i32.const 7))))"#;

const PRICES: &str = r#"(module
  (import "acme:shop/log@1.2.0" "write" (func $write (param i32 i32 i32)))
  (memory (export "memory") 1)
  (func (export "acme:shop/prices@1.2.0#price") (param i32) (result i64) (i64.const 42)))"#;

const LOGGER: &str = r#"(module
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 64))
  (func (export "acme:shop/log@1.2.0#write") (param i32 i32 i32)))"#;

fn wit(text: &str) -> Wit {
    Wit::of_text(text, Path::new("shop.wit"), &Reading::new()).expect("the text is well-formed")
}

fn embedded(module: &str, text: &str, world: &str) -> Vec<u8> {
    let module = wat_to_wasm(module, None).expect("the text is well-formed");
    make::embed(&module, &wit(text), Some(world), Strings::Utf8).expect("there is such a world")
}

fn component_of(module: &str, text: &str, world: &str) -> Vec<u8> {
    make::component(&embedded(module, text, world), &Options::default()).expect("it fits")
}

fn main_component() -> Vec<u8> {
    component_of(MAIN, WIT, "main")
}

fn prices() -> Vec<u8> {
    component_of(PRICES, WIT, "prices-only")
}

fn logger() -> Vec<u8> {
    component_of(LOGGER, WIT, "logger")
}

fn plugged(socket: &[u8], plugs: &[(&str, &[u8])]) -> Result<Vec<u8>, Error> {
    let plugs: Vec<Plug<'_>> = plugs.iter().map(|&(name, bytes)| Plug { name, bytes }).collect();
    plug(Plug { name: "main.wasm", bytes: socket }, &plugs)
}

/// The names of what a component imports and exports.
fn names(component: &[u8]) -> Vec<String> {
    let wit = Wit::of_binary(component).expect("it is a component");
    wit.items().into_iter().map(|item| format!("{:?} {}", item.direction, item.name)).collect()
}

/// A folder for the files of one test; removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("dunlin-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("a folder can be made");
        Folder(path)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder can be made");
        fs::write(&path, bytes).expect("a file can be written");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

#[test]
fn plugs_satisfy_imports_and_each_other() {
    let (main, prices, logger) = (main_component(), prices(), logger());
    assert_eq!(
        names(&main),
        ["Import acme:shop/log@1.2.0", "Import acme:shop/prices@1.2.0", "Export run"]
    );
    let some = plugged(&main, &[("prices.wasm", &prices)]).expect("they fit");
    assert_eq!(names(&some), ["Import acme:shop/log@1.2.0", "Export run"]);
    // The order does not matter, and one logger serves both.
    for plugs in [[("p", &prices), ("l", &logger)], [("l", &logger), ("p", &prices)]] {
        let plugs = plugs.map(|(name, bytes)| (name, &bytes[..]));
        let all = plugged(&main, &plugs).expect("they fit");
        assert_eq!(names(&all), ["Export run"]);
    }
}

#[test]
fn versions_that_are_compatible_are_taken() {
    let newer = |text: &str| text.replace("@1.2.0", "@1.3.1");
    let logger = component_of(&newer(LOGGER), &newer(WIT), "logger");
    let all = plugged(&main_component(), &[("prices", &prices()), ("logger", &logger)]);
    assert_eq!(names(&all.expect("they fit")), ["Export run"]);
    let older = |text: &str| text.replace("@1.2.0", "@2.0.0");
    let logger = component_of(&older(LOGGER), &older(WIT), "logger");
    let error = plugged(&main_component(), &[("logger.wasm", &logger)]).expect_err("another major");
    assert_eq!(error.kind(), ErrorKind::Mismatch);
}

const WAC: &str = "\
package acme:whole;

let logger = new acme:logger {};
let prices = new acme:prices { log: logger.log };
let main = new acme:main {
    log: logger.log,
    prices: prices.prices,
};
export main.run;
";

#[test]
fn compositions_find_their_packages() {
    let folder = Folder::new("wac");
    folder.write("deps/acme/logger.wasm", logger());
    folder.write("deps/acme/prices.wasm", prices());
    let main = folder.write("elsewhere/main.wasm", main_component());
    let mut deps = Deps::new(Reading::new());
    deps.package("acme:main", &main).folder(&folder.0.join("deps"));
    let whole = wac::compose(WAC, Path::new("whole.wac"), &deps).expect("it is well-formed");
    assert_eq!(names(&whole), ["Export run"]);
    // Implicit imports, and a version in a file name.
    folder.write("deps/acme/main@1.0.0.wasm", main_component());
    let text = "package acme:part;\nlet m = new acme:main@1.0.0 { ... };\nexport m.run;\n";
    let mut deps = Deps::new(Reading::new());
    deps.folder(&folder.0.join("deps"));
    let part = wac::compose(text, Path::new("part.wac"), &deps).expect("it is well-formed");
    assert_eq!(names(&part).len(), 3);
}

/// What is said when something is wrong, all in one file.
#[test]
fn messages() {
    let folder = Folder::new("messages");
    folder.write("deps/acme/logger.wasm", logger());
    folder.write("deps/acme/prices.wasm", prices());
    let mut deps = Deps::new(Reading::new());
    deps.folder(&folder.0.join("deps"));
    let mut said = String::new();
    let mut say = |what: &str, error: Error| {
        let error = format!("{error:?}").replace(&*folder.0.to_string_lossy(), "FOLDER");
        said += &format!("# {what}\n{error}\n\n");
    };
    let compose = |text: &str| {
        wac::compose(text, Path::new("app.wac"), &deps).expect_err("something is wrong")
    };
    let new = |statement: &str| compose(&format!("package a:b;\n{statement}\n"));
    say("no package", new("let x = new no:such {};"));
    say("no version", new("let x = new no:such@1.0.0 {};"));
    say("syntax", new("let x = new {};"));
    say("an unknown name", new("export x;"));
    say("a missing argument", new("let p = new acme:prices {};"));
    say("an unknown argument", new("let p = new acme:prices { lag: p };"));
    say(
        "a mismatch",
        new("let l = new acme:logger {};\nlet p = new acme:prices { log: l };\nexport p...;"),
    );
    say("nested too deep", new(&format!("let x = {};", "(".repeat(1000))));
    say("a name that steers", new("let x = new a:b { \"\u{1b}[31m\": y };"));

    let (main, prices, logger) = (main_component(), prices(), logger());
    let fails = |plugs: &[(&str, &[u8])]| plugged(&main, plugs).expect_err("something is wrong");
    say("no use", fails(&[("main.wasm", &main)]));
    say("twice", fails(&[("a.wasm", &logger), ("b.wasm", &logger)]));
    say("garbage", fails(&[("\u{1b}[31m.wasm", b"garbage")]));
    let changed = WIT.replace("level: u8", "level: string");
    let text = LOGGER.replace("(param i32 i32 i32)))", "(param i32 i32 i32 i32)))");
    let other = component_of(&text, &changed, "logger");
    say("another type", fails(&[("prices.wasm", &prices), ("other.wasm", &other)]));

    let source = |text: &str| {
        let read = Wit::of_text(text, Path::new("my.wit"), &Reading::new());
        read.map(drop).expect_err("something is wrong")
    };
    say("wit: a keyword", source("package a:b;\nwrold w {}"));
    say("wit: no such type", source("package a:b;\ninterface i {\n  f: func() -> lisst;\n}"));
    say("wit: no such package", source("package a:b;\nworld w { import c:d/e; }"));
    say("wit: no such interface", source("package a:b;\nworld w { import e; }"));
    say(
        "wit: nested too deep",
        source(&format!("package a:b;\ninterface i {{\n type a = {}", "list<".repeat(1000))),
    );

    let made = |module: &str, text: &str, world: &str| {
        make::component(&embedded(module, text, world), &Options::default())
            .expect_err("something is wrong")
    };
    let package = "package a:b;\nworld w { import f: func(x: u32); export g: func() -> string; }";
    say("module: an export is missing", made("(module)", package, "w"));
    let without = r#"(module (memory (export "memory") 1) (func (export "g")))"#;
    say("module: another type", made(without, package, "w"));
    let foreign = r#"(module (import "env" "f" (func)))"#;
    let empty = "package a:b;\nworld w {}";
    say("module: a foreign import", made(foreign, empty, "w"));
    let foreign = r#"(module (import "env" "m" (memory 1)))"#;
    say("module: a foreign memory", made(foreign, empty, "w"));
    let plain = |text: &str| {
        let module = wat_to_wasm(text, None).expect("the text is well-formed");
        make::component(&module, &Options::default()).expect_err("something is wrong")
    };
    say("module: no WIT", plain(r#"(module (import "env" "f" (func)))"#));
    say("module: an old WASI", plain(r#"(module (import "wasi_unstable" "fd_close" (func)))"#));
    let component = make::component(&main, &Options::default()).expect_err("a component");
    say("module: a component", component);
    let module = wat_to_wasm("(module)", None).expect("the text is well-formed");
    let embed = |world| make::embed(&module, &wit(WIT), world, Strings::Utf8).expect_err("wrong");
    say("embed: no world named", embed(None));
    say("embed: no such world", embed(Some("mian")));
    say("embed: no such package", embed(Some("x:y/z")));
    say("show: no WIT", Wit::of_binary(&module).map(drop).expect_err("there is none"));
    say("show: cut", Wit::of_binary(&main[..main.len() / 2]).map(drop).expect_err("it is cut"));
    snapshot::check(&dunlin_testing::data("text/compose.txt"), &said);
}

/// A program for WASI 0.1 becomes a command, a library a reactor.
#[test]
fn programs_for_wasi_are_adapted() {
    let module = |export: &str| {
        let text = format!(
            r#"(module
                 (import "wasi_snapshot_preview1" "fd_write"
                   (func $w (param i32 i32 i32 i32) (result i32)))
                 (memory (export "memory") 1)
                 (func (export "{export}")
                   (drop (call $w (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 0)))))"#
        );
        wat_to_wasm(&text, None).expect("the text is well-formed")
    };
    let exports = |module: &[u8], options: &Options| {
        let component = make::component(module, options).expect("it can be adapted");
        let names = names(&component);
        assert!(names.iter().any(|name| name.starts_with("Import wasi:io/streams@0.2.")));
        names.into_iter().filter(|name| name.starts_with("Export")).collect::<Vec<_>>()
    };
    let command = exports(&module("_start"), &Options::default());
    assert!(matches!(&command[..], [run] if run.starts_with("Export wasi:cli/run@0.2.")));
    assert!(exports(&module("other"), &Options::default()).is_empty());
    let forced = Options { wasi: make::Wasi::Reactor, ..Options::default() };
    assert!(exports(&module("_start"), &forced).is_empty());
}

/// Names and documentation come from strangers.
#[test]
fn printed_interfaces_cannot_steer_a_terminal() {
    let text = "package a:b;\n/// good \u{1b}[31m\r evil \u{202e} \u{9b}\nworld w {}\n";
    // The parser refuses such text; binaries can have it all the same.
    assert!(Wit::of_text(text, Path::new("x.wit"), &Reading::new()).is_err());
    let plain = "package a:b;\n/// good @@@@@@@@ evil\nworld w {}\n";
    let mut package = wit(plain).binary().expect("it has a binary form");
    let at = package.windows(8).position(|bytes| bytes == b"@@@@@@@@").expect("it is there");
    // Valid JSON all the same: that is the form that documentation has in binaries.
    package[at..at + 8].copy_from_slice("\\r\u{202e}\u{9b}_".as_bytes());
    let wit = Wit::of_binary(&package).expect("it is a package");
    for text in [wit.text(), wit.json(), wit.world_text("w")] {
        let text = text.expect("it can be shown");
        assert!(text.bytes().all(|b| b == b'\n' || (b' '..=b'~').contains(&b)), "{text}");
        assert!(text.contains("good"), "{text}");
    }
}

/// What `DUNLIN_FUZZ_SECONDS` and `DUNLIN_FUZZ_SEED` say: how long to look, and where.
fn variable(name: &str) -> Option<usize> {
    std::env::var(name).ok()?.parse().ok()
}

fn seconds() -> usize {
    variable("DUNLIN_FUZZ_SECONDS").unwrap_or(1)
}

/// Random numbers below a limit.
fn random() -> impl FnMut(usize) -> usize {
    let seed = variable("DUNLIN_FUZZ_SEED").unwrap_or(0) as u64;
    let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ seed.wrapping_mul(0x2545_f491_4f6c_dd1d);
    move |below| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below.max(1) as u64).expect("it is below a usize")
    }
}

/// Bytes that were changed, cut and doubled, through everything that reads binaries.
#[test]
fn mutated_binaries() {
    let (main, prices) = (main_component(), prices());
    let module = embedded(PRICES, WIT, "prices-only");
    let whole = plugged(&main, &[("prices", &prices)]).expect("they fit");
    let mut faults = Vec::new();
    let mut accepted = 0_u32;
    let mut random = random();
    for round in 0..600 * seconds() {
        let originals = [&main, &prices, &module, &whole];
        let mut bytes = originals[round % originals.len()].clone();
        for _ in 0..=random(3) {
            let at = 8 + random(bytes.len() - 8);
            match random(4) {
                0 => bytes[at] ^= 1 << random(8),
                1 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][random(5)],
                2 => drop(bytes.drain(at..(at + 1 + random(4)).min(bytes.len()))),
                _ => bytes.insert(at, u8::try_from(random(256)).expect("a byte")),
            }
        }
        let results = [
            Wit::of_binary(&bytes).and_then(|wit| wit.text()).map(drop),
            Wit::of_binary(&bytes).and_then(|wit| wit.json()).map(drop),
            make::component(&bytes, &Options::default()).map(drop),
            plugged(&bytes, &[("prices", &prices)]).map(drop),
            plugged(&main, &[("mutated", &bytes)]).map(drop),
        ];
        for (way, result) in results.into_iter().enumerate() {
            match result {
                Ok(()) => accepted += 1,
                Err(error) if error.kind() == ErrorKind::Fault => {
                    faults.push(format!("round {round}, way {way}: {error:?}"));
                }
                Err(_) => {}
            }
        }
    }
    assert!(accepted > 50, "what is mutated is hardly ever valid: {accepted}");
    // A panic in a library is contained, not wanted.
    println!("{} contained panics\n{}", faults.len(), faults.join("\n"));
}

/// Text that was changed, cut and nested, through everything that reads text.
#[test]
fn mutated_text() {
    let reading = Reading::new();
    let deps = Deps::new(Reading::new());
    let words = [
        "{", "}", "(", ")", "<", ">", ";", ":", "@", "%", "new", "export", "list<", "own<", "use",
        "\0", "\u{1b}", "\u{202e}", "1.0.0-", "//", "/*", "\"", "->", "...", "include", "a:b/c",
    ];
    let mut random = random();
    let mut faults = Vec::new();
    for round in 0..400 * seconds() {
        for original in [WIT, WAC] {
            let mut text = original.to_owned();
            for _ in 0..=random(3) {
                let at = random(text.len());
                match random(3) {
                    0 => text.insert_str(at, words[random(words.len())]),
                    1 => text.truncate(at.max(1)),
                    _ => drop(text.remove(at)),
                }
                text.retain(|c| c.is_ascii());
                text.push('\n');
            }
            let wit = Wit::of_text(&text, Path::new("x"), &reading).and_then(|wit| wit.text());
            let wac = wac::compose(&text, Path::new("x"), &deps);
            for error in [wit.err(), wac.err()].into_iter().flatten() {
                if error.kind() == ErrorKind::Fault {
                    faults.push(format!("round {round}: {error:?}\n{text}"));
                }
            }
        }
    }
    for opening in ["list<", "(", "{", "new a:b { x: ", "package a:b { ", "/* ", "option<tuple<"] {
        let nested = opening.repeat(200_000);
        for text in [format!("package a:b;\ntype x = {nested}"), format!("package a:b;\n{nested}")]
        {
            let wit = Wit::of_text(&text, Path::new("x"), &reading).map(drop);
            let wac = wac::compose(&text, Path::new("x"), &deps).map(drop);
            assert!(wit.is_err() && wac.is_err());
        }
    }
    println!("{} contained panics\n{}", faults.len(), faults.join("\n"));
}
