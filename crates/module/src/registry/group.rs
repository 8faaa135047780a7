//! Recursion groups as words: the form in which the registry compares them.
//!
//! A type is `header [supertype] contents`. The header holds the kind in bits 0–1, final in bit 2,
//! "has a supertype" in bit 3. A function type goes on with its numbers of parameters and results
//! and one word for each, a struct with its number of fields and one word for each, an array with
//! one word, a continuation with a reference. A value word has its kind in bits 0–3, nullable in
//! bit 4, "inside this group" in bit 5, mutable (of fields) in bit 6, and from bit 8 on the
//! abstract heap type, the position in the group or the canonical id.

use std::sync::Arc;

use crate::types::{
    CompositeType, FieldType, FuncType, HeapType, RefType, StorageType, StructType, TypeId,
    TypeKind, ValType,
};

const KIND: u32 = 0b1111;
const NULLABLE: u32 = 1 << 4;
const INNER: u32 = 1 << 5;
const MUTABLE: u32 = 1 << 6;
const PAYLOAD_SHIFT: u32 = 8;

const ABSTRACT: u32 = 5;
const DEFINED: u32 = 6;
const I8: u32 = 7;
const I16: u32 = 8;

const FUNC: u32 = TypeKind::Func as u32;
const STRUCT: u32 = TypeKind::Struct as u32;
const ARRAY: u32 = TypeKind::Array as u32;
const FINAL: u32 = 1 << 2;
const HAS_SUPERTYPE: u32 = 1 << 3;

/// Every abstract heap type; the position is its number in a value word.
const ABSTRACT_HEAP_TYPES: [HeapType; 14] = [
    HeapType::Func,
    HeapType::Extern,
    HeapType::Any,
    HeapType::None,
    HeapType::NoExtern,
    HeapType::NoFunc,
    HeapType::Eq,
    HeapType::Struct,
    HeapType::Array,
    HeapType::I31,
    HeapType::Exn,
    HeapType::NoExn,
    HeapType::Cont,
    HeapType::NoCont,
];

/// A reference to a defined type, from within a group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum TypeRef {
    /// The type at this position of the group.
    Inner(u32),
    /// A type of another group.
    Outer(TypeId),
}

/// A value type whose references to defined types may point into the group being written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum GroupVal {
    Plain(ValType),
    Defined { nullable: bool, ty: TypeRef },
}

/// Writes one group.
#[derive(Default)]
pub(crate) struct GroupWriter {
    words: Vec<u32>,
    kinds: Vec<TypeKind>,
    outer: Vec<TypeId>,
}

impl GroupWriter {
    pub(crate) fn clear(&mut self) {
        self.words.clear();
        self.kinds.clear();
        self.outer.clear();
    }

    pub(crate) fn words(&self) -> &[u32] {
        &self.words
    }

    /// Number of types.
    pub(crate) fn len(&self) -> usize {
        self.kinds.len()
    }

    /// The kind of each type.
    pub(crate) fn kinds(&self) -> &[TypeKind] {
        &self.kinds
    }

    /// The types of other groups referred to so far, each as often as it occurs.
    pub(crate) fn outer(&self) -> &[TypeId] {
        &self.outer
    }

    /// A final function type without supertype, all references canonical.
    pub(crate) fn func(&mut self, ty: &FuncType) {
        self.begin(TypeKind::Func, true, None);
        self.lengths(ty.params.len(), ty.results.len());
        for val in ty.params.iter().chain(&ty.results) {
            self.val(GroupVal::Plain(*val));
        }
    }

    pub(crate) fn begin_func(
        &mut self,
        is_final: bool,
        supertype: Option<TypeRef>,
        params: usize,
        results: usize,
    ) {
        self.begin(TypeKind::Func, is_final, supertype);
        self.lengths(params, results);
    }

    pub(crate) fn begin_struct(
        &mut self,
        is_final: bool,
        supertype: Option<TypeRef>,
        fields: usize,
    ) {
        self.begin(TypeKind::Struct, is_final, supertype);
        self.words.push(fields as u32);
    }

    pub(crate) fn begin_array(&mut self, is_final: bool, supertype: Option<TypeRef>) {
        self.begin(TypeKind::Array, is_final, supertype);
    }

    pub(crate) fn cont(&mut self, is_final: bool, supertype: Option<TypeRef>, func: TypeRef) {
        self.begin(TypeKind::Cont, is_final, supertype);
        let word = self.reference(func);
        self.words.push(word);
    }

    pub(crate) fn val(&mut self, val: GroupVal) {
        let word = self.word(val);
        self.words.push(word);
    }

    /// A field which stores a value.
    pub(crate) fn field(&mut self, val: GroupVal, mutable: bool) {
        let word = self.word(val);
        self.words.push(word | if mutable { MUTABLE } else { 0 });
    }

    /// A field which stores an integer of 8 or 16 bits.
    pub(crate) fn packed_field(&mut self, wide: bool, mutable: bool) {
        self.words.push(if wide { I16 } else { I8 } | if mutable { MUTABLE } else { 0 });
    }

    /// A field whose references are canonical.
    pub(crate) fn canonical_field(&mut self, field: &FieldType) {
        match field.storage {
            StorageType::I8 => self.packed_field(false, field.mutable),
            StorageType::I16 => self.packed_field(true, field.mutable),
            StorageType::Val(val) => self.field(GroupVal::Plain(val), field.mutable),
        }
    }

    fn begin(&mut self, kind: TypeKind, is_final: bool, supertype: Option<TypeRef>) {
        let is_final = if is_final { FINAL } else { 0 };
        let has_supertype = if supertype.is_some() { HAS_SUPERTYPE } else { 0 };
        self.words.push(kind as u32 | is_final | has_supertype);
        if let Some(supertype) = supertype {
            let word = self.reference(supertype);
            self.words.push(word);
        }
        self.kinds.push(kind);
    }

    fn lengths(&mut self, params: usize, results: usize) {
        self.words.extend([params as u32, results as u32]);
    }

    fn reference(&mut self, ty: TypeRef) -> u32 {
        match ty {
            TypeRef::Inner(at) => DEFINED | INNER | at << PAYLOAD_SHIFT,
            TypeRef::Outer(id) => {
                self.outer.push(id);
                DEFINED | id.0 << PAYLOAD_SHIFT
            }
        }
    }

    fn word(&mut self, val: GroupVal) -> u32 {
        let null = |nullable| if nullable { NULLABLE } else { 0 };
        match val {
            GroupVal::Plain(ValType::I32) => 0,
            GroupVal::Plain(ValType::I64) => 1,
            GroupVal::Plain(ValType::F32) => 2,
            GroupVal::Plain(ValType::F64) => 3,
            GroupVal::Plain(ValType::V128) => 4,
            GroupVal::Plain(ValType::Ref(RefType { nullable, heap: HeapType::Concrete(id) })) => {
                self.reference(TypeRef::Outer(id)) | null(nullable)
            }
            GroupVal::Plain(ValType::Ref(RefType { nullable, heap })) => {
                let at = ABSTRACT_HEAP_TYPES.iter().position(|x| *x == heap).unwrap_or(0) as u32;
                ABSTRACT | at << PAYLOAD_SHIFT | null(nullable)
            }
            GroupVal::Defined { nullable, ty } => self.reference(ty) | null(nullable),
        }
    }
}

/// Reads the types of a group back, with canonical ids throughout.
pub(crate) struct KeyRef<'a> {
    words: &'a [u32],
    types: &'a [TypeId],
}

/// One type read back.
pub(crate) struct ReadType {
    pub(crate) composite: CompositeType,
    pub(crate) is_final: bool,
    pub(crate) supertype: Option<TypeId>,
}

impl<'a> KeyRef<'a> {
    /// `types` are the canonical ids of the types of this group.
    pub(crate) fn new(words: &'a [u32], types: &'a [TypeId]) -> KeyRef<'a> {
        KeyRef { words, types }
    }

    fn next_word(&mut self) -> Option<u32> {
        let (&word, rest) = self.words.split_first()?;
        self.words = rest;
        Some(word)
    }

    fn words(&mut self, len: u32) -> Option<&'a [u32]> {
        let (words, rest) = self.words.split_at_checked(len as usize)?;
        self.words = rest;
        Some(words)
    }

    fn vals(&mut self, len: u32) -> Option<Box<[ValType]>> {
        Some(self.words(len)?.iter().map(|word| self.val(*word)).collect())
    }

    fn field(&self, word: u32) -> FieldType {
        let storage = match word & KIND {
            I8 => StorageType::I8,
            I16 => StorageType::I16,
            _ => StorageType::Val(self.val(word)),
        };
        FieldType { storage, mutable: word & MUTABLE != 0 }
    }

    fn resolve(&self, word: u32) -> TypeId {
        let payload = word >> PAYLOAD_SHIFT;
        if word & INNER != 0 { self.types[payload as usize] } else { TypeId(payload) }
    }

    fn val(&self, word: u32) -> ValType {
        let nullable = word & NULLABLE != 0;
        match word & KIND {
            0 => ValType::I32,
            1 => ValType::I64,
            2 => ValType::F32,
            3 => ValType::F64,
            4 => ValType::V128,
            ABSTRACT => {
                let heap = ABSTRACT_HEAP_TYPES[(word >> PAYLOAD_SHIFT) as usize];
                ValType::Ref(RefType { nullable, heap })
            }
            _ => ValType::Ref(RefType { nullable, heap: HeapType::Concrete(self.resolve(word)) }),
        }
    }
}

impl Iterator for KeyRef<'_> {
    type Item = ReadType;

    fn next(&mut self) -> Option<ReadType> {
        let header = self.next_word()?;
        let supertype = match header & HAS_SUPERTYPE {
            0 => None,
            _ => Some(self.next_word()?).map(|word| self.resolve(word)),
        };
        let composite = match header & 0b11 {
            FUNC => {
                let (params, results) = (self.next_word()?, self.next_word()?);
                CompositeType::Func(Arc::new(FuncType {
                    params: self.vals(params)?,
                    results: self.vals(results)?,
                }))
            }
            STRUCT => {
                let len = self.next_word()?;
                let fields = self.words(len)?.iter().map(|word| self.field(*word)).collect();
                CompositeType::Struct(Arc::new(StructType { fields }))
            }
            ARRAY => CompositeType::Array(self.next_word().map(|word| self.field(word))?),
            _ => CompositeType::Cont(self.next_word().map(|word| self.resolve(word))?),
        };
        Some(ReadType { composite, is_final: header & FINAL != 0, supertype })
    }
}
