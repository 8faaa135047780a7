//! Values of components as text: WAVE, the WebAssembly Value Encoding, in which arguments are typed
//! at a shell and results printed. What it looks like is written down at
//! <https://github.com/bytecodealliance/wasm-tools/tree/main/crates/wasm-wave>.

use std::borrow::Cow;
use std::ffi::OsString;
use std::fmt::{self, Write};
use std::str::FromStr;
use std::sync::Arc;

use dunlin_component::{FuncType, Type, TypeKind, Val};
use dunlin_module::TextError;
use wasm_wave::ast::{Node, NodeType};
use wasm_wave::parser::ParserError;
use wasm_wave::untyped::UntypedFuncCall;

/// A call of a function with values, as in `greet("world", {times: 3})`. Without parentheses there are none.
///
/// The name may be that of an interface and a function in it: `wasi:cli/run@0.2.0#run()`.
pub struct WaveCall {
    text: String,
    name: String,
    values: Option<UntypedFuncCall<'static>>,
    /// Where the values' text starts in the whole.
    start: usize,
}

impl fmt::Debug for WaveCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WaveCall").field(&self.text).finish()
    }
}

/// Stands before values where a parser wants the name of a function.
const NAME: &str = "f";

impl WaveCall {
    /// Reads a call.
    ///
    /// # Errors
    ///
    /// Where the text is no call, with the place.
    pub fn parse(text: &str) -> Result<WaveCall, TextError> {
        let open = text.find('(').unwrap_or(text.len());
        let (name, values) = text.split_at(open);
        let name = name.trim().to_owned();
        if name.is_empty() {
            return Err(TextError::at(text, 0, "expected the name of a function", None));
        }
        if values.is_empty() {
            return Ok(WaveCall { text: text.to_owned(), name, values: None, start: open });
        }
        let call = UntypedFuncCall::parse(&format!("{NAME}{values}"))
            .map(UntypedFuncCall::into_owned)
            .map_err(|error| in_text(text, open, &error))?;
        Ok(WaveCall { text: text.to_owned(), name, values: Some(call), start: open })
    }

    /// The name of the function, and of its interface if there is one.
    pub fn name(&self) -> (Option<&str>, &str) {
        match self.name.rsplit_once('#') {
            Some((interface, name)) => (Some(interface), name),
            None => (None, &self.name),
        }
    }

    /// The values, each as it was written.
    pub fn words(&self) -> Vec<OsString> {
        let nodes = self.values.as_ref().and_then(UntypedFuncCall::params_node);
        let nodes = nodes.and_then(|node| node.as_tuple().ok()).into_iter().flatten();
        let source = self.values.as_ref().map_or("", UntypedFuncCall::source);
        nodes.map(|node| source.get(node.span()).unwrap_or_default().into()).collect()
    }

    /// The values, as parameters of a function of this type. Optional ones at the end may be left out.
    ///
    /// # Errors
    ///
    /// Where a value is not of the type that is expected, with the place.
    pub fn params(&self, ty: &FuncType) -> Result<Vec<Val>, TextError> {
        let nodes: Vec<&Node> = match self.values.as_ref().and_then(UntypedFuncCall::params_node) {
            Some(node) => node.as_tuple().map_err(|error| self.error(&error))?.collect(),
            None => Vec::new(),
        };
        let source = self.values.as_ref().map_or("", UntypedFuncCall::source);
        let types = ty.params();
        if nodes.len() > types.len() {
            let at = nodes.get(types.len()).map_or(0, |node| node.span().start);
            let (expected, found) = (types.len(), nodes.len());
            let message = format!("expected {expected} parameters, found {found}: it is {ty}");
            return Err(self.at(at, &message));
        }
        let mut nodes = nodes.into_iter();
        types
            .map(|(name, ty)| match (nodes.next(), ty.kind()) {
                (Some(node), _) => val(node, &ty, source).map_err(|(at, text)| self.at(at, &text)),
                (None, TypeKind::Option(_)) => Ok(Val::Option(None)),
                (None, _) => {
                    let at = source.len().saturating_sub(1);
                    Err(self.at(at, &format!("expected parameter `{name}`: {ty}")))
                }
            })
            .collect()
    }

    fn error(&self, error: &ParserError) -> TextError {
        in_text(&self.text, self.start, error)
    }

    fn at(&self, at: usize, message: &str) -> TextError {
        let at = at.saturating_sub(NAME.len()) + self.start;
        TextError::at(&self.text, at.min(self.text.len()), message, None)
    }
}

/// An error of the parser, which saw the values behind a name of its own.
fn in_text(text: &str, start: usize, error: &ParserError) -> TextError {
    let at = error.span().start.saturating_sub(NAME.len()) + start;
    let detail = error.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
    let message = format!("{}{detail}", error.kind());
    TextError::at(text, at.min(text.len()), &message, None)
}

/// A place in the source, and what is wrong there.
type Wrong = (usize, String);

/// Reads a value of a type. Types nest no deeper than a limit, and so does this.
fn val(node: &Node, ty: &Type, source: &str) -> Result<Val, Wrong> {
    let at = node.span().start;
    let syntax = |error: ParserError| {
        let detail = error.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
        (error.span().start, format!("expected {ty}, found {}{detail}", found(node)))
    };
    let unknown = |what: &str, name: &str| (at, format!("{ty} has no {what} `{name}`"));
    Ok(match ty.kind() {
        TypeKind::Primitive(name) => primitive(node, name, source).map_err(syntax)?,
        TypeKind::List(element) => {
            let nodes = node.as_list().map_err(syntax)?;
            Val::List(nodes.map(|node| val(node, &element, source)).collect::<Result<_, _>>()?)
        }
        TypeKind::FixedList(element, len) => {
            let nodes = node.as_list().map_err(syntax)?;
            if nodes.len() != len as usize {
                return Err((at, format!("expected {ty}, found {} elements", nodes.len())));
            }
            Val::List(nodes.map(|node| val(node, &element, source)).collect::<Result<_, _>>()?)
        }
        TypeKind::Tuple(types) => {
            let nodes = node.as_tuple().map_err(syntax)?;
            if nodes.len() != types.len() {
                return Err((at, format!("expected {ty}, found {} values", nodes.len())));
            }
            let vals = nodes.zip(&types).map(|(node, ty)| val(node, ty, source));
            Val::Tuple(vals.collect::<Result<_, _>>()?)
        }
        TypeKind::Map(key, value) => {
            let entries = node.as_map().map_err(syntax)?;
            let entries =
                entries.map(|(k, v)| Ok((val(k, &key, source)?, val(v, &value, source)?)));
            Val::Map(entries.collect::<Result<_, Wrong>>()?)
        }
        TypeKind::Record(fields) => {
            record(node, ty, &fields, source).map_err(|wrong| match wrong {
                Ok(wrong) => wrong,
                Err(error) => syntax(error),
            })?
        }
        TypeKind::Variant(cases) => {
            let (name, payload) = node.as_variant(source).map_err(syntax)?;
            let case = cases.iter().find(|(case, _)| &**case == name);
            let (name, ty) = case.ok_or_else(|| unknown("case", name))?;
            Val::Variant(name.clone(), held(payload, ty.as_ref(), name, at, source)?)
        }
        TypeKind::Enum(names) => {
            let name = node.as_enum(source).map_err(syntax)?;
            let known = names.iter().find(|known| &***known == name);
            Val::Enum(known.ok_or_else(|| unknown("case", name))?.clone())
        }
        TypeKind::Flags(names) => {
            let set = node.as_flags(source).map_err(syntax)?.map(|name| {
                let known = names.iter().find(|known| &***known == name);
                known.cloned().ok_or_else(|| unknown("flag", name))
            });
            Val::Flags(set.collect::<Result<_, _>>()?)
        }
        TypeKind::Option(inner) => match node.ty() {
            NodeType::OptionSome | NodeType::OptionNone => {
                match node.as_option().map_err(syntax)? {
                    Some(node) => Val::Option(Some(Box::new(val(node, &inner, source)?))),
                    None => Val::Option(None),
                }
            }
            // What is there need not be wrapped.
            _ => Val::Option(Some(Box::new(val(node, &inner, source)?))),
        },
        TypeKind::Result { ok, err } => match node.ty() {
            NodeType::ResultOk | NodeType::ResultErr => match node.as_result().map_err(syntax)? {
                Ok(node) => Val::Result(Ok(held(node, ok.as_ref(), "ok", at, source)?)),
                Err(node) => Val::Result(Err(held(node, err.as_ref(), "err", at, source)?)),
            },
            _ => Val::Result(Ok(held(Some(node), ok.as_ref(), "ok", at, source)?)),
        },
        TypeKind::Own(_) | TypeKind::Borrow(_) => {
            return Err((at, format!("expected {ty}: a resource cannot be written as text")));
        }
        TypeKind::Stream(_) | TypeKind::Future(_) | TypeKind::ErrorContext => {
            return Err((at, format!("expected {ty}, which cannot be written as text")));
        }
    })
}

fn primitive(node: &Node, ty: &str, source: &str) -> Result<Val, ParserError> {
    fn number<T: FromStr>(node: &Node, source: &str) -> Result<T, ParserError> {
        node.as_number(source)
    }
    Ok(match ty {
        "bool" => Val::Bool(node.as_bool()?),
        "s8" => Val::S8(number(node, source)?),
        "u8" => Val::U8(number(node, source)?),
        "s16" => Val::S16(number(node, source)?),
        "u16" => Val::U16(number(node, source)?),
        "s32" => Val::S32(number(node, source)?),
        "u32" => Val::U32(number(node, source)?),
        "s64" => Val::S64(number(node, source)?),
        "u64" => Val::U64(number(node, source)?),
        "f32" => Val::F32(number(node, source)?),
        "f64" => Val::F64(number(node, source)?),
        "char" => Val::Char(node.as_char(source)?),
        _ => Val::String(node.as_str(source).map(Cow::into_owned)?),
    })
}

/// A record, whose optional fields may be left out.
fn record(
    node: &Node,
    ty: &Type,
    fields: &[(Arc<str>, Type)],
    source: &str,
) -> Result<Val, Result<Wrong, ParserError>> {
    let at = node.span().start;
    let given: Vec<(&str, &Node)> = match node.ty() {
        NodeType::EmptySet => Vec::new(),
        _ => node.as_record(source).map_err(Err)?.collect(),
    };
    let known = |name: &str| fields.iter().any(|(field, _)| &**field == name);
    if let Some((name, node)) = given.iter().find(|(name, _)| !known(name)) {
        return Err(Ok((node.span().start, format!("{ty} has no field `{name}`"))));
    }
    let vals = fields.iter().map(|(name, ty)| {
        let val = match given.iter().find(|(given, _)| *given == &**name) {
            Some((_, node)) => val(node, ty, source).map_err(Ok)?,
            None if matches!(ty.kind(), TypeKind::Option(_)) => Val::Option(None),
            None => return Err(Ok((at, format!("expected field `{name}`: {ty}")))),
        };
        Ok((name.clone(), val))
    });
    Ok(Val::Record(vals.collect::<Result<_, _>>()?))
}

/// What a case holds.
fn held(
    node: Option<&Node>,
    ty: Option<&Type>,
    case: &str,
    at: usize,
    source: &str,
) -> Result<Option<Box<Val>>, Wrong> {
    match (node, ty) {
        (None, None) => Ok(None),
        (Some(node), Some(ty)) => Ok(Some(Box::new(val(node, ty, source)?))),
        (None, Some(ty)) => Err((at, format!("case `{case}` holds {ty}, found nothing"))),
        (Some(node), None) => {
            Err((node.span().start, format!("case `{case}` holds nothing, found a value")))
        }
    }
}

/// What something that was written looks like.
fn found(node: &Node) -> &'static str {
    match node.ty() {
        NodeType::BoolTrue | NodeType::BoolFalse => "a bool",
        NodeType::Number => "a number",
        NodeType::Char => "a char",
        NodeType::String | NodeType::MultilineString => "a string",
        NodeType::Tuple => "a tuple",
        NodeType::List => "a list",
        NodeType::TupleSet => "a record or map",
        NodeType::EmptySet | NodeType::Flags => "flags",
        NodeType::OptionSome | NodeType::OptionNone => "an option",
        NodeType::ResultOk | NodeType::ResultErr => "a result",
        _ => "a name",
    }
}

/// Prints a value.
pub fn show_wave(val: &Val) -> impl fmt::Display + '_ {
    fmt::from_fn(move |f| show(f, val))
}

/// Labels that mean something else unless they are marked.
const KEYWORDS: [&str; 8] = ["true", "false", "some", "none", "ok", "err", "inf", "nan"];

fn label(f: &mut fmt::Formatter<'_>, name: &str) -> fmt::Result {
    if KEYWORDS.contains(&name) {
        f.write_char('%')?;
    }
    f.write_str(name)
}

fn show(f: &mut fmt::Formatter<'_>, val: &Val) -> fmt::Result {
    match val {
        Val::Bool(v) => write!(f, "{v}"),
        Val::S8(v) => write!(f, "{v}"),
        Val::U8(v) => write!(f, "{v}"),
        Val::S16(v) => write!(f, "{v}"),
        Val::U16(v) => write!(f, "{v}"),
        Val::S32(v) => write!(f, "{v}"),
        Val::U32(v) => write!(f, "{v}"),
        Val::S64(v) => write!(f, "{v}"),
        Val::U64(v) => write!(f, "{v}"),
        Val::F32(v) if v.is_nan() => f.write_str("nan"),
        Val::F64(v) if v.is_nan() => f.write_str("nan"),
        Val::F32(v) => write!(f, "{v}"),
        Val::F64(v) => write!(f, "{v}"),
        Val::Char(v) => {
            f.write_char('\'')?;
            escaped(f, *v, '\'')?;
            f.write_char('\'')
        }
        Val::String(v) => {
            f.write_char('"')?;
            v.chars().try_for_each(|c| escaped(f, c, '"'))?;
            f.write_char('"')
        }
        Val::List(vals) => between(f, '[', vals, ']', show),
        Val::Tuple(vals) => between(f, '(', vals, ')', show),
        Val::Map(entries) if entries.is_empty() => f.write_str("{:}"),
        Val::Map(entries) => between(f, '{', entries, '}', |f, (key, value)| {
            show(f, key)?;
            f.write_str(": ")?;
            show(f, value)
        }),
        Val::Record(fields) if fields.is_empty() => f.write_str("{:}"),
        Val::Record(fields) => between(f, '{', fields, '}', |f, (name, val)| {
            label(f, name)?;
            f.write_str(": ")?;
            show(f, val)
        }),
        Val::Flags(names) => between(f, '{', names, '}', |f, name| label(f, name)),
        Val::Enum(name) => label(f, name),
        Val::Variant(name, inner) => {
            label(f, name)?;
            holding(f, inner.as_deref())
        }
        Val::Option(None) => f.write_str("none"),
        Val::Option(inner) => {
            f.write_str("some")?;
            holding(f, inner.as_deref())
        }
        Val::Result(Ok(inner)) => {
            f.write_str("ok")?;
            holding(f, inner.as_deref())
        }
        Val::Result(Err(inner)) => {
            f.write_str("err")?;
            holding(f, inner.as_deref())
        }
        Val::Resource(resource) => {
            f.write_str(if resource.is_owned() { "<resource>" } else { "<borrowed resource>" })
        }
    }
}

fn holding(f: &mut fmt::Formatter<'_>, inner: Option<&Val>) -> fmt::Result {
    let Some(inner) = inner else { return Ok(()) };
    f.write_char('(')?;
    show(f, inner)?;
    f.write_char(')')
}

fn between<T>(
    f: &mut fmt::Formatter<'_>,
    open: char,
    items: &[T],
    close: char,
    each: impl Fn(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    f.write_char(open)?;
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            f.write_str(", ")?;
        }
        each(f, item)?;
    }
    f.write_char(close)
}

/// A character of a string or char. What could do something to a terminal is escaped.
fn escaped(f: &mut fmt::Formatter<'_>, c: char, quote: char) -> fmt::Result {
    match c {
        '\n' => f.write_str("\\n"),
        '\r' => f.write_str("\\r"),
        '\t' => f.write_str("\\t"),
        '\\' => f.write_str("\\\\"),
        c if c == quote => write!(f, "\\{c}"),
        c if c.is_control() || is_bidi(c) => write!(f, "\\u{{{:x}}}", u32::from(c)),
        c => f.write_char(c),
    }
}

/// Characters that reorder the text around them.
fn is_bidi(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
