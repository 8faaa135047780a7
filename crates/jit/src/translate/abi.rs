//! Signatures, entry and return.

use cranelift_codegen::ir::{AbiParam, InstBuilder, SigRef, Signature, Type, Value, types};
use cranelift_codegen::isa::CallConv;
use dunlin_code::frame::FrameLayout;
use dunlin_code::layout::rt;
use dunlin_code::native::{CompileError, Entry, Passed, params, results};
use dunlin_module::{FuncType, ValType};

use super::access::Region;
use super::stack::{Local, clif_type, slots};
use super::{Result, Translator, malformed};

/// The signature of the register ABI for functions of type `ty`.
pub(super) fn signature(ty: &FuncType) -> Signature {
    let mut signature = Signature::new(CallConv::Tail);
    let in_register = |(ty, passed): (ValType, Passed)| match passed {
        Passed::Int(_) | Passed::Float(_) => Some(AbiParam::new(clif_type(ty))),
        Passed::Spilled(_) => None,
    };
    signature.params.push(AbiParam::new(types::I64));
    signature.params.extend(params(ty).filter_map(in_register));
    signature.returns.extend(results(ty).filter_map(in_register));
    signature
}

/// The signature of code that is entered at a loop.
fn loop_signature() -> Signature {
    let mut signature = Signature::new(CallConv::Tail);
    signature.params = vec![AbiParam::new(types::I64); 2];
    signature
}

impl Translator<'_, '_> {
    /// Makes everything ready for the first instruction.
    pub(super) fn begin(&mut self, check_stack: bool) -> Result {
        self.lay_out_frame()?;
        self.b.func.signature = match self.entry {
            Entry::Function => signature(self.body.ty),
            Entry::Loop(_) => loop_signature(),
        };
        let block = self.b.create_block();
        self.b.append_block_params_for_function_params(block);
        self.b.switch_to_block(block);
        self.b.seal_block(block);
        let given = self.b.block_params(block).to_vec();
        self.vmctx = given[0];
        self.place();
        self.declare_locals()?;
        match self.entry {
            Entry::Function => {
                let values = self.take_params(&given[1..]);
                if check_stack {
                    self.check_native_stack(&given);
                }
                if let Some(base) = self.given_base() {
                    self.check_value_stack(base);
                }
                self.init_locals(&values);
            }
            Entry::Loop(_) => self.enter_loop_code(given[1]),
        }
        self.enter_function();
        Ok(())
    }

    /// Finds out where the interpreter's frame has what, if that is asked for.
    pub(super) fn lay_out_frame(&mut self) -> Result {
        let entered = self.entry != Entry::Function && self.callers.is_empty();
        if !entered && !self.settings.deterministic {
            return Ok(());
        }
        let lowered = dunlin_code::lower(self.module, self.body.func, &self.settings);
        let lowered = lowered.map_err(|e| CompileError::Unsupported(e.to_string()))?;
        let lay_out = |scratch, locals: Vec<ValType>| {
            FrameLayout::new(self.body.ty, locals.into_iter(), scratch)
        };
        let mut frame = lay_out(false, self.declared_locals()?);
        if frame.header != lowered.header_slot {
            frame = lay_out(true, self.declared_locals()?);
        }
        if frame.header != lowered.header_slot {
            return Err(CompileError::Failed("the frame is laid out differently".to_owned()));
        }
        self.body.frame_slots = lowered.frame_slots;
        self.body.frame = Some(frame);
        Ok(())
    }

    fn declared_locals(&self) -> Result<Vec<ValType>> {
        let mut locals = Vec::new();
        for group in self.module.body(self.body.func).get_locals_reader().map_err(malformed)? {
            let (count, ty) = group.map_err(malformed)?;
            locals.resize(locals.len() + count as usize, self.module.val_type(ty));
        }
        Ok(locals)
    }

    /// Makes variables of parameters and locals.
    pub(super) fn declare_locals(&mut self) -> Result {
        let declared = self.declared_locals()?;
        for ty in self.body.ty.params.iter().copied().chain(declared) {
            let var = self.b.declare_var(clif_type(ty));
            if ty.is_traced() {
                self.b.declare_var_needs_stack_map(var);
                self.traced_locals += 1;
            }
            self.body.locals.push(Local { var, ty });
        }
        Ok(())
    }

    /// The parameters, from registers `given` and the spill area.
    fn take_params(&mut self, given: &[Value]) -> Vec<Value> {
        let mut given = given.iter();
        let places: Vec<_> = params(self.body.ty).collect();
        let place = |(ty, passed)| match passed {
            Passed::Spilled(at) => self.load_spilled(clif_type(ty), at),
            _ => *given.next().expect("the signature has it"),
        };
        places.into_iter().map(place).collect()
    }

    /// Gives locals their first values: `values`, and zero for all others.
    pub(super) fn init_locals(&mut self, values: &[Value]) {
        for at in 0..self.body.locals.len() {
            let local = self.body.locals[at];
            let value = match values.get(at) {
                Some(value) => *value,
                None => self.zero(clif_type(local.ty)),
            };
            self.b.def_var(local.var, value);
        }
    }

    /// Zero of a type.
    pub(super) fn zero(&mut self, ty: Type) -> Value {
        match ty {
            types::F32 => self.b.ins().f32const(0.0),
            types::F64 => self.b.ins().f64const(0.0),
            ty if ty.is_vector() => {
                let zero = self.b.func.dfg.constants.insert(vec![0; 16].into());
                self.b.ins().vconst(ty, zero)
            }
            ty => self.b.ins().iconst(ty, 0),
        }
    }

    /// Declared locals in slots, of which a function pays for zeroing.
    pub(super) fn local_slots(&self) -> u32 {
        let declared = &self.body.locals[self.body.ty.params.len()..];
        declared.iter().map(|local| local.ty.slots()).sum()
    }

    pub(super) fn load_spilled(&mut self, ty: Type, at: u32) -> Value {
        let rt = self.rt();
        let area = self.load_constant(types::I64, rt, rt::SPILL);
        self.load_field(ty, Region::Spill, area, at as i32)
    }

    pub(super) fn store_spilled(&mut self, value: Value, at: u32) {
        let rt = self.rt();
        let area = self.load_constant(types::I64, rt, rt::SPILL);
        self.store_field(Region::Spill, value, area, at as i32);
    }

    /// Returns the top operands from the function, without changing the stack.
    pub(super) fn return_top(&mut self) {
        let values = self.top(self.body.ty.results.len());
        if let Some(fp) = self.body.frame_base.filter(|_| self.entry != Entry::Function) {
            let mut at = 0;
            for value in values {
                let value = self.slot_form(value);
                self.store_field(Region::Frame, value, fp, (8 * at) as i32);
                at += slots(self.type_of(value));
            }
            self.b.ins().return_(&[]);
            return;
        }
        let places: Vec<_> = results(self.body.ty).collect();
        let mut registers = Vec::new();
        for (value, (_, passed)) in values.into_iter().zip(places) {
            match passed {
                Passed::Spilled(at) => self.store_spilled(value, at),
                _ => registers.push(value),
            }
        }
        self.b.ins().return_(&registers);
    }

    /// The signature of functions of module type `index`.
    pub(super) fn signature(&mut self, index: u32) -> SigRef {
        if let Some(known) = self.signatures.get(&index) {
            return *known;
        }
        let signature = self.b.import_signature(signature(self.module.type_func(index)));
        self.signatures.insert(index, signature);
        signature
    }
}
