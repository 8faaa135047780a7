//! Reads directives: the one place that knows the parser's types for scripts.

use std::path::Path;

use dunlin_engine::HeapType;
use wast::component::WastVal;
use wast::core::{
    AbstractHeapType, HeapType as TextHeapType, NanPattern, V128Pattern, WastArgCore, WastRetCore,
};
use wast::parser::{self, Parse, ParseBuffer, Parser};
use wast::token::{Id, Span};
use wast::{QuoteWat, WastArg, WastDirective, WastExecute, WastInvoke, WastRet, Wat};

use super::split::groups;
use super::{Action, Command, Directive, LineCounter, Source};
use crate::text::lexer;
use crate::unfold::unfold;
use crate::value::{Argument, ComponentValue, Expected, FloatPattern, Lanes};
use dunlin_module::TextError;

/// The annotations that end up in a module; the others are skipped.
const ANNOTATIONS: [&str; 5] =
    ["custom", "producers", "name", "dylink.0", "metadata.code.branch_hint"];

/// The words that directives begin with, apart from `assert_…`.
const KEYWORDS: [&str; 7] = ["module", "component", "register", "invoke", "get", "thread", "wait"];

/// The text of a script, to make errors from the parser's.
#[derive(Clone, Copy)]
struct Text<'a> {
    text: &'a str,
    path: Option<&'a Path>,
    /// Where the piece that is being parsed begins.
    base: usize,
}

impl Text<'_> {
    fn error(&self, error: &wast::Error) -> TextError {
        let offset = self.base + error.span().offset();
        TextError::at(self.text, offset, &error.message(), self.path)
    }
}

pub(super) fn directives(text: &str, path: Option<&Path>) -> Result<Vec<Directive>, TextError> {
    let mut lexer = lexer(text, path)?;
    // The spec's own scripts test names in every script and direction of writing.
    lexer.allow_confusing_unicode(true);
    let whole = Text { text, path, base: 0 };
    let groups = groups(&lexer).map_err(|error| whole.error(&error))?;

    let is_directive = |word: &str| word.starts_with("assert_") || KEYWORDS.contains(&word);
    let first = groups.first().and_then(|group| group.keyword.clone());
    if let Some(first) = first.filter(|word| !is_directive(&text[word.clone()])) {
        // A script may consist of the fields of one module.
        let (line, column) = LineCounter::new(text).place(first.start - 1);
        let command = implicit_module(whole);
        return Ok(vec![Directive { line, column, keyword: "module".to_string(), command }]);
    }

    let mut lines = LineCounter::new(text);
    let directives = groups.into_iter().map(|group| {
        let (line, column) = lines.place(group.range.start);
        let keyword = group.keyword.map_or_else(String::new, |word| text[word].to_string());
        let piece = Text { base: group.range.start, ..whole };
        Directive { line, column, keyword, command: directive(piece, &text[group.range]) }
    });
    Ok(directives.collect())
}

fn implicit_module(text: Text<'_>) -> Result<Command, TextError> {
    let at = |error: wast::Error| text.error(&error);
    let buffer = buffer(text.text).map_err(at)?;
    let wat = parser::parse::<Wat<'_>>(&buffer).map_err(at)?;
    Ok(Command::Module { name: None, source: encode(text, wat) })
}

fn directive(text: Text<'_>, piece: &str) -> Result<Command, TextError> {
    let error = match parse_directive(text, piece) {
        Ok(command) => return Ok(command),
        Err(error) => error,
    };
    // Places in other text than what was written are of no use in an error.
    let unfolded = unfold(piece).and_then(|piece| parse_directive(text, &piece).ok());
    unfolded.ok_or(error)
}

fn parse_directive(text: Text<'_>, piece: &str) -> Result<Command, TextError> {
    let at = |error: wast::Error| text.error(&error);
    let buffer = buffer(piece).map_err(at)?;
    let parsed = parser::parse::<Parsed<'_>>(&buffer).map_err(at)?;
    Ok(command(text, parsed.0))
}

fn buffer(piece: &str) -> Result<ParseBuffer<'_>, wast::Error> {
    let mut lexer = wast::lexer::Lexer::new(piece);
    lexer.allow_confusing_unicode(true);
    ParseBuffer::new_with_lexer(lexer)
}

/// A directive with its parentheses.
struct Parsed<'a>(WastDirective<'a>);

impl<'a> Parse<'a> for Parsed<'a> {
    fn parse(parser: Parser<'a>) -> parser::Result<Parsed<'a>> {
        let _registered = ANNOTATIONS.map(|name| parser.register_annotation(name));
        parser.parens(|inner| inner.parse()).map(Parsed)
    }
}

fn command(text: Text<'_>, directive: WastDirective<'_>) -> Command {
    match directive {
        WastDirective::Module(module) => {
            Command::Module { name: name(module.name()), source: source(text, module) }
        }
        WastDirective::ModuleDefinition(module) => {
            Command::Definition { name: name(module.name()), source: source(text, module) }
        }
        WastDirective::ModuleInstance { instance, module, .. } => {
            Command::Instance { name: name(instance), definition: name(module) }
        }
        WastDirective::Register { name: as_name, module, .. } => {
            Command::Register { name: as_name.to_string(), instance: name(module) }
        }
        WastDirective::Invoke(call) => Command::Action(invoke(call)),
        WastDirective::AssertReturn { exec, results, .. } => {
            let expected: Option<Vec<Expected>> = results.into_iter().map(expected).collect();
            match expected {
                Some(expected) => Command::AssertReturn(action(text, exec), expected),
                None => Command::Unsupported("a newer form of results"),
            }
        }
        WastDirective::AssertTrap { exec, message, .. } => {
            Command::AssertTrap(action(text, exec), message.to_string())
        }
        WastDirective::AssertExhaustion { call, message, .. } => {
            Command::AssertTrap(invoke(call), message.to_string())
        }
        WastDirective::AssertException { exec, .. } => Command::AssertException(action(text, exec)),
        // A suspension that nothing handles is a trap.
        WastDirective::AssertSuspension { exec, message, .. } => {
            Command::AssertTrap(action(text, exec), message.to_string())
        }
        WastDirective::AssertMalformed { module, message, .. }
        | WastDirective::AssertInvalid { module, message, .. } => {
            Command::AssertRejected(source(text, module), message.to_string())
        }
        WastDirective::AssertMalformedCustom { module, message, .. }
        | WastDirective::AssertInvalidCustom { module, message, .. } => {
            Command::AssertRejectedCustom(source(text, module), message.to_string())
        }
        WastDirective::AssertUnlinkable { module, message, .. } => {
            Command::AssertUnlinkable(encode(text, module), message.to_string())
        }
        WastDirective::Thread(thread) => Command::Thread {
            name: thread.name.name().to_string(),
            shared: name(thread.shared_module),
            // The parser bounds how deep these nest.
            directives: thread.directives.into_iter().map(|inner| nested(text, inner)).collect(),
        },
        WastDirective::Wait { thread, .. } => Command::Wait(thread.name().to_string()),
    }
}

/// A directive inside another.
fn nested(text: Text<'_>, directive: WastDirective<'_>) -> Directive {
    let offset = text.base + directive.span().offset();
    let (line, column) = LineCounter::new(text.text).place(offset);
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let rest = &text.text[offset..];
    let length = rest.bytes().take_while(|byte| is_word(byte)).count();
    let keyword = rest[..length].to_string();
    Directive { line, column, keyword, command: Ok(command(text, directive)) }
}

fn name(id: Option<Id<'_>>) -> Option<String> {
    id.map(|id| id.name().to_string())
}

fn source(text: Text<'_>, module: QuoteWat<'_>) -> Source {
    match module {
        QuoteWat::Wat(wat) => encode(text, wat),
        QuoteWat::QuoteModule(_, strings) => Source::Quote(quoted(&strings)),
        QuoteWat::QuoteComponent(_, strings) => {
            Source::Quote([b"(component ", &quoted(&strings)[..], b")"].concat())
        }
    }
}

fn quoted(strings: &[(Span, &[u8])]) -> Vec<u8> {
    let mut quoted = Vec::new();
    for (_, string) in strings {
        quoted.extend_from_slice(string);
        quoted.push(b' ');
    }
    quoted
}

fn encode(text: Text<'_>, mut wat: Wat<'_>) -> Source {
    match wat.encode() {
        Ok(bytes) => Source::Binary(bytes),
        Err(error) => Source::Malformed(text.error(&error)),
    }
}

fn action(text: Text<'_>, execute: WastExecute<'_>) -> Action {
    match execute {
        WastExecute::Invoke(call) => invoke(call),
        WastExecute::Wat(wat) => Action::Instantiate(encode(text, wat)),
        WastExecute::Get { module, global, .. } => {
            Action::Get { instance: name(module), export: global.to_string() }
        }
    }
}

fn invoke(call: WastInvoke<'_>) -> Action {
    let arguments: Option<Vec<Argument>> = call.args.into_iter().map(argument).collect();
    match arguments {
        Some(arguments) => {
            Action::Invoke { instance: name(call.module), export: call.name.to_string(), arguments }
        }
        None => Action::Unsupported("a newer form of arguments"),
    }
}

/// `None` if there is no such argument here.
fn argument(argument: WastArg<'_>) -> Option<Argument> {
    let argument = match argument {
        WastArg::Core(argument) => argument,
        WastArg::Component(value) => return Some(Argument::Component(component_value(value))),
        _ => return None,
    };
    Some(match argument {
        WastArgCore::I32(value) => Argument::I32(value),
        WastArgCore::I64(value) => Argument::I64(value),
        WastArgCore::F32(value) => Argument::F32(value.bits),
        WastArgCore::F64(value) => Argument::F64(value.bits),
        WastArgCore::V128(value) => Argument::V128(u128::from_le_bytes(value.to_le_bytes())),
        WastArgCore::RefNull(heap) => Argument::Null(heap_type(&heap)?),
        WastArgCore::RefExtern(value) => Argument::Extern(value),
        WastArgCore::RefHost(value) => Argument::Host(value),
    })
}

fn expected(expected: WastRet<'_>) -> Option<Expected> {
    match expected {
        WastRet::Core(expected) => Some(core_expected(expected)),
        WastRet::Component(value) => Some(Expected::Component(component_value(value))),
        _ => None,
    }
}

/// The parser bounds how deep these nest.
fn component_value(value: WastVal<'_>) -> ComponentValue {
    use ComponentValue as V;
    let payload =
        |value: Option<Box<WastVal<'_>>>| value.map(|value| Box::new(component_value(*value)));
    let all = |values: Vec<WastVal<'_>>| values.into_iter().map(component_value).collect();
    match value {
        WastVal::Bool(value) => V::Bool(value),
        WastVal::S8(value) => V::S8(value),
        WastVal::U8(value) => V::U8(value),
        WastVal::S16(value) => V::S16(value),
        WastVal::U16(value) => V::U16(value),
        WastVal::S32(value) => V::S32(value),
        WastVal::U32(value) => V::U32(value),
        WastVal::S64(value) => V::S64(value),
        WastVal::U64(value) => V::U64(value),
        WastVal::F32(value) => V::F32(f32::from_bits(value.bits)),
        WastVal::F64(value) => V::F64(f64::from_bits(value.bits)),
        WastVal::Char(value) => V::Char(value),
        WastVal::String(value) => V::String(value.to_string()),
        WastVal::List(values) => V::List(all(values)),
        WastVal::Tuple(values) => V::Tuple(all(values)),
        WastVal::Map(entries) => {
            let entry = |(key, value)| (component_value(key), component_value(value));
            V::Map(entries.into_iter().map(entry).collect())
        }
        WastVal::Record(fields) => {
            let field = |(name, value): (&str, _)| (name.to_string(), component_value(value));
            V::Record(fields.into_iter().map(field).collect())
        }
        WastVal::Variant(name, value) => V::Variant(name.to_string(), payload(value)),
        WastVal::Enum(name) => V::Enum(name.to_string()),
        WastVal::Option(value) => V::Option(payload(value)),
        WastVal::Result(Ok(value)) => V::Result(Ok(payload(value))),
        WastVal::Result(Err(value)) => V::Result(Err(payload(value))),
        WastVal::Flags(names) => V::Flags(names.into_iter().map(String::from).collect()),
    }
}

fn core_expected(expected: WastRetCore<'_>) -> Expected {
    match expected {
        WastRetCore::I32(value) => Expected::I32(value),
        WastRetCore::I64(value) => Expected::I64(value),
        WastRetCore::F32(pattern) => Expected::F32(float(pattern, |value| value.bits)),
        WastRetCore::F64(pattern) => Expected::F64(float(pattern, |value| value.bits)),
        WastRetCore::V128(pattern) => Expected::V128(lanes(pattern)),
        WastRetCore::RefNull(heap) => Expected::Null(heap.as_ref().and_then(heap_type)),
        WastRetCore::RefExtern(value) => Expected::Extern(value),
        WastRetCore::RefHost(value) => Expected::Host(value),
        WastRetCore::RefFunc(_) => Expected::NonNull(HeapType::Func),
        WastRetCore::RefAny => Expected::NonNull(HeapType::Any),
        WastRetCore::RefEq => Expected::NonNull(HeapType::Eq),
        WastRetCore::RefArray => Expected::NonNull(HeapType::Array),
        WastRetCore::RefStruct => Expected::NonNull(HeapType::Struct),
        WastRetCore::RefI31 | WastRetCore::RefI31Shared => Expected::NonNull(HeapType::I31),
        // The parser bounds how deep these nest.
        WastRetCore::Either(choices) => {
            Expected::Either(choices.into_iter().map(core_expected).collect())
        }
    }
}

fn float<T, B>(pattern: NanPattern<T>, bits: impl Fn(T) -> B) -> FloatPattern<B> {
    match pattern {
        NanPattern::CanonicalNan => FloatPattern::CanonicalNan,
        NanPattern::ArithmeticNan => FloatPattern::ArithmeticNan,
        NanPattern::Value(value) => FloatPattern::Bits(bits(value)),
    }
}

fn lanes(pattern: V128Pattern) -> Lanes {
    match pattern {
        V128Pattern::I8x16(lanes) => Lanes::I8x16(lanes),
        V128Pattern::I16x8(lanes) => Lanes::I16x8(lanes),
        V128Pattern::I32x4(lanes) => Lanes::I32x4(lanes),
        V128Pattern::I64x2(lanes) => Lanes::I64x2(lanes),
        V128Pattern::F32x4(lanes) => {
            Lanes::F32x4(lanes.map(|lane| float(lane, |value| value.bits)))
        }
        V128Pattern::F64x2(lanes) => {
            Lanes::F64x2(lanes.map(|lane| float(lane, |value| value.bits)))
        }
    }
}

/// An abstract heap type; types that a module defines have no name outside it.
fn heap_type(heap: &TextHeapType<'_>) -> Option<HeapType> {
    let TextHeapType::Abstract { ty, .. } = heap else {
        return None;
    };
    Some(match ty {
        AbstractHeapType::Func => HeapType::Func,
        AbstractHeapType::Extern => HeapType::Extern,
        AbstractHeapType::Exn => HeapType::Exn,
        AbstractHeapType::Cont => HeapType::Cont,
        AbstractHeapType::Any => HeapType::Any,
        AbstractHeapType::Eq => HeapType::Eq,
        AbstractHeapType::Struct => HeapType::Struct,
        AbstractHeapType::Array => HeapType::Array,
        AbstractHeapType::I31 => HeapType::I31,
        AbstractHeapType::NoFunc => HeapType::NoFunc,
        AbstractHeapType::NoExtern => HeapType::NoExtern,
        AbstractHeapType::None => HeapType::None,
        AbstractHeapType::NoExn => HeapType::NoExn,
        AbstractHeapType::NoCont => HeapType::NoCont,
    })
}
