//! Composition without a plan: what one component imports, others export under the same name.

use std::collections::BTreeMap;
use std::path::Path;

use dunlin_module::escape;
use wac_graph::types::{ItemKind, Package, are_semver_compatible};
use wac_graph::{
    CompositionGraph, EncodeError, EncodeOptions, InstantiationArgumentError, NodeId, PackageId,
    Processor,
};

use crate::contained::contained;
use crate::error::{Error, ErrorKind};
use crate::wit::is_component;

/// A component, and what it is called in messages.
#[derive(Clone, Copy, Debug)]
pub struct Plug<'a> {
    /// The name of the file, or any other.
    pub name: &'a str,
    /// The component.
    pub bytes: &'a [u8],
}

/// Gives `socket` what `plugs` export: every import whose name one of them exports, with the same or a
/// compatible version. Plugs get what they import from each other in the same way. What nobody
/// exports is imported by the result, which exports what `socket` does.
///
/// # Errors
///
/// When types do not fit, two plugs export the same, plugs need each other in a circle, or a plug
/// exports nothing that is needed.
pub fn plug(socket: Plug<'_>, plugs: &[Plug<'_>]) -> Result<Vec<u8>, Error> {
    contained(|| {
        let mut parts = Parts::new(socket, plugs)?;
        let order = parts.order()?;
        parts.instantiate(&order)?;
        parts.encode()
    })
}

/// The position of the socket.
const SOCKET: usize = 0;

/// The components: the socket first, then the plugs.
struct Parts<'a> {
    graph: CompositionGraph,
    names: Vec<&'a str>,
    packages: Vec<PackageId>,
    /// For each component, by import: who provides it, and under which name.
    wires: Vec<BTreeMap<String, (usize, String)>>,
    instances: Vec<Option<NodeId>>,
}

impl<'a> Parts<'a> {
    fn new(socket: Plug<'a>, plugs: &[Plug<'a>]) -> Result<Parts<'a>, Error> {
        let mut graph = CompositionGraph::new();
        let all: Vec<Plug<'a>> = [socket].into_iter().chain(plugs.iter().copied()).collect();
        let mut packages = Vec::new();
        for (i, part) in all.iter().enumerate() {
            packages.push(register(&mut graph, i, *part)?);
        }
        let names = all.iter().map(|part| part.name).collect();
        let instances = vec![None; all.len()];
        let mut parts = Parts { graph, names, packages, wires: Vec::new(), instances };
        for i in 0..all.len() {
            let wires = parts.wires_of(i)?;
            parts.wires.push(wires);
        }
        Ok(parts)
    }

    fn imports(&self, part: usize) -> impl Iterator<Item = &str> {
        let world = &self.graph.types()[self.graph[self.packages[part]].ty()];
        world.imports.keys().map(String::as_str)
    }

    fn exports(&self, part: usize) -> impl Iterator<Item = &str> {
        let world = &self.graph.types()[self.graph[self.packages[part]].ty()];
        world.exports.iter().filter(|(_, kind)| is_value(kind)).map(|(name, _)| name.as_str())
    }

    fn quoted(&self, part: usize) -> String {
        format!("`{}`", escape(self.names[part]))
    }

    /// Who provides what a component imports.
    fn wires_of(&self, part: usize) -> Result<BTreeMap<String, (usize, String)>, Error> {
        let mut wires = BTreeMap::new();
        for import in self.imports(part) {
            let mut found: Option<(usize, &str)> = None;
            for other in (0..self.packages.len()).filter(|other| *other != part && *other != SOCKET)
            {
                let exact = self.exports(other).find(|export| *export == import);
                let export = exact.or_else(|| {
                    self.exports(other).find(|export| are_semver_compatible(export, import))
                });
                match (found, export) {
                    (_, None) => {}
                    (None, Some(export)) => found = Some((other, export)),
                    (Some((first, _)), Some(export)) => {
                        return Err(self.ambiguous(first, other, export));
                    }
                }
            }
            if let Some((other, export)) = found {
                wires.insert(import.to_owned(), (other, export.to_owned()));
            }
        }
        Ok(wires)
    }

    fn ambiguous(&self, first: usize, second: usize, export: &str) -> Error {
        let message = format!(
            "both {} and {} export `{}`",
            self.quoted(first),
            self.quoted(second),
            escape(export)
        );
        Error::new(ErrorKind::Mismatch, message)
            .help("leave one out, or say who gets what in a `.wac` file")
    }

    /// The components that are needed, each after those that it needs.
    fn order(&self) -> Result<Vec<usize>, Error> {
        let mut order = Vec::new();
        // Those that were entered and not left yet, with the providers that are still to be seen.
        let mut open = vec![(SOCKET, self.providers(SOCKET))];
        while let Some((part, providers)) = open.last_mut() {
            let Some(next) = providers.pop() else {
                order.push(*part);
                open.pop();
                continue;
            };
            if let Some(start) = open.iter().position(|(part, _)| *part == next) {
                let circle: Vec<String> =
                    open[start..].iter().map(|(part, _)| self.quoted(*part)).collect();
                let message = format!("{} need each other in a circle", circle.join(", "));
                return Err(Error::new(ErrorKind::Mismatch, message)
                    .help("components can only use others that do not need them"));
            }
            if !order.contains(&next) {
                let providers = self.providers(next);
                open.push((next, providers));
            }
        }
        match (1..self.packages.len()).find(|plug| !order.contains(plug)) {
            Some(plug) => Err(self.unused(plug)),
            None => Ok(order),
        }
    }

    fn providers(&self, part: usize) -> Vec<usize> {
        let mut providers: Vec<usize> =
            self.wires[part].values().map(|(other, _)| *other).collect();
        providers.sort_unstable();
        providers.dedup();
        providers
    }

    fn unused(&self, plug: usize) -> Error {
        let list = |names: &mut dyn Iterator<Item = &str>| {
            let names: Vec<String> = names.map(|name| format!("`{}`", escape(name))).collect();
            if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
        };
        let message = format!(
            "nothing takes what {} exports: {}",
            self.quoted(plug),
            list(&mut self.exports(plug))
        );
        let imports = list(&mut self.imports(SOCKET));
        Error::new(ErrorKind::Mismatch, message)
            .help(format!("{} imports {imports}", self.quoted(SOCKET)))
    }

    /// Instantiates the components in `order`, each with what it is provided.
    fn instantiate(&mut self, order: &[usize]) -> Result<(), Error> {
        for &part in order {
            let instance = self.graph.instantiate(self.packages[part]);
            if let Some(name) = Path::new(self.names[part]).file_stem() {
                // By this name policies know it.
                self.graph.set_node_name(instance, name.to_string_lossy());
            }
            self.instances[part] = Some(instance);
            for (import, (provider, export)) in self.wires[part].clone() {
                let Some(from) = self.instances[provider] else { continue };
                let aliased = self.graph.alias_instance_export(from, &export);
                let value = aliased.map_err(|error| unexpected(&error.into()))?;
                let set = self.graph.set_instantiation_argument(instance, &import, value);
                set.map_err(|error| self.misfit(part, provider, &import, &export, error))?;
            }
        }
        Ok(())
    }

    fn misfit(
        &self,
        part: usize,
        provider: usize,
        import: &str,
        export: &str,
        error: InstantiationArgumentError,
    ) -> Error {
        let (import, export) = (escape(import), escape(export));
        let message = format!(
            "{} does not export `{export}` as {} imports `{import}`",
            self.quoted(provider),
            self.quoted(part),
        );
        let InstantiationArgumentError::ArgumentTypeMismatch { source, .. } = error else {
            return unexpected(&error.into());
        };
        Error::new(ErrorKind::Mismatch, message)
            .because(&source)
            .help("`dunlin wit` shows what each of them has")
    }

    /// The result.
    fn encode(mut self) -> Result<Vec<u8>, Error> {
        let world = &self.graph.types()[self.graph[self.packages[SOCKET]].ty()];
        let exports: Vec<String> = world.exports.keys().cloned().collect();
        if let Some(socket) = self.instances[SOCKET] {
            for export in exports {
                let aliased = self.graph.alias_instance_export(socket, &export);
                let value = aliased.map_err(|error| unexpected(&error.into()))?;
                let exported = self.graph.export(value, &export);
                exported.map_err(|error| unexpected(&error.into()))?;
            }
        }
        self.graph.encode(options()).map_err(|error| {
            let package = |node: NodeId| {
                let position = self.instances.iter().position(|instance| *instance == Some(node));
                position.map_or("a component".to_owned(), |part| self.quoted(part))
            };
            match error {
                EncodeError::ImportTypeMergeConflict { import, first, second, source } => {
                    let message = format!(
                        "{} and {} import different things as `{}`",
                        package(first),
                        package(second),
                        escape(&import)
                    );
                    Error::new(ErrorKind::Mismatch, message).because(&source)
                }
                error => unexpected(&error.into()),
            }
        })
    }
}

/// Whether something can be passed to an import.
fn is_value(kind: &ItemKind) -> bool {
    !matches!(kind, ItemKind::Type(_))
}

/// How results are encoded.
pub(crate) fn options() -> EncodeOptions<'static> {
    let processor = Processor { name: "dunlin", version: env!("CARGO_PKG_VERSION") };
    EncodeOptions { processor: Some(processor), ..EncodeOptions::default() }
}

fn register(
    graph: &mut CompositionGraph,
    number: usize,
    part: Plug<'_>,
) -> Result<PackageId, Error> {
    if !is_component(part.bytes) {
        let message = format!("`{}` is not a component", escape(part.name));
        return Err(Error::new(ErrorKind::Invalid, message)
            .help("`dunlin component new` makes a component of a module"));
    }
    // Names in the graph only have to differ.
    let name = format!("part:c{number}");
    let package = Package::from_bytes(&name, None, part.bytes, graph.types_mut());
    let package = package.map_err(|error| {
        let message = format!("cannot read `{}`", escape(part.name));
        Error::new(ErrorKind::Invalid, message).because(&error)
    })?;
    graph.register_package(package).map_err(|error| unexpected(&error.into()))
}

/// An error that says what is not said better elsewhere.
fn unexpected(error: &anyhow::Error) -> Error {
    Error::new(ErrorKind::Mismatch, "the components do not fit together").because(error)
}
