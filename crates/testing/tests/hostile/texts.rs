//! Text that is no module: it is refused, without recursion, and what is said of it can be shown.

use dunlin_script::wat_to_wasm;

use super::{long, on_small_stack};

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
            let Err(error) = wat_to_wasm(text, None) else { continue };
            let message = error.to_string();
            let what = || text.chars().take(40).collect::<String>();
            assert!(message.len() < 10_000, "{} bytes on {:?}", message.len(), what());
            let shown = |c: char| {
                (c.is_control() && c != '\n')
                    || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
            };
            assert!(!message.contains(shown), "{message:?}");
        }
    });
}
