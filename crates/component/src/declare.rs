//! What code that derives write uses: types compared, and fields read and written.

use dunlin_engine::Error;

use crate::abi::{LiftContext, LowerContext, Place};
use crate::plan::PlanId;
use crate::types::{Type, TypeKind};
use crate::wit_type::{Lift, Lower};

pub use dunlin_derive::flags;
pub use dunlin_engine::{AsContextMut, Result};

/// Declares a set of flags of WIT, in the same order.
///
/// ```
/// dunlin_component::flags! {
///     /// How to open.
///     pub struct OpenFlags {
///         CREATE,
///         /// Flags are called in WIT as they are here, `may-write`, unless something else is said.
///         MAY_WRITE,
///         #[component(name = "truncate")]
///         CUT,
///     }
/// }
/// let flags = OpenFlags::CREATE | OpenFlags::CUT;
/// assert!(flags.contains(OpenFlags::CREATE) && !flags.contains(OpenFlags::MAY_WRITE));
/// ```
///
/// A derive could not do this: what holds the flags is a number, and each is a constant.
#[macro_export]
macro_rules! flags {
    ($($declaration:tt)*) => {
        $crate::declare::flags! { $crate; $($declaration)* }
    };
}

/// Compares a type with a part of another.
type Check = fn(&Type) -> Option<String>;

/// The same where there may be no type.
type CheckMaybe = fn(Option<&Type>) -> Option<String>;

/// Whether they are the same name: they may differ in the case of letters.
fn is_name(wit: &str, name: &str) -> bool {
    wit.eq_ignore_ascii_case(name)
}

fn differs(ty: &Type, what: &str, names: &[&str]) -> Option<String> {
    Some(format!("expected {ty}, found {what} of {}", names.join(", ")))
}

/// Why a type is not a record with these fields, if it is not.
pub fn record_mismatch(ty: &Type, fields: &[(&str, Check)]) -> Option<String> {
    let names = || fields.iter().map(|field| field.0).collect::<Vec<_>>();
    let TypeKind::Record(expected) = ty.kind() else { return differs(ty, "record", &names()) };
    let same = expected.len() == fields.len()
        && expected.iter().zip(fields).all(|((wit, _), (name, _))| is_name(wit, name));
    if !same {
        return differs(ty, "record", &names());
    }
    let mut pairs = expected.iter().zip(fields);
    pairs.find_map(|((name, ty), (_, check))| {
        check(ty).map(|wrong| format!("field `{name}`: {wrong}"))
    })
}

/// Why a type is not a tuple of these, if it is not.
pub fn tuple_mismatch(ty: &Type, checks: &[Check]) -> Option<String> {
    match ty.kind() {
        TypeKind::Tuple(types) if types.len() == checks.len() => {
            checks.iter().zip(&types).find_map(|(check, ty)| check(ty))
        }
        _ => Some(format!("expected {ty}, found tuple of {}", checks.len())),
    }
}

/// Why a type is not a variant with these cases, if it is not.
pub fn variant_mismatch(ty: &Type, cases: &[(&str, Option<CheckMaybe>)]) -> Option<String> {
    let names = || cases.iter().map(|case| case.0).collect::<Vec<_>>();
    let TypeKind::Variant(expected) = ty.kind() else { return differs(ty, "variant", &names()) };
    let same = expected.len() == cases.len()
        && expected.iter().zip(cases).all(|((wit, _), (name, _))| is_name(wit, name));
    if !same {
        return differs(ty, "variant", &names());
    }
    let mut pairs = expected.iter().zip(cases);
    pairs.find_map(|((name, ty), (_, check))| {
        let wrong = match (ty, check) {
            (ty, Some(check)) => check(ty.as_ref())?,
            (Some(ty), None) => format!("expected {ty}, found nothing"),
            (None, None) => return None,
        };
        Some(format!("case `{name}`: {wrong}"))
    })
}

/// Why a type is not an enum with these cases, if it is not.
pub fn enum_mismatch(ty: &Type, names: &[&str]) -> Option<String> {
    match ty.kind() {
        TypeKind::Enum(expected) if same_names(&expected, names) => None,
        _ => differs(ty, "enum", names),
    }
}

/// Why a type is not these flags, if it is not.
pub fn flags_mismatch(ty: &Type, names: &[&str]) -> Option<String> {
    match ty.kind() {
        TypeKind::Flags(expected) if same_names(&expected, names) => None,
        _ => differs(ty, "flags", names),
    }
}

fn same_names(wit: &[std::sync::Arc<str>], names: &[&str]) -> bool {
    wit.len() == names.len() && wit.iter().zip(names).all(|(wit, name)| is_name(wit, name))
}

/// Reads a field of a record or tuple.
#[inline]
pub fn lift_field<T: Lift>(
    cx: &mut LiftContext<'_>,
    plan: PlanId,
    index: usize,
    place: Place,
) -> Result<T> {
    let (plan, place) = cx.field(plan, index, place)?;
    T::lift(cx, plan, place)
}

/// Writes a field of a record or tuple.
#[inline]
pub fn lower_field<T: Lower>(
    value: &T,
    cx: &mut LowerContext<'_>,
    plan: PlanId,
    index: usize,
    place: Place,
) -> Result<()> {
    let (plan, place) = cx.field(plan, index, place)?;
    value.lower(cx, plan, place)
}

/// A case was found that a type, which was compared, does not have.
pub fn no_case() -> Error {
    crate::state::bug()
}
