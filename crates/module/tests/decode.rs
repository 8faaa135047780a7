//! What a decoded module says about itself.

mod text;

use dunlin_module::*;
use text::binary;

fn decode(text: &str) -> Module {
    Module::decode(binary(text), &Features::default(), &TypeRegistry::new()).unwrap()
}

fn linear() -> Module {
    decode(include_str!("modules/linear.wat"))
}

fn typed() -> Module {
    decode(include_str!("modules/typed.wat"))
}

#[test]
fn imports_come_first_in_every_index_space() {
    let module = linear();
    let expected = ImportCounts { funcs: 1, tables: 1, memories: 1, globals: 1, tags: 0 };
    assert_eq!(module.imported, expected);
    let names: Vec<&str> = module.imports.iter().map(|import| &*import.name).collect();
    assert_eq!(names, ["print", "base", "memory", "table"]);
    assert!(module.imports.iter().all(|import| &*import.module == "env"));
    let memory =
        MemoryType { min: 1, max: Some(2), index64: false, shared: false, page_size_log2: 16 };
    assert_eq!(module.imports[2].ty, ExternType::Memory(memory));
    assert_eq!(module.memories[0], memory);
    assert_eq!(module.memories[1].max, None);
    assert!(module.memories[2].index64);
    let print = FuncType::new([ValType::I32], []);
    assert_eq!(**module.func_type(FuncIndex(0)), print);
    assert_eq!(module.defined_func(FuncIndex(0)), None);
    assert_eq!(module.defined_func(FuncIndex(1)), Some(DefinedFuncIndex(0)));
    assert_eq!(module.func_index(DefinedFuncIndex(0)), FuncIndex(1));
    assert_eq!((module.funcs.len(), module.bodies.len()), (6, 5));
    assert_eq!(module.start, Some(FuncIndex(5)));
    assert_eq!(typed().imported.tags, 1);
}

#[test]
fn exports_are_found_by_name() {
    let module = linear();
    assert_eq!(module.export("add"), Some(ExternIndex::Func(FuncIndex(1))));
    assert_eq!(module.export("memory"), Some(ExternIndex::Memory(MemoryIndex(1))));
    assert_eq!(module.export("counter"), Some(ExternIndex::Global(GlobalIndex(1))));
    assert_eq!(module.export("coun"), None);
    let global = GlobalType { val: ValType::I64, mutable: true, shared: false };
    let counter = ExternIndex::Global(GlobalIndex(1));
    assert_eq!(module.extern_type(counter), ExternType::Global(global));
    let module = typed();
    let tag = module.export("error").map(|item| module.extern_type(item));
    let Some(ExternType::Tag { id, ty }) = tag else { panic!("{tag:?}") };
    assert_eq!(id, module.tags[1].func);
    assert_eq!(ty.params.len(), 2);
    assert_eq!(module.types_held.registry().func_type(id), Some(ty));
}

#[test]
fn initial_values() {
    let module = linear();
    assert_eq!(module.global_inits[0], ConstExpr::I64(-1));
    let product = [ConstOp::GlobalGet(GlobalIndex(0)), ConstOp::I32Const(8), ConstOp::I32Mul];
    assert_eq!(module.global_inits[1], ConstExpr::Extended(product.into()));
    assert_eq!(module.global_inits[2], ConstExpr::V128(Box::new(u128::MAX << 64)));
    assert_eq!(module.global_inits[3], ConstExpr::F64(std::f64::consts::PI.to_bits()));
    let module = typed();
    assert_eq!(module.table_inits[..], [Some(ConstExpr::RefFunc(FuncIndex(0)))]);
    let array = [ConstOp::I32Const(3), ConstOp::ArrayNewDefault(1)];
    assert_eq!(module.global_inits[0], ConstExpr::Extended(array.into()));
    let converted = [ConstOp::GlobalGet(GlobalIndex(1)), ConstOp::ExternConvertAny];
    assert_eq!(module.global_inits[2], ConstExpr::Extended(converted.into()));
}

#[test]
fn segments() {
    let module = linear();
    let [active, passive, declared] = &module.elems[..] else { panic!("{:?}", module.elems) };
    let mode = ElemMode::Active { table: TableIndex(0), offset: ConstExpr::I32(1) };
    assert_eq!(active.mode, mode);
    assert_eq!(active.items, ElemItems::Funcs([FuncIndex(1), FuncIndex(5)].into()));
    assert_eq!(passive.mode, ElemMode::Passive);
    assert_eq!(passive.ty, RefType::FUNC);
    let items = [ConstExpr::RefFunc(FuncIndex(4)), ConstExpr::RefNull(HeapType::Func)];
    assert_eq!(passive.items, ElemItems::Exprs(items.into()));
    assert_eq!(declared.mode, ElemMode::Declared);
    assert_eq!((active.items.len(), declared.items.is_empty()), (2, false));
    let mode = DataMode::Active { memory: MemoryIndex(1), offset: ConstExpr::I32(16) };
    assert_eq!(module.data[0].mode, mode);
    assert_eq!(module.data_bytes(DataIndex(0)), b"hello, \0 world");
    assert_eq!(module.data[1].mode, DataMode::Passive);
    assert_eq!(module.data_bytes(DataIndex(1)), b"passive");
    let escaping = [1, 3, 4, 5].map(FuncIndex);
    assert_eq!(module.escaping_funcs[..], escaping);
}

#[test]
fn bodies_are_read_in_canonical_types() {
    let module = linear();
    let body = module.body(DefinedFuncIndex(1));
    let locals: Vec<_> =
        body.get_locals_reader().unwrap().into_iter().map(Result::unwrap).collect();
    let locals: Vec<_> = locals.iter().map(|(n, ty)| (*n, module.val_type(*ty))).collect();
    assert_eq!(locals, [(1, ValType::I64), (1, ValType::V128)]);
    let mut operators = body.get_operators_reader().unwrap();
    let op::Operator::Block { blockty } = operators.read().unwrap() else { panic!() };
    let ty = module.block_type(blockty);
    assert_eq!((ty.params(), ty.results()), (&[][..], &[ValType::F64, ValType::I32][..]));
    assert_eq!(module.block_type(op::BlockType::Empty).results(), []);
    let single = module.block_type(op::BlockType::Type(op::ValType::I64));
    assert_eq!((single.params(), single.results()), (&[][..], &[ValType::I64][..]));

    let module = typed();
    let body = module.body(DefinedFuncIndex(6));
    let local = body.get_locals_reader().unwrap().read().unwrap();
    let node = RefType { nullable: false, heap: HeapType::Concrete(module.types[0]) };
    assert_eq!((local.0, module.val_type(local.1)), (1, ValType::Ref(node)));
    let registry = module.types_held.registry();
    let wide = HeapType::Concrete(module.types[2]);
    assert!(registry.ref_subtype(RefType { heap: wide, ..node }, node));
    assert_eq!(module.features(), Features::default());
}

#[test]
fn sections_and_custom_sections() {
    let module = linear();
    let ids: Vec<u8> =
        module.sections.iter().map(|section| section.id).filter(|id| *id != 0).collect();
    assert_eq!(ids, [1, 2, 3, 5, 6, 7, 8, 9, 12, 10, 11]);
    for pair in module.sections.windows(2) {
        assert!(pair[0].range.end < pair[1].range.start);
    }
    assert_eq!(module.sections.last().unwrap().range.end as usize, module.bytes.len());
    assert_eq!(module.custom_sections("extra").collect::<Vec<_>>(), [[1, 2, 3]]);
    assert_eq!(module.custom_sections("missing").count(), 0);
    let producers: Vec<String> = module
        .producers()
        .iter()
        .map(|p| format!("{}: {} {}", p.field, p.name, p.version))
        .collect();
    assert_eq!(
        producers,
        ["language: Text 1.0", "processed-by: a tool 2", "processed-by: another 3"]
    );
}

#[test]
fn types_print_as_text() {
    let module = typed();
    assert_eq!(module.memories[0].to_string(), "(memory 1 1 shared)");
    assert_eq!(module.memories[1].to_string(), "(memory 0 (pagesize 1))");
    assert_eq!(module.globals[1].to_string(), "(global (ref i31))");
    let tag = module.tag_type(TagIndex(0));
    assert_eq!(tag.to_string(), "(func (param i32))");
    assert_eq!(linear().memories[2].to_string(), "(memory i64 1 4096)");
    assert_eq!(linear().tables[0].to_string(), "(table 4 funcref)");
}

#[test]
fn a_module_may_be_empty() {
    let module = decode("(module)");
    assert!(module.funcs.is_empty() && module.sections.is_empty());
    assert_eq!(module.export(""), None);
    assert_eq!(module.func_name(FuncIndex(0)), None);
}
