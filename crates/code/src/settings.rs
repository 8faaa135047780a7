//! Choices fixed for an engine, which decide what code looks like.

/// How accesses to memory 0 are kept inside it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum MemoryKind {
    /// A reservation that no 32-bit address can leave, with inaccessible pages behind the end: no
    /// check in code, the base never moves.
    Guard,
    /// An explicit check before each access; no reservation.
    Compact,
}

/// What code is lowered for. Part of the key of everything made from a module.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Settings {
    /// The kind of all memories.
    pub memory_kind: MemoryKind,
    /// Whether code counts fuel.
    pub fuel: bool,
    /// Whether back edges look for interruption.
    pub interruptible: bool,
    /// Whether results depend on the module and its inputs alone: NaNs are canonical, and growing
    /// fails for declared and configured reasons only.
    pub deterministic: bool,
}
