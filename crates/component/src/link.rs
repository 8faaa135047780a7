//! Finding what a component imports among definitions: names with versions, kinds, and types.

use std::fmt;
use std::sync::Arc;

use dunlin_engine::raw::RawStore;
use dunlin_engine::{Error, ErrorKind, Module, Result};
use dunlin_module::component::{
    ComponentFuncType, DefinedType, FuncTypeIndex, Leaf, LeafKind, ResourceIndex, ValueType,
};

use crate::call::Lifted;
use crate::component::Component;
use crate::host::HostFunction;
use crate::linker::{Definition, Names};
use crate::state::{Destructor, RootId, State};

/// What a component is given for one of its leaves.
#[derive(Clone)]
pub(crate) enum Target {
    /// A function of a guest.
    Guest(Arc<Lifted>),
    /// A function of the host.
    Host(Arc<dyn HostFunction>),
    /// A core module.
    Module(Module),
    /// A resource type, which the store knows by now.
    Resource,
}

/// What is defined by a path of names; the first may be that of an interface with another version.
pub(crate) fn find<'a>(names: &'a Names, path: &[&str]) -> Option<&'a Definition> {
    let (first, rest) = path.split_first()?;
    let mut found = named(names, first)?;
    for name in rest {
        let Definition::Instance(names) = found else { return None };
        found = names.get(*name)?;
    }
    Some(found)
}

/// What a name stands for, or the same name with the highest version that is compatible.
fn named<'a>(names: &'a Names, name: &str) -> Option<&'a Definition> {
    if let Some(exact) = names.get(name) {
        return Some(exact);
    }
    let (interface, wanted) = name.rsplit_once('@')?;
    let wanted = Version::parse(wanted)?;
    let compatible = names.iter().filter_map(|(known, definition)| {
        let (known, version) = known.rsplit_once('@')?;
        let version = Version::parse(version)?;
        (known == interface && version.line() == wanted.line()).then_some((version, definition))
    });
    compatible.max_by_key(|(version, _)| *version).map(|(_, definition)| definition)
}

/// Whether two names are of one thing, in compatible versions.
pub(crate) fn compatible(a: &str, b: &str) -> bool {
    if a == b {
        return true;
    }
    let parts = |name: &str| {
        let (name, version) = name.rsplit_once('@')?;
        Some((name.to_owned(), Version::parse(version)?.line()))
    };
    matches!((parts(a), parts(b)), (Some(a), Some(b)) if a == b)
}

/// The version of an interface, without a pre-release: one that has one is compatible with nothing else.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Version([u64; 3]);

impl Version {
    fn parse(text: &str) -> Option<Version> {
        let text = text.split_once('+').map_or(text, |(version, _)| version);
        let mut parts = text.split('.').map(|part| part.parse().ok());
        let version = [parts.next()??, parts.next()??, parts.next()??];
        parts.next().is_none().then_some(Version(version))
    }

    /// What all compatible versions have in common (semver): the numbers up to the first that is not 0.
    fn line(self) -> [u64; 3] {
        let Version([major, minor, patch]) = self;
        match (major, minor) {
            (0, 0) => [0, 0, patch],
            (0, _) => [0, minor, 0],
            _ => [major, 0, 0],
        }
    }
}

/// Finds everything that a component imports, and tells the store its resource types.
///
/// # Errors
///
/// All that is missing or does not fit, at once.
pub(crate) fn resolve(
    names: &Names,
    store: &mut RawStore<'_>,
    component: &Component,
    root: RootId,
) -> Result<Vec<Target>> {
    let mut targets = Vec::new();
    let mut wrong = Vec::new();
    let mut unknown = None;
    for leaf in &component.description().leaves {
        if unknown == Some(leaf.import) {
            continue;
        }
        let import = component.description().imports.get(leaf.import as usize);
        if let Some(import) = import.filter(|_| !leaf.path.is_empty())
            && named(names, &import.name).is_none()
        {
            // Once for all that is inside.
            unknown = Some(leaf.import);
            wrong.push(missing_interface(names, &import.name));
            continue;
        }
        match resolve_leaf(names, store, component, root, leaf) {
            Ok(target) => targets.push(target),
            Err(text) => wrong.push(text),
        }
    }
    if wrong.is_empty() {
        return Ok(targets);
    }
    let title = match component.name() {
        Some(name) => format!("component `{}`", dunlin_module::escape(name)),
        None => "component".to_owned(),
    };
    Err(Error::list(ErrorKind::Link, format!("cannot instantiate {title}"), wrong))
}

fn resolve_leaf(
    names: &Names,
    store: &mut RawStore<'_>,
    component: &Component,
    root: RootId,
    leaf: &Leaf,
) -> Result<Target, String> {
    let import = component.description().imports.get(leaf.import as usize);
    let import = import.map_or("", |import| &*import.name);
    let path: Vec<&str> =
        std::iter::once(import).chain(leaf.path.iter().map(|name| &**name)).collect();
    let title = dunlin_module::escape(&path.join("#")).to_string();
    let Some(found) = find(names, &path) else {
        return Err(match leaf.kind {
            LeafKind::Func(ty) => {
                format!("function `{title}` is not defined: {}", shortened(component.func_type(ty)))
            }
            LeafKind::Resource(_) => format!("resource `{title}` is not defined"),
            LeafKind::Module(_) => format!("core module `{title}` is not defined"),
        });
    };
    let state = |store: &mut RawStore<'_>, resource: ResourceIndex, ty| {
        store.companion::<State>().set_resource(root, resource, ty)
    };
    match (leaf.kind, found) {
        (LeafKind::Func(ty), Definition::Host(host)) => {
            match host.mismatch(&component.func_type(ty)) {
                None => Ok(Target::Host(host.clone())),
                Some(wrong) => Err(format!("function `{title}`: {wrong}")),
            }
        }
        (LeafKind::Func(ty), Definition::Guest(func)) => {
            let lifted = func.lifted();
            if func.store() != store.id() {
                return Err(format!("function `{title}`: it belongs to another store"));
            }
            let state = store.companion::<State>();
            let same =
                Same { state, a: (component, root), b: (&lifted.side.component, lifted.side.root) };
            if same.funcs(ty, lifted.ty) {
                return Ok(Target::Guest(lifted.clone()));
            }
            let (expected, found) =
                (component.func_type(ty), lifted.side.component.func_type(lifted.ty));
            let (expected, found) = (shortened(expected), shortened(found));
            Err(format!("function `{title}`: expected {expected}, found {found}"))
        }
        (LeafKind::Resource(resource), Definition::Resource(host)) => {
            let destructor = || Destructor::Host(host.destructor.clone());
            let ty = store.companion::<State>().host_resource(host.key, destructor, &title);
            state(store, resource, ty).map_err(|error| error.to_string())?;
            Ok(Target::Resource)
        }
        (LeafKind::Resource(resource), Definition::GuestResource(id, ty)) => {
            if *id != store.id() {
                return Err(format!("resource `{title}`: it belongs to another store"));
            }
            state(store, resource, *ty).map_err(|error| error.to_string())?;
            Ok(Target::Resource)
        }
        (LeafKind::Module(_), Definition::Module(module)) => Ok(Target::Module(module.clone())),
        (kind, found) => {
            let expected = match kind {
                LeafKind::Func(_) => "function",
                LeafKind::Resource(_) => "resource",
                LeafKind::Module(_) => "core module",
            };
            Err(format!("import `{title}`: expected a {expected}, found a {}", found.kind()))
        }
    }
}

/// What is said of an interface of which nothing is defined, and what comes close.
fn missing_interface(names: &Names, import: &str) -> String {
    let mut text = format!("interface `{}` is not defined", dunlin_module::escape(import));
    let interface = |name: &str| name.rsplit_once('@').map(|(name, _)| name.to_owned());
    if let Some(wanted) = interface(import)
        && let Some(other) = names.keys().find(|name| interface(name).as_ref() == Some(&wanted))
    {
        text.push_str(&format!("; `{other}` is, which is not compatible"));
    }
    text
}

/// How many bytes of a type a message shows.
const TYPE_BYTES: usize = 160;

/// A type as messages show it: not more of it than fits.
fn shortened(ty: impl fmt::Display) -> String {
    let mut text = ty.to_string();
    if text.len() > TYPE_BYTES {
        let end = (0..=TYPE_BYTES).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
        text.truncate(end);
        text.push('…');
    }
    text
}

/// Compares types of two components, whose resource types are compared as those of the store.
struct Same<'a> {
    state: &'a State,
    a: (&'a Component, RootId),
    b: (&'a Component, RootId),
}

impl Same<'_> {
    fn funcs(&self, a: FuncTypeIndex, b: FuncTypeIndex) -> bool {
        let func = |(component, _): (&Component, RootId), ty: FuncTypeIndex| {
            component.description().types.funcs.get(ty.index()).cloned()
        };
        let (Some(a), Some(b)) = (func(self.a, a), func(self.b, b)) else { return false };
        let ComponentFuncType { params, result, async_ } = &a;
        *async_ == b.async_
            && params.len() == b.params.len()
            && params.iter().zip(&b.params).all(|(a, b)| a.0 == b.0 && self.values(a.1, b.1))
            && self.maybe(*result, b.result)
    }

    fn maybe(&self, a: Option<ValueType>, b: Option<ValueType>) -> bool {
        match (a, b) {
            (None, None) => true,
            (Some(a), Some(b)) => self.values(a, b),
            _ => false,
        }
    }

    /// Types nest no deeper than a limit, so this does not either.
    fn values(&self, a: ValueType, b: ValueType) -> bool {
        let (ValueType::Defined(a), ValueType::Defined(b)) = (a, b) else { return a == b };
        let types = |(component, _): (&'_ Component, RootId), index: usize| {
            component.description().types.defined.get(index).cloned()
        };
        let (Some(a), Some(b)) = (types(self.a, a.index()), types(self.b, b.index())) else {
            return false;
        };
        use DefinedType as D;
        match (&a, &b) {
            (D::Record(a), D::Record(b)) => {
                a.len() == b.len()
                    && a.iter().zip(b).all(|(a, b)| a.0 == b.0 && self.values(a.1, b.1))
            }
            (D::Variant(a), D::Variant(b)) => {
                a.len() == b.len()
                    && a.iter().zip(b).all(|(a, b)| a.0 == b.0 && self.maybe(a.1, b.1))
            }
            (D::Tuple(a), D::Tuple(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| self.values(*a, *b))
            }
            (D::List(a), D::List(b)) | (D::Option(a), D::Option(b)) => self.values(*a, *b),
            (D::FixedList(a, n), D::FixedList(b, m)) => n == m && self.values(*a, *b),
            (D::Map(a, v), D::Map(b, w)) => self.values(*a, *b) && self.values(*v, *w),
            (D::Flags(a), D::Flags(b)) | (D::Enum(a), D::Enum(b)) => a == b,
            (D::Result { ok: a, err: e }, D::Result { ok: b, err: f }) => {
                self.maybe(*a, *b) && self.maybe(*e, *f)
            }
            (D::Own(a), D::Own(b)) | (D::Borrow(a), D::Borrow(b)) => self.resources(*a, *b),
            (D::Stream(a), D::Stream(b)) | (D::Future(a), D::Future(b)) => self.maybe(*a, *b),
            _ => false,
        }
    }

    fn resources(&self, a: ResourceIndex, b: ResourceIndex) -> bool {
        match (self.state.resource(self.a.1, a), self.state.resource(self.b.1, b)) {
            (Ok(a), Ok(b)) => a == b,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        for (a, b, expected) in [
            ("a:b/c@0.2.0", "a:b/c@0.2.12", true),
            ("a:b/c@0.2.0", "a:b/c@0.3.0", false),
            ("a:b/c@1.2.0", "a:b/c@1.9.9", true),
            ("a:b/c@1.2.0", "a:b/c@2.0.0", false),
            ("a:b/c@0.0.1", "a:b/c@0.0.2", false),
            ("a:b/c@0.2.0", "a:b/d@0.2.0", false),
            ("a:b/c@0.2.0-rc1", "a:b/c@0.2.0", false),
            ("a:b/c@0.2.0-rc1", "a:b/c@0.2.0-rc1", true),
            ("f", "f", true),
        ] {
            assert_eq!(compatible(a, b), expected, "{a} {b}");
        }
    }
}
