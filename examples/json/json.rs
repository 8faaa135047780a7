//! Reads JSON on stdin, checks it and prints it indented; `--compact` prints it on one line.

use std::io::{self, Read, Write};
use std::process::ExitCode;

const DEEPEST: usize = 1000;

struct Formatter<'a> {
    input: &'a [u8],
    at: usize,
    out: Vec<u8>,
    compact: bool,
}

struct Problem {
    offset: usize,
    expected: &'static str,
}

impl Formatter<'_> {
    fn expected<T>(&self, expected: &'static str) -> Result<T, Problem> {
        Err(Problem { offset: self.at, expected })
    }

    fn peek(&mut self) -> Option<u8> {
        while matches!(self.input.get(self.at), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
        self.input.get(self.at).copied()
    }

    fn line(&mut self, depth: usize) {
        if !self.compact {
            self.out.push(b'\n');
            self.out.extend(std::iter::repeat_n(b' ', 2 * depth));
        }
    }

    /// Copies the bytes up to `end` as they are.
    fn copy_to(&mut self, end: usize) {
        self.out.extend_from_slice(&self.input[self.at..end]);
        self.at = end;
    }

    fn string(&mut self) -> Result<(), Problem> {
        let mut end = self.at + 1;
        loop {
            match self.input.get(end) {
                None | Some(0..=0x1f) => {
                    self.at = end;
                    return self.expected("the end of the string");
                }
                Some(b'"') => break,
                Some(b'\\') => end += 2,
                Some(_) => end += 1,
            }
        }
        self.copy_to(end + 1);
        Ok(())
    }

    fn word(&mut self) -> Result<(), Problem> {
        let rest = &self.input[self.at..];
        let length =
            rest.iter().take_while(|b| b.is_ascii_alphanumeric() || b"+-.".contains(b)).count();
        let text = std::str::from_utf8(&rest[..length]).unwrap_or("");
        let number = text.starts_with(|c: char| c == '-' || c.is_ascii_digit())
            && text.ends_with(|c: char| c.is_ascii_digit())
            && text.parse::<f64>().is_ok();
        if !number && !matches!(text, "true" | "false" | "null") {
            return self.expected("a value");
        }
        self.copy_to(self.at + length);
        Ok(())
    }

    /// Objects and arrays: what is open is a stack of closing brackets, not of calls.
    fn document(&mut self) -> Result<(), Problem> {
        let mut open: Vec<u8> = Vec::new();
        loop {
            match self.peek() {
                Some(bracket @ (b'{' | b'[')) => {
                    let close = if bracket == b'{' { b'}' } else { b']' };
                    self.at += 1;
                    self.out.push(bracket);
                    if self.peek() == Some(close) {
                        self.at += 1;
                        self.out.push(close);
                    } else {
                        open.push(close);
                        if open.len() > DEEPEST {
                            return self.expected("less nesting");
                        }
                        self.line(open.len());
                        self.key(&open)?;
                        continue;
                    }
                }
                Some(b'"') => self.string()?,
                _ => self.word()?,
            }
            while let Some(&close) = open.last() {
                match self.peek() {
                    Some(b',') => {
                        self.at += 1;
                        self.out.push(b',');
                        self.line(open.len());
                        self.key(&open)?;
                        break;
                    }
                    Some(c) if c == close => {
                        self.at += 1;
                        open.pop();
                        self.line(open.len());
                        self.out.push(close);
                    }
                    _ => return self.expected("`,` or a closing bracket"),
                }
            }
            if open.is_empty() {
                return match self.peek() {
                    None => Ok(()),
                    Some(_) => self.expected("the end of the input"),
                };
            }
        }
    }

    /// In an object, the key and its colon.
    fn key(&mut self, open: &[u8]) -> Result<(), Problem> {
        if open.last() != Some(&b'}') {
            return Ok(());
        }
        if self.peek() != Some(b'"') {
            return self.expected("a key");
        }
        self.string()?;
        if self.peek() != Some(b':') {
            return self.expected("`:`");
        }
        self.at += 1;
        self.out.extend_from_slice(if self.compact { b":" } else { b": " });
        Ok(())
    }
}

fn main() -> ExitCode {
    let mut input = Vec::new();
    if let Err(error) = io::stdin().read_to_end(&mut input) {
        eprintln!("json: cannot read stdin: {error}");
        return ExitCode::FAILURE;
    }
    let compact = std::env::args().nth(1).as_deref() == Some("--compact");
    let mut formatter = Formatter { input: &input, at: 0, out: Vec::new(), compact };
    if let Err(Problem { offset, expected }) = formatter.document() {
        let before = &input[..offset.min(input.len())];
        let line = before.iter().filter(|&&b| b == b'\n').count() + 1;
        let column = before.iter().rev().take_while(|&&b| b != b'\n').count() + 1;
        eprintln!("json: line {line}, column {column}: expected {expected}");
        return ExitCode::FAILURE;
    }
    formatter.out.push(b'\n');
    match io::stdout().write_all(&formatter.out) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
