//! What `inspect` says of a component: what it consists of, what each part needs, and which grants would
//! satisfy that.

use std::fmt::Write as _;

use dunlin_module::component::{Component, InstanceOutline};
use dunlin_module::escape;

use crate::json::Json;
use crate::quantity::Size;

/// How many functions of an interface are named.
const FUNCS_NAMED: usize = 8;

/// Interfaces by how their names begin, and what grants what is behind them; the first that fits counts.
const GRANTS: [(&str, &str); 11] = [
    ("wasi:filesystem/", "--dir HOST[::GUEST][:ro]"),
    ("wasi:sockets/ip-name-lookup", "--allow-resolve PATTERN"),
    ("wasi:sockets/", "--allow-net RULE"),
    ("wasi:http/", "--allow-http RULE"),
    ("wasi:config/", "--config KEY=VALUE"),
    ("wasi:keyvalue/", "--kv NAME=memory"),
    ("wasi:cli/environment", "--env NAME[=VALUE]"),
    ("wasi:cli/", ""),
    ("wasi:io/", ""),
    ("wasi:clocks/", ""),
    ("wasi:random/", ""),
];

/// What grants an interface: a flag, nothing if no grant is needed, `None` if nothing provides it.
fn grant(interface: &str) -> Option<&'static str> {
    GRANTS.iter().find(|(start, _)| interface.starts_with(start)).map(|(_, flag)| *flag)
}

/// What is known about a component.
pub(crate) struct ComponentSurvey {
    component: Component,
    outline: Vec<InstanceOutline>,
}

impl ComponentSurvey {
    pub(crate) fn new(component: Component) -> ComponentSurvey {
        let outline = component.outline();
        ComponentSurvey { component, outline }
    }

    /// The interfaces that are needed, each with the functions that are called.
    fn needs(&self) -> Vec<(&str, Vec<&str>)> {
        let imports = self.component.imports.iter().enumerate();
        imports
            .filter_map(|(at, import)| {
                let used = self.outline.iter().filter_map(|part| part.needs.get(&(at as u32)));
                let mut lists = used.peekable();
                lists.peek()?;
                let mut names: Vec<&str> = lists.flatten().map(|name| &**name).collect();
                names.sort_unstable();
                names.dedup();
                Some((&*import.name, names))
            })
            .collect()
    }

    fn exports(&self) -> Vec<String> {
        let paths = self.outline.iter().flat_map(|part| &part.exports);
        paths.map(|path| path.join("#")).collect()
    }

    fn module_bytes(&self, module: usize) -> u64 {
        self.component.modules.get(module).map_or(0, |range| range.len() as u64)
    }

    /// For people.
    pub(crate) fn text(&self, title: &str) -> String {
        let mut text = format!("{title}: component");
        if let Some(name) = &self.component.name {
            let _ = write!(text, " `{}`", escape(name));
        }
        let total: u64 = (0..self.component.modules.len()).map(|at| self.module_bytes(at)).sum();
        let (instances, modules) = (self.outline.len(), self.component.modules.len());
        let _ =
            writeln!(text, ", {instances} instances, {modules} core modules of {}", Size(total));
        for producer in self.component.producers() {
            let (name, version) = (escape(&producer.name), escape(&producer.version));
            let _ = writeln!(text, "made with {name} {version}");
        }
        text.push_str("\nconsists of\n");
        self.tree(&mut text);
        text.push_str("\nneeds\n");
        let needs = self.needs();
        if needs.is_empty() {
            text.push_str("  nothing\n");
        }
        for (interface, names) in &needs {
            let _ = write!(text, "  {}", escape(interface));
            if !names.is_empty() {
                let _ = write!(text, ": {}", named(names));
            }
            text.push('\n');
            match grant(interface) {
                Some("") => {}
                Some(flag) => {
                    let _ = writeln!(text, "      granted with {flag}");
                }
                None => text.push_str(
                    "      nothing provides it: `dunlin compose` it with a component that does\n",
                ),
            }
        }
        text.push_str("\nexports\n");
        let exports = self.exports();
        if exports.is_empty() {
            text.push_str("  no functions\n");
        }
        for export in exports {
            let _ = writeln!(text, "  {}", escape(&export));
        }
        text
    }

    /// A line for each part, below the one it is part of.
    fn tree(&self, text: &mut String) {
        let mut todo = vec![(0usize, 1usize)];
        while let Some((at, depth)) = todo.pop() {
            let Some(part) = self.outline.get(at) else { continue };
            let name =
                part.name.as_deref().unwrap_or(if at == 0 { "the component" } else { "unnamed" });
            let _ = write!(text, "{:1$}{2}", "", 2 * depth, escape(name));
            let modules: Vec<String> = part
                .modules
                .iter()
                .map(|module| Size(self.module_bytes(module.index())).to_string())
                .collect();
            if !modules.is_empty() {
                let _ = write!(text, ": core modules of {}", modules.join(", "));
            }
            if !part.needs.is_empty() {
                let _ = write!(text, "; needs {} of the imports", part.needs.len());
            }
            text.push('\n');
            todo.extend(part.children.iter().rev().map(|child| (child.index(), depth + 1)));
        }
    }

    /// For programs.
    pub(crate) fn json(&self) -> Json {
        let imports = &self.component.imports;
        let instances = self.outline.iter().enumerate().map(|(at, part)| {
            let parent = self.component.instances.get(at).and_then(|instance| instance.parent);
            let modules = part.modules.iter().map(|module| u64::from(module.0));
            let needs = part.needs.keys().filter_map(|import| {
                imports.get(*import as usize).map(|import| Json::from(&*import.name))
            });
            Json::Object(vec![
                ("name", part.name.as_deref().into()),
                ("parent", parent.map(|parent| u64::from(parent.0)).into()),
                ("modules", modules.collect()),
                ("needs", needs.collect()),
            ])
        });
        let needs = self.needs().into_iter().map(|(interface, names)| {
            Json::Object(vec![
                ("interface", interface.into()),
                ("functions", names.into_iter().collect()),
                ("grant", grant(interface).into()),
            ])
        });
        let modules = 0..self.component.modules.len();
        Json::Object(vec![
            ("kind", "component".into()),
            ("name", self.component.name.as_deref().into()),
            ("instances", instances.collect()),
            ("module_bytes", modules.map(|at| self.module_bytes(at)).collect()),
            ("needs", needs.collect()),
            ("exports", self.exports().into_iter().collect()),
        ])
    }
}

fn named(names: &[&str]) -> String {
    let mut shown: Vec<String> =
        names.iter().take(FUNCS_NAMED).map(|name| escape(name).to_string()).collect();
    if names.len() > FUNCS_NAMED {
        shown.push(format!("{} more", names.len() - FUNCS_NAMED));
    }
    shown.join(", ")
}
