//! Folded `try` blocks of before 3.0 to plain instructions: the parser knows the instructions only in
//! that form, and the spec's own scripts use the other.
//!
//! Text is rewritten by tokens and without recursion. In a function that holds a folded `try`, all
//! folded instructions are unfolded, because a plain one may not stand among folded operands.

use std::ops::Range;

use wast::lexer::{Lexer, TokenKind};

/// Lists that stand in a folded instruction, or at the beginning of a function, and are none.
const NO_INSTRUCTIONS: [&str; 10] = [
    "type",
    "param",
    "result",
    "local",
    "export",
    "import",
    "ref",
    "on",
    "catch_ref",
    "catch_all_ref",
];

/// What an open parenthesis began.
enum Open {
    /// Copied as it is, to this place of the output.
    Verbatim { start: usize },
    /// A function, or a part of an instruction that is instructions itself.
    Body,
    /// An instruction whose operands come first: it and its immediates so far.
    Instruction(String),
    /// `block`, `loop`, `try_table`: their instructions come behind them.
    Block,
    /// `if`, whose condition comes first: it and its immediates, until they are written.
    If(Option<String>),
    /// `try`, and whether its `end` is said in another way.
    Try { delegates: bool },
}

/// `text` with plain instructions in the functions that hold a folded `try`; `None` if there is none,
/// or if it cannot be read.
pub(crate) fn unfold(text: &str) -> Option<String> {
    let mut lexer = Lexer::new(text);
    lexer.allow_confusing_unicode(true);
    let mut tokens = Vec::new();
    for token in lexer.iter(0) {
        let token = token.ok()?;
        let range = token.offset..token.offset + token.len as usize;
        match token.kind {
            TokenKind::Whitespace | TokenKind::LineComment | TokenKind::BlockComment => {}
            kind => tokens.push((kind, range)),
        }
    }
    let heads = tokens.windows(2).filter(|pair| pair[0].0 == TokenKind::LParen);
    let mut heads = heads.map(|pair| &text[pair[1].1.clone()]);
    if !heads.any(|head| head == "do") {
        return None;
    }
    let mut unfolder = Unfolder { text, out: String::new(), open: Vec::new() };
    let mut at = 0;
    while let Some((kind, range)) = tokens.get(at) {
        match kind {
            TokenKind::LParen => {
                let head = tokens.get(at + 1).map(|(_, range)| range.clone());
                at += usize::from(unfolder.enter(head?));
            }
            TokenKind::RParen => unfolder.leave()?,
            _ => unfolder.atom(&text[range.clone()]),
        }
        at += 1;
    }
    unfolder.open.is_empty().then_some(unfolder.out)
}

struct Unfolder<'a> {
    text: &'a str,
    out: String,
    open: Vec<Open>,
}

impl Unfolder<'_> {
    fn put(&mut self, word: &str) {
        self.out.push_str(word);
        self.out.push(' ');
    }

    fn verbatim(&self) -> Open {
        Open::Verbatim { start: self.out.len() }
    }

    /// A word that begins no list: part of what is open.
    fn atom(&mut self, word: &str) {
        match self.open.last_mut() {
            Some(Open::Instruction(head) | Open::If(Some(head))) => {
                head.push_str(word);
                head.push(' ');
            }
            _ => self.put(word),
        }
    }

    /// A list begins with the word at `head`; whether that word is done with.
    fn enter(&mut self, head: Range<usize>) -> bool {
        let word = &self.text[head];
        let in_body = !matches!(self.open.last(), None | Some(Open::Verbatim { .. }));
        let is_clause = matches!(self.open.last(), Some(Open::Try { .. }));
        if !in_body {
            let is_func = word == "func";
            let open = if is_func { Open::Body } else { self.verbatim() };
            self.open.push(open);
            self.put("(");
            return false;
        }
        // The clauses of a `try_table` are immediates, those of a `try` are not.
        let of_table = !is_clause && ["catch", "catch_all"].contains(&word);
        if of_table || NO_INSTRUCTIONS.contains(&word) || word.starts_with('@') {
            let immediate = self.verbatim();
            self.open.push(immediate);
            self.put("(");
            return false;
        }
        match word {
            "then" | "else" => {
                if let Some(Open::If(head)) = self.open.last_mut()
                    && let Some(head) = head.take()
                {
                    self.out.push_str(&head);
                }
                if word == "else" {
                    self.put(word);
                }
                self.open.push(Open::Body);
            }
            "do" | "catch" | "catch_all" if is_clause => {
                if word != "do" {
                    self.put(word);
                }
                self.open.push(Open::Body);
            }
            "delegate" => {
                if let Some(Open::Try { delegates }) = self.open.last_mut() {
                    *delegates = true;
                }
                self.put(word);
                self.open.push(Open::Body);
            }
            "block" | "loop" | "try_table" => {
                self.put(word);
                self.open.push(Open::Block);
            }
            "try" => {
                self.put(word);
                self.open.push(Open::Try { delegates: false });
            }
            "if" => self.open.push(Open::If(Some("if ".to_owned()))),
            word => self.open.push(Open::Instruction(format!("{word} "))),
        }
        true
    }

    /// A list ends.
    fn leave(&mut self) -> Option<()> {
        match self.open.pop()? {
            Open::Verbatim { start } => {
                self.put(")");
                // An immediate goes where its instruction does.
                if let Some(Open::Instruction(head) | Open::If(Some(head))) = self.open.last_mut() {
                    head.push_str(&self.out.split_off(start));
                }
            }
            Open::Body => {
                let is_field = matches!(self.open.last(), None | Some(Open::Verbatim { .. }));
                if is_field {
                    self.put(")");
                }
            }
            Open::Instruction(head) => self.out.push_str(&head),
            Open::Block | Open::Try { delegates: false } => self.put("end"),
            Open::Try { delegates: true } => {}
            Open::If(head) => {
                self.out.push_str(&head.unwrap_or_default());
                self.put("end");
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_with_folded_tries_are_unfolded() {
        let text = r#"(module (tag $e (param i32)) ;; (do
            (func $f (export "(do") (param $x i32) (result i32) (local i32)
              (i32.add (select (result i32) (i32.const 1) (i32.const 2) (local.get $x))
                (try $t (result i32)
                  (do (if (result i32) (local.get $x) (then (nop) (i32.const 5)) (else (unreachable))))
                  (catch $e (drop) (try (do (throw $e (i32.const 1))) (delegate $t)) (i32.const 3))
                  (catch_all (block (result i32) (rethrow 1)))))))"#;
        let unfolded = unfold(text).unwrap();
        let words: Vec<&str> = unfolded.split_whitespace().collect();
        let expected = r#"( module ( tag $e ( param i32 ) )
            ( func $f ( export "(do" ) ( param $x i32 ) ( result i32 ) ( local i32 )
              i32.const 1 i32.const 2 local.get $x select ( result i32 )
              try $t ( result i32 )
                local.get $x if ( result i32 ) nop i32.const 5 else unreachable end
              catch $e drop try i32.const 1 throw $e delegate $t i32.const 3
              catch_all block ( result i32 ) rethrow 1 end end i32.add ) )"#;
        assert_eq!(words, expected.split_whitespace().collect::<Vec<_>>());
    }

    #[test]
    fn other_text_is_left_alone() {
        assert_eq!(unfold("(module (func (try_table (catch_all 0) (nop))))"), None);
        assert_eq!(unfold("(module (func (try (do"), None);
        assert_eq!(unfold(&format!("{}{}", "(do ".repeat(100_000), ")".repeat(100_001))), None);
    }
}
