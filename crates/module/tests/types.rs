//! Types: made from their parts, and printed as the text format writes them.

mod text;

use dunlin_module::{
    DefinedFuncIndex, ExternIndex, Features, GlobalIndex, GlobalType, MemoryIndex, MemoryType,
    Module, RefType, TableIndex, TableType, TagIndex, TypeRegistry, ValType,
};

#[test]
fn types_print_and_come_from_their_parts() {
    let bytes = text::binary(
        r#"(module (memory 1 2) (table 3 externref) (global (mut f64) (f64.const 0))
            (tag (param i32 i64)) (tag) (func (param i32) (result f32) unreachable))"#,
    );
    let module = Module::decode(bytes, &Features::default(), &TypeRegistry::new()).unwrap();
    assert_eq!(module.memories[0], MemoryType::new(1, Some(2)));
    assert_eq!(module.tables[0], TableType::new(RefType::EXTERN, 3, None));
    assert_eq!(module.globals[0], GlobalType::new(ValType::F64, true));
    let print = |item| module.extern_type(item).to_string();
    assert_eq!(print(ExternIndex::Memory(MemoryIndex(0))), "(memory 1 2)");
    assert_eq!(print(ExternIndex::Table(TableIndex(0))), "(table 3 externref)");
    assert_eq!(print(ExternIndex::Global(GlobalIndex(0))), "(global (mut f64))");
    assert_eq!(print(ExternIndex::Tag(TagIndex(0))), "(tag (param i32 i64))");
    assert_eq!(print(ExternIndex::Tag(TagIndex(1))), "(tag)");
    let func = module.func_index(DefinedFuncIndex(0));
    assert_eq!(print(ExternIndex::Func(func)), "(func (param i32) (result f32))");
}
