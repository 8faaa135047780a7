//! The canonical types of an engine: equal types of all its modules share one id.
//!
//! Types are interned by recursion group (core spec §3.1.3 and §4.2.1): a group is written as a
//! list of words in which references inside the group are relative and references out of it are
//! canonical ids, so two groups are equal exactly if their words are. A group lives as long as a
//! [`TypeHold`] or another group needs it; its ids are then used again.

mod group;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use self::group::KeyRef;
pub(crate) use self::group::{GroupVal, GroupWriter, TypeRef};
use crate::error::{Error, ErrorKind};
use crate::limits;
use crate::types::{
    CompositeType, FieldType, FuncType, HeapType, RefType, StructType, TypeId, TypeKind, ValType,
};

/// The canonical types of one engine. Cloning gives another handle to the same registry.
#[derive(Clone, Default)]
pub struct TypeRegistry(Arc<RwLock<Table>>);

/// Keeps types alive in their registry until dropped.
pub struct TypeHold {
    registry: TypeRegistry,
    groups: Box<[GroupId]>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
struct GroupId(u32);

#[derive(Default)]
struct Table {
    by_key: HashMap<Arc<[u32]>, GroupId>,
    groups: Slots<Group>,
    types: Slots<Type>,
    /// Counts batches, so that a group knows whether the current one holds it already.
    batch: u64,
}

struct Group {
    key: Arc<[u32]>,
    /// Holds and groups that refer to this one.
    refs: usize,
    types: Box<[TypeId]>,
    /// The groups this one refers to, each once.
    needs: Box<[GroupId]>,
    batch: u64,
}

struct Type {
    composite: CompositeType,
    group: GroupId,
    is_final: bool,
    /// The supertypes, from the root of the hierarchy to the direct one.
    supertypes: Option<Arc<[TypeId]>>,
}

/// A vector whose freed places are used again, and which gets shorter when many are free.
struct Slots<T> {
    items: Vec<Option<T>>,
    free: Vec<u32>,
    /// So many free places are worth looking for some at the end. Doubles when there were none, so
    /// that the looking costs no more than the freeing did.
    shrink_at: usize,
}

const SHRINK_AT_MIN: usize = 64;

impl<T> Default for Slots<T> {
    fn default() -> Slots<T> {
        Slots { items: Vec::new(), free: Vec::new(), shrink_at: SHRINK_AT_MIN }
    }
}

impl<T> Slots<T> {
    fn len(&self) -> usize {
        self.items.len() - self.free.len()
    }

    fn get(&self, at: u32) -> Option<&T> {
        self.items.get(at as usize)?.as_ref()
    }

    fn get_mut(&mut self, at: u32) -> Option<&mut T> {
        self.items.get_mut(at as usize)?.as_mut()
    }

    /// A place for an item, to be put there by [`Slots::fill`] before anything is removed.
    fn reserve(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.items.push(None);
            self.items.len() as u32 - 1
        })
    }

    fn fill(&mut self, at: u32, item: T) {
        self.items[at as usize] = Some(item);
    }

    fn remove(&mut self, at: u32) -> Option<T> {
        let item = self.items.get_mut(at as usize)?.take()?;
        self.free.push(at);
        if self.free.len() >= self.shrink_at {
            self.shrink();
        }
        Some(item)
    }

    fn shrink(&mut self) {
        let len = self.items.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
        self.items.truncate(len);
        self.items.shrink_to(len * 2);
        self.free.retain(|at| (*at as usize) < len);
        self.free.shrink_to(self.free.len() * 2);
        self.shrink_at = (self.free.len() * 2).max(SHRINK_AT_MIN);
    }
}

impl TypeRegistry {
    /// A registry without types.
    pub fn new() -> TypeRegistry {
        TypeRegistry::default()
    }

    /// Number of types alive.
    pub fn len(&self) -> usize {
        self.read().types.len()
    }

    /// Whether no type is alive.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The canonical type of a signature which is no part of a module; valid while the hold lives.
    ///
    /// # Errors
    ///
    /// When the registry is full, when the signature has more than 1000 parameters or results, or
    /// when it refers to a type which is not alive in this registry.
    pub fn intern_func(&self, ty: &FuncType) -> Result<(TypeId, TypeHold), Error> {
        if ty.params.len() > limits::PARAMS || ty.results.len() > limits::RESULTS {
            let message = format!(
                "function type has {} parameters and {} results, expected at most {} and {}",
                ty.params.len(),
                ty.results.len(),
                limits::PARAMS,
                limits::RESULTS
            );
            return Err(Error::new(ErrorKind::LimitExceeded, message, None));
        }
        let vals = ty.params.iter().chain(&ty.results).copied();
        self.intern("function", vals, |writer| writer.func(ty))
    }

    /// The canonical struct type with these fields, final and without supertype; valid while the hold
    /// lives.
    ///
    /// # Errors
    ///
    /// When the registry is full, when there are more than 10,000 fields, or when one refers to a
    /// type which is not alive in this registry.
    pub fn intern_struct(&self, ty: &StructType) -> Result<(TypeId, TypeHold), Error> {
        if ty.fields.len() > limits::STRUCT_FIELDS {
            let (found, most) = (ty.fields.len(), limits::STRUCT_FIELDS);
            let message = format!("struct type has {found} fields, expected at most {most}");
            return Err(Error::new(ErrorKind::LimitExceeded, message, None));
        }
        self.intern("struct", ty.fields.iter().filter_map(FieldType::val), |writer| {
            writer.begin_struct(true, None, ty.fields.len());
            ty.fields.iter().for_each(|field| writer.canonical_field(field));
        })
    }

    /// The canonical array type with these elements, final and without supertype; valid while the
    /// hold lives.
    ///
    /// # Errors
    ///
    /// When the registry is full, or the elements refer to a type which is not alive in it.
    pub fn intern_array(&self, element: FieldType) -> Result<(TypeId, TypeHold), Error> {
        self.intern("array", element.val().into_iter(), |writer| {
            writer.begin_array(true, None);
            writer.canonical_field(&element);
        })
    }

    /// The canonical type of a group of one type that contains `vals`.
    fn intern(
        &self,
        kind: &str,
        mut vals: impl Iterator<Item = ValType>,
        write: impl FnOnce(&mut GroupWriter),
    ) -> Result<(TypeId, TypeHold), Error> {
        let mut batch = self.batch();
        let unknown = vals.find_map(|val| match val {
            ValType::Ref(RefType { heap: HeapType::Concrete(id), .. }) => {
                batch.table.types.get(id.place()).is_none().then_some(id)
            }
            _ => None,
        });
        if let Some(id) = unknown {
            let message = format!("{kind} type refers to unknown type {}", id.place());
            return Err(Error::new(ErrorKind::Invalid, message, None));
        }
        let mut writer = GroupWriter::default();
        write(&mut writer);
        let id = batch.intern(&writer, None)?.next().unwrap_or(TypeId(0));
        Ok((id, batch.finish()))
    }

    /// The signature of `id`; `None` if it is no function type, or not alive.
    pub fn func_type(&self, id: TypeId) -> Option<Arc<FuncType>> {
        match &self.read().types.get(id.place())?.composite {
            CompositeType::Func(ty) => Some(ty.clone()),
            _ => None,
        }
    }

    /// What `id` is; `None` if it is not alive.
    pub fn composite_type(&self, id: TypeId) -> Option<CompositeType> {
        Some(self.read().types.get(id.place())?.composite.clone())
    }

    /// Whether `id` admits no subtypes.
    pub fn is_final(&self, id: TypeId) -> bool {
        self.read().types.get(id.place()).is_none_or(|ty| ty.is_final)
    }

    /// The supertypes of `id`, from the root of its hierarchy to the direct one, without itself.
    /// `a` is a subtype of `b` exactly if it is `b` or has `b` at the position that is the number
    /// of supertypes of `b`. `None` if there are none.
    pub fn supertypes(&self, id: TypeId) -> Option<Arc<[TypeId]>> {
        self.read().types.get(id.place())?.supertypes.clone()
    }

    /// Whether defined type `a` is `b` or a declared subtype of it.
    pub fn is_subtype(&self, a: TypeId, b: TypeId) -> bool {
        a == b || self.read().is_subtype(a, b)
    }

    /// Whether heap type `a` is a subtype of `b`.
    pub fn heap_subtype(&self, a: HeapType, b: HeapType) -> bool {
        a == b || self.read().heap_subtype(a, b)
    }

    /// Whether reference type `a` is a subtype of `b`.
    pub fn ref_subtype(&self, a: RefType, b: RefType) -> bool {
        (b.nullable || !a.nullable) && self.heap_subtype(a.heap, b.heap)
    }

    /// Whether value type `a` is a subtype of `b`.
    pub fn val_subtype(&self, a: ValType, b: ValType) -> bool {
        match (a, b) {
            (ValType::Ref(a), ValType::Ref(b)) => self.ref_subtype(a, b),
            (a, b) => a == b,
        }
    }

    /// Whether both handles are of the same registry.
    pub fn same(&self, other: &TypeRegistry) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Begins to intern the types of one module. Nobody else can use the registry meanwhile.
    pub(crate) fn batch(&self) -> Batch<'_> {
        let mut table = self.write();
        table.batch += 1;
        Batch { registry: self, table, held: Vec::new() }
    }

    // A panic while the lock is held leaves the table as it was or with a group that nobody holds.
    fn read(&self) -> RwLockReadGuard<'_, Table> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Table> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for TypeRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TypeRegistry({} types)", self.len())
    }
}

impl TypeHold {
    pub(crate) fn empty(registry: &TypeRegistry) -> TypeHold {
        TypeHold { registry: registry.clone(), groups: Box::default() }
    }

    /// The registry the types are in.
    pub fn registry(&self) -> &TypeRegistry {
        &self.registry
    }
}

impl Clone for TypeHold {
    fn clone(&self) -> TypeHold {
        let mut table = self.registry.write();
        for id in &self.groups {
            table.retain(*id);
        }
        TypeHold { registry: self.registry.clone(), groups: self.groups.clone() }
    }
}

impl Drop for TypeHold {
    fn drop(&mut self) {
        if !self.groups.is_empty() {
            self.registry.write().release(self.groups.to_vec());
        }
    }
}

impl fmt::Debug for TypeHold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TypeHold({} groups)", self.groups.len())
    }
}

/// The interning of the types of one module, under the registry's lock.
pub(crate) struct Batch<'r> {
    registry: &'r TypeRegistry,
    table: RwLockWriteGuard<'r, Table>,
    held: Vec<GroupId>,
}

impl Batch<'_> {
    /// The canonical ids of the types of the group in `writer`.
    pub(crate) fn intern(
        &mut self,
        writer: &GroupWriter,
        offset: Option<u64>,
    ) -> Result<impl Iterator<Item = TypeId> + '_, Error> {
        let known = self.table.by_key.get(writer.words()).copied();
        let id = match known {
            Some(id) => id,
            None => {
                if self.table.types.len() + writer.len() > limits::LIVE_TYPES {
                    let message = format!(
                        "engine has too many live types, expected at most {}",
                        limits::LIVE_TYPES
                    );
                    return Err(Error::new(ErrorKind::LimitExceeded, message, offset));
                }
                self.table.insert(writer)
            }
        };
        let batch = self.table.batch;
        if let Some(group) = self.table.groups.get_mut(id.0)
            && group.batch != batch
        {
            group.batch = batch;
            group.refs += 1;
            self.held.push(id);
        }
        let types = self.table.groups.get(id.0).map_or(&[][..], |group| &group.types);
        Ok(types.iter().copied())
    }

    /// What `id` is.
    pub(crate) fn composite_type(&self, id: TypeId) -> Option<CompositeType> {
        Some(self.table.types.get(id.place())?.composite.clone())
    }

    pub(crate) fn finish(mut self) -> TypeHold {
        let groups = std::mem::take(&mut self.held).into_boxed_slice();
        TypeHold { registry: self.registry.clone(), groups }
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        let held = std::mem::take(&mut self.held);
        self.table.release(held);
    }
}

impl Table {
    fn insert(&mut self, writer: &GroupWriter) -> GroupId {
        let key: Arc<[u32]> = writer.words().into();
        let id = GroupId(self.groups.reserve());
        let types: Box<[TypeId]> =
            writer.kinds().iter().map(|kind| TypeId::new(self.types.reserve(), *kind)).collect();
        for (at, read) in KeyRef::new(&key, &types).enumerate() {
            let supertypes = read.supertype.map(|parent| {
                let above = self.types.get(parent.place()).and_then(|ty| ty.supertypes.as_deref());
                above.unwrap_or_default().iter().copied().chain([parent]).collect()
            });
            let ty =
                Type { composite: read.composite, group: id, is_final: read.is_final, supertypes };
            self.types.fill(types[at].place(), ty);
        }
        let outer = writer.outer().iter().filter_map(|id| self.types.get(id.place()));
        let mut needs: Vec<GroupId> = outer.map(|ty| ty.group).collect();
        needs.sort_unstable();
        needs.dedup();
        for need in &needs {
            self.retain(*need);
        }
        self.by_key.insert(key.clone(), id);
        let group = Group { key, refs: 0, types, needs: needs.into_boxed_slice(), batch: 0 };
        self.groups.fill(id.0, group);
        id
    }

    fn retain(&mut self, id: GroupId) {
        if let Some(group) = self.groups.get_mut(id.0) {
            group.refs += 1;
        }
    }

    /// Gives up one reference to each of `pending`, and to what only they needed.
    fn release(&mut self, mut pending: Vec<GroupId>) {
        while let Some(id) = pending.pop() {
            let Some(group) = self.groups.get_mut(id.0) else {
                continue;
            };
            group.refs -= 1;
            if group.refs > 0 {
                continue;
            }
            if let Some(group) = self.groups.remove(id.0) {
                self.by_key.remove(&group.key);
                for ty in &group.types {
                    self.types.remove(ty.place());
                }
                pending.extend(group.needs);
            }
        }
        if self.by_key.capacity() / 8 > self.by_key.len() {
            self.by_key.shrink_to(self.by_key.len() * 2);
        }
    }

    fn is_subtype(&self, a: TypeId, b: TypeId) -> bool {
        let supertypes = |id: TypeId| self.types.get(id.place()).map(|ty| ty.supertypes.as_deref());
        let (Some(above_a), Some(above_b)) = (supertypes(a), supertypes(b)) else {
            return false;
        };
        above_a.unwrap_or_default().get(above_b.unwrap_or_default().len()) == Some(&b)
    }

    fn heap_subtype(&self, a: HeapType, b: HeapType) -> bool {
        use HeapType::*;
        match (a, b) {
            (Concrete(a), Concrete(b)) => a == b || self.is_subtype(a, b),
            (Concrete(a), b) => match a.kind() {
                TypeKind::Func => b == Func,
                TypeKind::Struct => matches!(b, Struct | Eq | Any),
                TypeKind::Array => matches!(b, Array | Eq | Any),
                TypeKind::Cont => b == Cont,
            },
            (a, Concrete(b)) => match b.kind() {
                TypeKind::Func => a == NoFunc,
                TypeKind::Struct | TypeKind::Array => a == None,
                TypeKind::Cont => a == NoCont,
            },
            (a, b) if a == b => true,
            (None, b) => matches!(b, I31 | Struct | Array | Eq | Any),
            (I31 | Struct | Array, b) => matches!(b, Eq | Any),
            (Eq, b) => b == Any,
            (NoFunc, b) => b == Func,
            (NoExtern, b) => b == Extern,
            (NoExn, b) => b == Exn,
            (NoCont, b) => b == Cont,
            _ => false,
        }
    }
}
