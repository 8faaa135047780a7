//! Tables that hold the same functions for ever, which compilers of C and the like make.
//!
//! Such a table is the module's own and not exported, no instruction of the module writes to it, and the
//! segments that fill it cannot fail. So what a call through it finds at an index is known before
//! there is an instance.

use crate::op::Operator;
use crate::{ConstExpr, DefinedFuncIndex, ElemItems, ElemMode, ExternIndex, FuncIndex, Module};

/// More bytes of code than this are not read to find out which tables they write to.
const CODE_BYTES_MAX: usize = 4 << 20;
/// Elements of a table whose contents are kept.
const ELEMENTS_MAX: u64 = 1 << 16;

/// The functions in a table, by element; `None` for null.
pub type FixedTable = Box<[Option<FuncIndex>]>;

impl Module {
    /// What the table holds whenever code of an instance runs; `None` if that is not known. The first
    /// time, this reads all code of the module.
    pub fn fixed_table(&self, table: u32) -> Option<&[Option<FuncIndex>]> {
        let all = self.fixed_tables.get_or_init(|| fixed_tables(self).unwrap_or_default());
        all.get(table as usize)?.as_deref()
    }
}

/// By table index; `None` if nothing is known of any.
fn fixed_tables(module: &Module) -> Option<Box<[Option<FixedTable>]>> {
    let code_bytes: usize = module.bodies.iter().map(|body| body.len()).sum();
    if code_bytes > CODE_BYTES_MAX {
        return None;
    }
    let mut tables: Vec<Option<FixedTable>> = Vec::with_capacity(module.tables.len());
    for (at, ty) in module.tables.iter().enumerate() {
        let defined = at.checked_sub(module.imported.tables as usize);
        let init = defined.and_then(|defined| module.table_inits.get(defined));
        let fits = ty.min <= ELEMENTS_MAX && !ty.shared;
        tables.push(match init {
            Some(None) if fits => Some(vec![None; ty.min as usize].into()),
            _ => None,
        });
    }
    for export in &module.exports {
        if let ExternIndex::Table(table) = export.item {
            tables[table.index()] = None;
        }
    }
    if tables.iter().all(Option::is_none) {
        return None;
    }
    fill(module, &mut tables)?;
    forget_changed(module, &mut tables)?;
    Some(tables.into())
}

/// Writes what segments write. `None` if one may fail: then code of an instance may run, through
/// references that a segment before it put elsewhere, with what comes after it missing.
fn fill(module: &Module, tables: &mut [Option<FixedTable>]) -> Option<()> {
    for segment in &module.elems {
        let ElemMode::Active { table, offset } = &segment.mode else { continue };
        let begin = match *offset {
            ConstExpr::I32(offset) => u64::from(offset as u32),
            ConstExpr::I64(offset) => offset as u64,
            _ => return None,
        };
        let end = begin.checked_add(segment.items.len() as u64)?;
        if end > module.tables.get(table.index())?.min {
            return None;
        }
        let Some(elements) = &mut tables[table.index()] else { continue };
        let elements = elements.get_mut(begin as usize..end as usize)?;
        let known = match &segment.items {
            ElemItems::Funcs(funcs) => {
                for (element, func) in elements.iter_mut().zip(funcs) {
                    *element = Some(*func);
                }
                true
            }
            ElemItems::Exprs(exprs) => elements.iter_mut().zip(exprs).all(|(element, expr)| {
                *element = match expr {
                    ConstExpr::RefFunc(func) => Some(*func),
                    ConstExpr::RefNull(_) => None,
                    _ => return false,
                };
                true
            }),
        };
        if !known {
            tables[table.index()] = None;
        }
    }
    Some(())
}

/// Forgets tables that an instruction writes to.
fn forget_changed(module: &Module, tables: &mut [Option<FixedTable>]) -> Option<()> {
    for at in 0..module.bodies.len() {
        let body = module.body(DefinedFuncIndex(at as u32));
        let mut reader = body.get_operators_reader().ok()?;
        while !reader.eof() {
            let changed = match reader.read().ok()? {
                Operator::TableSet { table }
                | Operator::TableGrow { table }
                | Operator::TableFill { table }
                | Operator::TableInit { table, .. }
                | Operator::TableCopy { dst_table: table, .. } => table,
                _ => continue,
            };
            *tables.get_mut(changed as usize)? = None;
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use crate::{Features, Module, TypeRegistry};

    /// What is known of table 0 of a module with two functions, `$a` and `$b`, and these fields.
    fn known(fields: &str) -> Option<Vec<Option<u32>>> {
        let text = format!(
            r#"(module (import "" "t" (table $imported 1 10 funcref)) (table $t 4 funcref)
                (func $a) (func $b) (global $g i32 (i32.const 1)) {fields})"#
        );
        let text = wast::parser::ParseBuffer::new(&text).expect("the text is right");
        let mut parsed = wast::parser::parse::<wast::Wat<'_>>(&text).expect("the text is right");
        let wasm = parsed.encode().expect("the text is right");
        let module = Module::decode(wasm, &Features::all(), &TypeRegistry::new());
        let module = module.expect("the module is valid");
        let table = module.fixed_table(1)?;
        Some(table.iter().map(|func| func.map(|func| func.0)).collect())
    }

    #[test]
    fn contents_are_those_of_segments_in_order() {
        assert_eq!(known(""), Some(vec![None; 4]));
        let twice =
            "(elem (table $t) (i32.const 1) func $a $b $a) (elem (table $t) (i32.const 2) funcref
            (item ref.func $a) (item ref.null func))";
        assert_eq!(known(twice), Some(vec![None, Some(0), Some(0), None]));
        let read = "(func (drop (table.get $t (i32.const 0))) (drop (table.size $t))
            (table.copy $imported $t (i32.const 0) (i32.const 0) (i32.const 1)))";
        assert_eq!(known(read), Some(vec![None; 4]));
    }

    #[test]
    fn what_may_change_is_not_known() {
        for fields in [
            r#"(export "t" (table $t))"#,
            "(elem (table $t) (global.get $g) func $a)",
            "(elem (table $t) (i32.const 4) func $a)",
            "(elem (table $imported) (i32.const 1) func $a)",
            "(elem (table $t) (i32.const 0) funcref (item global.get $r))
             (global $r funcref (ref.func $a))",
            "(func (table.set $t (i32.const 0) (ref.null func)))",
            "(func (drop (table.grow $t (ref.null func) (i32.const 1))))",
            "(func (table.fill $t (i32.const 0) (ref.null func) (i32.const 1)))",
            "(elem $e func $a) (func (table.init $t $e (i32.const 0) (i32.const 0) (i32.const 1)))",
            "(func (table.copy $t $imported (i32.const 0) (i32.const 0) (i32.const 1)))",
        ] {
            assert_eq!(known(fields), None, "{fields}");
        }
    }
}
