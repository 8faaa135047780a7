//! Calls and tail calls, direct, through tables and through references (core spec §4.4.8).

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{
    BlockArg, BlockCall, ExceptionTableData, ExtFuncData, ExternalName, FuncRef, InstBuilder,
    MemFlagsData, SigRef, UserExternalName, Value, types,
};
use dunlin_code::Trap;
use dunlin_code::layout::{func_record, vmctx};
use dunlin_code::native::{Builtin, CompileError, Passed, params, results};
use dunlin_module::op::Operator;
use dunlin_module::{DefinedFuncIndex, FuncIndex, FuncType};

use super::access::Region;
use super::stack::clif_type;
use super::{Result, Translator};
use crate::traps;

/// What is called.
#[derive(Clone, Copy, Debug)]
pub(super) enum Callee {
    /// A function of the module.
    Func(FuncRef),
    /// Code at an address.
    Address(Value),
}

/// What is known of the record of a callee.
#[derive(Clone, Copy, Debug)]
enum Record {
    /// An import: most likely a function of the host or of another instance.
    Import,
    /// Any function.
    Any,
    /// Any function, or null, which is this trap.
    Nullable(Trap),
    /// A function of this instance, or null, which is this trap.
    Own(Trap),
}

/// What is known of all functions in a table.
#[derive(Clone, Copy, Default, Debug)]
struct Contents {
    /// The module defines them, so that they are of this instance.
    own: bool,
    /// They are of the type that is called.
    of_type: bool,
}

impl Translator<'_, '_> {
    /// Translates a call; false if `op` is none.
    pub(super) fn call(&mut self, op: &Operator<'_>) -> Result<bool> {
        match *op {
            Operator::Call { function_index } => {
                if let Some(func) = self.inlined_callee(function_index) {
                    self.begin_inlined(func)?;
                    return Ok(true);
                }
                let (callee, context) = self.direct(function_index);
                self.call_with(callee, context, self.module.funcs[function_index as usize])?;
            }
            Operator::CallIndirect { type_index, table_index } => {
                if self.dispatch(table_index, type_index)? {
                    return Ok(true);
                }
                let (callee, context) = self.indirect(table_index, type_index);
                self.call_with(callee, context, type_index)?;
            }
            Operator::CallRef { type_index } => {
                let record = self.pop();
                let (callee, context) =
                    self.enter_record(record, Record::Nullable(Trap::NullFunction));
                self.call_with(callee, context, type_index)?;
            }
            Operator::ReturnCall { function_index } => {
                self.tail_calls_allowed(self.module.defined_func(FuncIndex(function_index)))?;
                let (callee, context) = self.direct(function_index);
                self.tail_call_with(callee, context, self.module.funcs[function_index as usize]);
            }
            Operator::ReturnCallIndirect { type_index, table_index } => {
                self.tail_calls_allowed(None)?;
                let (callee, context) = self.indirect(table_index, type_index);
                self.tail_call_with(callee, context, type_index);
            }
            Operator::ReturnCallRef { type_index } => {
                self.tail_calls_allowed(None)?;
                let record = self.pop();
                let (callee, context) =
                    self.enter_record(record, Record::Nullable(Trap::NullFunction));
                self.tail_call_with(callee, context, type_index);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The interpreter calls functions of the host with the caller's frame still there, so that the
    /// depth of the stack in calls back depends on who is called.
    fn tail_calls_allowed(&self, callee: Option<DefinedFuncIndex>) -> Result {
        if self.settings.deterministic && callee.is_none() {
            let what = "tail call of what may be a host function, where depth is exact";
            return Err(CompileError::Unsupported(what.to_owned()));
        }
        Ok(())
    }

    /// The code and the context of function `index`.
    fn direct(&mut self, index: u32) -> (Callee, Value) {
        match self.module.defined_func(FuncIndex(index)) {
            Some(defined) => (Callee::Func(self.function(defined)), self.vmctx),
            None => {
                let record = self.context_entry(self.layout.imported_funcs, index);
                self.enter_record(record, Record::Import)
            }
        }
    }

    /// A defined function, to be called.
    pub(super) fn function(&mut self, defined: DefinedFuncIndex) -> FuncRef {
        if let Some(known) = self.functions.get(&defined) {
            return *known;
        }
        let index = self.module.func_index(defined);
        let signature = self.signature(self.module.funcs[index.index()]);
        let name = UserExternalName::new(0, defined.0);
        let name = self.b.func.declare_imported_user_function(name);
        let function = self.b.import_function(ExtFuncData {
            name: ExternalName::User(name),
            signature,
            colocated: true,
            patchable: false,
        });
        self.functions.insert(defined, function);
        function
    }

    /// The function at the index on the stack, checked to be of a type.
    pub(super) fn indirect(&mut self, table: u32, type_index: u32) -> (Callee, Value) {
        let index = self.pop();
        let (address, flags) = self.element(table, index, Trap::UndefinedElement);
        let record = self.b.ins().load(types::I64, flags, address, 0);
        let Contents { own, of_type } = self.contents(table, type_index);
        if !of_type {
            self.check_type(record, type_index);
        }
        match own {
            true => self.enter_record(record, Record::Own(Trap::UninitializedElement)),
            false => self.enter_record(record, Record::Any),
        }
    }

    /// What is known of the functions in a table, for a call of a type.
    fn contents(&self, table: u32, type_index: u32) -> Contents {
        let Some(elements) = self.module.fixed_table(table) else { return Contents::default() };
        let mut funcs = elements.iter().flatten();
        let own = funcs.clone().all(|func| self.module.defined_func(*func).is_some());
        // What is not of this instance is asked for its type, which is how null is found.
        let of_type = own && funcs.all(|func| self.is_of_type(*func, type_index));
        Contents { own, of_type }
    }

    /// Whether a function is exactly of this type.
    pub(super) fn is_of_type(&self, func: FuncIndex, type_index: u32) -> bool {
        let ty = self.module.funcs[func.index()];
        self.module.types[ty as usize] == self.module.types[type_index as usize]
    }

    /// Traps unless the function that `record` is the record of is of a type, or if it is null.
    fn check_type(&mut self, record: Value, type_index: u32) {
        let flags = MemFlagsData::trusted().with_readonly();
        let flags = flags.with_trap_code(Some(traps::code(Trap::UninitializedElement)));
        let found = self.b.ins().load(types::I32, flags, record, func_record::TYPE_ID);
        let canonical = self.context_field(vmctx::TYPES);
        let expected = self.load_constant(types::I32, canonical, 4 * type_index as i32);
        let differs = self.b.ins().icmp(IntCC::NotEqual, found, expected);
        let (cold, next) = self.branch_cold(differs);
        self.b.switch_to_block(cold);
        let found = self.b.ins().uextend(types::I64, found);
        let expected = self.b.ins().uextend(types::I64, expected);
        let is = self.builtin_value(Builtin::IsFuncSubtype, &[], found, expected);
        self.trap_unless(is, Trap::BadSignature);
        self.b.ins().jump(next, &[]);
        self.go_on(next);
    }

    /// The code and the context of the function that `record` is the record of, to be called next.
    fn enter_record(&mut self, record: Value, known: Record) -> (Callee, Value) {
        if let Record::Own(trap) = known {
            let flags = self.flags(Region::Records).with_trap_code(Some(traps::code(trap)));
            let code = self.b.ins().load(types::I64, flags, record, func_record::NATIVE);
            // That it may be interpreted costs a store and no branch: only the bridge reads it.
            self.store_field(Region::Runtime, record, self.vmctx, vmctx::CALLEE);
            return (Callee::Address(code), self.vmctx);
        }
        let mut flags = MemFlagsData::trusted().with_readonly();
        if let Record::Nullable(trap) = known {
            flags = flags.with_trap_code(Some(traps::code(trap)));
        }
        let context = self.b.ins().load(types::I64, flags, record, func_record::VMCTX);
        let code = self.load_field(types::I64, Region::Records, record, func_record::NATIVE);
        if let Record::Import = known {
            self.name_callee(record, context);
            return (Callee::Address(code), context);
        }
        // What is native and of this instance is called with the context that is at hand: that one was
        // not loaded, and so nothing waits for it.
        let foreign = self.b.ins().icmp(IntCC::NotEqual, context, self.vmctx);
        let bridge = self.context_field(vmctx::BRIDGE);
        let interpreted = self.b.ins().icmp(IntCC::Equal, code, bridge);
        let (other, here, next) =
            (self.b.create_block(), self.b.create_block(), self.b.create_block());
        self.b.set_cold_block(other);
        let given = self.b.append_block_param(next, types::I64);
        self.b.ins().brif(foreign, other, &[], here, &[]);
        self.go_on(here);
        self.b.ins().brif(interpreted, other, &[], next, &[self.vmctx.into()]);
        self.go_on(other);
        self.name_callee(record, context);
        self.jump(next, &[context]);
        self.go_on(next);
        (Callee::Address(code), given)
    }

    /// Tells the bridge of `context` who is called next, and by whom.
    fn name_callee(&mut self, record: Value, context: Value) {
        self.store_field(Region::Runtime, record, context, vmctx::CALLEE);
        self.store_field(Region::Runtime, self.vmctx, context, vmctx::CALLER);
    }

    /// Pops the arguments and passes them: those in registers, after the context.
    fn arguments(&mut self, ty: &FuncType, context: Value) -> Vec<Value> {
        let values = self.pop_many(ty.params.len());
        let mut registers = vec![context];
        for (value, (_, passed)) in values.into_iter().zip(params(ty)) {
            match passed {
                Passed::Spilled(at) => self.store_spilled(value, at),
                _ => registers.push(value),
            }
        }
        registers
    }

    pub(super) fn call_with(&mut self, callee: Callee, context: Value, type_index: u32) -> Result {
        let ty = self.module.type_func(type_index);
        let signature = self.signature(type_index);
        let args = self.arguments(ty, context);
        self.place_callee(Some(self.top_slot()));
        let given = self.invoke(callee, signature, &args)?;
        let mut given = given.into_iter();
        for (ty, passed) in results(ty) {
            let value = match passed {
                Passed::Spilled(at) => self.load_spilled(clif_type(ty), at),
                _ => given.next().expect("the signature has it"),
            };
            self.push_ty(value, ty);
        }
        Ok(())
    }

    fn tail_call_with(&mut self, callee: Callee, context: Value, type_index: u32) {
        let ty = self.module.type_func(type_index);
        let signature = self.signature(type_index);
        let args = self.arguments(ty, context);
        self.place_callee(None);
        match callee {
            Callee::Func(func) => self.b.ins().return_call(func, &args),
            Callee::Address(code) => self.b.ins().return_call_indirect(signature, code, &args),
        };
        self.unreachable = true;
    }

    /// Calls; exceptions go to the handlers that are in force here.
    pub(super) fn invoke(
        &mut self,
        callee: Callee,
        signature: SigRef,
        args: &[Value],
    ) -> Result<Vec<Value>> {
        self.count_live();
        let handlers = self.handlers()?;
        if handlers.is_empty() {
            let call = match callee {
                Callee::Func(func) => self.b.ins().call(func, args),
                Callee::Address(code) => self.b.ins().call_indirect(signature, code, args),
            };
            return Ok(self.b.inst_results(call).to_vec());
        }
        let next = self.b.create_block();
        let returns = self.b.func.dfg.signatures[signature].returns.clone();
        let mut results = Vec::with_capacity(returns.len());
        for result in &returns {
            results.push(self.b.append_block_param(next, result.value_type));
        }
        let given = (0..returns.len() as u32).map(BlockArg::TryCallRet);
        let normal = BlockCall::new(next, given, &mut self.b.func.dfg.value_lists);
        let table = ExceptionTableData::new(signature, normal, handlers);
        let table = self.b.func.dfg.exception_tables.push(table);
        match callee {
            Callee::Func(func) => self.b.ins().try_call(func, args, table),
            Callee::Address(code) => self.b.ins().try_call_indirect(code, args, table),
        };
        self.go_on(next);
        Ok(results)
    }
}
