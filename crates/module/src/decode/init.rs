//! Constant expressions and segments.

use wasmparser::{
    BinaryReader, DataKind, DataSectionReader, ElementItems, ElementKind, ElementSectionReader,
    Operator,
};

use super::Decoder;
use crate::body;
use crate::index::{FuncIndex, GlobalIndex, MemoryIndex, TableIndex};
use crate::init::{ConstExpr, ConstOp, DataMode, DataSegment, ElemItems, ElemMode, ElemSegment};
use crate::types::RefType;

impl Decoder<'_> {
    pub(super) fn const_expr(
        &mut self,
        expr: &wasmparser::ConstExpr<'_>,
    ) -> Result<ConstExpr, wasmparser::Error> {
        if let Some(expr) = self.single_const(expr.get_binary_reader())? {
            return Ok(expr);
        }
        let mut reader = expr.get_operators_reader();
        let mut ops = Vec::new();
        loop {
            match reader.read()? {
                Operator::End => break,
                op => ops.extend(self.const_op(&op)),
            }
        }
        Ok(match &ops[..] {
            [ConstOp::V128Const(bits)] => ConstExpr::V128(Box::new(*bits)),
            _ => ConstExpr::Extended(ops.into()),
        })
    }

    /// The flat form of an expression that is one of these instructions alone: read by hand, as
    /// there may be millions.
    fn single_const(
        &mut self,
        mut reader: BinaryReader<'_>,
    ) -> Result<Option<ConstExpr>, wasmparser::Error> {
        let expr = match reader.read_u8()? {
            0x23 => ConstExpr::GlobalGet(GlobalIndex(reader.read_var_u32()?)),
            0x41 => ConstExpr::I32(reader.read_var_i32()?),
            0x42 => ConstExpr::I64(reader.read_var_i64()?),
            0x43 => ConstExpr::F32(reader.read_f32()?.bits()),
            0x44 => ConstExpr::F64(reader.read_f64()?.bits()),
            0xd0 => ConstExpr::RefNull(body::heap_type(&self.types, reader.read()?)),
            0xd2 => ConstExpr::RefFunc(FuncIndex(reader.read_var_u32()?)),
            _ => return Ok(None),
        };
        if !reader.is_end_then_eof() {
            return Ok(None);
        }
        if let ConstExpr::RefFunc(func) = expr {
            self.escaping.push(func);
        }
        Ok(Some(expr))
    }

    /// `None` for what validation lets through nowhere in a constant expression.
    fn const_op(&mut self, op: &Operator<'_>) -> Option<ConstOp> {
        Some(match *op {
            Operator::I32Const { value } => ConstOp::I32Const(value),
            Operator::I64Const { value } => ConstOp::I64Const(value),
            Operator::F32Const { value } => ConstOp::F32Const(value.bits()),
            Operator::F64Const { value } => ConstOp::F64Const(value.bits()),
            Operator::V128Const { value } => {
                ConstOp::V128Const(u128::from_le_bytes(*value.bytes()))
            }
            Operator::GlobalGet { global_index } => ConstOp::GlobalGet(GlobalIndex(global_index)),
            Operator::RefFunc { function_index } => {
                self.escaping.push(FuncIndex(function_index));
                ConstOp::RefFunc(FuncIndex(function_index))
            }
            Operator::RefNull { hty } => ConstOp::RefNull(body::heap_type(&self.types, hty)),
            Operator::I32Add => ConstOp::I32Add,
            Operator::I32Sub => ConstOp::I32Sub,
            Operator::I32Mul => ConstOp::I32Mul,
            Operator::I64Add => ConstOp::I64Add,
            Operator::I64Sub => ConstOp::I64Sub,
            Operator::I64Mul => ConstOp::I64Mul,
            Operator::StructNew { struct_type_index } => ConstOp::StructNew(struct_type_index),
            Operator::StructNewDefault { struct_type_index } => {
                ConstOp::StructNewDefault(struct_type_index)
            }
            Operator::ArrayNew { array_type_index } => ConstOp::ArrayNew(array_type_index),
            Operator::ArrayNewDefault { array_type_index } => {
                ConstOp::ArrayNewDefault(array_type_index)
            }
            Operator::ArrayNewFixed { array_type_index, array_size } => {
                ConstOp::ArrayNewFixed(array_type_index, array_size)
            }
            Operator::RefI31 => ConstOp::RefI31,
            Operator::AnyConvertExtern => ConstOp::AnyConvertExtern,
            Operator::ExternConvertAny => ConstOp::ExternConvertAny,
            _ => {
                debug_assert!(false, "validated: a constant instruction, found {op:?}");
                return None;
            }
        })
    }

    pub(super) fn element_section(
        &mut self,
        section: &ElementSectionReader<'_>,
    ) -> Result<(), wasmparser::Error> {
        self.elems.reserve(section.count() as usize);
        for segment in section.clone() {
            let segment = segment?;
            let mode = match segment.kind {
                ElementKind::Passive => ElemMode::Passive,
                ElementKind::Declared => ElemMode::Declared,
                ElementKind::Active { table_index, offset_expr } => ElemMode::Active {
                    table: TableIndex(table_index.unwrap_or(0)),
                    offset: self.const_expr(&offset_expr)?,
                },
            };
            let (ty, items) = match segment.items {
                ElementItems::Functions(funcs) => {
                    let mut items = Vec::with_capacity(funcs.count() as usize);
                    for func in funcs {
                        items.push(FuncIndex(func?));
                    }
                    self.escaping.extend_from_slice(&items);
                    (RefType { nullable: false, ..RefType::FUNC }, ElemItems::Funcs(items.into()))
                }
                ElementItems::Expressions(ty, exprs) => {
                    let mut items = Vec::with_capacity(exprs.count() as usize);
                    for expr in exprs {
                        items.push(self.const_expr(&expr?)?);
                    }
                    (body::ref_type(&self.types, ty), ElemItems::Exprs(items.into()))
                }
            };
            self.elems.push(ElemSegment { ty, mode, items });
        }
        Ok(())
    }

    pub(super) fn data_section(
        &mut self,
        section: &DataSectionReader<'_>,
    ) -> Result<(), wasmparser::Error> {
        self.data.reserve(section.count() as usize);
        for segment in section.clone() {
            let segment = segment?;
            let end = segment.range.end;
            let start = end - segment.data.len() as u64;
            let mode = match segment.kind {
                DataKind::Passive => DataMode::Passive,
                DataKind::Active { memory_index, offset_expr } => DataMode::Active {
                    memory: MemoryIndex(memory_index),
                    offset: self.const_expr(&offset_expr)?,
                },
            };
            self.data.push(DataSegment { mode, range: super::narrow(start..end) });
        }
        Ok(())
    }
}
