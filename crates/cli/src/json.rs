//! JSON on its way out.

use std::fmt::{self, Display, Write};

/// A JSON value. Objects keep their order.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    Number(u64),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(&'static str, Json)>),
}

impl From<&str> for Json {
    fn from(text: &str) -> Json {
        Json::Text(text.to_owned())
    }
}

impl From<String> for Json {
    fn from(text: String) -> Json {
        Json::Text(text)
    }
}

impl From<u64> for Json {
    fn from(number: u64) -> Json {
        Json::Number(number)
    }
}

impl<T: Into<Json>> From<Option<T>> for Json {
    fn from(value: Option<T>) -> Json {
        value.map_or(Json::Null, Into::into)
    }
}

impl<T: Into<Json>> FromIterator<T> for Json {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Json {
        Json::List(items.into_iter().map(Into::into).collect())
    }
}

/// Indented: whoever prints it may want to read it.
impl Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, 0)
    }
}

impl Json {
    fn write(&self, f: &mut fmt::Formatter<'_>, depth: usize) -> fmt::Result {
        match self {
            Json::Null => f.write_str("null"),
            Json::Bool(value) => write!(f, "{value}"),
            Json::Number(number) => write!(f, "{number}"),
            Json::Text(text) => write_text(f, text),
            Json::List(items) if items.is_empty() => f.write_str("[]"),
            Json::List(items) => {
                f.write_char('[')?;
                for (at, item) in items.iter().enumerate() {
                    line(f, at, depth + 1)?;
                    item.write(f, depth + 1)?;
                }
                write!(f, "\n{:1$}]", "", 2 * depth)
            }
            Json::Object(fields) => {
                f.write_char('{')?;
                for (at, (name, value)) in fields.iter().enumerate() {
                    line(f, at, depth + 1)?;
                    write_text(f, name)?;
                    f.write_str(": ")?;
                    value.write(f, depth + 1)?;
                }
                write!(f, "\n{:1$}}}", "", 2 * depth)
            }
        }
    }
}

fn line(f: &mut fmt::Formatter<'_>, at: usize, depth: usize) -> fmt::Result {
    write!(f, "{}\n{:2$}", if at == 0 { "" } else { "," }, "", 2 * depth)
}

/// Everything beyond ASCII is escaped too: the text may be shown on a terminal.
fn write_text(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_char('"')?;
    for c in text.chars() {
        match c {
            '"' | '\\' => write!(f, "\\{c}")?,
            ' '..='~' => f.write_char(c)?,
            _ => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    write!(f, "\\u{unit:04x}")?;
                }
            }
        }
    }
    f.write_char('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_the_standard_says() {
        let value = Json::Object(vec![
            ("none", Json::Null),
            ("flag", Json::Bool(true)),
            ("list", [1u64, 2].into_iter().collect()),
            ("empty", Json::List(Vec::new())),
            ("text", "a\"\\\n\u{1b}é😀".into()),
        ]);
        let text = r#"{
  "none": null,
  "flag": true,
  "list": [
    1,
    2
  ],
  "empty": [],
  "text": "a\"\\\u000a\u001b\u00e9\ud83d\ude00"
}"#;
        assert_eq!(value.to_string(), text);
    }
}
