//! Text that is no module, and modules that make odd text: refused or printed without recursion, in
//! bounded memory, and what is said of them can be shown.

use std::fmt::Display;
use std::io;
use std::sync::PoisonError;

use dunlin_script::{PrintOptions, Script, decode_text, print_to, wat_to_wasm};
use dunlin_testing::hostile::binary::{Binary, body, func_type, name, ty, unsigned};
use dunlin_testing::hostile::{endless, execution, resident, structure};

use super::{QUIET, long, on_small_stack};

#[test]
fn texts() {
    let count = if long() { 1_000_000 } else { 50_000 };
    let texts = [
        "(".repeat(count),
        ")".repeat(count),
        format!("(module {}", "(func ".repeat(count)),
        format!("(module (func {}{}))", "(block ".repeat(count), ")".repeat(count)),
        format!("(module (func {}{}))", "(i32.eqz ".repeat(count), ")".repeat(count)),
        format!("(module (@a {}{}))", "(".repeat(count), ")".repeat(count)),
        format!("(module (@custom \"x\" \"{}\") x)", "a".repeat(count * 10)),
        format!("{}(module){}", "(;".repeat(count), ";)".repeat(count)),
        "(;".repeat(count),
        format!("(module (func (param {}", "i32 ".repeat(count)),
        format!("(module (memory {}))", "9".repeat(count)),
        format!("(module (func f64.const {}e{}))", "9".repeat(count), "9".repeat(count)),
        format!("(module (data \"{}", "\\".repeat(count)),
        "(module (func $\u{202e}\u{2066} \u{7}\u{1b}[31m\u{9b}41m bad))".to_string(),
        "(module (func $\"\u{202e}\\1b[31m\" bad))".to_string(),
        "\u{feff}\0\u{fffe}".to_string(),
    ];
    on_small_stack(|| {
        for text in &texts {
            let what = || text.chars().take(40).collect::<String>();
            if let Err(error) = wat_to_wasm(text, None) {
                assert_can_be_shown(&error, &what());
            }
            let quoted = format!("(assert_malformed (module quote {text:?}) \"\")");
            for script in [text.as_str(), &quoted, &format!("(assert_return {text})")] {
                if let Err(error) = Script::parse(script, None) {
                    assert_can_be_shown(&error, &what());
                }
            }
        }
    });
}

/// Bytes that are no text are pointed at, whatever is around them.
#[test]
fn no_texts() {
    let blanks = " ".repeat(if long() { 100 << 20 } else { 1 << 20 });
    let long_line = [blanks.as_bytes(), b"\xff", blanks.as_bytes()].concat();
    let binary = (0..=255).cycle().take(100_000).collect::<Vec<u8>>();
    for bytes in
        [&b"\xff"[..], b"(module)\n\t\xe6\xbc\xa2\xe6\xbc", b"\xed\xa0\x80", &long_line, &binary]
    {
        let error = decode_text(bytes, None).expect_err("it is no text");
        assert_can_be_shown(&error, &format!("{:?}", &bytes[..bytes.len().min(8)]));
    }
}

/// Every hostile module there is, valid or not, prints or is refused.
#[test]
fn modules_as_text() {
    let _shared = QUIET.read().unwrap_or_else(PoisonError::into_inner);
    let scale = if long() { 1 } else { 200 };
    let cases = structure(scale).into_iter().chain(execution()).chain(endless());
    let cases: Vec<_> = cases.collect();
    on_small_stack(|| {
        for case in &cases {
            for fold in [false, true] {
                let options = PrintOptions { fold, ..PrintOptions::default() };
                let printed = print_to(&case.wasm, &options, &mut Narrow(20 << 20));
                let Err(error) = printed else { continue };
                assert_can_be_shown(&error, case.name);
                // Of long texts, the beginning is enough.
                if error.write_error().is_some() {
                    break;
                }
            }
        }
    });
}

/// Takes this many bytes and fails.
struct Narrow(usize);

impl io::Write for Narrow {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::StorageFull)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A megabyte that stands for gigabytes of text takes little memory, and its end is not waited for
/// where nobody reads it.
#[test]
fn text_a_thousand_times_as_long() {
    const TEXT_BYTES: usize = 300 << 20;
    const COUNT: usize = 100_000;
    let signature = func_type(&[ty::I32; 1000], &[]);
    let wasm = Binary::new()
        .list(1, &[signature])
        .repeated(3, COUNT, &[0])
        .repeated(10, COUNT, &body(&[(49_000, ty::I64)], &[]))
        .finish();
    let _alone = QUIET.write().unwrap_or_else(PoisonError::into_inner);
    let before = resident();
    let error = print_to(&wasm, &PrintOptions::default(), &mut Narrow(TEXT_BYTES));
    let error = error.expect_err("there is more text than that");
    assert_eq!(error.write_error().map(io::Error::kind), Some(io::ErrorKind::StorageFull));
    if let (Some(before), Some(after)) = (before, resident()) {
        assert!(after.saturating_sub(before) < 100 << 20, "{before} bytes before, {after} after");
    }
}

/// Names that would steer a terminal, clash, or are no text at all.
#[test]
fn hostile_names() {
    let names: [&[u8]; 9] = [
        b"",
        b"\x1b[2J",
        "\u{202e}txet\u{2066}".as_bytes(),
        b"a\"b\\c",
        b"same",
        b"same",
        b"#func0 <a>",
        b"a)(b ;; c (; d",
        b"\xff\xfe",
    ];
    for odd in [&names[..8], &names] {
        let entries = odd.iter().enumerate();
        let map = entries.map(|(i, text)| [unsigned(i as u64), name(text)].concat());
        let map = [unsigned(odd.len() as u64), map.collect::<Vec<_>>().concat()].concat();
        let subsection = [vec![1], name(&map)].concat();
        let wasm = Binary::new()
            .list(1, &[func_type(&[], &[])])
            .repeated(3, names.len(), &[0])
            .repeated(10, names.len(), &body(&[], &[]))
            .contents(0, &[name("name"), subsection].concat())
            .contents(0, &[name("\x1b]0;owned\x07"), vec![0x1b, 0xff]].concat())
            .finish();
        let mut text = Vec::new();
        print_to(&wasm, &PrintOptions::default(), &mut text).expect("only its names are odd");
        assert!(text.iter().all(|&b| b == b'\n' || (b' '..=b'~').contains(&b)));
        let text = String::from_utf8(text).expect("it is ASCII");
        let again = wat_to_wasm(&text, None).unwrap_or_else(|error| panic!("{error}\nin\n{text}"));
        if odd.len() == 8 {
            // The binary writer puts custom sections in another order.
            assert_eq!(again.len(), wasm.len(), "{text}");
        }
    }
}

#[track_caller]
fn assert_can_be_shown(error: &impl Display, what: &str) {
    let message = error.to_string();
    assert!(message.len() < 10_000, "{} bytes on {what:?}", message.len());
    let steers = |c: char| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    assert!(!message.contains(steers), "{message:?}");
}
