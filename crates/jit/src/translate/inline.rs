//! Translating a function in place of a call of it.
//!
//! The callee's instructions follow as if they stood in a block with its results; its locals are
//! variables of their own. It pays fuel and, in the deterministic profile, looks at the value stack as
//! if it had been called. Nothing recurses: callers wait in a list.

use cranelift_codegen::ir::{InstBuilder, Value};
use dunlin_code::native::Inlined;
use dunlin_module::op::BlockType;
use dunlin_module::{DefinedFuncIndex, FuncIndex};

use super::control::Kind;
use super::{Body, Result, Translator};
use crate::inline::At;

impl Translator<'_, '_> {
    /// Whether to inline a call of function `index`: which one.
    pub(super) fn inlined_callee(&mut self, index: u32) -> Option<DefinedFuncIndex> {
        let func = self.module.defined_func(FuncIndex(index))?;
        self.wants_inlined(func, At::Call).then_some(func)
    }

    /// Whether to inline a call of `func` here.
    pub(super) fn wants_inlined(&mut self, func: DefinedFuncIndex, at: At) -> bool {
        let callers = self.callers.iter().map(|body| body.func).chain([self.body.func]);
        self.inlining.wants(self.module, func, at, callers)
    }

    /// Goes on in the body of `func` with its arguments, the top operands.
    pub(super) fn begin_inlined(&mut self, func: DefinedFuncIndex) -> Result {
        let call = self.position();
        self.inlined.push(Inlined { func, call });
        let type_index = self.module.funcs[self.module.func_index(func).index()];
        self.open(Kind::Inlined, BlockType::FuncType(type_index))?;
        let params = self.module.type_func(type_index).params.len();
        let first = self.stack.len() - params;
        let base = self.callee_base(self.stack.get(first).map_or(self.top_slot(), |arg| arg.home));
        let args = self.pop_many(params);
        let mut body = Body::new(self.module, func)?;
        body.inlined = self.inlined.len() as u32;
        body.stack_base = self.stack.len();
        body.control_base = self.control.len() - 1;
        let caller = std::mem::replace(&mut self.body, body);
        self.callers.push(caller);
        self.lay_out_frame()?;
        self.declare_locals()?;
        if let Some(base) = base {
            self.check_value_stack(base);
        }
        self.place();
        self.init_locals(&args);
        self.begin_fuel();
        self.charge_for_locals();
        Ok(())
    }

    /// In the deterministic profile, where the interpreter's frame of the function called next would
    /// be, if its first argument has home slot `home`, counted from that of height 0.
    pub(super) fn callee_base(&mut self, home: u32) -> Option<Value> {
        let (base, frame) = (self.body.frame_base?, self.body.frame.as_ref()?);
        if !self.settings.deterministic {
            return None;
        }
        let bytes = 8 * u64::from(frame.operands + home);
        let bytes = self.i64(bytes);
        Some(self.b.ins().iadd(base, bytes))
    }

    /// Goes on in the caller.
    pub(super) fn end_inlined(&mut self) {
        self.end_fuel();
        if let Some(caller) = self.callers.pop() {
            let traced = self.body.locals.iter().filter(|local| local.ty.is_traced());
            self.traced_locals -= traced.count();
            self.body = caller;
        }
    }
}
