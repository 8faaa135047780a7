//! Types of values, and the sizes, alignments and flat forms that follow from them.

/// A resource type, by number.
pub type Resource = u32;

/// How many flat parameters a function takes before they go through memory.
pub const MAX_FLAT_PARAMS: usize = 16;
/// How many flat results a function has before they go through memory.
pub const MAX_FLAT_RESULTS: usize = 1;

/// The type of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the specification's")]
pub enum Type {
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
    List(Box<Type>),
    FixedList(Box<Type>, u32),
    Record(Vec<(String, Type)>),
    Tuple(Vec<Type>),
    Variant(Vec<(String, Option<Type>)>),
    Enum(Vec<String>),
    Option(Box<Type>),
    Result(Option<Box<Type>>, Option<Box<Type>>),
    Map(Box<Type>, Box<Type>),
    Flags(Vec<String>),
    Own(Resource),
    Borrow(Resource),
}

/// The type of a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FuncType {
    /// Types of the parameters.
    pub params: Vec<Type>,
    /// Type of the result.
    pub result: Option<Type>,
}

/// A type of core WebAssembly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the specification's")]
pub enum Core {
    I32,
    I64,
    F32,
    F64,
}

/// What a memory is addressed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the specification's")]
pub enum Pointer {
    I32,
    I64,
}

impl Pointer {
    /// Bytes of a pointer.
    pub fn size(self) -> u64 {
        match self {
            Pointer::I32 => 4,
            Pointer::I64 => 8,
        }
    }

    /// As a core type.
    pub fn core(self) -> Core {
        match self {
            Pointer::I32 => Core::I32,
            Pointer::I64 => Core::I64,
        }
    }
}

/// What is left of the types once those are replaced that are only another way to write one.
#[derive(Clone, Debug)]
pub enum Shape {
    /// A number, character or truth value, of so many bytes.
    Scalar(u64, Core),
    /// A string.
    String,
    /// A list of any length.
    List(Type),
    /// A list of one length.
    FixedList(Type, u64),
    /// A record: the types of its fields.
    Record(Vec<Type>),
    /// A variant: what its cases carry.
    Variant(Vec<Option<Type>>),
    /// Flags: how many.
    Flags(usize),
    /// A handle.
    Handle,
}

/// `at`, or the next multiple of `alignment`.
pub fn align_to(at: u64, alignment: u64) -> u64 {
    at.div_ceil(alignment) * alignment
}

/// Bytes of the discriminant of a variant with so many cases.
pub fn discriminant_size(cases: usize) -> u64 {
    assert!(cases > 0, "a variant has cases");
    match cases {
        0..=0x100 => 1,
        0x101..=0x1_0000 => 2,
        _ => 4,
    }
}

fn flags_size(labels: usize) -> u64 {
    assert!((1..=32).contains(&labels), "flags number 1 to 32");
    match labels {
        0..=8 => 1,
        9..=16 => 2,
        _ => 4,
    }
}

/// The one of two flat types that can hold both.
pub fn join(a: Core, b: Core) -> Core {
    match (a, b) {
        (a, b) if a == b => a,
        (Core::I32, Core::F32) | (Core::F32, Core::I32) => Core::I32,
        _ => Core::I64,
    }
}

impl Type {
    /// Despecialised.
    pub fn shape(&self) -> Shape {
        use Core::{F32, F64, I32, I64};
        match self {
            Type::Bool | Type::S8 | Type::U8 => Shape::Scalar(1, I32),
            Type::S16 | Type::U16 => Shape::Scalar(2, I32),
            Type::S32 | Type::U32 | Type::Char => Shape::Scalar(4, I32),
            Type::S64 | Type::U64 => Shape::Scalar(8, I64),
            Type::F32 => Shape::Scalar(4, F32),
            Type::F64 => Shape::Scalar(8, F64),
            Type::String => Shape::String,
            Type::List(element) => Shape::List((**element).clone()),
            Type::FixedList(element, length) => {
                Shape::FixedList((**element).clone(), u64::from(*length))
            }
            Type::Record(fields) => Shape::Record(fields.iter().map(|f| f.1.clone()).collect()),
            Type::Tuple(types) => Shape::Record(types.clone()),
            Type::Variant(cases) => Shape::Variant(cases.iter().map(|c| c.1.clone()).collect()),
            Type::Enum(labels) => Shape::Variant(vec![None; labels.len()]),
            Type::Option(some) => Shape::Variant(vec![None, Some((**some).clone())]),
            Type::Result(ok, error) => {
                Shape::Variant(vec![ok.as_deref().cloned(), error.as_deref().cloned()])
            }
            Type::Map(key, value) => {
                Shape::List(Type::Tuple(vec![(**key).clone(), (**value).clone()]))
            }
            Type::Flags(labels) => Shape::Flags(labels.len()),
            Type::Own(_) | Type::Borrow(_) => Shape::Handle,
        }
    }

    /// Alignment in memory, in bytes.
    pub fn alignment(&self, pointer: Pointer) -> u64 {
        match self.shape() {
            Shape::Scalar(size, _) => size,
            Shape::String | Shape::List(_) => pointer.size(),
            Shape::FixedList(element, _) => element.alignment(pointer),
            Shape::Record(fields) => {
                fields.iter().map(|field| field.alignment(pointer)).max().unwrap_or(1)
            }
            Shape::Variant(cases) => {
                discriminant_size(cases.len()).max(payload_alignment(&cases, pointer))
            }
            Shape::Flags(labels) => flags_size(labels),
            Shape::Handle => 4,
        }
    }

    /// Size in memory, in bytes.
    pub fn elem_size(&self, pointer: Pointer) -> u64 {
        match self.shape() {
            Shape::Scalar(size, _) => size,
            Shape::String | Shape::List(_) => 2 * pointer.size(),
            Shape::FixedList(element, length) => length * element.elem_size(pointer),
            Shape::Record(fields) => {
                let mut size = 0;
                for field in &fields {
                    size = align_to(size, field.alignment(pointer)) + field.elem_size(pointer);
                }
                align_to(size, self.alignment(pointer))
            }
            Shape::Variant(cases) => {
                let payload = cases.iter().flatten().map(|case| case.elem_size(pointer)).max();
                let size = payload_offset(&cases, pointer) + payload.unwrap_or(0);
                align_to(size, self.alignment(pointer))
            }
            Shape::Flags(labels) => flags_size(labels),
            Shape::Handle => 4,
        }
    }

    /// The flat types that carry a value of this type.
    pub fn flatten(&self, pointer: Pointer) -> Vec<Core> {
        match self.shape() {
            Shape::Scalar(_, core) => vec![core],
            Shape::String | Shape::List(_) => vec![pointer.core(); 2],
            Shape::FixedList(element, length) => {
                (0..length).flat_map(|_| element.flatten(pointer)).collect()
            }
            Shape::Record(fields) => fields.iter().flat_map(|f| f.flatten(pointer)).collect(),
            Shape::Variant(cases) => {
                let mut flat = vec![Core::I32];
                flat.extend(flatten_payloads(&cases, pointer));
                flat
            }
            Shape::Flags(_) | Shape::Handle => vec![Core::I32],
        }
    }

    /// Whether it is or holds a type that `wanted` says yes to.
    pub fn contains(&self, wanted: fn(&Type) -> bool) -> bool {
        let inside = match self.shape() {
            Shape::List(element) | Shape::FixedList(element, _) => element.contains(wanted),
            Shape::Record(fields) => fields.iter().any(|field| field.contains(wanted)),
            Shape::Variant(cases) => cases.iter().flatten().any(|case| case.contains(wanted)),
            _ => false,
        };
        inside || wanted(self)
    }
}

fn payload_alignment(cases: &[Option<Type>], pointer: Pointer) -> u64 {
    cases.iter().flatten().map(|case| case.alignment(pointer)).max().unwrap_or(1)
}

/// Where in a variant what its cases carry begins.
pub fn payload_offset(cases: &[Option<Type>], pointer: Pointer) -> u64 {
    align_to(discriminant_size(cases.len()), payload_alignment(cases, pointer))
}

/// The flat types that carry what any of the cases carries.
pub fn flatten_payloads(cases: &[Option<Type>], pointer: Pointer) -> Vec<Core> {
    let mut flat: Vec<Core> = Vec::new();
    for case in cases.iter().flatten() {
        for (at, core) in case.flatten(pointer).into_iter().enumerate() {
            match flat.get_mut(at) {
                Some(both) => *both = join(*both, core),
                None => flat.push(core),
            }
        }
    }
    flat
}

/// The flat types of several values, one after the other.
pub fn flatten_all(types: &[Type], pointer: Pointer) -> Vec<Core> {
    types.iter().flat_map(|ty| ty.flatten(pointer)).collect()
}

impl FuncType {
    /// The result, as a list of none or one.
    pub fn results(&self) -> &[Type] {
        self.result.as_slice()
    }

    /// The core function a component exports as this: parameters and results.
    pub fn lifted(&self, pointer: Pointer) -> (Vec<Core>, Vec<Core>) {
        let (mut params, mut results) = self.flat(pointer);
        if params.len() > MAX_FLAT_PARAMS {
            params = vec![pointer.core()];
        }
        if results.len() > MAX_FLAT_RESULTS {
            results = vec![pointer.core()];
        }
        (params, results)
    }

    /// The core function a component imports this as: parameters and results.
    pub fn lowered(&self, pointer: Pointer) -> (Vec<Core>, Vec<Core>) {
        let (mut params, mut results) = self.flat(pointer);
        if params.len() > MAX_FLAT_PARAMS {
            params = vec![pointer.core()];
        }
        if results.len() > MAX_FLAT_RESULTS {
            params.push(pointer.core());
            results = Vec::new();
        }
        (params, results)
    }

    fn flat(&self, pointer: Pointer) -> (Vec<Core>, Vec<Core>) {
        (flatten_all(&self.params, pointer), flatten_all(self.results(), pointer))
    }
}
