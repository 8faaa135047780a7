//! Implementation limits on modules: exceeding one is an error of kind `LimitExceeded`.
//!
//! Those marked JS are the limits engines agreed on in the JavaScript API specification
//! (<https://webassembly.github.io/spec/js-api/#limits>); the parser enforces them, and a test
//! pins the values given here to its behaviour.

/// Bytes of a module (JS).
pub const MODULE_BYTES: usize = 1 << 30;
/// Types of a module (JS).
pub const TYPES: u32 = 1_000_000;
/// Functions of a module, imported ones included (JS).
pub const FUNCTIONS: u32 = 1_000_000;
/// Imports of a module (JS).
pub const IMPORTS: u32 = 1_000_000;
/// Exports of a module (JS).
pub const EXPORTS: u32 = 1_000_000;
/// Globals of a module, imported ones included (JS).
pub const GLOBALS: u32 = 1_000_000;
/// Tags of a module, imported ones included (JS).
pub const TAGS: u32 = 1_000_000;
/// Tables of a module, imported ones included: as many as 16 bits can name (JS: 100 000).
pub const TABLES: u32 = 1 << 16;
/// Memories of a module, imported ones included (JS).
pub const MEMORIES: u32 = 100;
/// Element segments of a module (the parser's).
pub const ELEMENT_SEGMENTS: u32 = 100_000;
/// Data segments of a module (JS).
pub const DATA_SEGMENTS: u32 = 100_000;
/// Elements of one element segment (JS, table size).
pub const ELEMENTS: u32 = 10_000_000;
/// Bytes of an import, export or custom section name (JS).
pub const NAME_BYTES: usize = 100_000;
/// Bytes of a function body, locals included (JS).
pub const FUNCTION_BYTES: u32 = 7_654_321;
/// Locals of a function, parameters included (JS).
pub const LOCALS: u32 = 50_000;
/// Parameters of a function type (JS).
pub const PARAMS: usize = 1000;
/// Operands on the stack of a function at once. No other engine states one; ours bounds what
/// validating and lowering a body of calls with a thousand results each may take.
pub const OPERANDS: u32 = 1_000_000;
/// Results of a function type (JS).
pub const RESULTS: usize = 1000;
/// Fields of a struct type (JS).
pub const STRUCT_FIELDS: usize = 10_000;
/// Depth of a chain of subtypes (JS).
pub const SUBTYPE_DEPTH: usize = 63;
/// Catch clauses of one `try_table` (JS).
pub const CATCHES: usize = 10_000;
/// Sum over all imports and exports of one each, plus the parameters and results of the functions
/// among them, must stay below this (the parser's).
pub const EXTERN_TYPES_SIZE: u32 = 1_000_000;
/// Types alive at the same time in one registry, so that a type id and a flag fit 24 bits.
pub const LIVE_TYPES: usize = 1 << 20;
/// Bytes of guest text printed before it is cut.
pub const ESCAPED_BYTES: usize = 512;
/// Entries kept of one map of the name section; more are ignored.
pub const NAMES: usize = 1_000_000;
/// Entries kept of the producers section; more are ignored.
pub const PRODUCERS: usize = 256;
/// How deep types of components nest (the parser's is 100, of which a few are not types of values).
pub const TYPE_DEPTH: usize = 100;
/// Component instances, core instances and functions that one component may come to, each, once
/// all that it nests is counted as often as it is instantiated.
pub const COMPONENT_ITEMS: usize = 100_000;
/// Definitions executed while a component is flattened, fields of types and arguments counted: those
/// of a nested component as often as it is instantiated. Also parts of the types of what it
/// instantiates, lifts and lowers, counted as often as it does.
pub const COMPONENT_WORK: u32 = 2_000_000;
/// How deep instances nest in exports of instances.
pub const INSTANCE_DEPTH: usize = 100;
