//! Names of WIT as names of Rust.

use std::collections::BTreeSet;

/// Words that are no names, even with `r#`.
const NEVER: [&str; 5] = ["self", "Self", "super", "crate", "_"];

/// Words that are names with `r#` only.
const KEYWORDS: [&str; 50] = [
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "do", "dyn",
    "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let",
    "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return",
    "static", "struct", "trait", "true", "try", "type", "typeof", "unsafe", "unsized", "use",
    "virtual", "where", "while", "yield", "union", "raw",
];

/// Types that code means when it says so, and names that are in a generated module anyway.
const TAKEN: [&str; 16] = [
    "Box", "Clone", "Copy", "Debug", "Default", "Err", "Fn", "Guest", "Host", "None", "Ok",
    "Option", "Result", "Some", "String", "Vec",
];

/// A function, field, parameter or module.
pub(crate) fn snake(name: &str) -> String {
    word(name.replace(['-', '.'], "_").to_lowercase())
}

/// A type or a case.
pub(crate) fn camel(name: &str) -> String {
    // A word that starts with a digit would run into the one before.
    let digits = name.split('-').skip(1).any(|part| part.starts_with(|c: char| c.is_ascii_digit()));
    let parts: Vec<String> = name.split('-').map(capital).collect();
    word(parts.join(if digits { "_" } else { "" }))
}

/// A type, which must not be mistaken for one that code uses.
pub(crate) fn type_name(name: &str) -> String {
    let name = camel(name);
    if TAKEN.contains(&name.as_str()) { name + "_" } else { name }
}

/// A flag.
pub(crate) fn constant(name: &str) -> String {
    word(name.replace('-', "_").to_uppercase())
}

fn capital(part: &str) -> String {
    let mut letters = part.chars();
    let first = letters.next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(letters.map(|c| c.to_ascii_lowercase())).collect()
}

fn word(name: String) -> String {
    if NEVER.contains(&name.as_str()) {
        return name + "_";
    }
    if KEYWORDS.contains(&name.as_str()) { format!("r#{name}") } else { name }
}

/// Whether a part's name in WIT follows from that in Rust by what the derive of `ComponentType` knows: not if
/// it had to be changed, or if words of one letter in it look like an acronym.
pub(crate) fn follows(wit: &str, rust: &str) -> bool {
    let is_joined = wit.contains('-') && !rust.contains('_');
    !rust.ends_with('_') && (!is_joined || wit.split('-').all(|word| word.len() > 1))
}

/// Names that are all different.
#[derive(Default)]
pub(crate) struct Distinct(BTreeSet<String>);

impl Distinct {
    /// The name, with as many `_` after it as it takes.
    pub(crate) fn pick(&mut self, mut name: String) -> String {
        while !self.0.insert(name.clone()) {
            name.push('_');
        }
        name
    }
}

/// Documentation as comments, one line each.
pub(crate) fn docs(text: Option<&str>, otherwise: &str) -> String {
    let text = text.filter(|text| !text.trim().is_empty()).unwrap_or(otherwise);
    let mut comments = String::new();
    for line in text.trim_end().lines() {
        // What rustc refuses in comments, or an editor could be fooled with.
        let plain: String = line
            .chars()
            .map(|c| match c {
                '\t' => ' ',
                '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' => '?',
                c if c.is_control() => '?',
                c => c,
            })
            .collect();
        comments += &format!("/// {}", plain.trim_end());
        comments.truncate(comments.trim_end().len());
        comments.push('\n');
    }
    comments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert_eq!(snake("read-via-stream"), "read_via_stream");
        assert_eq!(snake("type"), "r#type");
        assert_eq!(snake("self"), "self_");
        assert_eq!(camel("HTTP-request-denied"), "HttpRequestDenied");
        assert_eq!(camel("self"), "Self_");
        assert_eq!(camel("utf8-2"), "Utf8_2");
        assert_eq!(type_name("option"), "Option_");
        assert_eq!(constant("symlink-follow"), "SYMLINK_FOLLOW");
        for wit in ["type", "a", "a-b", "HTTP-request-denied", "utf8-2", "ipv4-v6"] {
            assert!(follows(wit, &snake(wit)), "{wit}");
            assert!(follows(wit, &constant(wit)), "{wit}");
            assert_eq!(follows(wit, &camel(wit)), wit != "a-b", "{wit}");
        }
        assert!(!follows("self", &snake("self")));
        assert!(!follows("self", &camel("self")));
        let mut distinct = Distinct::default();
        assert_eq!(distinct.pick("a".to_owned()), "a");
        assert_eq!(distinct.pick("a".to_owned()), "a_");
    }

    #[test]
    fn documentation_stays_in_comments() {
        assert_eq!(docs(Some("a\rb\n\n  c\u{202e}"), ""), "/// a?b\n///\n///   c?\n");
        assert_eq!(docs(None, "x"), "/// x\n");
    }
}
