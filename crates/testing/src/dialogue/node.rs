//! Values as text, without their types: numbers, strings, lists, records, cases, flags and resources.

use std::collections::BTreeMap;
use std::fmt;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// `true` or a number, as it is written.
    Plain(String),
    /// `"text"`.
    Text(String),
    /// `'c'`.
    Char(char),
    /// `[a, b]`.
    List(Vec<Node>),
    /// `(a, b)`.
    Tuple(Vec<Node>),
    /// `{a: 1, b: 2}`.
    Record(Vec<(String, Node)>),
    /// `{a, b}`.
    Flags(Vec<String>),
    /// `some(1)`, `none`, or any case; also a function that the host calls to find its answer.
    Case(String, Vec<Node>),
    /// `%1`: a resource of the host.
    Host(u32),
    /// A resource of the component, by a number of the engine's adapter.
    Guest(u32),
    /// `$name` or `$0`, with what is taken out of it: `$0.field.1`.
    Name(String, Vec<String>),
}

impl Node {
    /// A number as it is written.
    pub fn number(number: impl fmt::Display) -> Node {
        Node::Plain(number.to_string())
    }

    /// A float, of which `float` is the shortest decimal.
    pub fn float(float: impl fmt::Display) -> Node {
        Node::Plain(float.to_string().replace("NaN", "nan"))
    }

    /// Parses one value.
    pub fn parse(text: &str) -> Result<Node, String> {
        let mut parser = Parser { rest: text };
        let node = parser.node()?;
        match parser.rest.trim() {
            "" => Ok(node),
            rest => Err(format!("unexpected `{rest}`")),
        }
    }

    /// Parses values between commas.
    pub fn parse_all(text: &str) -> Result<Vec<Node>, String> {
        match Node::parse(&format!("[{text}]"))? {
            Node::List(nodes) => Ok(nodes),
            other => Err(format!("`{other}` is no list")),
        }
    }

    /// The same with every node replaced by what `by` says, from the inside out.
    pub fn map(&self, by: &mut dyn FnMut(Node) -> Node) -> Node {
        let all = |nodes: &[Node], by: &mut dyn FnMut(Node) -> Node| -> Vec<Node> {
            nodes.iter().map(|node| node.map(by)).collect()
        };
        let node = match self {
            Node::List(nodes) => Node::List(all(nodes, by)),
            Node::Tuple(nodes) => Node::Tuple(all(nodes, by)),
            Node::Case(label, nodes) => Node::Case(label.clone(), all(nodes, by)),
            Node::Record(fields) => {
                Node::Record(fields.iter().map(|(l, node)| (l.clone(), node.map(by))).collect())
            }
            other => other.clone(),
        };
        by(node)
    }

    /// Puts resources for their names.
    #[must_use]
    pub fn replace(&self, names: &BTreeMap<String, Node>) -> Node {
        self.map(&mut |node| match &node {
            Node::Name(name, _) => names.get(name).cloned().unwrap_or(node),
            _ => node,
        })
    }

    /// Puts names for resources.
    #[must_use]
    pub fn named(&self, names: &BTreeMap<String, Node>) -> Node {
        self.map(&mut |node| match &node {
            Node::Guest(_) => match names.iter().find(|(_, known)| **known == node) {
                Some((name, _)) => Node::Name(name.clone(), Vec::new()),
                None => node,
            },
            _ => node,
        })
    }

    /// Writes out lists that say only how often they have an element.
    #[must_use]
    pub fn repeated(&self) -> Node {
        self.map(&mut |node| match &node {
            Node::Case(label, nodes) if label == "repeat" => match &nodes[..] {
                [Node::Plain(count), value] => {
                    Node::List(vec![value.clone(); count.parse().unwrap_or(0)])
                }
                _ => node,
            },
            _ => node,
        })
    }

    /// Remembers the resources of `found` by the names that stand where they are in this pattern.
    pub fn bind(&self, found: &Node, names: &mut BTreeMap<String, Node>) {
        match (self, found) {
            (Node::Name(name, _), Node::Guest(_) | Node::Host(_)) => {
                names.insert(name.clone(), found.clone());
            }
            (Node::List(a), Node::List(b))
            | (Node::Tuple(a), Node::Tuple(b))
            | (Node::Case(_, a), Node::Case(_, b)) => {
                for (pattern, node) in a.iter().zip(b) {
                    pattern.bind(node, names);
                }
            }
            (Node::Record(a), Node::Record(b)) => {
                for (pattern, node) in a.iter().zip(b) {
                    pattern.1.bind(&node.1, names);
                }
            }
            _ => {}
        }
    }

    /// A part of a value: a field, an element, or what a case carries.
    pub fn part(&self, name: &str) -> Option<&Node> {
        let index = name.parse::<usize>().ok();
        match self {
            Node::Record(fields) => Some(&fields.iter().find(|(label, _)| label == name)?.1),
            Node::List(nodes) | Node::Tuple(nodes) | Node::Case(_, nodes) => nodes.get(index?),
            _ => None,
        }
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = |f: &mut fmt::Formatter<'_>, nodes: &[Node]| -> fmt::Result {
            for (index, node) in nodes.iter().enumerate() {
                write!(f, "{}{node}", if index == 0 { "" } else { ", " })?;
            }
            Ok(())
        };
        match self {
            Node::Plain(text) => f.write_str(text),
            Node::Text(text) => write!(f, "{text:?}"),
            Node::Char(character) => write!(f, "{character:?}"),
            Node::List(nodes) => {
                f.write_str("[")?;
                all(f, nodes)?;
                f.write_str("]")
            }
            Node::Tuple(nodes) => {
                f.write_str("(")?;
                all(f, nodes)?;
                f.write_str(")")
            }
            Node::Record(fields) => {
                f.write_str("{")?;
                for (index, (label, node)) in fields.iter().enumerate() {
                    write!(f, "{}{label}: {node}", if index == 0 { "" } else { ", " })?;
                }
                f.write_str("}")
            }
            Node::Flags(labels) => write!(f, "{{{}}}", labels.join(", ")),
            Node::Case(label, nodes) if nodes.is_empty() => f.write_str(label),
            Node::Case(label, nodes) => {
                write!(f, "{label}(")?;
                all(f, nodes)?;
                f.write_str(")")
            }
            Node::Host(number) => write!(f, "%{number}"),
            Node::Guest(number) => write!(f, "$new{number}"),
            Node::Name(name, parts) => {
                write!(f, "${name}")?;
                parts.iter().try_for_each(|part| write!(f, ".{part}"))
            }
        }
    }
}

struct Parser<'a> {
    rest: &'a str,
}

impl<'a> Parser<'a> {
    fn eat(&mut self, token: char) -> bool {
        let rest = self.rest.trim_start();
        match rest.strip_prefix(token) {
            Some(after) => {
                self.rest = after;
                true
            }
            None => false,
        }
    }

    fn word(&mut self, allowed: fn(char) -> bool) -> &'a str {
        let rest = self.rest.trim_start();
        let end = rest.find(|c| !allowed(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        self.rest = after;
        word
    }

    fn until(&mut self, end: char) -> Result<Vec<Node>, String> {
        let mut nodes = Vec::new();
        while !self.eat(end) {
            nodes.push(self.node()?);
            if !self.eat(',') && !self.rest.trim_start().starts_with(end) {
                return Err(format!("expected `,` or `{end}` before `{}`", self.rest));
            }
        }
        Ok(nodes)
    }

    fn node(&mut self) -> Result<Node, String> {
        if self.eat('[') {
            return Ok(Node::List(self.until(']')?));
        }
        if self.eat('(') {
            return Ok(Node::Tuple(self.until(')')?));
        }
        if self.eat('{') {
            return self.braces();
        }
        if self.eat('"') {
            return Ok(Node::Text(self.quoted('"')?));
        }
        if self.eat('\'') {
            let text = self.quoted('\'')?;
            let mut characters = text.chars();
            return match (characters.next(), characters.next()) {
                (Some(character), None) => Ok(Node::Char(character)),
                _ => Err(format!("`{text}` is not one character")),
            };
        }
        let label = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if self.eat('%') {
            let number = self.word(label);
            return Ok(Node::Host(number.parse().map_err(|_| format!("`%{number}`"))?));
        }
        if self.eat('$') {
            let name = self.word(label).to_string();
            let mut parts = Vec::new();
            while self.rest.starts_with('.') && self.eat('.') {
                parts.push(self.word(label).to_string());
            }
            return Ok(Node::Name(name, parts));
        }
        let word = self.word(|c| c.is_ascii_alphanumeric() || "-+.".contains(c));
        match word.chars().next() {
            None => Err(format!("no value at `{}`", self.rest)),
            Some(first) if first.is_ascii_digit() || "+-.".contains(first) => {
                Ok(Node::Plain(word.to_string()))
            }
            Some(_) if matches!(word, "true" | "false" | "nan" | "inf") => {
                Ok(Node::Plain(word.to_string()))
            }
            Some(_) if self.rest.starts_with('(') && self.eat('(') => {
                Ok(Node::Case(word.to_string(), self.until(')')?))
            }
            Some(_) => Ok(Node::Case(word.to_string(), Vec::new())),
        }
    }

    fn braces(&mut self) -> Result<Node, String> {
        let (mut fields, mut flags) = (Vec::new(), Vec::new());
        while !self.eat('}') {
            let label = self.word(|c| c.is_ascii_alphanumeric() || c == '-').to_string();
            if label.is_empty() {
                return Err(format!("no label at `{}`", self.rest));
            }
            if self.eat(':') {
                fields.push((label, self.node()?));
            } else {
                flags.push(label);
            }
            self.eat(',');
        }
        Ok(if fields.is_empty() { Node::Flags(flags) } else { Node::Record(fields) })
    }

    /// Up to the closing mark, with Rust's escapes.
    fn quoted(&mut self, end: char) -> Result<String, String> {
        let mut text = String::new();
        let mut characters = self.rest.char_indices();
        while let Some((at, character)) = characters.next() {
            if character == end {
                self.rest = &self.rest[at + character.len_utf8()..];
                return Ok(text);
            }
            if character != '\\' {
                text.push(character);
                continue;
            }
            text.push(match characters.next().map(|(_, c)| c) {
                Some('n') => '\n',
                Some('t') => '\t',
                Some('r') => '\r',
                Some('0') => '\0',
                Some('u') => {
                    let digits: String = characters
                        .by_ref()
                        .map(|(_, c)| c)
                        .skip(1)
                        .take_while(|c| *c != '}')
                        .collect();
                    let code = u32::from_str_radix(&digits, 16).map_err(|e| e.to_string())?;
                    char::from_u32(code).ok_or("not a character")?
                }
                Some(other) => other,
                None => break,
            });
        }
        Err(format!("no closing {end}"))
    }
}
