//! The slot frame: where a function's values live on the value stack.
//!
//! ```text
//!  fp ─► [ parameters / results ][ scratch ][ header ][ declared locals ][ operands ... ]
//!         0 .. max(P, R)                     3 slots                       home slots
//! ```
//!
//! Every wasm value has a *home slot* fixed by its place at validation: local *i* in
//! [`FrameLayout::local`], the operand at height *h* in `operands + h`, `h` counted in slots. A
//! `v128` takes two slots. A callee's frame begins at the home slot of its first argument, so
//! arguments and results are never copied between frames.
//!
//! # The canonical frame
//!
//! At every loop header all live values are in their home slots, nothing is elided and nothing is
//! in an accumulator. Whoever takes over a frame there needs the wasm alone to find every value.
//! At every call and allocation all values that live on are in home slots too, where an operand that
//! is still an unread `local.get` is found in the slot of its local.

use dunlin_module::{FuncType, ValType};

/// Slots of a frame header: where the caller continues, its frame, its context.
pub const HEADER_SLOTS: u32 = 3;

/// Scratch slots, through which instructions with 16-bit slot numbers reach far slots.
pub const SCRATCH_SLOTS: u32 = 8;

/// The highest slot an instruction can name directly.
pub const NEAR_SLOT_MAX: u32 = u16::MAX as u32;

/// Bodies up to this size get no scratch slots unless they turn out to need them.
pub const SCRATCH_BODY_MIN_BYTES: usize = 4096;

/// The most slots a frame may have; larger functions are refused when first called.
pub const FRAME_SLOTS_MAX: u32 = 1 << 24;

/// The places in one function's frame.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FrameLayout {
    /// First scratch slot, if there are any.
    pub scratch: Option<u32>,
    /// Slot of the header.
    pub header: u32,
    /// Slots of the declared locals together, which follow the header.
    pub local_slots: u32,
    /// Home slot of operand height 0.
    pub operands: u32,
    starts: Vec<u32>,
    types: Vec<ValType>,
}

impl FrameLayout {
    /// Lays out the frame of a function with signature `ty` and the declared `locals`, with scratch
    /// slots if `scratch` or the locals ask for them.
    pub fn new(ty: &FuncType, locals: impl Iterator<Item = ValType>, scratch: bool) -> FrameLayout {
        let mut starts = Vec::with_capacity(ty.params.len());
        let mut types = Vec::with_capacity(ty.params.len());
        let mut at = 0;
        let mut push = |at: &mut u32, ty: ValType| {
            starts.push(*at);
            types.push(ty);
            *at += ty.slots();
        };
        for &param in &ty.params {
            push(&mut at, param);
        }
        let mut header = at.max(ty.result_slots());
        let mut local_at = 0;
        let mut declared = Vec::new();
        for local in locals {
            declared.push(local);
            local_at += local.slots();
        }
        let local_slots = local_at;
        let scratch = (scratch || local_slots + header > 0x8000).then_some(header);
        if scratch.is_some() {
            header += SCRATCH_SLOTS;
        }
        let mut at = header + HEADER_SLOTS;
        for ty in declared {
            push(&mut at, ty);
        }
        FrameLayout { scratch, header, local_slots, operands: at, starts, types }
    }

    /// The home slot of local `index`.
    #[inline]
    pub fn local(&self, index: u32) -> u32 {
        self.starts[index as usize]
    }

    /// The type of local `index`.
    #[inline]
    pub fn local_type(&self, index: u32) -> ValType {
        self.types[index as usize]
    }

    /// How many locals there are, parameters included.
    pub fn local_count(&self) -> u32 {
        self.types.len() as u32
    }
}
