//! How names that a guest chose appear in messages: in backticks, escaped, and not too many.

use std::fmt::{self, Display};

use dunlin_module::escape;

/// Lists in messages are cut after this many items.
const LIST_ITEMS_MAX: usize = 64;

/// `name` in backticks, without anything that would steer a terminal.
pub(crate) fn quoted(name: &str) -> impl Display + '_ {
    fmt::from_fn(move |f| write!(f, "`{}`", escape(name)))
}

/// `module::name` in backticks.
pub(crate) fn import<'a>(module: &'a str, name: &'a str) -> impl Display + 'a {
    fmt::from_fn(move |f| write!(f, "`{}::{}`", escape(module), escape(name)))
}

/// The items of a list that a guest may have made long, with a last one that counts the rest.
pub(crate) fn shortened<T: Display>(items: impl ExactSizeIterator<Item = T>) -> Vec<String> {
    let rest = items.len().saturating_sub(LIST_ITEMS_MAX);
    let mut lines: Vec<String> = items.take(LIST_ITEMS_MAX).map(|item| item.to_string()).collect();
    if rest > 0 {
        lines.push(format!("… and {rest} more"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_steer_a_terminal() {
        assert_eq!(quoted("a\u{1b}[31mé").to_string(), "`a\\u{1b}[31mé`");
        assert_eq!(import("env", "l\nog").to_string(), "`env::l\\u{a}og`");
    }

    #[test]
    fn long_lists_are_cut() {
        let lines = shortened((0..66).map(|i| i.to_string()));
        assert_eq!(lines.len(), 65);
        assert_eq!(lines[64], "… and 2 more");
    }
}
