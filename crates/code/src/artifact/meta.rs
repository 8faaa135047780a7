//! What is known of places in a function's code, in few bytes.
//!
//! Five lists, each with its count in front, of numbers in the form of [`Reader::varint`]; offsets in code
//! are written as the distance from the one before. In front of each element:
//!
//! | list | element |
//! |---|---|
//! | relocations | distance; function |
//! | inlined functions | function; offset of the call; what that is inlined in |
//! | calls | distance · 8 + whether these follow: frame, roots, handlers. A frame not given is the last one's |
//! | traps | distance; cause |
//! | positions | distance · 2 + whether `inlined` is another; offset less the last one's, sign lowest; `inlined` |

use dunlin_module::{DefinedFuncIndex, Module};

use super::read::{Reader, unzigzag, write_varint, zigzag};
use super::{ArtifactError, malformed};
use crate::Trap;
use crate::native::{
    CallSite, FRAME_BYTES_MAX, Inlined, NativeCode, NativeHandler, Position, Reloc, RelocTarget,
    TrapCause, TrapSite,
};

const FRAME: u64 = 1;
const ROOTS: u64 = 2;
const HANDLERS: u64 = 4;
/// Bytes of a reference in a frame, and of a context.
const PLACE_BYTES: u32 = 8;

/// What numbers must be below.
#[derive(Clone, Debug)]
pub(super) struct Bounds {
    code: u64,
    funcs: u64,
    tags: u64,
    offsets: u64,
}

impl Bounds {
    /// Those that the code alone gives.
    pub(super) fn of_code(code: usize) -> Bounds {
        let any = u64::from(u32::MAX);
        Bounds { code: code as u64, funcs: any, tags: any, offsets: any }
    }

    pub(super) fn of(module: &Module, code: usize) -> Bounds {
        Bounds {
            code: code as u64,
            funcs: module.bodies.len() as u64,
            tags: module.tags.len() as u64,
            // One more, for the end of the last instruction.
            offsets: module.bytes.len() as u64 + 1,
        }
    }
}

/// Takes what is read.
pub(super) trait Sink {
    /// Whether lists inside of elements are wanted at all.
    const KEEP: bool;
    fn reloc(&mut self, reloc: Reloc);
    fn inlined(&mut self, inlined: Inlined);
    fn call(&mut self, call: CallSite);
    fn trap(&mut self, trap: TrapSite);
    fn position(&mut self, at: u32, position: Position);
}

/// Only checks.
impl Sink for () {
    const KEEP: bool = false;
    fn reloc(&mut self, _: Reloc) {}
    fn inlined(&mut self, _: Inlined) {}
    fn call(&mut self, _: CallSite) {}
    fn trap(&mut self, _: TrapSite) {}
    fn position(&mut self, _: u32, _: Position) {}
}

impl Sink for NativeCode {
    const KEEP: bool = true;

    fn reloc(&mut self, reloc: Reloc) {
        self.relocs.push(reloc);
    }

    fn inlined(&mut self, inlined: Inlined) {
        self.inlined.push(inlined);
    }

    fn call(&mut self, call: CallSite) {
        self.calls.push(call);
    }

    fn trap(&mut self, trap: TrapSite) {
        self.traps.push(trap);
    }

    fn position(&mut self, at: u32, position: Position) {
        self.positions.push((at, position));
    }
}

/// Writes the metadata of `code`, with relocations in ascending order.
pub(super) fn write(code: &NativeCode) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut relocs = code.relocs.clone();
    relocs.sort_unstable_by_key(|reloc| reloc.offset);
    let mut put = |value: u64| write_varint(&mut bytes, value);
    put(relocs.len() as u64);
    let mut last = 0;
    for Reloc { offset, target: RelocTarget::Func(func) } in relocs {
        put(distance(&mut last, offset));
        put(func.0.into());
    }
    put(code.inlined.len() as u64);
    for Inlined { func, call } in &code.inlined {
        put(func.0.into());
        put(call.offset.into());
        put(call.inlined.into());
    }
    write_calls(&code.calls, &mut put);
    put(code.traps.len() as u64);
    last = 0;
    for trap in &code.traps {
        put(distance(&mut last, trap.offset));
        put(match trap.cause {
            TrapCause::Raised => 0,
            TrapCause::Trap(trap) => trap as u64 + 1,
        });
    }
    put(code.positions.len() as u64);
    last = 0;
    let mut before = Position::default();
    for (at, position) in &code.positions {
        let other = position.inlined != before.inlined;
        put(distance(&mut last, *at) << 1 | u64::from(other));
        put(zigzag(i64::from(position.offset) - i64::from(before.offset)));
        if other {
            put(position.inlined.into());
        }
        before = *position;
    }
    bytes
}

fn write_calls(calls: &[CallSite], put: &mut impl FnMut(u64)) {
    put(calls.len() as u64);
    let (mut last, mut frame) = (0, 0);
    for call in calls {
        let mut head = distance(&mut last, call.ret) << 3;
        head |= if call.frame == frame { 0 } else { FRAME };
        head |= if call.roots.is_empty() { 0 } else { ROOTS };
        head |= if call.handlers.is_empty() { 0 } else { HANDLERS };
        put(head);
        if call.frame != frame {
            put(call.frame.into());
            frame = call.frame;
        }
        if !call.roots.is_empty() {
            put(call.roots.len() as u64);
            call.roots.iter().for_each(|root| put((*root).into()));
        }
        if !call.handlers.is_empty() {
            put(call.handlers.len() as u64);
        }
        for handler in &call.handlers {
            put(handler.context.into());
            put(handler.tag.map_or(0, |tag| u64::from(tag) + 1));
            put(handler.landing.into());
        }
    }
}

/// How far `at` is from `last`, wrapping: what is not ascending is found when it is read.
fn distance(last: &mut u32, at: u32) -> u64 {
    at.wrapping_sub(std::mem::replace(last, at)).into()
}

/// Offsets that ascend, each less than `below`.
struct Ascending {
    next: u64,
    last: u64,
    below: u64,
}

impl Ascending {
    fn new(below: u64) -> Ascending {
        Ascending { next: 0, last: 0, below }
    }

    /// The offset at this distance from the last; the one after it comes `room` behind it at least.
    fn next(&mut self, distance: u64, room: u64) -> Result<u32, ArtifactError> {
        let at = self.last.checked_add(distance).filter(|at| *at >= self.next);
        let at = at.ok_or(malformed("places in the code are not in order"))?;
        let small = u32::try_from(at).ok().filter(|_| at < self.below);
        let small = small.ok_or(malformed("a place is outside the code"))?;
        self.last = at;
        self.next = at + room;
        Ok(small)
    }
}

fn below(number: u32, limit: u64, what: &'static str) -> Result<u32, ArtifactError> {
    if u64::from(number) < limit { Ok(number) } else { Err(malformed(what)) }
}

/// The relocations, from bytes that were read before.
pub(super) fn relocs(bytes: &[u8]) -> impl Iterator<Item = Reloc> + use<'_> {
    let mut reader = Reader::new(bytes);
    let count = reader.count().unwrap_or_default();
    (0..count).scan(0u32, move |last, _| {
        *last = last.wrapping_add(reader.varint_u32().ok()?);
        let target = RelocTarget::Func(DefinedFuncIndex(reader.varint_u32().ok()?));
        Some(Reloc { offset: *last, target })
    })
}

/// Reads and checks everything in `bytes`.
pub(super) fn read<S: Sink>(
    bytes: &[u8],
    bounds: &Bounds,
    sink: &mut S,
) -> Result<(), ArtifactError> {
    let reader = &mut Reader::new(bytes);
    let func = |reader: &mut Reader<'_>| -> Result<DefinedFuncIndex, ArtifactError> {
        let func = reader.varint_u32()?;
        below(func, bounds.funcs, "a function that the module does not have").map(DefinedFuncIndex)
    };
    let offset = |offset| below(offset, bounds.offsets, "a place that the module does not have");
    // A relocation is four bytes long, so the last begins three before the end at most.
    let mut places = Ascending::new(bounds.code.saturating_sub(3));
    for _ in 0..reader.count()? {
        let offset = places.next(reader.varint()?, 4)?;
        let target = RelocTarget::Func(func(reader)?);
        sink.reloc(Reloc { offset, target });
    }
    let inlined = reader.count()? as u64;
    for at in 0..inlined {
        let func = func(reader)?;
        let offset = offset(reader.varint_u32()?)?;
        let within = below(reader.varint_u32()?, at + 1, "a function is inlined in one behind it")?;
        sink.inlined(Inlined { func, call: Position { offset, inlined: within } });
    }
    read_calls(reader, bounds, sink)?;
    let mut places = Ascending::new(bounds.code);
    for _ in 0..reader.count()? {
        let offset = places.next(reader.varint()?, 1)?;
        let cause = match reader.varint_u32()?.checked_sub(1) {
            None => TrapCause::Raised,
            Some(trap) => match Trap::ALL.get(trap as usize) {
                Some(trap) => TrapCause::Trap(*trap),
                None => return Err(malformed("an unknown trap")),
            },
        };
        sink.trap(TrapSite { offset, cause });
    }
    let mut places = Ascending::new(bounds.code);
    let mut last = Position::default();
    for _ in 0..reader.count()? {
        let head = reader.varint()?;
        let at = places.next(head >> 1, 1)?;
        let moved = i64::from(last.offset).checked_add(unzigzag(reader.varint()?));
        let moved = moved.and_then(|moved| u32::try_from(moved).ok());
        last.offset = offset(moved.unwrap_or(u32::MAX))?;
        if head & 1 == 1 {
            let unknown = "a place in an unknown function";
            let other = below(reader.varint_u32()?, inlined + 1, unknown)?;
            if other == last.inlined {
                return Err(malformed("a function is given twice"));
            }
            last.inlined = other;
        }
        sink.position(at, last);
    }
    reader.end("the metadata of a function is too long")
}

/// How many, where there are some.
fn some(reader: &mut Reader<'_>) -> Result<usize, ArtifactError> {
    match reader.count()? {
        0 => Err(malformed("an empty list")),
        count => Ok(count),
    }
}

fn read_calls<S: Sink>(
    reader: &mut Reader<'_>,
    bounds: &Bounds,
    sink: &mut S,
) -> Result<(), ArtifactError> {
    // A call may be the last instruction, and then would return behind it.
    let mut places = Ascending::new(bounds.code + 1);
    let mut frame = 0;
    for _ in 0..reader.count()? {
        let head = reader.varint()?;
        let ret = places.next(head >> 3, 1)?;
        if head & FRAME != 0 {
            let other = reader.varint_u32()?;
            if other > FRAME_BYTES_MAX || other == frame {
                return Err(malformed("a frame is too large, or given twice"));
            }
            frame = other;
        }
        let place = |at: u32| match at.checked_add(PLACE_BYTES) {
            Some(end) if end <= frame && at.is_multiple_of(PLACE_BYTES) => Ok(at),
            _ => Err(malformed("a reference is outside the frame")),
        };
        let (mut roots, mut handlers) = (Vec::new(), Vec::new());
        let count = if head & ROOTS == 0 { 0 } else { some(reader)? };
        for _ in 0..count {
            let root = place(reader.varint_u32()?)?;
            if S::KEEP {
                roots.push(root);
            }
        }
        let count = if head & HANDLERS == 0 { 0 } else { some(reader)? };
        for _ in 0..count {
            let context = place(reader.varint_u32()?)?;
            let tag = match reader.varint_u32()?.checked_sub(1) {
                None => None,
                Some(tag) => Some(below(tag, bounds.tags, "a tag that the module does not have")?),
            };
            let landing =
                below(reader.varint_u32()?, bounds.code, "a handler is outside the code")?;
            if S::KEEP {
                handlers.push(NativeHandler { context, tag, landing });
            }
        }
        if S::KEEP {
            sink.call(CallSite { ret, frame, roots: roots.into(), handlers: handlers.into() });
        }
    }
    Ok(())
}
