//! The types of components: of values, functions and instances, each stored once per component.

use std::fmt;
use std::sync::Arc;

use super::ResourceIndex;
use crate::types::{FuncType, GlobalType, MemoryType, TableType};

indices! {
    /// A type of values that is not primitive, in [`ComponentTypes::defined`].
    DefinedTypeIndex;
    /// A function type, in [`ComponentTypes::funcs`].
    FuncTypeIndex;
    /// An instance type, in [`ComponentTypes::instances`].
    InstanceTypeIndex;
    /// The type of a core module, in [`ComponentTypes::modules`].
    ModuleTypeIndex;
}

/// All types of a component. Equal types have equal indices.
#[derive(Clone, Default, Debug)]
pub struct ComponentTypes {
    /// Types of values that are not primitive; each comes after what it consists of.
    pub defined: Box<[DefinedType]>,
    /// Function types.
    pub funcs: Box<[ComponentFuncType]>,
    /// Instance types.
    pub instances: Box<[InstanceType]>,
    /// Types of core modules.
    pub modules: Box<[ModuleType]>,
}

/// The type of a value.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[expect(missing_docs, reason = "the names are those of WIT")]
pub enum ValueType {
    Bool,
    S8,
    U8,
    S16,
    U16,
    S32,
    U32,
    S64,
    U64,
    F32,
    F64,
    Char,
    String,
    ErrorContext,
    /// Any other.
    Defined(DefinedTypeIndex),
}

/// A type of values that is not primitive. None nests deeper than [`TYPE_DEPTH`](crate::limits::TYPE_DEPTH).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[expect(missing_docs, reason = "the names are those of WIT")]
pub enum DefinedType {
    Record(Box<[(Arc<str>, ValueType)]>),
    Variant(Box<[(Arc<str>, Option<ValueType>)]>),
    List(ValueType),
    FixedList(ValueType, u32),
    Map(ValueType, ValueType),
    Tuple(Box<[ValueType]>),
    Flags(Box<[Arc<str>]>),
    Enum(Box<[Arc<str>]>),
    Option(ValueType),
    Result { ok: Option<ValueType>, err: Option<ValueType> },
    Own(ResourceIndex),
    Borrow(ResourceIndex),
    Stream(Option<ValueType>),
    Future(Option<ValueType>),
}

impl DefinedType {
    /// The types of values that it consists of, in order.
    pub fn parts(&self) -> impl Iterator<Item = ValueType> {
        let (fields, cases, types, some): (&[_], &[_], &[_], [Option<ValueType>; 2]) = match self {
            DefinedType::Record(fields) => (fields, &[], &[], [None, None]),
            DefinedType::Variant(cases) => (&[], cases, &[], [None, None]),
            DefinedType::Tuple(types) => (&[], &[], types, [None, None]),
            DefinedType::List(ty) | DefinedType::FixedList(ty, _) | DefinedType::Option(ty) => {
                (&[], &[], &[], [Some(*ty), None])
            }
            DefinedType::Map(key, value) => (&[], &[], &[], [Some(*key), Some(*value)]),
            DefinedType::Result { ok, err } => (&[], &[], &[], [*ok, *err]),
            DefinedType::Stream(ty) | DefinedType::Future(ty) => (&[], &[], &[], [*ty, None]),
            DefinedType::Flags(_)
            | DefinedType::Enum(_)
            | DefinedType::Own(_)
            | DefinedType::Borrow(_) => (&[], &[], &[], [None, None]),
        };
        let fields = fields.iter().map(|(_, ty): &(Arc<str>, ValueType)| *ty);
        let cases = cases.iter().filter_map(|(_, ty): &(Arc<str>, Option<ValueType>)| *ty);
        fields.chain(cases).chain(types.iter().copied()).chain(some.into_iter().flatten())
    }
}

/// The type of a component function.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ComponentFuncType {
    /// Names and types of its parameters.
    pub params: Box<[(Arc<str>, ValueType)]>,
    /// The type of its result, if it has one.
    pub result: Option<ValueType>,
    /// Whether it may block its caller.
    pub async_: bool,
}

/// The type of something a component imports or exports.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ItemType {
    /// A function.
    Func(FuncTypeIndex),
    /// A bag of exports.
    Instance(InstanceTypeIndex),
    /// A type.
    Type(TypeItem),
    /// A core module.
    Module(ModuleTypeIndex),
    /// A component, of whose type nothing is kept.
    Component,
}

/// A type that is imported or exported.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum TypeItem {
    /// A resource type.
    Resource(ResourceIndex),
    /// A type of values.
    Value(ValueType),
    /// A type of functions, instances or components, of which nothing is kept.
    Other,
}

/// The type of an instance.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct InstanceType {
    /// Names and types of what it exports, in order.
    pub exports: Box<[(Arc<str>, ItemType)]>,
}

/// Something for each import of a core module, after its module and name.
pub type PerImport<T> = Box<[(Arc<str>, Arc<str>, T)]>;

/// The type of a core module: what it may import at most and exports at least.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ModuleType {
    /// Module, name and type of each import.
    pub imports: PerImport<CoreType>,
    /// Name and type of each export.
    pub exports: Box<[(Arc<str>, CoreType)]>,
}

/// The type of something a core module imports or exports. No reference in it is to a defined type.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[expect(missing_docs, reason = "the names say all")]
pub enum CoreType {
    Func(FuncType),
    Table(TableType),
    Memory(MemoryType),
    Global(GlobalType),
    Tag(FuncType),
}

impl fmt::Display for CoreType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CoreType::Func(ty) => ty.fmt(f),
            CoreType::Table(ty) => ty.fmt(f),
            CoreType::Memory(ty) => ty.fmt(f),
            CoreType::Global(ty) => ty.fmt(f),
            CoreType::Tag(ty) => {
                f.write_str("(tag")?;
                ty.fmt_params(f)?;
                f.write_str(")")
            }
        }
    }
}
