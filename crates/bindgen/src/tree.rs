//! Modules inside of each other, and how one names what is in another.

use std::collections::BTreeMap;

/// A module's place: the names of the modules around it and its own; empty for the outermost.
pub(crate) type Place = Vec<String>;

/// A module that is being written.
#[derive(Default)]
pub(crate) struct Tree {
    items: String,
    docs: String,
    inner: BTreeMap<String, Tree>,
}

impl Tree {
    /// The module at a place, made if there is none.
    pub(crate) fn at(&mut self, place: &[String]) -> &mut Tree {
        place.iter().fold(self, |tree, name| tree.inner.entry(name.clone()).or_default())
    }

    /// Adds items.
    pub(crate) fn push(&mut self, items: &str) {
        if !self.items.is_empty() && !items.is_empty() {
            self.items.push('\n');
        }
        self.items.push_str(items);
    }

    /// Says what the module is.
    pub(crate) fn describe(&mut self, docs: String) {
        self.docs = docs;
    }

    /// The source, indented. Modules are as deep as names of WIT have parts.
    pub(crate) fn to_source(&self, depth: usize) -> String {
        let mut source = indented(&self.items, depth);
        for (name, tree) in &self.inner {
            if !source.is_empty() {
                source.push('\n');
            }
            let docs = match tree.docs.is_empty() {
                true => format!("/// What is below `{name}` in WIT.\n"),
                false => tree.docs.clone(),
            };
            source += &indented(&format!("{docs}pub mod {name} {{\n"), depth);
            source += &tree.to_source(depth + 1);
            source += &indented("}\n", depth);
        }
        source
    }
}

fn indented(text: &str, depth: usize) -> String {
    let lines = text.lines().map(|line| match line.is_empty() {
        true => "\n".to_owned(),
        false => format!("{:1$}{line}\n", "", 4 * depth),
    });
    lines.collect()
}

/// How code in the module `from` names `name` in the module `to`.
pub(crate) fn path(from: &[String], to: &[String], name: &str) -> String {
    if from == to {
        return format!("self::{name}");
    }
    let up = match from.is_empty() {
        true => "self::".to_owned(),
        false => "super::".repeat(from.len()),
    };
    let down: String = to.iter().map(|part| format!("{part}::")).collect();
    format!("{up}{down}{name}")
}
