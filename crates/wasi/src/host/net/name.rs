//! Domain names: the one form in which they are compared, and what they are refused for.

use std::fmt;

/// A domain name: lower case, no dot at the end, labels of letters, digits, `-` and `_`.
///
/// A name in another script is written as the DNS has it, `xn--…`. Nothing that a resolver might take
/// for an address (`127.1`, `0x7f.1`, `2130706433`) is a name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(Box<str>);

/// What is wrong with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameError {
    /// Nothing there, or nothing between two dots.
    Empty,
    /// More than 253 bytes, or more than 63 between two dots.
    TooLong,
    /// A character that no domain name has.
    Character(char),
    /// A label that begins or ends with `-`.
    Hyphen,
    /// It ends in a number, as addresses do.
    Number,
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NameError::Empty => f.write_str("an empty label"),
            NameError::TooLong => f.write_str("more than 253 bytes, or 63 in one label"),
            NameError::Character(c) if !c.is_ascii() => {
                write!(f, "`{}`; such a name is written `xn--…`", c.escape_debug())
            }
            NameError::Character(c) => write!(f, "`{}`", c.escape_debug()),
            NameError::Hyphen => f.write_str("a label that begins or ends with `-`"),
            NameError::Number => f.write_str("a name that ends in a number, but is no address"),
        }
    }
}

impl Name {
    /// Checks a name and brings it into its one form.
    pub fn new(text: &str) -> Result<Name, NameError> {
        let text = text.strip_suffix('.').unwrap_or(text);
        if text.len() > 253 {
            return Err(NameError::TooLong);
        }
        for label in text.split('.') {
            if label.is_empty() {
                return Err(NameError::Empty);
            }
            if label.len() > 63 {
                return Err(NameError::TooLong);
            }
            let wrong = |c: &char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
            if let Some(c) = label.chars().find(wrong) {
                return Err(NameError::Character(c));
            }
            if label.starts_with('-') || label.ends_with('-') {
                return Err(NameError::Hyphen);
            }
        }
        let last = text.rsplit('.').next().unwrap_or_default();
        let hex = last.strip_prefix("0x").or_else(|| last.strip_prefix("0X"));
        if last.bytes().all(|b| b.is_ascii_digit())
            || hex.is_some_and(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))
        {
            return Err(NameError::Number);
        }
        Ok(Name(text.to_ascii_lowercase().into()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it means this machine wherever it is looked up.
    pub fn is_localhost(&self) -> bool {
        self.as_str() == "localhost" || self.is_below("localhost")
    }

    /// Whether it is a name below a domain, and not the domain itself.
    pub fn is_below(&self, domain: &str) -> bool {
        self.0.strip_suffix(domain).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let name = |text: &str| Name::new(text).map(|name| name.to_string());
        assert_eq!(name("Api.Example.COM."), Ok("api.example.com".into()));
        assert_eq!(name("_dns.xn--bcher-kva.example"), Ok("_dns.xn--bcher-kva.example".into()));
        assert_eq!(name(""), Err(NameError::Empty));
        assert_eq!(name("."), Err(NameError::Empty));
        assert_eq!(name("a..b"), Err(NameError::Empty));
        assert_eq!(name("a.."), Err(NameError::Empty));
        assert_eq!(name("bücher.example"), Err(NameError::Character('ü')));
        assert_eq!(name("a b"), Err(NameError::Character(' ')));
        assert_eq!(name("a\0b"), Err(NameError::Character('\0')));
        assert_eq!(name("a@b"), Err(NameError::Character('@')));
        assert_eq!(name("-a.b"), Err(NameError::Hyphen));
        for number in
            ["127.1", "2130706433", "0x7f.1", "0x7f000001", "1.2.3.4.5", "256.0.0.1", "0x"]
        {
            assert_eq!(name(number), Err(NameError::Number), "{number}");
        }
        assert_eq!(name(&"a".repeat(64)), Err(NameError::TooLong));
        assert_eq!(name(&["a"; 127].join(".")).map(|n| n.len()), Ok(253));
        assert_eq!(name(&["a"; 128].join(".")), Err(NameError::TooLong));
    }

    #[test]
    fn below() {
        let is_below = |name, domain: &str| Name::new(name).is_ok_and(|name| name.is_below(domain));
        assert!(is_below("a.example.com", "example.com"));
        assert!(is_below("a.b.example.com", "example.com"));
        assert!(!is_below("example.com", "example.com"));
        assert!(!is_below("evilexample.com", "example.com"));
    }
}
