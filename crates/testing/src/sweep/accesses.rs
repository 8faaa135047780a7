//! The instructions that access memory, and the forms of functions that execute one of them.

use std::ops::Range;

use dunlin_engine::Trap;

use super::shapes::Shape;
use crate::random::Random;

/// An instruction that accesses memory.
#[derive(Clone, Debug)]
pub(super) struct Access {
    name: String,
    /// How many bytes.
    width: u64,
    does: Does,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Does {
    /// Reads a value of a type.
    Load(&'static str),
    /// Reads one lane.
    LoadLane,
    /// Writes a value of a type.
    Store(&'static str),
    /// Writes one lane.
    StoreLane,
    /// Does something atomically that takes so many operands of a type, and gives one back or not.
    Atomic(&'static str, usize, bool),
}

/// All of them.
pub(super) fn all() -> Vec<Access> {
    let mut all = Vec::new();
    let mut add = |does: Does, list: &str, prefix: &str| {
        for entry in list.split(' ') {
            let (name, width) = entry.split_once(':').expect("a name and a width");
            let width = width.parse().expect("a number");
            all.push(Access { name: format!("{prefix}{name}"), width, does });
        }
    };
    add(Does::Load("i32"), "load:4 load8_s:1 load8_u:1 load16_s:2 load16_u:2", "i32.");
    let narrow = "load:8 load8_s:1 load8_u:1 load16_s:2 load16_u:2 load32_s:4 load32_u:4";
    add(Does::Load("i64"), narrow, "i64.");
    add(Does::Load("f32"), "load:4", "f32.");
    add(Does::Load("f64"), "load:8", "f64.");
    let vectors = "load:16 load8x8_s:8 load8x8_u:8 load16x4_s:8 load16x4_u:8 load32x2_s:8 \
                   load32x2_u:8 load8_splat:1 load16_splat:2 load32_splat:4 load64_splat:8 \
                   load32_zero:4 load64_zero:8";
    add(Does::Load("v128"), vectors, "v128.");
    add(Does::LoadLane, "load8_lane:1 load16_lane:2 load32_lane:4 load64_lane:8", "v128.");
    add(Does::Store("i32"), "store:4 store8:1 store16:2", "i32.");
    add(Does::Store("i64"), "store:8 store8:1 store16:2 store32:4", "i64.");
    add(Does::Store("f32"), "store:4", "f32.");
    add(Does::Store("f64"), "store:8", "f64.");
    add(Does::Store("v128"), "store:16", "v128.");
    add(Does::StoreLane, "store8_lane:1 store16_lane:2 store32_lane:4 store64_lane:8", "v128.");
    for (ty, whole, parts) in [("i32", 4, [1, 2].as_slice()), ("i64", 8, &[1, 2, 4])] {
        let prefix = format!("{ty}.atomic.");
        let mut widths = vec![(String::new(), whole)];
        widths.extend(parts.iter().map(|width| ((8 * width).to_string(), *width)));
        for (bits, width) in widths {
            let sign = if bits.is_empty() { "" } else { "_u" };
            add(Does::Atomic(ty, 0, true), &format!("load{bits}{sign}:{width}"), &prefix);
            add(Does::Atomic(ty, 1, false), &format!("store{bits}:{width}"), &prefix);
            for op in ["add", "sub", "and", "or", "xor", "xchg"] {
                let entry = format!("rmw{bits}.{op}{sign}:{width}");
                add(Does::Atomic(ty, 1, true), &entry, &prefix);
            }
            let entry = format!("rmw{bits}.cmpxchg{sign}:{width}");
            add(Does::Atomic(ty, 2, true), &entry, &prefix);
        }
    }
    all
}

/// How a function comes to its address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Form {
    /// It is a parameter.
    Parameter,
    /// It is what is left of more bits, or computed otherwise from what is not known.
    Computed,
    /// A constant is added to a parameter.
    Sum(u64),
    /// It is this constant.
    Constant(u64),
    /// It is a parameter, with which one byte at another offset is read before.
    After(u64),
    /// The same, and that byte is read afterwards.
    Before(u64),
    /// The index goes on by the width of the access, three times.
    Loop,
}

/// A function that executes an instruction.
#[derive(Clone, Debug)]
pub(super) struct Case {
    access: Access,
    offset: u64,
    form: Form,
    lane: u64,
}

/// An access: where it begins, its width, and whether it is the instruction's.
type Made = (u128, u64, bool);

/// What is stored.
const STORED: u64 = 0x18f7_e6d5_d4c3_b2a1;

impl Case {
    /// One of the functions for an instruction.
    pub(super) fn pick(access: Access, shape: &Shape, random: &mut Random) -> Case {
        let offset = pick_offset(shape, random);
        let lane = random.next() % (16 / access.width);
        let mut case = Case { access, offset, form: Form::Parameter, lane };
        let bytes = random.pick(&shape.sizes());
        let near = random.next() % 40;
        case.form = match random.below(9) {
            0 | 1 => Form::Parameter,
            2 => Form::Computed,
            3 => Form::Sum(pick_offset(shape, random)),
            4 => Form::Constant(random.pick(&case.indices(bytes, shape))),
            5 => Form::After(offset.wrapping_add(near).wrapping_sub(20) & shape.index_max()),
            6 => Form::Before(offset.wrapping_add(near).wrapping_sub(20) & shape.index_max()),
            7 => Form::After(pick_offset(shape, random)),
            _ => Form::Loop,
        };
        case
    }

    /// The function's body, for messages.
    pub(super) fn text(&self, shape: &Shape) -> String {
        self.body(shape)
    }

    /// The function, as text, with `prelude` before all that it does.
    pub(super) fn function(&self, number: usize, prelude: &str, shape: &Shape) -> String {
        let index = shape.index();
        format!(
            "(func (export \"{number}\") (param {index}) (result i64) (local $sum i64)
             (local $v v128) (local $n i32) (local $value i64)
             (local.set $value (i64.const {STORED}))
             {prelude}
             {})\n",
            self.body(shape)
        )
    }

    fn body(&self, shape: &Shape) -> String {
        let index = shape.index();
        let byte = |offset: u64| {
            let load = format!("(i64.load8_u $m offset={offset} (local.get 0))");
            format!("(local.set $sum (i64.add (local.get $sum) {load}))")
        };
        let parameter = self.access("(local.get 0)");
        match self.form {
            Form::Parameter => parameter,
            Form::Computed if shape.index64 => {
                self.access("(i64.xor (local.get 0) (global.get $zero))")
            }
            Form::Computed => self.access(
                "(i32.wrap_i64 (i64.or (i64.extend_i32_u (local.get 0)) (global.get $dirty)))",
            ),
            Form::Sum(term) => {
                self.access(&format!("({index}.add (local.get 0) ({index}.const {term}))"))
            }
            Form::Constant(at) => self.access(&format!("({index}.const {at})")),
            Form::After(offset) => {
                format!("{} (i64.add (local.get $sum) {parameter})", byte(offset))
            }
            Form::Before(offset) => {
                format!("(local.set $sum {parameter}) {} (local.get $sum)", byte(offset))
            }
            Form::Loop => format!(
                "(loop $next
                   (local.set $sum (i64.add (local.get $sum) {parameter}))
                   (local.set 0 ({index}.add (local.get 0) ({index}.const {})))
                   (local.set $n (i32.add (local.get $n) (i32.const 1)))
                   (br_if $next (i32.lt_u (local.get $n) (i32.const 3))))
                 (local.get $sum)",
                self.access.width
            ),
        }
    }

    /// The instruction at an address, with an `i64` for what it gives.
    fn access(&self, address: &str) -> String {
        let Access { name, does, .. } = &self.access;
        let Case { offset, lane, .. } = self;
        let value = |ty: &str| match ty {
            "i32" => "(i32.wrap_i64 (local.get $value))",
            "i64" => "(local.get $value)",
            "f32" => "(f32.reinterpret_i32 (i32.wrap_i64 (local.get $value)))",
            "f64" => "(f64.reinterpret_i64 (local.get $value))",
            _ => "(i64x2.splat (local.get $value))",
        };
        let at = format!("{name} $m offset={offset}");
        // A block makes one expression of a store and what stands for its result.
        let nothing = |text: String| format!("(block (result i64) {text} (i64.const 0))");
        match *does {
            Does::Load(ty) => digest(ty, format!("({at} align=1 {address})")),
            Does::LoadLane => {
                digest("v128", format!("({at} align=1 {lane} {address} {})", value("v128")))
            }
            Does::Store(ty) => nothing(format!("({at} align=1 {address} {})", value(ty))),
            Does::StoreLane => {
                nothing(format!("({at} align=1 {lane} {address} {})", value("v128")))
            }
            Does::Atomic(ty, operands, result) => {
                let operands = value(ty).repeat(operands);
                let text = format!("({at} {address} {operands})");
                if result { digest(ty, text) } else { nothing(text) }
            }
        }
    }

    /// What the function is called with so that it accesses memory at `index`.
    pub(super) fn argument(&self, index: u64) -> u64 {
        match self.form {
            Form::Sum(term) => index.wrapping_sub(term),
            _ => index,
        }
    }

    /// Every index at which something begins or ends to be inside, and those around the places where
    /// arithmetic wraps.
    pub(super) fn indices(&self, bytes: u64, shape: &Shape) -> Vec<u64> {
        if let Form::Constant(index) = self.form {
            return vec![index];
        }
        let (max, width) = (shape.index_max(), self.access.width);
        let mut indices = vec![0, 1, 8, 1 << 31, (1 << 31) - 1];
        let mut around = |edge: u64| {
            indices.extend((0..=width + 2).map(|back| edge.wrapping_add(1).wrapping_sub(back)));
        };
        around(bytes);
        around(bytes.wrapping_sub(self.offset));
        if let Form::After(offset) | Form::Before(offset) = self.form {
            around(bytes.wrapping_sub(offset));
        }
        if self.form == Form::Loop {
            around(bytes.wrapping_sub(self.offset).wrapping_sub(width));
            around(bytes.wrapping_sub(self.offset).wrapping_sub(2 * width));
        }
        indices.extend((0..=8).map(|back| max - back));
        indices.extend((0..=8).map(|near| self.offset.wrapping_neg().wrapping_add(near)));
        indices.iter_mut().for_each(|index| *index &= max);
        if self.form == Form::Loop {
            indices.retain(|index| *index <= max - 2 * width);
        }
        indices.sort_unstable();
        indices.dedup();
        indices
    }

    /// What is accessed in which order.
    fn accesses(&self, index: u64) -> Vec<Made> {
        let at = |index: u64, offset: u64| u128::from(index) + u128::from(offset);
        let width = self.access.width;
        let own = (at(index, self.offset), width, true);
        match self.form {
            Form::After(offset) => vec![(at(index, offset), 1, false), own],
            Form::Before(offset) => vec![own, (at(index, offset), 1, false)],
            Form::Loop => {
                (0..3).map(|n| (at(index + n * width, self.offset), width, true)).collect()
            }
            _ => vec![own],
        }
    }

    /// Accesses that are made, and the trap that ends them if there is one.
    fn made(&self, index: u64, bytes: u64) -> (Vec<Made>, Result<(), Trap>) {
        let mut made = Vec::new();
        for access in self.accesses(index) {
            let (start, width, own) = access;
            let atomic = own && matches!(self.access.does, Does::Atomic(..));
            if atomic && start % u128::from(width) != 0 {
                return (made, Err(Trap::UnalignedAtomic));
            }
            if start + u128::from(width) > u128::from(bytes) {
                return (made, Err(Trap::MemoryOutOfBounds));
            }
            made.push(access);
        }
        (made, Ok(()))
    }

    /// How a call with `index` has to end in a memory of `bytes` bytes.
    pub(super) fn expected(&self, index: u64, bytes: u64) -> Result<(), Trap> {
        self.made(index, bytes).1
    }

    /// The bytes to look at: those that are accessed and those around, or the last of the memory.
    pub(super) fn window(&self, index: u64, bytes: u64) -> Range<u64> {
        let made = self.made(index, bytes).0;
        let own = made.iter().filter(|(.., own)| *own);
        let starts = own.map(|(start, ..)| *start as u64);
        match (starts.clone().min(), starts.max()) {
            (Some(first), Some(last)) => {
                first.saturating_sub(16)..bytes.min(last + self.access.width + 16)
            }
            _ => bytes.saturating_sub(32)..bytes,
        }
    }

    /// The bytes in `window` that may change.
    pub(super) fn written(&self, index: u64, bytes: u64, window: &Range<u64>) -> Range<usize> {
        let reads =
            matches!(self.access.does, Does::Load(_) | Does::LoadLane | Does::Atomic(_, 0, _));
        let made = self.made(index, bytes).0;
        let own = made.iter().filter(|(.., own)| *own && !reads);
        let starts = own.map(|(start, ..)| (*start as u64 - window.start) as usize);
        match (starts.clone().min(), starts.max()) {
            (Some(first), Some(last)) => first..last + self.access.width as usize,
            _ => 0..0,
        }
    }
}

/// An `i64` made of all bits of what `text` gives; there is a local `$v` of type `v128`.
pub(super) fn digest(ty: &str, text: String) -> String {
    match ty {
        "i32" => format!("(i64.extend_i32_u {text})"),
        "i64" => text,
        "f32" => format!("(i64.extend_i32_u (i32.reinterpret_f32 {text}))"),
        "f64" => format!("(i64.reinterpret_f64 {text})"),
        _ => format!(
            "(i64.xor (i64x2.extract_lane 0 (local.tee $v {text}))
             (i64.rotl (i64x2.extract_lane 1 (local.get $v)) (i64.const 1)))"
        ),
    }
}

fn pick_offset(shape: &Shape, random: &mut Random) -> u64 {
    let bytes = random.pick(&shape.sizes());
    let large = [bytes, 0xffff, 1 << 16, (1 << 31) - 1, 1 << 31, 0xffff_ffff];
    let huge = [1 << 32, 1 << 33, 1 << 35, 1 << 63, u64::MAX - 7, u64::MAX];
    match random.below(8) {
        0 | 1 => random.pick(&large) & shape.index_max(),
        2 if shape.index64 => random.pick(&huge),
        _ => random.pick(&[0, 0, 1, 8, 15]),
    }
}
