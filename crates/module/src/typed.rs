//! The operand types that validation knows, instruction by instruction: what other crates work out
//! for themselves is checked against them in tests.

use wasmparser::{FuncValidatorAllocations, Parser, ValidPayload, Validator, WasmModuleResources};

use crate::body::abstract_heap_type;
use crate::error::Error;
use crate::index::DefinedFuncIndex;
use crate::module::Module;
use crate::op;
use crate::types::{HeapType, RefType, ValType};

/// What validation knows before an instruction.
#[derive(Debug)]
pub struct Typed<'a> {
    /// The offset of the instruction in the module.
    pub offset: u64,
    /// The instruction.
    pub op: op::Operator<'a>,
    /// How many operands it takes and leaves, if that is known.
    pub arity: Option<(usize, usize)>,
    /// Whether it can be reached, as far as validation looks.
    pub reachable: bool,
    /// Types of all operands, the lowest first; `None` for one of unreachable code that may be of any
    /// type. Of a reference only the hierarchy is told, by its top type.
    pub operands: Vec<Option<ValType>>,
}

impl Module {
    /// Validates every body again and calls `visit` before each instruction.
    ///
    /// # Errors
    ///
    /// None for a module that was decoded with the features it has.
    pub fn walk_typed(
        &self,
        mut visit: impl FnMut(DefinedFuncIndex, Typed<'_>),
    ) -> Result<(), Error> {
        let failed = |error| Error::from_parser(&error, false, &self.features);
        let mut parser = Parser::new(0);
        parser.set_features(self.flags);
        let mut validator = Validator::new_with_features(self.flags);
        let mut allocations = FuncValidatorAllocations::default();
        let mut bodies = (0..).map(DefinedFuncIndex);
        for payload in parser.parse_all(&self.bytes) {
            let payload = payload.map_err(failed)?;
            let ValidPayload::Func(func, body) = validator.payload(&payload).map_err(failed)?
            else {
                continue;
            };
            let Some(index) = bodies.next() else { break };
            let mut validator = func.into_validator(allocations);
            walk(&mut validator, &body, |typed| visit(index, typed)).map_err(failed)?;
            allocations = validator.into_allocations();
        }
        Ok(())
    }
}

fn walk<R: WasmModuleResources>(
    validator: &mut wasmparser::FuncValidator<R>,
    body: &op::FunctionBody<'_>,
    mut visit: impl FnMut(Typed<'_>),
) -> Result<(), wasmparser::Error> {
    let mut reader = body.get_binary_reader();
    validator.read_locals(&mut reader)?;
    let mut reader = op::OperatorsReader::new(reader);
    while !reader.eof() {
        let offset = reader.original_position();
        let op = reader.read()?;
        let height = validator.operand_stack_height() as usize;
        let operand = |depth| validator.get_operand_type(depth).flatten();
        let operands = (0..height).rev().map(operand);
        let operands = operands.map(|ty| ty.map(|ty| top(validator.resources(), ty))).collect();
        let frame = validator.get_control_frame(0);
        let reachable = frame.is_some_and(|frame| !frame.unreachable);
        let arity = op.operator_arity(&*validator);
        let arity = arity.map(|(takes, leaves)| (takes as usize, leaves as usize));
        validator.op(offset, &op)?;
        visit(Typed { offset, op, arity, reachable, operands });
    }
    Ok(())
}

fn top(resources: &impl WasmModuleResources, ty: op::ValType) -> ValType {
    let op::ValType::Ref(ty) = ty else { return crate::body::val_type(&[], ty) };
    let heap = match resources.top_type(&ty.heap_type()) {
        op::HeapType::Abstract { ty, .. } => abstract_heap_type(ty),
        // A top type is no defined type.
        op::HeapType::Concrete(_) | op::HeapType::Exact(_) => HeapType::Any,
    };
    ValType::Ref(RefType { nullable: ty.is_nullable(), heap })
}
