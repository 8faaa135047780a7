//! Components as validated, immutable data: their types, and what to do, in order, to bring one to life.
//!
//! A component nests: it holds core modules and other components, instantiates them with each other's
//! exports, and renames things on the way. None of that is left here. Decoding follows every alias
//! and every nested instantiation once, so that what remains is flat: the core modules to
//! instantiate, and for each of their imports which export of an earlier core instance, or which
//! [`Trampoline`], is given (Component Model, `Binary.md` and `Explainer.md`).
//!
//! ```text
//!  bytes ─► definitions, as nested ─► Component { steps, lifts, trampolines, exports, types }
//! ```

use std::ops::Range;
use std::sync::Arc;

pub use outline::InstanceOutline;
pub use types::*;

mod canon;
mod core_types;
mod cost;
mod elaborate;
mod flatten;
mod intern;
mod link;
mod names;
mod outline;
mod read;
mod scope;
mod uses;

use crate::FuncType as CoreFuncType;
use crate::error::Error;
use crate::features::Features;
use crate::module::CustomSection;

macro_rules! indices {
    ($($(#[$doc:meta])* $name:ident;)*) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub struct $name(pub u32);

        impl $name {
            /// As an index of a slice.
            #[inline]
            pub fn index(self) -> usize {
                self.0 as usize
            }
        }
    )* };
}

mod types;

indices! {
    /// A component instance in [`Component::instances`]; 0 is the component itself.
    ComponentInstanceIndex;
    /// A core instance: the order of [`Step::Instantiate`] counts them.
    CoreInstanceIndex;
    /// A core module that the component holds, in [`Component::modules`].
    StaticModuleIndex;
    /// What is taken from the outside, in [`Component::leaves`].
    LeafIndex;
    /// A lifted function, in [`Component::lifts`].
    LiftIndex;
    /// A core function that leaves its instance, in [`Component::trampolines`].
    TrampolineIndex;
    /// Canonical options, in [`Component::options`].
    OptionsIndex;
    /// A resource type, in [`Component::resources`].
    ResourceIndex;
}

/// A component, ready to be instantiated any number of times.
#[derive(Debug)]
pub struct Component {
    /// The binary it was made of.
    pub bytes: Arc<[u8]>,
    /// Its name, from the name section.
    pub name: Option<Arc<str>>,
    /// Every type that the rest names.
    pub types: ComponentTypes,
    /// The core modules it holds, nested ones included, as ranges of [`Component::bytes`]. Their
    /// function bodies are not validated yet.
    pub modules: Box<[Range<usize>]>,
    /// All component instances that an instance of it consists of; each follows its parent.
    pub instances: Box<[ComponentInstance]>,
    /// All resource types, each of an instance of it.
    pub resources: Box<[Resource]>,
    /// What it imports, in order.
    pub imports: Box<[ComponentImport]>,
    /// The functions, resource types and core modules inside its imports, in order.
    pub leaves: Box<[Leaf]>,
    /// What to do, in order, to make an instance.
    pub steps: Box<[Step]>,
    /// Core functions that leave their component instance.
    pub trampolines: Box<[Trampoline]>,
    /// Component functions made of core functions.
    pub lifts: Box<[Lift]>,
    /// Canonical options of lifted and lowered functions.
    pub options: Box<[CanonicalOptions]>,
    /// What it exports, in order.
    pub exports: Box<[ComponentExport]>,
    /// Custom sections of the component itself, in order.
    pub customs: Box<[CustomSection]>,
}

/// Whether `bytes` begin as components do: a binary of layer 1 (`Binary.md`, "Component
/// Definitions").
pub fn is_component(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\0asm") && bytes.get(6..8) == Some(&[1, 0])
}

impl Component {
    /// Checks and reads a binary component, all but the bodies of functions: these are checked when
    /// its core modules are decoded.
    ///
    /// # Errors
    ///
    /// The error at the lowest offset of the binary; or, in a valid one, the first definition that
    /// is not supported, or that makes it too large once it is flat.
    pub fn decode(bytes: impl Into<Arc<[u8]>>, features: &Features) -> Result<Component, Error> {
        let bytes = bytes.into();
        crate::decode::check_header(&bytes)?;
        let source = read::read(&bytes, features)?;
        flatten::flatten(&source, &bytes)
    }

    /// An instance and those around it, innermost first.
    pub fn around(
        &self,
        instance: ComponentInstanceIndex,
    ) -> impl Iterator<Item = ComponentInstanceIndex> {
        // Each follows its parent, so that this ends.
        std::iter::successors(Some(instance), |at| self.instances.get(at.index())?.parent)
    }
}

/// A component instance that comes to life with the component it is nested in.
#[derive(Clone, Debug)]
pub struct ComponentInstance {
    /// The instance whose component instantiates it; `None` for the component itself.
    pub parent: Option<ComponentInstanceIndex>,
    /// What messages and policies call it, which is no other instance's name: what the component that
    /// instantiates it calls it or its component, or else what it is exported as, or else a number; after
    /// the name of that component and `>`, unless it is the outermost. The outermost has the name it
    /// gives itself, if any.
    pub name: Option<Arc<str>>,
    /// Whether something it holds can call out of it: it lowers functions, or defines builtins that
    /// can block. What cannot call out cannot be entered a second time.
    pub calls_out: bool,
}

/// A resource type: each instance of the component has one of its own.
#[derive(Clone, Debug)]
pub struct Resource {
    /// Its name where it is imported or exported first, if it is.
    pub name: Option<Arc<str>>,
    /// Whether its representation is an `i64`, and not an `i32`.
    pub wide: bool,
    /// Where it comes from.
    pub origin: ResourceOrigin,
}

/// Where a resource type comes from.
#[derive(Clone, Debug)]
pub enum ResourceOrigin {
    /// From the outside.
    Imported(LeafIndex),
    /// Defined by a component instance, which sees its representation.
    Defined {
        /// The instance that defines it.
        instance: ComponentInstanceIndex,
        /// Called with the representation when the last handle is dropped.
        destructor: Option<CoreItem>,
    },
}

/// What a component imports.
#[derive(Clone, Debug)]
pub struct ComponentImport {
    /// Its name: kebab-case or that of an interface with a version.
    pub name: Arc<str>,
    /// The interface it says to implement, where its name is another.
    pub implements: Option<Arc<str>>,
    /// What is expected.
    pub ty: ItemType,
}

/// Something inside an import that nothing smaller is inside of.
#[derive(Clone, Debug)]
pub struct Leaf {
    /// Which import it is inside of: an index of [`Component::imports`].
    pub import: u32,
    /// The names of exports that lead to it from there; none if it is the import itself.
    pub path: Box<[Arc<str>]>,
    /// What it is.
    pub kind: LeafKind,
    /// Whether anything of the component names it.
    pub used: bool,
}

/// What a [`Leaf`] is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LeafKind {
    /// A function.
    Func(FuncTypeIndex),
    /// A resource type.
    Resource(ResourceIndex),
    /// A core module.
    Module(ModuleTypeIndex),
}

/// One thing to do while an instance is made.
#[derive(Clone, Debug)]
pub enum Step {
    /// Instantiate a core module; its start function runs. The n-th of these makes the core instance n.
    Instantiate {
        /// On whose behalf.
        instance: ComponentInstanceIndex,
        /// The module and its imports.
        module: ModuleArgs,
    },
    /// A resource type comes to be: its destructor is known from here on.
    Resource(ResourceIndex),
}

/// A core module and what it is instantiated with.
#[derive(Clone, Debug)]
pub enum ModuleArgs {
    /// A module the component holds, with one item for each of its imports, in order.
    Static(StaticModuleIndex, Box<[CoreItem]>),
    /// A module from the outside, with items by name: module, name, item.
    Imported(LeafIndex, PerImport<CoreItem>),
}

/// Something of the core language that a core module can import.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum CoreItem {
    /// What an earlier core instance exports.
    Export(CoreInstanceIndex, Arc<str>),
    /// A function that leaves the component instance.
    Trampoline(TrampolineIndex),
}

/// A core function that is not code of a module: a lowered function or a builtin.
#[derive(Clone, Debug)]
pub struct Trampoline {
    /// The component instance it leaves when it is called.
    pub instance: ComponentInstanceIndex,
    /// Its core signature.
    pub ty: CoreFuncType,
    /// What it does.
    pub kind: TrampolineKind,
}

/// What a [`Trampoline`] does.
#[derive(Clone, PartialEq, Debug)]
pub enum TrampolineKind {
    /// `canon lower`
    Lower {
        /// The function that is called.
        func: FuncRef,
        /// Its type as the caller knows it.
        ty: FuncTypeIndex,
        /// How its values travel in the caller.
        options: OptionsIndex,
    },
    /// `canon resource.new`
    ResourceNew(ResourceIndex),
    /// `canon resource.rep`
    ResourceRep(ResourceIndex),
    /// `canon resource.drop`
    ResourceDrop(ResourceIndex),
    /// A builtin of the asynchronous ABI.
    Async(AsyncBuiltin),
}

/// A builtin that creates, waits for, or moves data between tasks (`CanonicalABI.md`, "Canonical
/// Definitions").
#[derive(Clone, PartialEq, Debug)]
#[expect(missing_docs, reason = "the names are those of the builtins")]
pub enum AsyncBuiltin {
    BackpressureInc,
    BackpressureDec,
    TaskReturn {
        result: Option<ValueType>,
        options: OptionsIndex,
    },
    TaskCancel,
    ContextGet {
        slot: u32,
        wide: bool,
    },
    ContextSet {
        slot: u32,
        wide: bool,
    },
    SubtaskDrop,
    SubtaskCancel {
        async_: bool,
    },
    StreamNew(DefinedTypeIndex),
    StreamRead {
        ty: DefinedTypeIndex,
        options: OptionsIndex,
    },
    StreamWrite {
        ty: DefinedTypeIndex,
        options: OptionsIndex,
    },
    StreamForward(DefinedTypeIndex),
    StreamCancelRead {
        ty: DefinedTypeIndex,
        async_: bool,
    },
    StreamCancelWrite {
        ty: DefinedTypeIndex,
        async_: bool,
    },
    StreamDropReadable(DefinedTypeIndex),
    StreamDropWritable(DefinedTypeIndex),
    FutureNew(DefinedTypeIndex),
    FutureRead {
        ty: DefinedTypeIndex,
        options: OptionsIndex,
    },
    FutureWrite {
        ty: DefinedTypeIndex,
        options: OptionsIndex,
    },
    FutureForward(DefinedTypeIndex),
    FutureCancelRead {
        ty: DefinedTypeIndex,
        async_: bool,
    },
    FutureCancelWrite {
        ty: DefinedTypeIndex,
        async_: bool,
    },
    FutureDropReadable(DefinedTypeIndex),
    FutureDropWritable(DefinedTypeIndex),
    ErrorContextNew {
        options: OptionsIndex,
    },
    ErrorContextDebugMessage {
        options: OptionsIndex,
    },
    ErrorContextDrop,
    WaitableSetNew,
    WaitableSetWait {
        memory: CoreItem,
    },
    WaitableSetPoll {
        memory: CoreItem,
    },
    WaitableSetDrop,
    WaitableJoin,
    ThreadYield,
    ThreadIndex,
    ThreadNewIndirect {
        table: CoreItem,
    },
    ThreadSuspend,
    /// Any other `thread.*`, by its name.
    Thread(&'static str),
}

/// A component function.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum FuncRef {
    /// Made of a core function of the component.
    Lifted(LiftIndex),
    /// From the outside.
    Imported(LeafIndex),
}

/// `canon lift`: a component function made of a core function.
#[derive(Clone, Debug)]
pub struct Lift {
    /// The core function.
    pub core: CoreItem,
    /// Its core signature.
    pub core_ty: CoreFuncType,
    /// Its type as a component function.
    pub ty: FuncTypeIndex,
    /// How its values travel.
    pub options: OptionsIndex,
}

/// How values travel between a component instance and the outside (`CanonicalABI.md`, "Canonical
/// ABI options").
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct CanonicalOptions {
    /// The instance that lifts or lowers.
    pub instance: ComponentInstanceIndex,
    /// How its strings are encoded.
    pub encoding: StringEncoding,
    /// The memory of lists and strings, and whether its addresses are 64-bit.
    pub memory: Option<CoreItem>,
    /// Whether addresses in the memory are 64-bit.
    pub memory64: bool,
    /// Allocates in that memory.
    pub realloc: Option<CoreItem>,
    /// Called with the core results after they are lifted.
    pub post_return: Option<CoreItem>,
    /// Whether the asynchronous ABI is used.
    pub async_: bool,
    /// Takes events of a task that waits without a stack.
    pub callback: Option<CoreItem>,
}

/// How strings are encoded in a memory.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum StringEncoding {
    /// UTF-8
    Utf8,
    /// UTF-16, little endian, aligned to two bytes.
    Utf16,
    /// Latin-1, or UTF-16 if the highest bit of the length says so.
    Latin1Utf16,
}

/// What a component exports.
#[derive(Clone, Debug)]
pub struct ComponentExport {
    /// Its name.
    pub name: Arc<str>,
    /// The interface it says to implement, where its name is another.
    pub implements: Option<Arc<str>>,
    /// What it is.
    pub item: ComponentItem,
}

/// Something a component exports.
#[derive(Clone, Debug)]
pub enum ComponentItem {
    /// A function, and its type as exported.
    Func(FuncRef, FuncTypeIndex),
    /// A bag of exports.
    Instance(Box<[ComponentExport]>),
    /// A type.
    Type(TypeItem),
    /// A core module it holds.
    Module(StaticModuleIndex),
    /// A core module it imports.
    ImportedModule(LeafIndex),
    /// A component, which nobody can instantiate from the outside yet.
    Component,
}
