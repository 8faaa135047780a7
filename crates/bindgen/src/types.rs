//! Types of WIT as Rust types, where they are used and where they are declared.

use std::collections::HashMap;

use wit_parser::{
    Docs, Flags, Handle, InterfaceId, Record, Resolve, Type, TypeDef, TypeDefKind, TypeId,
    TypeOwner, Variant,
};

use crate::Error;
use crate::naming::{camel, constant, docs, follows, snake, type_name};
use crate::tree::{Place, path};

/// What is known about all types of a world.
pub(crate) struct Types<'a> {
    pub(crate) resolve: &'a Resolve,
    /// The path of the crate that code uses.
    pub(crate) runtime: &'a str,
    /// Where each interface is, and whether it is exported.
    pub(crate) interfaces: HashMap<InterfaceId, (Place, bool)>,
    /// Resources that stand for types of the embedder's, by `interface/resource`.
    pub(crate) with: &'a std::collections::BTreeMap<String, String>,
}

/// The most elements that a tuple can have, and a function parameters.
pub(crate) const TUPLE_MAX: usize = 18;

/// The most flags that there can be in one type.
const FLAGS_MAX: usize = 32;

impl Types<'_> {
    /// The module that a type is declared in, and whether that is exported.
    fn place(&self, def: &TypeDef) -> Option<(&[String], bool)> {
        match def.owner {
            TypeOwner::Interface(id) => {
                self.interfaces.get(&id).map(|(place, exported)| (&place[..], *exported))
            }
            TypeOwner::World(_) => Some((&[], false)),
            TypeOwner::None => None,
        }
    }

    /// The type without the names that only stand for it.
    fn dealiased(&self, mut id: TypeId) -> TypeId {
        while let TypeDefKind::Type(Type::Id(inner)) = self.resolve.types[id].kind {
            id = inner;
        }
        id
    }

    /// A type as code in the module `from` owns it.
    pub(crate) fn owned(&self, ty: &Type, from: &[String]) -> Result<String, Error> {
        Ok(match ty {
            Type::Bool => "bool".to_owned(),
            Type::U8 => "u8".to_owned(),
            Type::U16 => "u16".to_owned(),
            Type::U32 => "u32".to_owned(),
            Type::U64 => "u64".to_owned(),
            Type::S8 => "i8".to_owned(),
            Type::S16 => "i16".to_owned(),
            Type::S32 => "i32".to_owned(),
            Type::S64 => "i64".to_owned(),
            Type::F32 => "f32".to_owned(),
            Type::F64 => "f64".to_owned(),
            Type::Char => "char".to_owned(),
            Type::String => "::std::string::String".to_owned(),
            Type::ErrorContext => return Err(Error::unsupported("`error-context`")),
            Type::Id(id) => {
                let def = &self.resolve.types[*id];
                match (&def.name, self.place(def)) {
                    // Resources have a name, but are used as what stands for one.
                    _ if self.is_resource(*id) => self.resource(*id, from)?,
                    (Some(name), Some((place, _))) => path(from, place, &type_name(name)),
                    _ => self.structure(&def.kind, from)?,
                }
            }
        })
    }

    fn is_resource(&self, id: TypeId) -> bool {
        matches!(self.resolve.types[self.dealiased(id)].kind, TypeDefKind::Resource)
    }

    /// What stands for a resource.
    fn resource(&self, id: TypeId, from: &[String]) -> Result<String, Error> {
        let def = &self.resolve.types[self.dealiased(id)];
        let runtime = self.runtime;
        match (&def.name, self.place(def)) {
            (Some(_), Some((_, true))) => Ok(format!("{runtime}::ResourceAny")),
            (Some(name), Some((place, false))) => {
                let marker = path(from, place, &type_name(name));
                Ok(format!("{runtime}::Resource<{marker}>"))
            }
            _ => Err(Error::unsupported("a resource of no interface of the world")),
        }
    }

    /// A type without a name.
    fn structure(&self, kind: &TypeDefKind, from: &[String]) -> Result<String, Error> {
        let owned = |ty: &Type| self.owned(ty, from);
        let maybe = |ty: &Option<Type>| ty.as_ref().map_or(Ok("()".to_owned()), owned);
        Ok(match kind {
            TypeDefKind::Handle(Handle::Own(id) | Handle::Borrow(id)) => {
                self.resource(*id, from)?
            }
            TypeDefKind::Tuple(tuple) => {
                check_tuple(tuple.types.len())?;
                let types = tuple.types.iter().map(owned).collect::<Result<Vec<_>, Error>>()?;
                self::tuple(types.into_iter())
            }
            TypeDefKind::Option(ty) => format!("::core::option::Option<{}>", owned(ty)?),
            TypeDefKind::Result(result) => {
                let (ok, err) = (maybe(&result.ok)?, maybe(&result.err)?);
                format!("::core::result::Result<{ok}, {err}>")
            }
            TypeDefKind::List(ty) => format!("::std::vec::Vec<{}>", owned(ty)?),
            TypeDefKind::Map(key, value) => {
                format!("{}::Map<{}, {}>", self.runtime, owned(key)?, owned(value)?)
            }
            TypeDefKind::FixedLengthList(ty, len) => format!("[{}; {len}]", owned(ty)?),
            TypeDefKind::Type(ty) => owned(ty)?,
            TypeDefKind::Future(_) => return Err(Error::unsupported("`future`")),
            TypeDefKind::Stream(_) => return Err(Error::unsupported("`stream`")),
            other => {
                return Err(Error::unsupported(&format!("a {} without a name", other.as_str())));
            }
        })
    }

    /// A type as code in the module `from` takes it to pass it on: borrowed, unless that is more work.
    pub(crate) fn borrowed(&self, ty: &Type, from: &[String]) -> Result<String, Error> {
        let Type::Id(id) = ty else {
            return match ty {
                Type::String => Ok("&str".to_owned()),
                _ => self.owned(ty, from),
            };
        };
        let borrowed = |ty: &Type| self.borrowed(ty, from);
        let maybe = |ty: &Option<Type>| ty.as_ref().map_or(Ok("()".to_owned()), borrowed);
        match &self.resolve.types[*id].kind {
            TypeDefKind::Type(inner) => borrowed(inner),
            TypeDefKind::List(element) => Ok(format!("&[{}]", self.owned(element, from)?)),
            TypeDefKind::Option(ty) => Ok(format!("::core::option::Option<{}>", borrowed(ty)?)),
            TypeDefKind::Result(result) => {
                let (ok, err) = (maybe(&result.ok)?, maybe(&result.err)?);
                Ok(format!("::core::result::Result<{ok}, {err}>"))
            }
            TypeDefKind::Tuple(tuple) => {
                check_tuple(tuple.types.len())?;
                let types = tuple.types.iter().map(borrowed).collect::<Result<Vec<_>, Error>>()?;
                Ok(self::tuple(types.into_iter()))
            }
            _ if self.is_copy(ty) => self.owned(ty, from),
            _ => Ok(format!("&{}", self.owned(ty, from)?)),
        }
    }

    /// Whether a value is copied as cheaply as referred to.
    fn is_copy(&self, ty: &Type) -> bool {
        let Type::Id(id) = ty else { return !matches!(ty, Type::String) };
        match &self.resolve.types[*id].kind {
            TypeDefKind::Handle(_)
            | TypeDefKind::Resource
            | TypeDefKind::Flags(_)
            | TypeDefKind::Enum(_) => true,
            TypeDefKind::Type(ty) | TypeDefKind::Option(ty) => self.is_copy(ty),
            TypeDefKind::Record(record) => {
                record.fields.len() <= 4
                    && record.fields.iter().all(|field| self.is_copy(&field.ty))
            }
            TypeDefKind::Variant(variant) => {
                variant.cases.iter().all(|case| case.ty.as_ref().is_none_or(|ty| self.is_copy(ty)))
            }
            TypeDefKind::Tuple(tuple) => tuple.types.iter().all(|ty| self.is_copy(ty)),
            TypeDefKind::Result(result) => {
                let parts = [&result.ok, &result.err];
                parts.into_iter().flatten().all(|ty| self.is_copy(ty))
            }
            _ => false,
        }
    }

    /// Whether values can be compared: all but those that hold resources of the host's.
    fn is_comparable(&self, ty: &Type) -> bool {
        let Type::Id(id) = ty else { return true };
        match &self.resolve.types[*id].kind {
            TypeDefKind::Handle(Handle::Own(id) | Handle::Borrow(id)) => {
                let def = &self.resolve.types[self.dealiased(*id)];
                self.place(def).is_some_and(|(_, exported)| exported)
            }
            TypeDefKind::Type(ty)
            | TypeDefKind::Option(ty)
            | TypeDefKind::List(ty)
            | TypeDefKind::FixedLengthList(ty, _) => self.is_comparable(ty),
            TypeDefKind::Map(key, value) => self.is_comparable(key) && self.is_comparable(value),
            TypeDefKind::Record(record) => {
                record.fields.iter().all(|field| self.is_comparable(&field.ty))
            }
            TypeDefKind::Variant(variant) => {
                variant.cases.iter().all(|c| c.ty.as_ref().is_none_or(|ty| self.is_comparable(ty)))
            }
            TypeDefKind::Tuple(tuple) => tuple.types.iter().all(|ty| self.is_comparable(ty)),
            TypeDefKind::Result(result) => {
                let parts = [&result.ok, &result.err];
                parts.into_iter().flatten().all(|ty| self.is_comparable(ty))
            }
            _ => true,
        }
    }

    /// The declaration of a type that has a name, for its own module. `of` is the interface in messages.
    pub(crate) fn declare(&self, id: TypeId, from: &[String], of: &str) -> Result<String, Error> {
        let def = &self.resolve.types[id];
        let Some(wit) = def.name.as_deref() else { return Ok(String::new()) };
        let (name, runtime) = (type_name(wit), self.runtime);
        let comments = docs(def.docs.contents.as_deref(), &format!("`{wit}`"));
        let body = match &def.kind {
            TypeDefKind::Record(record) => {
                let fields = self.fields(record, from)?;
                let derives = self.derives(&Type::Id(id), "record");
                format!("{comments}{derives}pub struct {name} {{\n{fields}}}\n")
            }
            TypeDefKind::Variant(variant) => {
                let cases = self.cases(variant, from)?;
                let derives = self.derives(&Type::Id(id), "variant");
                format!("{comments}{derives}pub enum {name} {{\n{cases}}}\n")
            }
            TypeDefKind::Enum(cases) => {
                let cases = cases.cases.iter().map(|case| {
                    let name = camel(&case.name);
                    format!("{}{name},\n", before(&case.docs, &case.name, &name))
                });
                let cases = cases.collect::<String>();
                let derives = self.derives(&Type::Id(id), "enum");
                format!("{comments}{derives}pub enum {name} {{\n{cases}}}\n")
            }
            TypeDefKind::Flags(flags) => {
                let flags = flags_of(flags)?;
                format!("{runtime}::flags! {{\n{comments}pub struct {name} {{\n{flags}}}\n}}\n")
            }
            TypeDefKind::Resource => self.marker(def, wit, of, &comments),
            // Another name for a resource stands for the same marker.
            TypeDefKind::Type(Type::Id(inner)) if self.is_resource(*inner) => {
                let original = &self.resolve.types[self.dealiased(*inner)];
                match (&original.name, self.place(original)) {
                    (Some(original), Some((place, _))) => {
                        let original = path(from, place, &type_name(original));
                        format!("{comments}pub type {name} = {original};\n")
                    }
                    _ => String::new(),
                }
            }
            TypeDefKind::Type(ty) => {
                format!("{comments}pub type {name} = {};\n", self.owned(ty, from)?)
            }
            kind => format!("{comments}pub type {name} = {};\n", self.structure(kind, from)?),
        };
        Ok(indent_items(&body))
    }

    /// The Rust type that tells resources of one type from those of others.
    fn marker(&self, def: &TypeDef, wit: &str, of: &str, comments: &str) -> String {
        let name = type_name(wit);
        let exported = self.place(def).is_some_and(|(_, exported)| exported);
        if exported {
            return format!("{comments}pub type {name} = {}::ResourceAny;\n", self.runtime);
        }
        let without_version = of.split('@').next().unwrap_or_default();
        let known = self.with.get(&format!("{of}/{wit}"));
        match known.or_else(|| self.with.get(&format!("{without_version}/{wit}"))) {
            Some(known) => format!("{comments}pub type {name} = {known};\n"),
            None => format!("{comments}#[derive(Debug)]\npub enum {name} {{}}\n"),
        }
    }

    /// What is derived for a type of a kind.
    fn derives(&self, ty: &Type, kind: &str) -> String {
        let runtime = self.runtime;
        let copy = if self.is_copy(ty) { ", Copy" } else { "" };
        let equal = match self.is_comparable(ty) {
            true if kind == "enum" => ", PartialEq, Eq, Hash",
            true => ", PartialEq",
            false => "",
        };
        format!(
            "#[derive(Clone{copy}{equal}, Debug, {runtime}::ComponentType)]\n\
             #[component({kind}, crate = {runtime})]\n"
        )
    }

    fn fields(&self, record: &Record, from: &[String]) -> Result<String, Error> {
        let fields = record.fields.iter().map(|field| {
            let ty = self.owned(&field.ty, from)?;
            let name = snake(&field.name);
            Ok(format!("{}pub {name}: {ty},\n", before(&field.docs, &field.name, &name)))
        });
        fields.collect()
    }

    fn cases(&self, variant: &Variant, from: &[String]) -> Result<String, Error> {
        let cases = variant.cases.iter().map(|case| {
            let held = case.ty.as_ref().map(|ty| self.owned(ty, from)).transpose()?;
            let held = held.map(|ty| format!("({ty})")).unwrap_or_default();
            let name = camel(&case.name);
            Ok(format!("{}{name}{held},\n", before(&case.docs, &case.name, &name)))
        });
        cases.collect()
    }
}

/// What is before a field, case or flag: its documentation, and its name in WIT where that does not follow.
fn before(comments: &Docs, wit: &str, rust: &str) -> String {
    let comments = docs(comments.contents.as_deref(), &format!("`{wit}`"));
    match follows(wit, rust) {
        true => comments,
        false => format!("{comments}#[component(name = {wit:?})]\n"),
    }
}

fn flags_of(flags: &Flags) -> Result<String, Error> {
    if flags.flags.len() > FLAGS_MAX {
        return Err(Error::unsupported(&format!("a type of more than {FLAGS_MAX} flags")));
    }
    let flags = flags.flags.iter().map(|flag| {
        let name = constant(&flag.name);
        format!("{}{name},\n", before(&flag.docs, &flag.name, &name))
    });
    Ok(flags.collect())
}

fn check_tuple(len: usize) -> Result<(), Error> {
    match len {
        0 => Err(Error::unsupported("an empty tuple")),
        1..=TUPLE_MAX => Ok(()),
        _ => Err(Error::unsupported(&format!("a tuple of more than {TUPLE_MAX}"))),
    }
}

/// A tuple of types or values.
pub(crate) fn tuple(parts: impl ExactSizeIterator<Item = String>) -> String {
    let comma = if parts.len() == 1 { "," } else { "" };
    format!("({}{comma})", parts.collect::<Vec<_>>().join(", "))
}

/// Indents what is in braces.
pub(crate) fn indent_items(source: &str) -> String {
    let mut depth = 0_usize;
    let mut indented = String::new();
    for line in source.lines() {
        let is_comment = line.starts_with("///");
        if !is_comment && line.starts_with(['}', ')']) {
            depth = depth.saturating_sub(1);
        }
        if line.is_empty() {
            indented.push('\n');
        } else {
            indented += &format!("{:1$}{line}\n", "", 4 * depth);
        }
        if !is_comment && line.ends_with(['{', '(']) {
            depth += 1;
        }
    }
    indented
}
