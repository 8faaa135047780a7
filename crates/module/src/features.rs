//! Which proposals a module may use: one switch each, changeable at run time.

use std::fmt;

use wasmparser::WasmFeatures;

/// What is known about a proposal.
struct Facts {
    name: &'static str,
    flags: WasmFeatures,
    presets: &'static [Preset],
    needs: &'static [Proposal],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Preset {
    Wasm1,
    Wasm2,
    Wasm3,
    Default,
}

macro_rules! features {
    ($(
        $(#[$doc:meta])*
        $field:ident $name:literal $flag:ident in [$($preset:ident)*] needs [$($need:ident)*];
    )*) => {
        /// A set of WebAssembly proposals. `Default` is everything of WebAssembly 3.0, threads,
        /// wide arithmetic, custom page sizes and compact imports.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub struct Features {
            $( $(#[$doc])* pub $field: bool, )*
        }

        /// One proposal that can be switched on or off.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[expect(non_camel_case_types, reason = "the variants are the fields of `Features`")]
        pub enum Proposal {
            $( $(#[$doc])* $field, )*
        }

        const PROPOSALS: &[Proposal] = &[$( Proposal::$field, )*];

        /// In the order of [`PROPOSALS`].
        const FACTS: &[Facts] = &[$( Facts {
            name: $name,
            flags: WasmFeatures::$flag,
            presets: &[$( Preset::$preset, )*],
            needs: &[$( Proposal::$need, )*],
        }, )*];

        impl Features {
            /// No proposal at all: WebAssembly as it was first released.
            pub const NONE: Features = Features { $( $field: false, )* };

            /// Whether `proposal` is on.
            pub fn contains(&self, proposal: Proposal) -> bool {
                match proposal { $( Proposal::$field => self.$field, )* }
            }

            /// Switches `proposal` on or off.
            pub fn set(&mut self, proposal: Proposal, on: bool) {
                match proposal { $( Proposal::$field => self.$field = on, )* }
            }
        }
    };
}

features! {
    /// Mutable globals can be imported and exported.
    mutable_global "mutable-global" MUTABLE_GLOBAL in [Wasm1 Wasm2 Wasm3 Default] needs [];
    /// Conversions of floats to integers that do not trap.
    saturating_float_to_int "saturating-float-to-int" SATURATING_FLOAT_TO_INT
        in [Wasm2 Wasm3 Default] needs [];
    /// Sign extension within integers.
    sign_extension "sign-extension" SIGN_EXTENSION in [Wasm2 Wasm3 Default] needs [];
    /// Functions and blocks with several results.
    multi_value "multi-value" MULTI_VALUE in [Wasm2 Wasm3 Default] needs [];
    /// Bulk operations on memories and tables, passive segments.
    bulk_memory "bulk-memory" BULK_MEMORY in [Wasm2 Wasm3 Default] needs [];
    /// `externref`, several tables, operations on tables.
    reference_types "reference-types" REFERENCE_TYPES in [Wasm2 Wasm3 Default] needs [];
    /// 128-bit vectors.
    simd "simd" SIMD in [Wasm2 Wasm3 Default] needs [];
    /// Vector instructions with results the host may choose.
    relaxed_simd "relaxed-simd" RELAXED_SIMD in [Wasm3 Default] needs [simd];
    /// Calls that replace their caller.
    tail_call "tail-call" TAIL_CALL in [Wasm3 Default] needs [];
    /// Arithmetic in constant expressions.
    extended_const "extended-const" EXTENDED_CONST in [Wasm3 Default] needs [];
    /// Several memories.
    multi_memory "multi-memory" MULTI_MEMORY in [Wasm3 Default] needs [];
    /// Memories and tables with 64-bit addresses.
    memory64 "memory64" MEMORY64 in [Wasm3 Default] needs [];
    /// Typed and non-null function references.
    function_references "function-references" FUNCTION_REFERENCES
        in [Wasm3 Default] needs [reference_types];
    /// Structs, arrays, `i31`, subtyping.
    gc "gc" GC in [Wasm3 Default] needs [function_references];
    /// Exceptions with `try_table` and `exnref`.
    exceptions "exceptions" EXCEPTIONS in [Wasm3 Default] needs [reference_types];
    /// Shared memories and atomic operations.
    threads "threads" THREADS in [Default] needs [];
    /// 128-bit additions and 64×64→128-bit multiplications.
    wide_arithmetic "wide-arithmetic" WIDE_ARITHMETIC in [Default] needs [multi_value];
    /// Memories with one-byte pages.
    custom_page_sizes "custom-page-sizes" CUSTOM_PAGE_SIZES in [Default] needs [];
    /// Import sections that do not repeat the module name.
    compact_imports "compact-imports" COMPACT_IMPORTS in [Default] needs [];
    /// Exceptions as they were before 3.0: `try`, `catch`, `delegate`, `rethrow`.
    legacy_exceptions "legacy-exceptions" LEGACY_EXCEPTIONS in [] needs [exceptions];
    /// Continuations.
    stack_switching "stack-switching" STACK_SWITCHING
        in [] needs [function_references exceptions];
    /// `memory.discard`.
    memory_control "memory-control" MEMORY_CONTROL in [] needs [];
    /// Acquire and release orderings for atomics, `pause`.
    acquire_release_atomics "acquire-release-atomics" ACQUIRE_RELEASE_ATOMICS
        in [] needs [threads];
    /// Loads and stores of several bytes in byte arrays.
    multibyte_array_access "multibyte-array-access" MULTIBYTE_ARRAY_ACCESS in [] needs [gc];
    /// Components.
    component_model "component-model" COMPONENT_MODEL in [Wasm3 Default] needs [];
    /// Functions of components that block, their tasks, streams and futures.
    cm_async "cm-async" CM_ASYNC in [Wasm3 Default] needs [component_model];
    /// Asynchronous functions with a stack of their own instead of a callback.
    cm_async_stackful "cm-async-stackful" CM_ASYNC_STACKFUL in [Wasm3 Default] needs [cm_async];
    /// Builtins that cancel without blocking, and that read and write blocking.
    cm_more_async_builtins "cm-more-async-builtins" CM_MORE_ASYNC_BUILTINS
        in [Wasm3 Default] needs [cm_async];
    /// Threads that take turns, within a task.
    cm_threading "cm-threading" CM_THREADING in [Wasm3 Default] needs [cm_async];
    /// Forwarding what is left of a stream or future.
    cm_forward "cm-forward" CM_FORWARD in [] needs [cm_async];
    /// Errors with a message for people that pass between components.
    cm_error_context "cm-error-context" CM_ERROR_CONTEXT in [Wasm3 Default] needs [cm_async];
    /// Lists with a length that is part of their type.
    cm_fixed_length_lists "cm-fixed-length-lists" CM_FIXED_LENGTH_LISTS
        in [Wasm3 Default] needs [component_model];
    /// Maps.
    cm_map "cm-map" CM_MAP in [Wasm3 Default] needs [component_model];
    /// Components whose memories have 64-bit addresses.
    cm64 "cm64" CM64 in [Wasm3 Default] needs [component_model];
    /// Imports and exports that name the interface they implement.
    cm_implements "cm-implements" CM_IMPLEMENTS in [Wasm3 Default] needs [component_model];
    /// Interface names with a canonical version and a suffix.
    cm_canon_names "cm-canon-names" CM_CANON_NAMES in [] needs [component_model];
    /// Functions that say they get or set a property.
    cm_accessors "cm-accessors" CM_ACCESSORS in [] needs [component_model];
}

impl Features {
    /// WebAssembly 1.0.
    pub fn wasm1() -> Features {
        Features::preset(Preset::Wasm1)
    }

    /// WebAssembly 2.0.
    pub fn wasm2() -> Features {
        Features::preset(Preset::Wasm2)
    }

    /// WebAssembly 3.0.
    pub fn wasm3() -> Features {
        Features::preset(Preset::Wasm3)
    }

    /// Everything, finished or not.
    pub fn all() -> Features {
        Proposal::ALL.iter().fold(Features::NONE, |set, p| set.with(*p))
    }

    fn preset(preset: Preset) -> Features {
        Proposal::ALL
            .iter()
            .filter(|p| p.facts().presets.contains(&preset))
            .fold(Features::NONE, |set, p| set.with(*p))
    }

    fn with(mut self, proposal: Proposal) -> Features {
        self.set(proposal, true);
        self
    }

    /// Reads a comma-separated list, applied from left to right to the default set: `gc` and `+gc`
    /// switch on, `-gc` switches off, and `mvp`, `wasm1`, `wasm2`, `wasm3`, `default` and `all`
    /// replace everything before them.
    ///
    /// # Errors
    ///
    /// When a name is unknown, or when the result switches on what builds upon something that is
    /// off.
    pub fn parse(list: &str) -> Result<Features, FeaturesError> {
        let mut set = Features::default();
        for item in list.split(',').map(str::trim).filter(|item| !item.is_empty()) {
            match item {
                "mvp" => set = Features::NONE,
                "wasm1" => set = Features::wasm1(),
                "wasm2" => set = Features::wasm2(),
                "wasm3" => set = Features::wasm3(),
                "default" => set = Features::default(),
                "all" => set = Features::all(),
                _ => {
                    let (name, on) = match item.strip_prefix('-') {
                        Some(name) => (name, false),
                        None => (item.strip_prefix('+').unwrap_or(item), true),
                    };
                    let proposal = Proposal::ALL.iter().find(|p| p.name() == name);
                    let proposal = proposal.ok_or_else(|| FeaturesError::Unknown(item.into()))?;
                    set.set(*proposal, on);
                }
            }
        }
        set.check()?;
        Ok(set)
    }

    /// Checks that everything which is on has what it builds upon.
    ///
    /// # Errors
    ///
    /// Names the first proposal that lacks something.
    pub fn check(&self) -> Result<(), FeaturesError> {
        for proposal in Proposal::ALL.iter().filter(|p| self.contains(**p)) {
            for need in proposal.needs() {
                if !self.contains(*need) {
                    return Err(FeaturesError::Missing { proposal: *proposal, need: *need });
                }
            }
        }
        Ok(())
    }

    /// What the parser calls this set. Floats and reference types are no proposals: always on.
    pub(crate) fn flags(&self) -> WasmFeatures {
        Proposal::ALL
            .iter()
            .filter(|p| self.contains(**p))
            .fold(WasmFeatures::MVP, |flags, p| flags | p.flags())
    }
}

impl Proposal {
    /// All proposals, in the order of the fields of [`Features`].
    pub const ALL: &'static [Proposal] = PROPOSALS;

    /// The name used on the command line and in messages, e.g. `tail-call`.
    pub fn name(self) -> &'static str {
        self.facts().name
    }

    /// The proposals this one builds upon.
    pub fn needs(self) -> &'static [Proposal] {
        self.facts().needs
    }

    fn facts(self) -> &'static Facts {
        &FACTS[self as usize]
    }

    fn flags(self) -> WasmFeatures {
        self.facts().flags
    }

    /// The proposal the parser found missing.
    pub(crate) fn of_flags(flags: WasmFeatures) -> Option<Proposal> {
        let all = || Proposal::ALL.iter().copied();
        all()
            .find(|p| p.flags() == flags)
            .or_else(|| all().find(|p| !flags.is_empty() && p.flags().contains(flags)))
    }
}

impl Default for Features {
    fn default() -> Features {
        Features::preset(Preset::Default)
    }
}

/// Prints a list that [`Features::parse`] reads back to the same set: what differs from the
/// default, or `default`.
impl fmt::Display for Features {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let default = Features::default();
        let mut first = true;
        for p in Proposal::ALL.iter().filter(|p| self.contains(**p) != default.contains(**p)) {
            let sign = if self.contains(*p) { '+' } else { '-' };
            write!(f, "{}{sign}{}", if first { "" } else { "," }, p.name())?;
            first = false;
        }
        if first { f.write_str("default") } else { Ok(()) }
    }
}

/// Why a set of features was refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FeaturesError {
    /// No proposal and no preset is called so.
    Unknown(Box<str>),
    /// `proposal` builds upon `need`, which is off.
    Missing {
        /// What is on.
        proposal: Proposal,
        /// What it lacks.
        need: Proposal,
    },
}

impl fmt::Display for FeaturesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FeaturesError::Unknown(name) => {
                write!(f, "unknown WebAssembly feature `{}`\nhelp: one of", crate::escape(name))?;
                for (i, p) in Proposal::ALL.iter().enumerate() {
                    write!(f, "{} {}", if i == 0 { "" } else { "," }, p.name())?;
                }
                f.write_str(", or a preset: mvp, wasm1, wasm2, wasm3, default, all")
            }
            FeaturesError::Missing { proposal, need } => {
                let (name, need) = (proposal.name(), need.name());
                writeln!(f, "WebAssembly feature `{name}` needs `{need}`, which is off")?;
                write!(f, "help: enable with `--wasm {need}`, or disable with `--wasm -{name}`")
            }
        }
    }
}

impl std::error::Error for FeaturesError {}
