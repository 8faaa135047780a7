//! Types as the embedder sees them: looked at, compared, and printed as WIT.

use std::fmt;
use std::sync::Arc;

use dunlin_module::component::{ComponentFuncType, DefinedType, FuncTypeIndex, ValueType};

use crate::component::Component;

/// The type of a value of some component.
#[derive(Clone)]
pub struct Type {
    component: Component,
    ty: ValueType,
}

/// What a [`Type`] is.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the names are those of WIT")]
pub enum TypeKind {
    /// A number, `bool`, `char` or `string`, by its name in WIT.
    Primitive(&'static str),
    Record(Vec<(Arc<str>, Type)>),
    Tuple(Vec<Type>),
    Variant(Vec<(Arc<str>, Option<Type>)>),
    Enum(Vec<Arc<str>>),
    Option(Type),
    Result {
        ok: Option<Type>,
        err: Option<Type>,
    },
    Flags(Vec<Arc<str>>),
    List(Type),
    FixedList(Type, u32),
    Map(Type, Type),
    /// An owned resource, by the name of its type.
    Own(Arc<str>),
    /// A borrowed resource, by the name of its type.
    Borrow(Arc<str>),
    Stream(Option<Type>),
    Future(Option<Type>),
    ErrorContext,
}

impl Type {
    pub(crate) fn new(component: &Component, ty: ValueType) -> Type {
        Type { component: component.clone(), ty }
    }

    fn of(&self, ty: ValueType) -> Type {
        Type { component: self.component.clone(), ty }
    }

    /// What it is.
    pub fn kind(&self) -> TypeKind {
        let ValueType::Defined(index) = self.ty else {
            return match self.ty {
                ValueType::ErrorContext => TypeKind::ErrorContext,
                ty => TypeKind::Primitive(primitive(ty)),
            };
        };
        let of = |ty: &ValueType| self.of(*ty);
        let maybe = |ty: &Option<ValueType>| ty.map(|ty| self.of(ty));
        match self.component.description().types.defined.get(index.index()) {
            Some(DefinedType::Record(fields)) => {
                TypeKind::Record(fields.iter().map(|(name, ty)| (name.clone(), of(ty))).collect())
            }
            Some(DefinedType::Tuple(types)) => TypeKind::Tuple(types.iter().map(of).collect()),
            Some(DefinedType::Variant(cases)) => TypeKind::Variant(
                cases.iter().map(|(name, ty)| (name.clone(), maybe(ty))).collect(),
            ),
            Some(DefinedType::Enum(names)) => TypeKind::Enum(names.to_vec()),
            Some(DefinedType::Option(ty)) => TypeKind::Option(of(ty)),
            Some(DefinedType::Result { ok, err }) => {
                TypeKind::Result { ok: maybe(ok), err: maybe(err) }
            }
            Some(DefinedType::Flags(names)) => TypeKind::Flags(names.to_vec()),
            Some(DefinedType::List(ty)) => TypeKind::List(of(ty)),
            Some(DefinedType::FixedList(ty, len)) => TypeKind::FixedList(of(ty), *len),
            Some(DefinedType::Map(key, value)) => TypeKind::Map(of(key), of(value)),
            Some(DefinedType::Own(resource)) => TypeKind::Own(self.component.resource(*resource)),
            Some(DefinedType::Borrow(resource)) => {
                TypeKind::Borrow(self.component.resource(*resource))
            }
            Some(DefinedType::Stream(ty)) => TypeKind::Stream(maybe(ty)),
            Some(DefinedType::Future(ty)) => TypeKind::Future(maybe(ty)),
            None => TypeKind::Tuple(Vec::new()),
        }
    }
}

/// The name of a primitive type in WIT.
fn primitive(ty: ValueType) -> &'static str {
    match ty {
        ValueType::Bool => "bool",
        ValueType::S8 => "s8",
        ValueType::U8 => "u8",
        ValueType::S16 => "s16",
        ValueType::U16 => "u16",
        ValueType::S32 => "s32",
        ValueType::U32 => "u32",
        ValueType::S64 => "s64",
        ValueType::U64 => "u64",
        ValueType::F32 => "f32",
        ValueType::F64 => "f64",
        ValueType::Char => "char",
        ValueType::String => "string",
        ValueType::ErrorContext => "error-context",
        ValueType::Defined(_) => "defined",
    }
}

impl fmt::Debug for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// As WIT has it. Records, variants, enums and flags, which have names there, are written out.
impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or_none = |ty: &Option<Type>| match ty {
            Some(ty) => ty.to_string(),
            None => "_".to_owned(),
        };
        match self.kind() {
            TypeKind::Primitive(name) => f.write_str(name),
            TypeKind::ErrorContext => f.write_str("error-context"),
            TypeKind::Record(fields) => {
                f.write_str("record { ")?;
                list(f, &fields, |f, (name, ty)| write!(f, "{name}: {ty}"))?;
                f.write_str(" }")
            }
            TypeKind::Tuple(types) => {
                f.write_str("tuple<")?;
                list(f, &types, |f, ty| write!(f, "{ty}"))?;
                f.write_str(">")
            }
            TypeKind::Variant(cases) => {
                f.write_str("variant { ")?;
                list(f, &cases, |f, (name, ty)| match ty {
                    Some(ty) => write!(f, "{name}({ty})"),
                    None => f.write_str(name),
                })?;
                f.write_str(" }")
            }
            TypeKind::Enum(names) => {
                f.write_str("enum { ")?;
                list(f, &names, |f, name| f.write_str(name))?;
                f.write_str(" }")
            }
            TypeKind::Flags(names) => {
                f.write_str("flags { ")?;
                list(f, &names, |f, name| f.write_str(name))?;
                f.write_str(" }")
            }
            TypeKind::Option(ty) => write!(f, "option<{ty}>"),
            TypeKind::Result { ok: None, err: None } => f.write_str("result"),
            TypeKind::Result { ok: Some(ok), err: None } => write!(f, "result<{ok}>"),
            TypeKind::Result { ok, err } => {
                write!(f, "result<{}, {}>", or_none(&ok), or_none(&err))
            }
            TypeKind::List(ty) => write!(f, "list<{ty}>"),
            TypeKind::FixedList(ty, len) => write!(f, "list<{ty}, {len}>"),
            TypeKind::Map(key, value) => write!(f, "map<{key}, {value}>"),
            TypeKind::Own(name) => f.write_str(&name),
            TypeKind::Borrow(name) => write!(f, "borrow<{name}>"),
            TypeKind::Stream(None) => f.write_str("stream"),
            TypeKind::Stream(Some(ty)) => write!(f, "stream<{ty}>"),
            TypeKind::Future(None) => f.write_str("future"),
            TypeKind::Future(Some(ty)) => write!(f, "future<{ty}>"),
        }
    }
}

fn list<T>(
    f: &mut fmt::Formatter<'_>,
    items: &[T],
    each: impl Fn(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            f.write_str(", ")?;
        }
        each(f, item)?;
    }
    Ok(())
}

/// The type of a function of some component.
#[derive(Clone)]
pub struct FuncType {
    component: Component,
    ty: FuncTypeIndex,
}

impl FuncType {
    pub(crate) fn new(component: &Component, ty: FuncTypeIndex) -> FuncType {
        FuncType { component: component.clone(), ty }
    }

    fn inner(&self) -> Option<&ComponentFuncType> {
        self.component.description().types.funcs.get(self.ty.index())
    }

    /// Names and types of its parameters.
    pub fn params(&self) -> impl ExactSizeIterator<Item = (&str, Type)> {
        let params = self.inner().map_or(&[][..], |ty| &ty.params);
        params.iter().map(|(name, ty)| (&**name, Type::new(&self.component, *ty)))
    }

    /// The type of its result, if it has one.
    pub fn result(&self) -> Option<Type> {
        Some(Type::new(&self.component, self.inner()?.result?))
    }

    /// Whether it may block its caller.
    pub fn is_async(&self) -> bool {
        self.inner().is_some_and(|ty| ty.async_)
    }
}

impl fmt::Debug for FuncType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// As WIT has it.
impl fmt::Display for FuncType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_async() { "async func(" } else { "func(" })?;
        let params: Vec<_> = self.params().collect();
        list(f, &params, |f, (name, ty)| write!(f, "{name}: {ty}"))?;
        f.write_str(")")?;
        match self.result() {
            Some(ty) => write!(f, " -> {ty}"),
            None => Ok(()),
        }
    }
}
