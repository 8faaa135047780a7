//! Which Rust types are types of WIT, and how their values travel.
//!
//! | WIT | Rust |
//! |---|---|
//! | `bool`, `u8` … `s64`, `f32`, `f64`, `char` | `bool`, `u8` … `i64`, `f32`, `f64`, `char` |
//! | `string` | `String`, and `&str` towards guests |
//! | `list<t>` | `Vec<T>`, and `&[T]` towards guests |
//! | `list<t, n>` | `[T; N]` |
//! | `map<k, v>` | `Vec<(K, V)>` inside [`Map`], `BTreeMap<K, V>`, `HashMap<K, V>` |
//! | `tuple<…>` | tuples |
//! | `option<t>`, `result<t, e>` | `Option<T>`, `Result<T, E>`, with `()` for what is not there |
//! | a resource, owned or borrowed | [`Resource<R>`](crate::Resource), [`ResourceAny`] |
//! | records, variants, enums, flags | types that `#[derive(ComponentType)]`, `flags!` or `bindgen!` make such |

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, Hash};

use dunlin_engine::Result;

use crate::abi::{LiftContext, LowerContext, Place, Text, to_char};
use crate::plan::{Field, Op, PlanId};
use crate::resource::{Resource, ResourceAny};
use crate::state::bug;
use crate::types::{FuncType, Type, TypeKind};

/// A Rust type that is a type of WIT.
///
/// The derive of the same name implements it for structs and enums, and [`Lift`] and [`Lower`] with it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no type of WIT",
    note = "`#[derive(ComponentType)]` makes structs and enums such"
)]
pub trait ComponentType {
    /// Why it is not `ty`, if it is not.
    fn mismatch(ty: &Type) -> Option<String>;

    /// As [`ComponentType::mismatch`], where a type may be left out.
    #[doc(hidden)]
    fn mismatch_maybe(ty: Option<&Type>) -> Option<String> {
        match ty {
            Some(ty) => Self::mismatch(ty),
            None => Some("expected nothing, found a type".to_owned()),
        }
    }
}

/// A type whose values can be read from guests.
#[diagnostic::on_unimplemented(
    message = "values of `{Self}` cannot be read from guests",
    note = "`#[derive(ComponentType)]` implements this for structs and enums, unless they have a lifetime: \
            what is read is owned"
)]
pub trait Lift: ComponentType + Sized {
    /// Reads a value.
    fn lift(cx: &mut LiftContext<'_>, plan: PlanId, place: Place) -> Result<Self>;

    /// Reads what a case of a variant holds, which may be nothing.
    #[doc(hidden)]
    fn lift_payload(cx: &mut LiftContext<'_>, at: Option<(PlanId, Place)>) -> Result<Self> {
        let (plan, place) = at.ok_or_else(bug)?;
        Self::lift(cx, plan, place)
    }

    /// Reads all of a list; `plan` is that of an element.
    #[doc(hidden)]
    fn lift_list(cx: &mut LiftContext<'_>, plan: PlanId, place: Place) -> Result<Vec<Self>> {
        let element = cx.plan(plan);
        let (at, len) = cx.list(place, element)?;
        cx.charge(u64::from(len) * size_of::<Self>() as u64)?;
        let at = Place::Memory(at);
        (0..len).map(|i| Self::lift(cx, plan, at.element(i, element))).collect()
    }
}

/// A type whose values can be written for guests.
#[diagnostic::on_unimplemented(
    message = "values of `{Self}` cannot be written for guests",
    note = "`#[derive(ComponentType)]` implements this for structs and enums"
)]
pub trait Lower: ComponentType {
    /// Writes a value.
    fn lower(&self, cx: &mut LowerContext<'_>, plan: PlanId, place: Place) -> Result<()>;

    /// Writes what a case of a variant holds, which may be nothing.
    #[doc(hidden)]
    fn lower_payload(&self, cx: &mut LowerContext<'_>, at: Option<(PlanId, Place)>) -> Result<()> {
        let (plan, place) = at.ok_or_else(bug)?;
        self.lower(cx, plan, place)
    }

    /// Writes the elements of a list, whose room starts at an address; `plan` is that of an element.
    #[doc(hidden)]
    fn lower_elements(
        items: &[Self],
        cx: &mut LowerContext<'_>,
        plan: PlanId,
        at: u32,
    ) -> Result<()>
    where
        Self: Sized,
    {
        let element = cx.plan(plan);
        for (i, item) in items.iter().enumerate() {
            item.lower(cx, plan, Place::Memory(at).element(i as u32, element))?;
        }
        Ok(())
    }
}

/// What generated code uses to read records, variants, enums and flags.
impl LiftContext<'_> {
    /// Where a field of a record is.
    #[doc(hidden)]
    pub fn field(&self, plan: PlanId, index: usize, place: Place) -> Result<(PlanId, Place)> {
        field(&self.plan(plan).op, index, place)
    }

    /// The case of a variant or enum, and where what it holds is.
    #[doc(hidden)]
    pub fn variant(&self, plan: PlanId, place: Place) -> Result<(u32, Option<(PlanId, Place)>)> {
        let Op::Variant(cases) = &self.plan(plan).op else { return Err(bug()) };
        let case = self.case(place, cases)?;
        let payload = *cases.cases.get(case as usize).ok_or_else(bug)?;
        Ok((case, payload.map(|plan| (plan, place.payload(cases)))))
    }

    /// The flags that are set, the first lowest.
    #[doc(hidden)]
    pub fn flags(&self, plan: PlanId, place: Place) -> Result<u32> {
        let plan = self.plan(plan);
        let Op::Flags(count) = plan.op else { return Err(bug()) };
        let mask = 1u64.checked_shl(count).unwrap_or(0).wrapping_sub(1);
        Ok((self.bits(place, plan.size)? & mask) as u32)
    }
}

/// What generated code uses to write records, variants, enums and flags.
impl LowerContext<'_> {
    /// Where a field of a record is.
    #[doc(hidden)]
    pub fn field(&self, plan: PlanId, index: usize, place: Place) -> Result<(PlanId, Place)> {
        field(&self.plan(plan).op, index, place)
    }

    /// Writes the case of a variant or enum; where what it holds is.
    #[doc(hidden)]
    pub fn variant(
        &mut self,
        plan: PlanId,
        place: Place,
        case: u32,
    ) -> Result<Option<(PlanId, Place)>> {
        let plan = self.plan(plan);
        let Op::Variant(cases) = &plan.op else { return Err(bug()) };
        self.case(place, plan, cases, case)
    }

    /// Writes flags, the first lowest.
    #[doc(hidden)]
    pub fn flags(&mut self, plan: PlanId, place: Place, bits: u32) -> Result<()> {
        let width = self.plan(plan).size;
        self.bits(place, width, bits.into())
    }
}

fn field(op: &Op, index: usize, place: Place) -> Result<(PlanId, Place)> {
    let Op::Record(fields) = op else { return Err(bug()) };
    let field = fields.get(index).ok_or_else(bug)?;
    Ok((field.plan, place.field(field)))
}

fn expected(ty: &Type, found: &str) -> Option<String> {
    Some(format!("expected {ty}, found {found}"))
}

macro_rules! numbers {
    ($($rust:ty, $wit:literal, $lift:expr, $lower:expr;)*) => { $(
        impl ComponentType for $rust {
            fn mismatch(ty: &Type) -> Option<String> {
                match ty.kind() {
                    TypeKind::Primitive($wit) => None,
                    _ => expected(ty, $wit),
                }
            }
        }

        impl Lift for $rust {
            #[inline]
            fn lift(cx: &mut LiftContext<'_>, _: PlanId, place: Place) -> Result<$rust> {
                let bits = cx.bits(place, size_of::<$rust>() as u32)?;
                Ok(($lift)(bits))
            }

            fn lift_list(
                cx: &mut LiftContext<'_>,
                plan: PlanId,
                place: Place,
            ) -> Result<Vec<$rust>> {
                let bytes = cx.plain_list(place, cx.plan(plan))?;
                let (items, _) = bytes.as_chunks();
                Ok(items.iter().map(|bytes| <$rust>::from_le_bytes(*bytes)).collect())
            }
        }

        impl Lower for $rust {
            #[inline]
            fn lower(&self, cx: &mut LowerContext<'_>, _: PlanId, place: Place) -> Result<()> {
                cx.bits(place, size_of::<$rust>() as u32, ($lower)(*self))
            }

            fn lower_elements(
                items: &[$rust],
                cx: &mut LowerContext<'_>,
                _: PlanId,
                at: u32,
            ) -> Result<()> {
                const SIZE: usize = size_of::<$rust>();
                if items.is_empty() {
                    return Ok(());
                }
                let room = cx.memory()?.get_mut(at as usize..);
                let room = room.and_then(|room| room.get_mut(..items.len() * SIZE));
                let (room, _) = room.ok_or_else(bug)?.as_chunks_mut::<SIZE>();
                for (to, item) in room.iter_mut().zip(items) {
                    *to = item.to_le_bytes();
                }
                Ok(())
            }
        }
    )* };
}

numbers! {
    u8, "u8", |bits| bits as u8, u64::from;
    i8, "s8", |bits| bits as i8, |v| u64::from(v as i32 as u32);
    u16, "u16", |bits| bits as u16, u64::from;
    i16, "s16", |bits| bits as i16, |v| u64::from(v as i32 as u32);
    u32, "u32", |bits| bits as u32, u64::from;
    i32, "s32", |bits| bits as i32, |v| u64::from(v as u32);
    u64, "u64", |bits| bits, |v| v;
    i64, "s64", |bits| bits as i64, |v| v as u64;
    f32, "f32", |bits| f32::from_bits(bits as u32), |v: f32| u64::from(v.to_bits());
    f64, "f64", f64::from_bits, f64::to_bits;
}

macro_rules! scalars {
    ($($rust:ty, $wit:literal, $width:literal, $lift:expr, $lower:expr;)*) => { $(
        impl ComponentType for $rust {
            fn mismatch(ty: &Type) -> Option<String> {
                match ty.kind() {
                    TypeKind::Primitive($wit) => None,
                    _ => expected(ty, $wit),
                }
            }
        }

        impl Lift for $rust {
            #[inline]
            fn lift(cx: &mut LiftContext<'_>, _: PlanId, place: Place) -> Result<$rust> {
                ($lift)(cx.bits(place, $width)?)
            }
        }

        impl Lower for $rust {
            #[inline]
            fn lower(&self, cx: &mut LowerContext<'_>, _: PlanId, place: Place) -> Result<()> {
                cx.bits(place, $width, ($lower)(*self))
            }
        }
    )* };
}

scalars! {
    bool, "bool", 1, |bits| Ok(bits as u32 != 0), u64::from;
    char, "char", 4, |bits| to_char(bits as u32), |v| u64::from(u32::from(v));
}

impl ComponentType for str {
    fn mismatch(ty: &Type) -> Option<String> {
        match ty.kind() {
            TypeKind::Primitive("string") => None,
            _ => expected(ty, "string"),
        }
    }
}

impl Lower for str {
    fn lower(&self, cx: &mut LowerContext<'_>, _: PlanId, place: Place) -> Result<()> {
        cx.text(&Text::Utf8(self), place)
    }
}

impl ComponentType for String {
    fn mismatch(ty: &Type) -> Option<String> {
        str::mismatch(ty)
    }
}

impl Lift for String {
    fn lift(cx: &mut LiftContext<'_>, _: PlanId, place: Place) -> Result<String> {
        Ok(cx.text(place)?.to_str().into_owned())
    }
}

impl Lower for String {
    fn lower(&self, cx: &mut LowerContext<'_>, plan: PlanId, place: Place) -> Result<()> {
        self.as_str().lower(cx, plan, place)
    }
}

impl<T: ComponentType> ComponentType for [T] {
    fn mismatch(ty: &Type) -> Option<String> {
        match ty.kind() {
            TypeKind::List(element) => T::mismatch(&element),
            _ => expected(ty, "list"),
        }
    }
}

impl<T: Lower> Lower for [T] {
    fn lower(&self, cx: &mut LowerContext<'_>, plan: PlanId, place: Place) -> Result<()> {
        let Op::List(element) = &cx.plan(plan).op else { return Err(bug()) };
        let at = cx.room(cx.plan(*element), self.len())?;
        T::lower_elements(self, cx, *element, at)?;
        cx.pair(place, at, self.len() as u32)
    }
}

impl<T: ComponentType> ComponentType for Vec<T> {
    fn mismatch(ty: &Type) -> Option<String> {
        <[T]>::mismatch(ty)
    }
}

impl<T: Lift> Lift for Vec<T> {
    fn lift(cx: &mut LiftContext<'_>, plan: PlanId, place: Place) -> Result<Vec<T>> {
        let Op::List(element) = &cx.plan(plan).op else { return Err(bug()) };
        T::lift_list(cx, *element, place)
    }
}

impl<T: Lower> Lower for Vec<T> {
    fn lower(&self, cx: &mut LowerContext<'_>, plan: PlanId, place: Place) -> Result<()> {
        self.as_slice().lower(cx, plan, place)
    }
}

impl<T: ComponentType, const N: usize> ComponentType for [T; N] {
    fn mismatch(ty: &Type) -> Option<String> {
        match ty.kind() {
            TypeKind::FixedList(element, len) if len as usize == N => T::mismatch(&element),
            _ => expected(ty, &format!("list of {N}")),
        }
    }
}

impl<T: Lift, const N: usize> Lift for [T; N] {
    fn lift(cx: &mut LiftContext<'_>, plan: PlanId, place: Place) -> Result<[T; N]> {
        let Op::FixedList(id, _) = &cx.plan(plan).op else { return Err(bug()) };
        let element = cx.plan(*id);
        let items = (0..N as u32).map(|i| T::lift(cx, *id, place.element(i, element)));
        items.collect::<Result<Vec<T>>>()?.try_into().map_err(|_| bug())
    }
}

impl<T: Lower, const N: usize> Lower for [T; N] {
    fn lower(&self, cx: &mut LowerContext<'_>, plan: PlanId, place: Place) -> Result<()> {
        let Op::FixedList(id, _) = &cx.plan(plan).op else { return Err(bug()) };
        let element = cx.plan(*id);
        let mut items = self.iter().zip(0..);
        items.try_for_each(|(item, i)| item.lower(cx, *id, place.element(i, element)))
    }
}

/// Entries of a `map<k, v>` in the order in which they travel, where keys may be there more than once.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Map<K, V>(pub Vec<(K, V)>);

fn map_mismatch<K: ComponentType, V: ComponentType>(ty: &Type) -> Option<String> {
    match ty.kind() {
        TypeKind::Map(key, value) => K::mismatch(&key).or_else(|| V::mismatch(&value)),
        _ => expected(ty, "map"),
    }
}

fn lift_map<K: Lift, V: Lift>(
    cx: &mut LiftContext<'_>,
    plan: PlanId,
    place: Place,
) -> Result<Vec<(K, V)>> {
    let Op::List(pair) = &cx.plan(plan).op else { return Err(bug()) };
    <(K, V)>::lift_list(cx, *pair, place)
}

fn lower_map<'m, K: Lower + 'm, V: Lower + 'm>(
    entries: impl ExactSizeIterator<Item = (&'m K, &'m V)>,
    cx: &mut LowerContext<'_>,
    plan: PlanId,
    place: Place,
) -> Result<()> {
    let Op::List(pair) = &cx.plan(plan).op else { return Err(bug()) };
    let (id, pair) = (*pair, cx.plan(*pair));
    let len = entries.len();
    let at = cx.room(pair, len)?;
    for (i, (key, value)) in entries.enumerate() {
        let entry = Place::Memory(at).element(i as u32, pair);
        let (plan, place) = cx.field(id, 0, entry)?;
        key.lower(cx, plan, place)?;
        let (plan, place) = cx.field(id, 1, entry)?;
        value.lower(cx, plan, place)?;
    }
    cx.pair(place, at, len as u32)
}

impl<K: ComponentType, V: ComponentType> ComponentType for Map<K, V> {
    fn mismatch(ty: &Type) -> Option<String> {
        map_mismatch::<K, V>(ty)
    }
}

impl<K: Lift, V: Lift> Lift for Map<K, V> {
    fn lift(cx: &mut LiftContext<'_>, plan: PlanId, place: Place) -> Result<Self> {
        Ok(Map(lift_map(cx, plan, place)?))
    }
}

impl<K: Lower, V: Lower> Lower for Map<K, V> {
    fn lower(&self, cx: &mut LowerContext<'_>, plan: PlanId, place: Place) -> Result<()> {
        lower_map(self.0.iter().map(|(key, value)| (key, value)), cx, plan, place)
    }
}

impl<K: ComponentType, V: ComponentType> ComponentType for BTreeMap<K, V> {
    fn mismatch(ty: &Type) -> Option<String> {
        map_mismatch::<K, V>(ty)
    }
}

impl<K: Lift + Ord, V: Lift> Lift for BTreeMap<K, V> {
    fn lift(cx: &mut LiftContext<'_>, plan: PlanId, place: Place) -> Result<Self> {
        Ok(lift_map(cx, plan, place)?.into_iter().collect())
    }
}

impl<K: Lower, V: Lower> Lower for BTreeMap<K, V> {
    fn lower(&self, cx: &mut LowerContext<'_>, plan: PlanId, place: Place) -> Result<()> {
        lower_map(self.iter(), cx, plan, place)
    }
}

impl<K: ComponentType, V: ComponentType, S> ComponentType for HashMap<K, V, S> {
    fn mismatch(ty: &Type) -> Option<String> {
        map_mismatch::<K, V>(ty)
    }
}

impl<K: Lift + Eq + Hash, V: Lift, S: BuildHasher + Default> Lift for HashMap<K, V, S> {
    fn lift(cx: &mut LiftContext<'_>, plan: PlanId, place: Place) -> Result<Self> {
        Ok(lift_map(cx, plan, place)?.into_iter().collect())
    }
}

impl<K: Lower, V: Lower, S> Lower for HashMap<K, V, S> {
    fn lower(&self, cx: &mut LowerContext<'_>, plan: PlanId, place: Place) -> Result<()> {
        lower_map(self.iter(), cx, plan, place)
    }
}

impl<T: ComponentType> ComponentType for Option<T> {
    fn mismatch(ty: &Type) -> Option<String> {
        match ty.kind() {
            TypeKind::Option(ty) => T::mismatch(&ty),
            _ => expected(ty, "option"),
        }
    }
}

impl<T: Lift> Lift for Option<T> {
    fn lift(cx: &mut LiftContext<'_>, plan: PlanId, place: Place) -> Result<Option<T>> {
        match cx.variant(plan, place)? {
            (0, _) => Ok(None),
            (_, payload) => Ok(Some(T::lift_payload(cx, payload)?)),
        }
    }
}

impl<T: Lower> Lower for Option<T> {
    fn lower(&self, cx: &mut LowerContext<'_>, plan: PlanId, place: Place) -> Result<()> {
        let payload = cx.variant(plan, place, u32::from(self.is_some()))?;
        match self {
            Some(value) => value.lower_payload(cx, payload),
            None => Ok(()),
        }
    }
}

impl<T: ComponentType, E: ComponentType> ComponentType for Result<T, E> {
    fn mismatch(ty: &Type) -> Option<String> {
        match ty.kind() {
            TypeKind::Result { ok, err } => {
                T::mismatch_maybe(ok.as_ref()).or_else(|| E::mismatch_maybe(err.as_ref()))
            }
            _ => expected(ty, "result"),
        }
    }
}

impl<T: Lift, E: Lift> Lift for Result<T, E> {
    fn lift(cx: &mut LiftContext<'_>, plan: PlanId, place: Place) -> Result<Self> {
        match cx.variant(plan, place)? {
            (0, payload) => Ok(Ok(T::lift_payload(cx, payload)?)),
            (_, payload) => Ok(Err(E::lift_payload(cx, payload)?)),
        }
    }
}

impl<T: Lower, E: Lower> Lower for Result<T, E> {
    fn lower(&self, cx: &mut LowerContext<'_>, plan: PlanId, place: Place) -> Result<()> {
        let payload = cx.variant(plan, place, u32::from(self.is_err()))?;
        match self {
            Ok(value) => value.lower_payload(cx, payload),
            Err(error) => error.lower_payload(cx, payload),
        }
    }
}

impl ComponentType for () {
    fn mismatch(ty: &Type) -> Option<String> {
        expected(ty, "nothing")
    }

    fn mismatch_maybe(ty: Option<&Type>) -> Option<String> {
        ty.and_then(<()>::mismatch)
    }
}

impl Lift for () {
    fn lift(_: &mut LiftContext<'_>, _: PlanId, _: Place) -> Result<()> {
        Err(bug())
    }

    fn lift_payload(_: &mut LiftContext<'_>, _: Option<(PlanId, Place)>) -> Result<()> {
        Ok(())
    }
}

impl Lower for () {
    fn lower(&self, _: &mut LowerContext<'_>, _: PlanId, _: Place) -> Result<()> {
        Err(bug())
    }

    fn lower_payload(&self, _: &mut LowerContext<'_>, _: Option<(PlanId, Place)>) -> Result<()> {
        Ok(())
    }
}

impl<R: 'static> ComponentType for Resource<R> {
    fn mismatch(ty: &Type) -> Option<String> {
        ResourceAny::mismatch(ty)
    }
}

impl<R: 'static> Lift for Resource<R> {
    fn lift(cx: &mut LiftContext<'_>, plan: PlanId, place: Place) -> Result<Self> {
        let (ty, rep, owned) = cx.resource(place, &cx.plan(plan).op)?;
        cx.check_host_type(ty, Resource::<R>::key())?;
        Ok(Resource::with(rep, owned))
    }
}

impl<R: 'static> Lower for Resource<R> {
    fn lower(&self, cx: &mut LowerContext<'_>, plan: PlanId, place: Place) -> Result<()> {
        match cx.plan(plan).op {
            Op::Own(resource) => {
                let ty = cx.host_type(resource, Resource::<R>::key())?;
                cx.own(place, ty, self.rep())
            }
            Op::Borrow(resource) => {
                let ty = cx.host_type(resource, Resource::<R>::key())?;
                cx.borrow(place, ty, self.rep())
            }
            _ => Err(bug()),
        }
    }
}

impl ComponentType for ResourceAny {
    fn mismatch(ty: &Type) -> Option<String> {
        match ty.kind() {
            TypeKind::Own(_) | TypeKind::Borrow(_) => None,
            _ => expected(ty, "resource"),
        }
    }
}

impl Lift for ResourceAny {
    fn lift(cx: &mut LiftContext<'_>, plan: PlanId, place: Place) -> Result<Self> {
        let (ty, rep, owned) = cx.resource(place, &cx.plan(plan).op)?;
        Ok(cx.any(ty, rep, owned))
    }
}

impl Lower for ResourceAny {
    fn lower(&self, cx: &mut LowerContext<'_>, plan: PlanId, place: Place) -> Result<()> {
        cx.any(&cx.plan(plan).op, self, place)
    }
}

macro_rules! pointers {
    ($($pointer:ty),*) => { $(
        impl<T: ComponentType + ?Sized> ComponentType for $pointer {
            fn mismatch(ty: &Type) -> Option<String> {
                T::mismatch(ty)
            }

            fn mismatch_maybe(ty: Option<&Type>) -> Option<String> {
                T::mismatch_maybe(ty)
            }
        }

        impl<T: Lower + ?Sized> Lower for $pointer {
            fn lower(&self, cx: &mut LowerContext<'_>, plan: PlanId, place: Place) -> Result<()> {
                T::lower(self, cx, plan, place)
            }

            fn lower_payload(
                &self,
                cx: &mut LowerContext<'_>,
                at: Option<(PlanId, Place)>,
            ) -> Result<()> {
                T::lower_payload(self, cx, at)
            }
        }
    )* };
}

pointers!(&T, Box<T>, std::sync::Arc<T>);

impl<T: Lift> Lift for Box<T> {
    fn lift(cx: &mut LiftContext<'_>, plan: PlanId, place: Place) -> Result<Box<T>> {
        Ok(Box::new(T::lift(cx, plan, place)?))
    }
}

/// The parameters of a function: a tuple.
pub trait Params: Sized {
    /// Why they do not fit a function's type, if they do not.
    #[doc(hidden)]
    fn params_mismatch(ty: &FuncType) -> Option<String>;

    /// Reads them.
    #[doc(hidden)]
    fn lift(cx: &mut LiftContext<'_>, fields: &[Field], place: Place) -> Result<Self>;
}

/// The parameters of a function that is called: a tuple.
pub trait LowerParams {
    /// Why they do not fit a function's type, if they do not.
    #[doc(hidden)]
    fn params_mismatch(ty: &FuncType) -> Option<String>;

    /// Writes them.
    #[doc(hidden)]
    fn lower(&self, cx: &mut LowerContext<'_>, fields: &[Field], place: Place) -> Result<()>;
}

macro_rules! tuples {
    ($($name:ident)*) => {
        #[allow(non_snake_case, unused_variables, unused_mut, reason = "there may be none")]
        impl<$($name: Lift),*> Params for ($($name,)*) {
            fn params_mismatch(ty: &FuncType) -> Option<String> {
                compare_params(ty, &[$($name::mismatch),*])
            }

            #[inline]
            fn lift(cx: &mut LiftContext<'_>, fields: &[Field], place: Place) -> Result<Self> {
                let mut fields = fields.iter();
                $(
                    let field = fields.next().ok_or_else(bug)?;
                    let $name = $name::lift(cx, field.plan, place.field(field))?;
                )*
                Ok(($($name,)*))
            }
        }

        #[allow(non_snake_case, unused_variables, unused_mut, reason = "there may be none")]
        impl<$($name: Lower),*> LowerParams for ($($name,)*) {
            fn params_mismatch(ty: &FuncType) -> Option<String> {
                compare_params(ty, &[$($name::mismatch),*])
            }

            #[inline]
            fn lower(
                &self,
                cx: &mut LowerContext<'_>,
                fields: &[Field],
                place: Place,
            ) -> Result<()> {
                let mut fields = fields.iter();
                let ($($name,)*) = self;
                $(
                    let field = fields.next().ok_or_else(bug)?;
                    $name.lower(cx, field.plan, place.field(field))?;
                )*
                Ok(())
            }
        }

        tuple_types!($($name)*);
    };
}

macro_rules! tuple_types {
    () => {};
    ($($name:ident)*) => {
        impl<$($name: ComponentType),*> ComponentType for ($($name,)*) {
            fn mismatch(ty: &Type) -> Option<String> {
                match ty.kind() {
                    TypeKind::Tuple(types) => {
                        let checks: &[fn(&Type) -> Option<String>] = &[$($name::mismatch),*];
                        if checks.len() != types.len() {
                            return expected(ty, &format!("tuple of {}", checks.len()));
                        }
                        checks.iter().zip(&types).find_map(|(check, ty)| check(ty))
                    }
                    _ => expected(ty, "tuple"),
                }
            }
        }

        #[allow(non_snake_case, reason = "the type's name names the value")]
        impl<$($name: Lift),*> Lift for ($($name,)*) {
            fn lift(cx: &mut LiftContext<'_>, plan: PlanId, place: Place) -> Result<Self> {
                let Op::Record(fields) = &cx.plan(plan).op else { return Err(bug()) };
                <Self as Params>::lift(cx, fields, place)
            }
        }

        #[allow(non_snake_case, reason = "the type's name names the value")]
        impl<$($name: Lower),*> Lower for ($($name,)*) {
            fn lower(&self, cx: &mut LowerContext<'_>, plan: PlanId, place: Place) -> Result<()> {
                let Op::Record(fields) = &cx.plan(plan).op else { return Err(bug()) };
                <Self as LowerParams>::lower(self, cx, fields, place)
            }
        }
    };
}

fn compare_params(ty: &FuncType, checks: &[fn(&Type) -> Option<String>]) -> Option<String> {
    let params: Vec<_> = ty.params().collect();
    if params.len() != checks.len() {
        let (expected, found) = (params.len(), checks.len());
        return Some(format!("expected {expected} parameters, found {found}"));
    }
    checks.iter().zip(&params).find_map(|(check, (name, ty))| {
        check(ty).map(|wrong| format!("parameter `{name}`: {wrong}"))
    })
}

tuples!();
tuples!(A);
tuples!(A B);
tuples!(A B C);
tuples!(A B C D);
tuples!(A B C D E);
tuples!(A B C D E F);
tuples!(A B C D E F G);
tuples!(A B C D E F G H);
tuples!(A B C D E F G H I);
tuples!(A B C D E F G H I J);
tuples!(A B C D E F G H I J K);
tuples!(A B C D E F G H I J K L);
tuples!(A B C D E F G H I J K L M);
tuples!(A B C D E F G H I J K L M N);
tuples!(A B C D E F G H I J K L M N O);
tuples!(A B C D E F G H I J K L M N O P);
tuples!(A B C D E F G H I J K L M N O P Q);
tuples!(A B C D E F G H I J K L M N O P Q R);

/// What a function of the host returns to a guest: a value, or `()`.
pub trait ReturnedToGuest {
    /// Why it does not fit a function's result, if it does not.
    #[doc(hidden)]
    fn result_mismatch(ty: Option<&Type>) -> Option<String>;

    /// Writes it.
    #[doc(hidden)]
    fn lower_result(&self, cx: &mut LowerContext<'_>, plan: PlanId, place: Place) -> Result<()>;
}

impl<R: Lower> ReturnedToGuest for R {
    fn result_mismatch(ty: Option<&Type>) -> Option<String> {
        R::mismatch_maybe(ty).map(|wrong| format!("result: {wrong}"))
    }

    #[inline]
    fn lower_result(&self, cx: &mut LowerContext<'_>, plan: PlanId, place: Place) -> Result<()> {
        R::lower(self, cx, plan, place)
    }
}
