//! Values of components whose types are known at run time only.

use std::sync::Arc;

use dunlin_module::component::DefinedType;

use crate::resource::ResourceAny;
use crate::types::{Type, TypeKind};

/// A value of a component.
///
/// Lists of fixed length are [`Val::List`]. Names are those of the type, without which no value is
/// accepted.
#[derive(Clone, PartialEq, Debug)]
#[expect(missing_docs, reason = "the names are those of WIT")]
pub enum Val {
    Bool(bool),
    S8(i8),
    U8(u8),
    S16(i16),
    U16(u16),
    S32(i32),
    U32(u32),
    S64(i64),
    U64(u64),
    F32(f32),
    F64(f64),
    Char(char),
    String(String),
    List(Vec<Val>),
    Map(Vec<(Val, Val)>),
    /// Fields in the order of the type.
    Record(Vec<(Arc<str>, Val)>),
    Tuple(Vec<Val>),
    Variant(Arc<str>, Option<Box<Val>>),
    Enum(Arc<str>),
    Option(Option<Box<Val>>),
    Result(Result<Option<Box<Val>>, Option<Box<Val>>>),
    /// The flags that are set.
    Flags(Vec<Arc<str>>),
    /// An owned or a borrowed resource.
    Resource(ResourceAny),
}

impl Val {
    /// What kind of type it is of, in the words of WIT.
    pub fn kind(&self) -> &'static str {
        match self {
            Val::Bool(_) => "bool",
            Val::S8(_) => "s8",
            Val::U8(_) => "u8",
            Val::S16(_) => "s16",
            Val::U16(_) => "u16",
            Val::S32(_) => "s32",
            Val::U32(_) => "u32",
            Val::S64(_) => "s64",
            Val::U64(_) => "u64",
            Val::F32(_) => "f32",
            Val::F64(_) => "f64",
            Val::Char(_) => "char",
            Val::String(_) => "string",
            Val::List(_) => "list",
            Val::Map(_) => "map",
            Val::Record(_) => "record",
            Val::Tuple(_) => "tuple",
            Val::Variant(..) => "variant",
            Val::Enum(_) => "enum",
            Val::Option(_) => "option",
            Val::Result(_) => "result",
            Val::Flags(_) => "flags",
            Val::Resource(_) => "resource",
        }
    }

    /// Which case of a type it is, and what that holds.
    pub(crate) fn case_of(&self, ty: &DefinedType) -> Option<(u32, Option<&Val>)> {
        let place = |at: Option<usize>| at.and_then(|at| u32::try_from(at).ok());
        match (self, ty) {
            (Val::Variant(name, inner), DefinedType::Variant(cases)) => {
                let case = place(cases.iter().position(|(case, _)| case == name))?;
                Some((case, inner.as_deref()))
            }
            (Val::Enum(name), DefinedType::Enum(names)) => {
                Some((place(names.iter().position(|case| case == name))?, None))
            }
            (Val::Option(inner), DefinedType::Option(_)) => {
                Some((u32::from(inner.is_some()), inner.as_deref()))
            }
            (Val::Result(Ok(inner)), DefinedType::Result { .. }) => Some((0, inner.as_deref())),
            (Val::Result(Err(inner)), DefinedType::Result { .. }) => Some((1, inner.as_deref())),
            _ => None,
        }
    }

    /// Why it is no value of a type, if it is none: a path to what is wrong, and what is.
    ///
    /// Whether a resource is of the right type is found when it is passed.
    pub(crate) fn mismatch(&self, ty: &Type) -> Option<Mismatch> {
        let wrong = || Some(Mismatch::new(format!("expected {ty}, found {}", self.kind())));
        let missing = |what: &str, name: &str| {
            Some(Mismatch::new(format!("expected {ty}, which has no {what} `{name}`")))
        };
        let count = |expected: usize, found: usize| {
            Some(Mismatch::new(format!("expected {ty}, with {expected} parts, found {found}")))
        };
        let payload = |name: &str, ty: Option<Type>, val: Option<&Val>| match (ty, val) {
            (None, None) => None,
            (Some(ty), Some(val)) => val.mismatch(&ty).map(|m| m.within(name)),
            (Some(ty), None) => {
                Some(Mismatch::new(format!("expected {ty}, found nothing")).within(name))
            }
            (None, Some(val)) => {
                let found = val.kind();
                Some(Mismatch::new(format!("expected nothing, found {found}")).within(name))
            }
        };
        match (self, ty.kind()) {
            (Val::List(vals), TypeKind::List(element)) => all(vals, &element),
            (Val::List(vals), TypeKind::FixedList(element, len)) => {
                if vals.len() != len as usize {
                    return count(len as usize, vals.len());
                }
                all(vals, &element)
            }
            (Val::Map(entries), TypeKind::Map(key, value)) => {
                entries.iter().enumerate().find_map(|(i, entry)| {
                    let wrong = entry.0.mismatch(&key).or_else(|| entry.1.mismatch(&value));
                    wrong.map(|m| m.within(&i.to_string()))
                })
            }
            (Val::Record(vals), TypeKind::Record(fields)) => {
                if vals.len() != fields.len() {
                    return count(fields.len(), vals.len());
                }
                vals.iter().zip(&fields).find_map(|((name, val), (expected, ty))| {
                    if name != expected {
                        return missing("field here of name", name);
                    }
                    val.mismatch(ty).map(|m| m.within(name))
                })
            }
            (Val::Tuple(vals), TypeKind::Tuple(types)) => {
                if vals.len() != types.len() {
                    return count(types.len(), vals.len());
                }
                let mut pairs = vals.iter().zip(&types).enumerate();
                pairs.find_map(|(i, (val, ty))| val.mismatch(ty).map(|m| m.within(&i.to_string())))
            }
            (Val::Variant(name, inner), TypeKind::Variant(cases)) => {
                match cases.into_iter().find(|(case, _)| case == name) {
                    Some((_, ty)) => payload(name, ty, inner.as_deref()),
                    None => missing("case", name),
                }
            }
            (Val::Enum(name), TypeKind::Enum(names)) => {
                if names.contains(name) {
                    None
                } else {
                    missing("case", name)
                }
            }
            (Val::Option(None), TypeKind::Option(_)) => None,
            (Val::Option(Some(val)), TypeKind::Option(ty)) => {
                val.mismatch(&ty).map(|m| m.within("some"))
            }
            (Val::Result(Ok(val)), TypeKind::Result { ok, .. }) => {
                payload("ok", ok, val.as_deref())
            }
            (Val::Result(Err(val)), TypeKind::Result { err, .. }) => {
                payload("err", err, val.as_deref())
            }
            (Val::Flags(set), TypeKind::Flags(names)) => {
                match set.iter().find(|name| !names.contains(name)) {
                    Some(name) => missing("flag", name),
                    None => None,
                }
            }
            (Val::Resource(resource), TypeKind::Own(_)) if !resource.is_owned() => {
                Some(Mismatch::new(format!("expected {ty}, found a borrowed resource")))
            }
            (Val::Resource(_), TypeKind::Own(_) | TypeKind::Borrow(_)) => None,
            (_, TypeKind::Primitive(name)) if name == self.kind() => None,
            _ => wrong(),
        }
    }
}

fn all(vals: &[Val], ty: &Type) -> Option<Mismatch> {
    vals.iter().enumerate().find_map(|(i, val)| val.mismatch(ty).map(|m| m.within(&i.to_string())))
}

/// What is wrong with a value, and where in it.
#[derive(Debug)]
pub(crate) struct Mismatch {
    path: Vec<String>,
    text: String,
}

impl Mismatch {
    fn new(text: String) -> Mismatch {
        Mismatch { path: Vec::new(), text }
    }

    fn within(mut self, name: &str) -> Mismatch {
        self.path.push(name.to_owned());
        self
    }
}

impl std::fmt::Display for Mismatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !self.path.is_empty() {
            let path: Vec<_> = self.path.iter().rev().map(String::as_str).collect();
            write!(f, "at `{}`: ", path.join("."))?;
        }
        f.write_str(&self.text)
    }
}
