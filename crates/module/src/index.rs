//! Positions in the index spaces of a module, one newtype each so that they cannot be mixed up.
//!
//! `XIndex` counts imports first, as the spec does (core §2.5.1); `DefinedXIndex` counts only what
//! the module itself defines.

macro_rules! index {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub struct $name(pub u32);

        impl $name {
            /// The position as an array index.
            #[inline]
            pub fn index(self) -> usize {
                self.0 as usize
            }
        }
    )*};
}

index! {
    /// A function of the module, imported ones first.
    FuncIndex;
    /// A function with a body in this module.
    DefinedFuncIndex;
    /// A table of the module, imported ones first.
    TableIndex;
    /// A memory of the module, imported ones first.
    MemoryIndex;
    /// A global of the module, imported ones first.
    GlobalIndex;
    /// A tag of the module, imported ones first.
    TagIndex;
    /// An element segment.
    ElemIndex;
    /// A data segment.
    DataIndex;
}
