//! Rust types for records, variants, enums and flags of WIT, declared as such.
//!
//! Names in WIT follow from the Rust names: `path_flags`, `PathFlags` and `PATH_FLAGS` are all
//! `path-flags` there.

use crate::types::{Type, TypeKind};

/// Declares a struct that is a record of WIT with the same fields in the same order.
///
/// ```
/// dunlin_component::record! {
///     /// A point in time.
///     #[derive(Clone, Copy, Debug)]
///     pub struct Datetime {
///         /// Seconds since 1970.
///         pub seconds: u64,
///         /// And nanoseconds.
///         pub nanoseconds: u32,
///     }
/// }
/// ```
#[macro_export]
macro_rules! record {
    ($(#[$meta:meta])* $vis:vis struct $name:ident {
        $($(#[$field_meta:meta])* $field_vis:vis $field:ident: $ty:ty),* $(,)?
    }) => {
        $(#[$meta])*
        $vis struct $name { $($(#[$field_meta])* $field_vis $field: $ty,)* }

        impl $crate::WitType for $name {
            fn mismatch(ty: &$crate::Type) -> Option<String> {
                $crate::declare::record_mismatch(ty, &[$((
                    ::core::stringify!($field),
                    <$ty as $crate::WitType>::mismatch,
                )),*])
            }
        }

        impl $crate::Lift for $name {
            fn lift(
                cx: &mut $crate::LiftContext<'_>,
                plan: $crate::PlanId,
                place: $crate::Place,
            ) -> $crate::declare::Result<Self> {
                let mut index = 0..;
                $(
                    let at = index.next().unwrap_or_default();
                    let (inner, at) = cx.field(plan, at, place)?;
                    let $field = <$ty as $crate::Lift>::lift(cx, inner, at)?;
                )*
                Ok($name { $($field),* })
            }
        }

        impl $crate::Lower for $name {
            fn lower(
                &self,
                cx: &mut $crate::LowerContext<'_>,
                plan: $crate::PlanId,
                place: $crate::Place,
            ) -> $crate::declare::Result<()> {
                let mut index = 0..;
                $(
                    let at = index.next().unwrap_or_default();
                    let (inner, at) = cx.field(plan, at, place)?;
                    <$ty as $crate::Lower>::lower(&self.$field, cx, inner, at)?;
                )*
                Ok(())
            }
        }
    };
}

/// Declares an enum that is a variant of WIT with the same cases in the same order, each of which holds a
/// value or nothing.
///
/// ```
/// dunlin_component::variant! {
///     /// What went wrong.
///     #[derive(Debug)]
///     pub enum StreamError {
///         /// This.
///         LastOperationFailed(String),
///         /// Nothing comes any more.
///         Closed,
///     }
/// }
/// ```
#[macro_export]
macro_rules! variant {
    ($(#[$meta:meta])* $vis:vis enum $name:ident {
        $($(#[$case_meta:meta])* $case:ident $(($ty:ty))?),* $(,)?
    }) => {
        $(#[$meta])*
        $vis enum $name { $($(#[$case_meta])* $case $(($ty))?,)* }

        impl $crate::WitType for $name {
            fn mismatch(ty: &$crate::Type) -> Option<String> {
                $crate::declare::variant_mismatch(ty, &[$((
                    ::core::stringify!($case),
                    $crate::variant!(@check $($ty)?),
                )),*])
            }
        }

        impl $crate::Lift for $name {
            fn lift(
                cx: &mut $crate::LiftContext<'_>,
                plan: $crate::PlanId,
                place: $crate::Place,
            ) -> $crate::declare::Result<Self> {
                enum Case { $($case),* }
                let (case, payload) = cx.variant(plan, place)?;
                $(
                    if case == Case::$case as u32 {
                        return Ok($crate::variant!(@lift ($name::$case) cx payload $($ty)?));
                    }
                )*
                let _ = payload;
                Err($crate::declare::no_case())
            }
        }

        impl $crate::Lower for $name {
            fn lower(
                &self,
                cx: &mut $crate::LowerContext<'_>,
                plan: $crate::PlanId,
                place: $crate::Place,
            ) -> $crate::declare::Result<()> {
                enum Case { $($case),* }
                match self {
                    $($crate::variant!(@pattern ($name::$case) held $($ty)?) => {
                        let payload = cx.variant(plan, place, Case::$case as u32)?;
                        $crate::variant!(@lower held cx payload $($ty)?)
                    })*
                }
            }
        }
    };

    (@check) => { None };
    (@check $ty:ty) => { Some(<$ty as $crate::WitType>::mismatch) };
    (@lift ($case:path) $cx:ident $payload:ident) => { $case };
    (@lift ($case:path) $cx:ident $payload:ident $ty:ty) => {
        $case(<$ty as $crate::Lift>::lift_payload($cx, $payload)?)
    };
    (@pattern ($case:path) $held:ident) => { $case };
    (@pattern ($case:path) $held:ident $ty:ty) => { $case($held) };
    (@lower $held:ident $cx:ident $payload:ident) => {{ let _ = $payload; Ok(()) }};
    (@lower $held:ident $cx:ident $payload:ident $ty:ty) => {
        <$ty as $crate::Lower>::lower_payload($held, $cx, $payload)
    };
}

/// Declares an enum that is an enum of WIT with the same cases in the same order.
///
/// ```
/// dunlin_component::enumeration! {
///     /// Which family.
///     #[derive(Clone, Copy, PartialEq, Eq, Debug)]
///     pub enum IpAddressFamily { Ipv4, Ipv6 }
/// }
/// ```
#[macro_export]
macro_rules! enumeration {
    ($(#[$meta:meta])* $vis:vis enum $name:ident {
        $($(#[$case_meta:meta])* $case:ident),* $(,)?
    }) => {
        $(#[$meta])*
        $vis enum $name { $($(#[$case_meta])* $case,)* }

        impl $crate::WitType for $name {
            fn mismatch(ty: &$crate::Type) -> Option<String> {
                $crate::declare::enum_mismatch(ty, &[$(::core::stringify!($case)),*])
            }
        }

        impl $crate::Lift for $name {
            fn lift(
                cx: &mut $crate::LiftContext<'_>,
                plan: $crate::PlanId,
                place: $crate::Place,
            ) -> $crate::declare::Result<Self> {
                let (case, _) = cx.variant(plan, place)?;
                $(
                    if case == $name::$case as u32 {
                        return Ok($name::$case);
                    }
                )*
                Err($crate::declare::no_case())
            }
        }

        impl $crate::Lower for $name {
            fn lower(
                &self,
                cx: &mut $crate::LowerContext<'_>,
                plan: $crate::PlanId,
                place: $crate::Place,
            ) -> $crate::declare::Result<()> {
                let case = match self { $($name::$case => $name::$case as u32,)* };
                cx.variant(plan, place, case).map(drop)
            }
        }
    };
}

/// Declares a set of flags that are those of WIT in the same order.
///
/// ```
/// dunlin_component::flags! {
///     /// How to open.
///     pub struct OpenFlags { CREATE, DIRECTORY, EXCLUSIVE, TRUNCATE }
/// }
/// let flags = OpenFlags::CREATE | OpenFlags::TRUNCATE;
/// assert!(flags.contains(OpenFlags::CREATE) && !flags.contains(OpenFlags::EXCLUSIVE));
/// ```
#[macro_export]
macro_rules! flags {
    ($(#[$meta:meta])* $vis:vis struct $name:ident {
        $($(#[$flag_meta:meta])* $flag:ident),* $(,)?
    }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
        $vis struct $name(u32);

        #[allow(dead_code, reason = "a type of WIT is declared whole")]
        #[allow(non_camel_case_types, clippy::upper_case_acronyms, reason = "names of constants")]
        impl $name {
            $crate::flags!(@each $name 0 $({$(#[$flag_meta])*} $flag)*);

            /// No flag.
            pub const fn empty() -> $name {
                $name(0)
            }

            /// Whether no flag is set.
            pub const fn is_empty(self) -> bool {
                self.0 == 0
            }

            /// Whether all of these are set.
            pub const fn contains(self, all: $name) -> bool {
                self.0 & all.0 == all.0
            }

            /// As a number, the first flag lowest.
            pub const fn bits(self) -> u32 {
                self.0
            }
        }

        impl ::core::ops::BitOr for $name {
            type Output = $name;

            fn bitor(self, other: $name) -> $name {
                $name(self.0 | other.0)
            }
        }

        impl ::core::ops::BitOrAssign for $name {
            fn bitor_assign(&mut self, other: $name) {
                self.0 |= other.0;
            }
        }

        impl $crate::WitType for $name {
            fn mismatch(ty: &$crate::Type) -> Option<String> {
                $crate::declare::flags_mismatch(ty, &[$(::core::stringify!($flag)),*])
            }
        }

        impl $crate::Lift for $name {
            fn lift(
                cx: &mut $crate::LiftContext<'_>,
                plan: $crate::PlanId,
                place: $crate::Place,
            ) -> $crate::declare::Result<Self> {
                Ok($name(cx.flags(plan, place)?))
            }
        }

        impl $crate::Lower for $name {
            fn lower(
                &self,
                cx: &mut $crate::LowerContext<'_>,
                plan: $crate::PlanId,
                place: $crate::Place,
            ) -> $crate::declare::Result<()> {
                cx.flags(plan, place, self.0)
            }
        }
    };

    (@each $name:ident $index:tt) => {};
    (@each $name:ident $index:tt {$(#[$meta:meta])*} $flag:ident $($rest:tt)*) => {
        $(#[$meta])*
        #[doc = ::core::concat!("`", ::core::stringify!($flag), "`")]
        pub const $flag: $name = $name(1 << $index);
        $crate::flags!(@each $name ($index + 1) $($rest)*);
    };
}

pub use dunlin_engine::{AsContextMut, Result};

/// Compares a type with a part of another.
type Check = fn(&Type) -> Option<String>;

/// Whether a name of WIT is what a Rust name stands for.
fn is_name(wit: &str, rust: &str) -> bool {
    let rust = rust.strip_prefix("r#").unwrap_or(rust);
    let camel = rust.chars().any(char::is_lowercase) && !rust.contains('_');
    let mut kebab = String::with_capacity(rust.len() + 4);
    for (i, c) in rust.chars().enumerate() {
        if c == '_' || camel && c.is_uppercase() && i > 0 {
            kebab.push('-');
        }
        if c != '_' {
            kebab.push(c.to_ascii_lowercase());
        }
    }
    kebab.eq_ignore_ascii_case(wit)
}

fn differs(ty: &Type, what: &str, names: &[&str]) -> Option<String> {
    Some(format!("expected {ty}, found {what} of {}", names.join(", ")))
}

/// Why a type is not a record with these fields, if it is not.
#[doc(hidden)]
pub fn record_mismatch(ty: &Type, fields: &[(&str, Check)]) -> Option<String> {
    let names = || fields.iter().map(|field| field.0).collect::<Vec<_>>();
    let TypeKind::Record(expected) = ty.kind() else { return differs(ty, "record", &names()) };
    let same = expected.len() == fields.len()
        && expected.iter().zip(fields).all(|((wit, _), (rust, _))| is_name(wit, rust));
    if !same {
        return differs(ty, "record", &names());
    }
    let mut pairs = expected.iter().zip(fields);
    pairs.find_map(|((name, ty), (_, check))| {
        check(ty).map(|wrong| format!("field `{name}`: {wrong}"))
    })
}

/// Why a type is not a variant with these cases, if it is not.
#[doc(hidden)]
pub fn variant_mismatch(ty: &Type, cases: &[(&str, Option<Check>)]) -> Option<String> {
    let names = || cases.iter().map(|case| case.0).collect::<Vec<_>>();
    let TypeKind::Variant(expected) = ty.kind() else { return differs(ty, "variant", &names()) };
    let same = expected.len() == cases.len()
        && expected.iter().zip(cases).all(|((wit, ty), (rust, check))| {
            is_name(wit, rust) && ty.is_some() == check.is_some()
        });
    if !same {
        return differs(ty, "variant", &names());
    }
    let mut pairs = expected.iter().zip(cases);
    pairs.find_map(|((name, ty), (_, check))| {
        let wrong = check.as_ref().zip(ty.as_ref()).and_then(|(check, ty)| check(ty))?;
        Some(format!("case `{name}`: {wrong}"))
    })
}

/// Why a type is not an enum with these cases, if it is not.
#[doc(hidden)]
pub fn enum_mismatch(ty: &Type, names: &[&str]) -> Option<String> {
    match ty.kind() {
        TypeKind::Enum(expected) if same_names(&expected, names) => None,
        _ => differs(ty, "enum", names),
    }
}

/// Why a type is not these flags, if it is not.
#[doc(hidden)]
pub fn flags_mismatch(ty: &Type, names: &[&str]) -> Option<String> {
    match ty.kind() {
        TypeKind::Flags(expected) if same_names(&expected, names) => None,
        _ => differs(ty, "flags", names),
    }
}

fn same_names(wit: &[std::sync::Arc<str>], rust: &[&str]) -> bool {
    wit.len() == rust.len() && wit.iter().zip(rust).all(|(wit, rust)| is_name(wit, rust))
}

/// A case was found that a type, which was compared, does not have.
#[doc(hidden)]
pub fn no_case() -> dunlin_engine::Error {
    crate::state::bug()
}

#[cfg(test)]
mod tests {
    use super::is_name;

    #[test]
    fn names() {
        for (wit, rust) in [
            ("path-flags", "path_flags"),
            ("path-flags", "PathFlags"),
            ("path-flags", "PATH_FLAGS"),
            ("ipv4", "Ipv4"),
            ("type", "r#type"),
            ("HTTP-request-denied", "HttpRequestDenied"),
            ("a", "A"),
        ] {
            assert!(is_name(wit, rust), "{wit} {rust}");
        }
        assert!(!is_name("path-flags", "pathflags"));
    }
}
