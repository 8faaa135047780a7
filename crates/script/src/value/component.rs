//! Values of components in scripts.

use std::fmt;

use dunlin_component::Val;
use dunlin_module::escape;

/// A value of a component as a script spells it.
///
/// The text parser bounds how deep values nest, and the type of what is found how deep that does.
#[derive(Clone, Debug)]
pub(crate) enum ComponentValue {
    Bool(bool),
    S8(i8),
    U8(u8),
    S16(i16),
    U16(u16),
    S32(i32),
    U32(u32),
    S64(i64),
    U64(u64),
    F32(f32),
    F64(f64),
    Char(char),
    String(String),
    List(Vec<ComponentValue>),
    Map(Vec<(ComponentValue, ComponentValue)>),
    Record(Vec<(String, ComponentValue)>),
    Tuple(Vec<ComponentValue>),
    Variant(String, Option<Box<ComponentValue>>),
    Enum(String),
    Option(Option<Box<ComponentValue>>),
    Result(Result<Option<Box<ComponentValue>>, Option<Box<ComponentValue>>>),
    Flags(Vec<String>),
    /// What no script can spell.
    Resource,
}

impl ComponentValue {
    /// The value to pass to a component; none for what no script can spell.
    pub(crate) fn to_val(&self) -> Option<Val> {
        use ComponentValue as V;
        Some(match self {
            V::Bool(value) => Val::Bool(*value),
            V::S8(value) => Val::S8(*value),
            V::U8(value) => Val::U8(*value),
            V::S16(value) => Val::S16(*value),
            V::U16(value) => Val::U16(*value),
            V::S32(value) => Val::S32(*value),
            V::U32(value) => Val::U32(*value),
            V::S64(value) => Val::S64(*value),
            V::U64(value) => Val::U64(*value),
            V::F32(value) => Val::F32(*value),
            V::F64(value) => Val::F64(*value),
            V::Char(value) => Val::Char(*value),
            V::String(value) => Val::String(value.clone()),
            V::List(values) => Val::List(vals(values)?),
            V::Tuple(values) => Val::Tuple(vals(values)?),
            V::Map(entries) => {
                let entries = entries.iter().map(|(k, v)| Some((k.to_val()?, v.to_val()?)));
                Val::Map(entries.collect::<Option<_>>()?)
            }
            V::Record(fields) => {
                let fields =
                    fields.iter().map(|(name, v)| Some((name.as_str().into(), v.to_val()?)));
                Val::Record(fields.collect::<Option<_>>()?)
            }
            V::Variant(name, value) => Val::Variant(name.as_str().into(), payload(value)?),
            V::Enum(name) => Val::Enum(name.as_str().into()),
            V::Option(value) => Val::Option(payload(value)?),
            V::Result(Ok(value)) => Val::Result(Ok(payload(value)?)),
            V::Result(Err(value)) => Val::Result(Err(payload(value)?)),
            V::Flags(names) => Val::Flags(names.iter().map(|name| name.as_str().into()).collect()),
            V::Resource => return None,
        })
    }

    /// What a component returned.
    pub(crate) fn of(val: &Val) -> ComponentValue {
        use ComponentValue as V;
        let inner = |val: &Option<Box<Val>>| val.as_deref().map(|val| Box::new(V::of(val)));
        match val {
            Val::Bool(value) => V::Bool(*value),
            Val::S8(value) => V::S8(*value),
            Val::U8(value) => V::U8(*value),
            Val::S16(value) => V::S16(*value),
            Val::U16(value) => V::U16(*value),
            Val::S32(value) => V::S32(*value),
            Val::U32(value) => V::U32(*value),
            Val::S64(value) => V::S64(*value),
            Val::U64(value) => V::U64(*value),
            Val::F32(value) => V::F32(*value),
            Val::F64(value) => V::F64(*value),
            Val::Char(value) => V::Char(*value),
            Val::String(value) => V::String(value.clone()),
            Val::List(vals) => V::List(vals.iter().map(V::of).collect()),
            Val::Tuple(vals) => V::Tuple(vals.iter().map(V::of).collect()),
            Val::Map(entries) => {
                V::Map(entries.iter().map(|(key, val)| (V::of(key), V::of(val))).collect())
            }
            Val::Record(fields) => {
                V::Record(fields.iter().map(|(name, val)| (name.to_string(), V::of(val))).collect())
            }
            Val::Variant(name, val) => V::Variant(name.to_string(), inner(val)),
            Val::Enum(name) => V::Enum(name.to_string()),
            Val::Option(val) => V::Option(inner(val)),
            Val::Result(Ok(val)) => V::Result(Ok(inner(val))),
            Val::Result(Err(val)) => V::Result(Err(inner(val))),
            Val::Flags(names) => V::Flags(names.iter().map(|name| name.to_string()).collect()),
            Val::Resource(_) => V::Resource,
        }
    }

    /// Whether `found` is the same value: any NaN is any other, and flags have no order.
    pub(crate) fn matches(&self, found: &ComponentValue) -> bool {
        use ComponentValue as V;
        let all =
            |a: &[V], b: &[V]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.matches(b));
        let maybe = |a: &Option<Box<V>>, b: &Option<Box<V>>| match (a, b) {
            (Some(a), Some(b)) => a.matches(b),
            (a, b) => a.is_none() && b.is_none(),
        };
        match (self, found) {
            (V::Bool(a), V::Bool(b)) => a == b,
            (V::S8(a), V::S8(b)) => a == b,
            (V::U8(a), V::U8(b)) => a == b,
            (V::S16(a), V::S16(b)) => a == b,
            (V::U16(a), V::U16(b)) => a == b,
            (V::S32(a), V::S32(b)) => a == b,
            (V::U32(a), V::U32(b)) => a == b,
            (V::S64(a), V::S64(b)) => a == b,
            (V::U64(a), V::U64(b)) => a == b,
            (V::F32(a), V::F32(b)) => a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan(),
            (V::F64(a), V::F64(b)) => a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan(),
            (V::Char(a), V::Char(b)) => a == b,
            (V::String(a), V::String(b)) | (V::Enum(a), V::Enum(b)) => a == b,
            (V::List(a), V::List(b)) | (V::Tuple(a), V::Tuple(b)) => all(a, b),
            (V::Map(a), V::Map(b)) => {
                let same =
                    |((ak, av), (bk, bv)): (&(V, V), &(V, V))| ak.matches(bk) && av.matches(bv);
                a.len() == b.len() && a.iter().zip(b).all(same)
            }
            (V::Record(a), V::Record(b)) => {
                let same =
                    |((an, av), (bn, bv)): (&(String, V), &(String, V))| an == bn && av.matches(bv);
                a.len() == b.len() && a.iter().zip(b).all(same)
            }
            (V::Variant(an, av), V::Variant(bn, bv)) => an == bn && maybe(av, bv),
            (V::Option(a), V::Option(b))
            | (V::Result(Ok(a)), V::Result(Ok(b)))
            | (V::Result(Err(a)), V::Result(Err(b))) => maybe(a, b),
            (V::Flags(a), V::Flags(b)) => {
                a.iter().all(|name| b.contains(name)) && b.iter().all(|name| a.contains(name))
            }
            _ => false,
        }
    }
}

fn vals(values: &[ComponentValue]) -> Option<Vec<Val>> {
    values.iter().map(ComponentValue::to_val).collect()
}

fn payload(value: &Option<Box<ComponentValue>>) -> Option<Option<Box<Val>>> {
    match value {
        Some(value) => Some(Some(Box::new(value.to_val()?))),
        None => Some(None),
    }
}

/// As scripts spell it.
impl fmt::Display for ComponentValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use ComponentValue as V;
        match self {
            V::Bool(value) => write!(f, "(bool.const {value})"),
            V::S8(value) => write!(f, "(s8.const {value})"),
            V::U8(value) => write!(f, "(u8.const {value})"),
            V::S16(value) => write!(f, "(s16.const {value})"),
            V::U16(value) => write!(f, "(u16.const {value})"),
            V::S32(value) => write!(f, "(s32.const {value})"),
            V::U32(value) => write!(f, "(u32.const {value})"),
            V::S64(value) => write!(f, "(s64.const {value})"),
            V::U64(value) => write!(f, "(u64.const {value})"),
            V::F32(value) => write!(f, "(f32.const {value:?})"),
            V::F64(value) => write!(f, "(f64.const {value:?})"),
            V::Char(value) => write!(f, "(char.const {})", quoted(&value.to_string())),
            V::String(value) => write!(f, "(str.const {})", quoted(value)),
            V::List(values) => list(f, "list.const", values),
            V::Tuple(values) => list(f, "tuple.const", values),
            V::Map(entries) => {
                f.write_str("(map.const")?;
                entries.iter().try_for_each(|(key, value)| write!(f, " (entry {key} {value})"))?;
                f.write_str(")")
            }
            V::Record(fields) => {
                f.write_str("(record.const")?;
                let mut fields = fields.iter();
                fields
                    .try_for_each(|(name, value)| write!(f, " (field {} {value})", quoted(name)))?;
                f.write_str(")")
            }
            V::Variant(name, value) => {
                write!(f, "(variant.const {}", quoted(name))?;
                rest(f, value)
            }
            V::Enum(name) => write!(f, "(enum.const {})", quoted(name)),
            V::Option(None) => f.write_str("(option.none)"),
            V::Option(Some(value)) => write!(f, "(option.some {value})"),
            V::Result(Ok(value)) => {
                f.write_str("(result.ok")?;
                rest(f, value)
            }
            V::Result(Err(value)) => {
                f.write_str("(result.err")?;
                rest(f, value)
            }
            V::Flags(names) => {
                f.write_str("(flags.const")?;
                names.iter().try_for_each(|name| write!(f, " {}", quoted(name)))?;
                f.write_str(")")
            }
            V::Resource => f.write_str("(resource)"),
        }
    }
}

fn quoted(text: &str) -> impl fmt::Display {
    fmt::from_fn(move |f| write!(f, "\"{}\"", escape(text)))
}

fn list(f: &mut fmt::Formatter<'_>, word: &str, values: &[ComponentValue]) -> fmt::Result {
    write!(f, "({word}")?;
    values.iter().try_for_each(|value| write!(f, " {value}"))?;
    f.write_str(")")
}

fn rest(f: &mut fmt::Formatter<'_>, value: &Option<Box<ComponentValue>>) -> fmt::Result {
    match value {
        Some(value) => write!(f, " {value})"),
        None => f.write_str(")"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_go_to_components_and_back() {
        use ComponentValue as V;
        let value = V::Record(vec![
            ("a".into(), V::Option(Some(Box::new(V::Variant("x".into(), None))))),
            ("b".into(), V::Result(Err(Some(Box::new(V::List(vec![V::U8(1), V::U8(2)])))))),
            ("c".into(), V::Map(vec![(V::String("k".into()), V::Tuple(vec![V::Char('z')]))])),
            ("d".into(), V::Flags(vec!["p".into(), "q".into()])),
        ]);
        let again = V::of(&value.to_val().unwrap());
        assert!(value.matches(&again), "{again}");
        assert_eq!(
            again.to_string(),
            "(record.const (field \"a\" (option.some (variant.const \"x\"))) \
             (field \"b\" (result.err (list.const (u8.const 1) (u8.const 2)))) \
             (field \"c\" (map.const (entry (str.const \"k\") (tuple.const (char.const \"z\"))))) \
             (field \"d\" (flags.const \"p\" \"q\")))"
        );
    }

    #[test]
    fn what_differs_does_not_match() {
        use ComponentValue as V;
        assert!(V::F32(f32::NAN).matches(&V::F32(-f32::NAN)));
        assert!(!V::F32(0.0).matches(&V::F32(-0.0)));
        assert!(!V::U8(1).matches(&V::U16(1)));
        assert!(!V::List(vec![V::U8(1)]).matches(&V::List(vec![])));
        assert!(!V::Option(None).matches(&V::Option(Some(Box::new(V::Bool(true))))));
        assert!(!V::Result(Ok(None)).matches(&V::Result(Err(None))));
        let flags = |names: &[&str]| V::Flags(names.iter().map(|name| name.to_string()).collect());
        assert!(flags(&["a", "b"]).matches(&flags(&["b", "a"])));
        assert!(!flags(&["a", "b"]).matches(&flags(&["a"])));
    }
}
