//! Tests of types: `ref.test`, `ref.cast`, and the branches on them.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{Block, InstBuilder, Value, types};
use dunlin_code::Trap;
use dunlin_code::layout::{TYPE_NUMBER_MASK, func_record, heap, shape, type_info, vmctx};
use dunlin_code::native::Builtin;
use dunlin_code::object::{HEADER_BYTES, HOST_TAG, I31_TAG, OBJECT_ALIGN};
use dunlin_module::op::{self, Operator};
use dunlin_module::{HeapType, TypeKind};

use crate::translate::access::Region;
use crate::translate::{Result, Translator};
use crate::traps;

/// What is asked of a reference that is not null.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Wanted {
    Nothing,
    Anything,
    Eq,
    I31,
    /// An object of a shape.
    Shape(u8),
    /// An object of a module type.
    Object(u32),
    /// A function of a module type.
    Func(u32),
}

/// What a cast is to, and where it leads.
#[derive(Clone, Copy)]
struct Cast {
    wanted: Wanted,
    nullable: bool,
    yes: Block,
    no: Block,
}

impl Translator<'_, '_> {
    /// Translates a test or cast.
    pub(super) fn gc_cast(&mut self, op: &Operator<'_>) -> Result<bool> {
        match *op {
            Operator::RefTestNonNull { hty } => self.ref_test(hty, false)?,
            Operator::RefTestNullable { hty } => self.ref_test(hty, true)?,
            Operator::RefCastNonNull { hty } => self.ref_cast(hty, false)?,
            Operator::RefCastNullable { hty } => self.ref_cast(hty, true)?,
            Operator::BrOnCast { relative_depth, to_ref_type, .. } => {
                self.br_on_cast(relative_depth, to_ref_type, true)?;
            }
            Operator::BrOnCastFail { relative_depth, to_ref_type, .. } => {
                self.br_on_cast(relative_depth, to_ref_type, false)?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn ref_test(&mut self, ty: op::HeapType, nullable: bool) -> Result {
        let reference = self.pop();
        let cast = self.cast(reference, ty, nullable)?;
        let done = self.inner_block(1)?;
        let result = self.b.append_block_param(done, types::I32);
        for (block, value) in [(cast.yes, 1), (cast.no, 0)] {
            self.go_on(block);
            let value = self.i32(value);
            self.b.ins().jump(done, &[value.into()]);
        }
        self.go_on(done);
        self.push(result);
        Ok(())
    }

    fn ref_cast(&mut self, ty: op::HeapType, nullable: bool) -> Result {
        // The operand stays what it is.
        let reference = self.top(1)[0];
        let cast = self.cast(reference, ty, nullable)?;
        self.b.set_cold_block(cast.no);
        self.go_on(cast.no);
        self.b.ins().trap(traps::code(Trap::CastFailure));
        self.go_on(cast.yes);
        Ok(())
    }

    /// Branches with the operand, which stays, if it is of a type or, unless `when`, if it is not.
    fn br_on_cast(&mut self, depth: u32, to: op::RefType, when: bool) -> Result {
        let reference = self.top(1)[0];
        let cast = self.cast(reference, to.heap_type(), to.is_nullable())?;
        let (taken, not) = if when { (cast.yes, cast.no) } else { (cast.no, cast.yes) };
        self.go_on(taken);
        self.branch(depth)?;
        self.go_on(not);
        Ok(())
    }

    /// Begins a cast: what follows is reached through its two blocks.
    fn cast(&mut self, reference: Value, ty: op::HeapType, nullable: bool) -> Result<Cast> {
        let (yes, no) = (self.inner_block(0)?, self.inner_block(0)?);
        let cast = Cast { wanted: self.wanted(ty), nullable, yes, no };
        if cast.wanted == Wanted::Nothing {
            self.decide_null(reference, cast, no);
            return Ok(cast);
        }
        if cast.wanted == Wanted::Anything {
            self.decide_null(reference, cast, yes);
            return Ok(cast);
        }
        let next = self.inner_block(0)?;
        self.decide_null(reference, cast, next);
        self.go_on(next);
        match cast.wanted {
            Wanted::Nothing | Wanted::Anything => {}
            Wanted::Eq => {
                let tag = self.b.ins().band_imm_u(reference, i64::from(OBJECT_ALIGN - 1));
                let host = self.compare(IntCC::Equal, tag, HOST_TAG.into());
                self.b.ins().brif(host, no, [], yes, []);
            }
            Wanted::I31 => {
                let tag = self.b.ins().band_imm_u(reference, i64::from(I31_TAG));
                self.b.ins().brif(tag, yes, [], no, []);
            }
            Wanted::Shape(shape) => self.decide_shape(reference, shape, cast)?,
            Wanted::Object(ty) => self.decide_object(reference, ty, cast)?,
            Wanted::Func(ty) => self.decide_func(reference, ty, cast)?,
        }
        Ok(cast)
    }

    /// Decides about null, and goes to `other` with everything else.
    fn decide_null(&mut self, reference: Value, cast: Cast, other: Block) {
        let null = if cast.nullable { cast.yes } else { cast.no };
        if null == other {
            self.b.ins().jump(other, []);
        } else {
            self.b.ins().brif(reference, other, [], null, []);
        }
    }

    /// How a cast to a heap type is decided.
    fn wanted(&self, ty: op::HeapType) -> Wanted {
        let index = self.module.heap_type_index(ty).unwrap_or_default();
        match self.module.heap_type(ty) {
            HeapType::Any | HeapType::Func | HeapType::Extern | HeapType::Exn | HeapType::Cont => {
                Wanted::Anything
            }
            HeapType::None
            | HeapType::NoFunc
            | HeapType::NoExtern
            | HeapType::NoExn
            | HeapType::NoCont => Wanted::Nothing,
            HeapType::Eq => Wanted::Eq,
            HeapType::I31 => Wanted::I31,
            HeapType::Struct => Wanted::Shape(shape::STRUCT),
            HeapType::Array => Wanted::Shape(shape::ARRAY),
            HeapType::Concrete(id) if id.kind() == TypeKind::Func => Wanted::Func(index),
            HeapType::Concrete(_) => Wanted::Object(index),
        }
    }

    /// The number of the type of what `reference`, not null, refers to; goes to `no` if that is no
    /// object.
    fn type_number(&mut self, reference: Value, no: Block) -> Result<Value> {
        let (object, inside) = (self.inner_block(0)?, self.inner_block(0)?);
        let tag = self.b.ins().band_imm_u(reference, i64::from(OBJECT_ALIGN - 1));
        self.b.ins().brif(tag, no, [], object, []);
        self.go_on(object);
        let end = self.b.ins().iadd_imm_u(reference, i64::from(HEADER_BYTES));
        let len = self.heap_field(heap::LEN);
        let outside = self.b.ins().icmp(IntCC::UnsignedGreaterThan, end, len);
        self.b.ins().brif(outside, no, [], inside, []);
        self.go_on(inside);
        let base = self.heap_field(heap::BASE);
        let address = self.b.ins().iadd(base, reference);
        let word = self.load_field(types::I32, Region::Headers, address, 0);
        Ok(self.b.ins().band_imm_u(word, i64::from(TYPE_NUMBER_MASK)))
    }

    /// What the heap knows of the type with a number; goes to `no` if there is none.
    fn type_of_number(&mut self, number: Value, no: Block) -> Result<Value> {
        let known = self.inner_block(0)?;
        let number = self.b.ins().uextend(types::I64, number);
        let len = self.heap_field(heap::TYPES_LEN);
        let unknown = self.b.ins().icmp(IntCC::UnsignedGreaterThanOrEqual, number, len);
        self.b.ins().brif(unknown, no, [], known, []);
        self.go_on(known);
        let table = self.heap_field(heap::TYPES);
        let distance = self.b.ins().ishl_imm_u(number, 3);
        let entry = self.b.ins().iadd(table, distance);
        // The table is that of `HeapDef`, which changes together with it.
        Ok(self.load_field(types::I64, Region::HeapDef, entry, 0))
    }

    fn decide_shape(&mut self, reference: Value, shape: u8, cast: Cast) -> Result {
        let number = self.type_number(reference, cast.no)?;
        let info = self.type_of_number(number, cast.no)?;
        let found = self.load_known(types::I8, info, type_info::SHAPE);
        let equal = self.compare(IntCC::Equal, found, shape.into());
        self.b.ins().brif(equal, cast.yes, [], cast.no, []);
        Ok(())
    }

    fn decide_object(&mut self, reference: Value, ty: u32, cast: Cast) -> Result {
        let number = self.type_number(reference, cast.no)?;
        let wanted = self.type_info(ty);
        let wanted = self.load_constant(types::I32, wanted, type_info::NUMBER);
        let equal = self.b.ins().icmp(IntCC::Equal, number, wanted);
        let (types, id) = (self.module.types_held.registry(), self.module.types[ty as usize]);
        if types.is_final(id) {
            self.b.ins().brif(equal, cast.yes, [], cast.no, []);
            return Ok(());
        }
        let depth = types.supertypes(id).map_or(0, |above| above.len());
        let (other, deep) = (self.inner_block(0)?, self.inner_block(0)?);
        self.b.ins().brif(equal, cast.yes, [], other, []);
        self.go_on(other);
        let info = self.type_of_number(number, cast.no)?;
        let found = self.load_known(types::I32, info, type_info::DEPTH);
        let deeper = self.compare(IntCC::UnsignedGreaterThan, found, depth as i64);
        self.b.ins().brif(deeper, deep, [], cast.no, []);
        self.go_on(deep);
        let display = self.load_known(types::I64, info, type_info::DISPLAY);
        let found = self.load_known(types::I32, display, 4 * depth as i32);
        let equal = self.b.ins().icmp(IntCC::Equal, found, wanted);
        self.b.ins().brif(equal, cast.yes, [], cast.no, []);
        Ok(())
    }

    fn decide_func(&mut self, reference: Value, ty: u32, cast: Cast) -> Result {
        let found = self.load_known(types::I32, reference, func_record::TYPE_ID);
        let ids = self.context_field(vmctx::TYPES);
        let wanted = self.load_constant(types::I32, ids, 4 * ty as i32);
        let equal = self.b.ins().icmp(IntCC::Equal, found, wanted);
        let id = self.module.types[ty as usize];
        if self.module.types_held.registry().is_final(id) {
            self.b.ins().brif(equal, cast.yes, [], cast.no, []);
            return Ok(());
        }
        let other = self.inner_block(0)?;
        self.b.set_cold_block(other);
        self.b.ins().brif(equal, cast.yes, [], other, []);
        self.go_on(other);
        let found = self.b.ins().uextend(types::I64, found);
        let wanted = self.b.ins().uextend(types::I64, wanted);
        let fits = self.builtin_value(Builtin::IsFuncSubtype, &[], found, wanted);
        self.b.ins().brif(fits, cast.yes, [], cast.no, []);
        Ok(())
    }
}
