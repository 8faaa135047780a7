//! Names of WIT, and which one a name of Rust stands for.

use std::collections::HashSet;

use proc_macro2::Ident;
use syn::ext::IdentExt;
use syn::{Attribute, Error, Result};

use crate::attributes;

/// Names of the parts of a type, which are all different.
#[derive(Default)]
pub(crate) struct Names(HashSet<String>);

impl Names {
    /// The name of one more part: as its attributes say, or as it is called.
    pub(crate) fn add(&mut self, ident: &Ident, attributes: &[Attribute]) -> Result<String> {
        let said = attributes::name(attributes)?;
        let (name, span) = match &said {
            Some(name) => (name.value(), name.span()),
            None => (kebab(&ident.unraw().to_string()), ident.span()),
        };
        if !is_kebab(&name) {
            let help = match said {
                Some(_) => {
                    "words of ASCII letters and digits with `-` between them, as in `dark-green`"
                }
                None => "say which it has there: `#[component(name = \"…\")]`",
            };
            return Err(Error::new(span, format!("`{name}` is no name of WIT\nhelp: {help}")));
        }
        // Names of WIT that differ in the case of letters only are the same.
        if !self.0.insert(name.to_ascii_lowercase()) {
            return Err(Error::new(span, format!("there is a `{name}` already")));
        }
        Ok(name)
    }
}

/// What `dark_green`, `DarkGreen` and `DARK_GREEN` are in WIT.
fn kebab(rust: &str) -> String {
    let words: Vec<String> = rust.split('_').map(camel_to_kebab).collect();
    words.join("-")
}

/// `HttpError` and `HTTPError` as `http-error`.
fn camel_to_kebab(rust: &str) -> String {
    let is_camel = rust.contains(char::is_lowercase);
    let letters: Vec<char> = rust.chars().collect();
    let mut kebab = String::with_capacity(rust.len() + 4);
    for (i, letter) in letters.iter().enumerate() {
        let before = i.checked_sub(1).and_then(|i| letters.get(i));
        let after = letters.get(i + 1);
        let starts_word = letter.is_uppercase()
            && before.is_some_and(|before| {
                !before.is_uppercase() || after.is_some_and(|after| after.is_lowercase())
            });
        if is_camel && starts_word {
            kebab.push('-');
        }
        kebab.extend(letter.to_lowercase());
    }
    kebab
}

/// Words in lower case or acronyms in upper case, the first of which starts with a letter.
fn is_kebab(name: &str) -> bool {
    let is_word = |word: &str| {
        let of = |is: fn(&u8) -> bool| word.bytes().all(|byte| is(&byte) || byte.is_ascii_digit());
        !word.is_empty() && (of(u8::is_ascii_lowercase) || of(u8::is_ascii_uppercase))
    };
    name.starts_with(|first: char| first.is_ascii_alphabetic()) && name.split('-').all(is_word)
}

#[cfg(test)]
mod tests {
    use super::{is_kebab, kebab};

    #[test]
    fn names_of_rust() {
        for (rust, wit) in [
            ("path_flags", "path-flags"),
            ("PathFlags", "path-flags"),
            ("PATH_FLAGS", "path-flags"),
            ("Ipv4", "ipv4"),
            ("Utf8_2", "utf8-2"),
            ("Ipv4V6", "ipv4-v6"),
            ("HTTPError", "http-error"),
            ("HttpRequestDenied", "http-request-denied"),
            ("ABc", "a-bc"),
            ("A", "a"),
            ("A2B", "a2b"),
        ] {
            assert_eq!(kebab(rust), wit, "{rust}");
        }
    }

    #[test]
    fn names_of_wit() {
        for name in ["a", "a1", "dark-green", "HTTP-request-denied", "utf8-2", "a-22b"] {
            assert!(is_kebab(name), "{name}");
        }
        for name in ["", "-", "a-", "-a", "a--b", "1a", "a_b", "größe", "Dark", "a b", "2-a"] {
            assert!(!is_kebab(name), "{name}");
        }
    }
}
