//! Sections other than types and code, once the validator has accepted them.

use wasmparser::{
    ExternalKind, FromReader, ImportSectionReader, Payload, SectionLimited, TableInit, TypeRef,
};

use super::{Decoder, narrow};
use crate::body;
use crate::error::{Error, ErrorKind};
use crate::features::Features;
use crate::index::{FuncIndex, GlobalIndex, MemoryIndex, TableIndex, TagIndex};
use crate::module::{CustomSection, Export, ExternIndex, ExternType, Import};
use crate::types::{GlobalType, MemoryType, TableType, TagType};

/// Every entry takes a byte at least: a larger count is refused before anything is reserved for it.
pub(crate) fn check_count(payload: &Payload<'_>) -> Result<(), Error> {
    let (count, left, at) = match payload {
        Payload::TypeSection(s) => counts(s),
        Payload::ImportSection(s) => counts(s),
        Payload::FunctionSection(s) => counts(s),
        Payload::TableSection(s) => counts(s),
        Payload::MemorySection(s) => counts(s),
        Payload::TagSection(s) => counts(s),
        Payload::GlobalSection(s) => counts(s),
        Payload::ExportSection(s) => counts(s),
        Payload::ElementSection(s) => counts(s),
        Payload::DataSection(s) => counts(s),
        Payload::InstanceSection(s) => counts(s),
        Payload::CoreTypeSection(s) => counts(s),
        Payload::ComponentInstanceSection(s) => counts(s),
        Payload::ComponentAliasSection(s) => counts(s),
        Payload::ComponentTypeSection(s) => counts(s),
        Payload::ComponentCanonicalSection(s) => counts(s),
        Payload::ComponentImportSection(s) => counts(s),
        Payload::ComponentExportSection(s) => counts(s),
        _ => return Ok(()),
    };
    if u64::from(count) <= left {
        return Ok(());
    }
    let message = format!(
        "unexpected end-of-file: section declares {count} entries, but has {left} bytes left for them"
    );
    Err(Error::new(ErrorKind::Malformed, message, Some(at)))
}

fn counts<'a, T: FromReader<'a>>(section: &SectionLimited<'a, T>) -> (u32, u64, u64) {
    let at = section.original_position();
    (section.count(), section.range().end - at, section.range().start)
}

/// What the validator found wrong in a section; malformed if reading it alone fails the same way.
pub(crate) fn error(
    payload: &Payload<'_>,
    error: &wasmparser::Error,
    features: &Features,
) -> Error {
    let read = match payload {
        Payload::TypeSection(s) => read_error(s),
        Payload::ImportSection(s) => read_error(s),
        Payload::FunctionSection(s) => read_error(s),
        Payload::TableSection(s) => read_error(s),
        Payload::MemorySection(s) => read_error(s),
        Payload::TagSection(s) => read_error(s),
        Payload::GlobalSection(s) => read_error(s),
        Payload::ExportSection(s) => read_error(s),
        Payload::ElementSection(s) => read_error(s),
        Payload::DataSection(s) => read_error(s),
        Payload::InstanceSection(s) => read_error(s),
        Payload::CoreTypeSection(s) => read_error(s),
        Payload::ComponentInstanceSection(s) => read_error(s),
        Payload::ComponentAliasSection(s) => read_error(s),
        Payload::ComponentTypeSection(s) => read_error(s),
        Payload::ComponentCanonicalSection(s) => read_error(s),
        Payload::ComponentImportSection(s) => read_error(s),
        Payload::ComponentExportSection(s) => read_error(s),
        Payload::Version { .. } | Payload::UnknownSection { .. } => Some(error.offset()),
        _ => None,
    };
    Error::from_parser(error, read == Some(error.offset()), features)
}

fn read_error<'a, T: FromReader<'a>>(section: &SectionLimited<'a, T>) -> Option<u64> {
    section.clone().into_iter().find_map(|item| item.err()).map(|error| error.offset())
}

impl Decoder<'_> {
    /// Reads a section that the validator has accepted.
    pub(super) fn section(&mut self, payload: &Payload<'_>) -> Result<(), wasmparser::Error> {
        match payload {
            Payload::ImportSection(section) => self.import_section(section)?,
            Payload::FunctionSection(section) => {
                self.funcs.reserve(section.count() as usize);
                for ty in section.clone() {
                    self.funcs.push(ty?);
                }
            }
            Payload::TableSection(section) => {
                for table in section.clone() {
                    let table = table?;
                    let init = match &table.init {
                        TableInit::RefNull => None,
                        TableInit::Expr(expr) => Some(self.const_expr(expr)?),
                    };
                    self.tables.push(self.table_type(table.ty));
                    self.table_inits.push(init);
                }
            }
            Payload::MemorySection(section) => {
                for ty in section.clone() {
                    self.memories.push(memory_type(ty?));
                }
            }
            Payload::TagSection(section) => {
                for ty in section.clone() {
                    self.tag(ty?);
                }
            }
            Payload::GlobalSection(section) => {
                self.globals.reserve(section.count() as usize);
                self.global_inits.reserve(section.count() as usize);
                for global in section.clone() {
                    let global = global?;
                    self.globals.push(self.global_type(global.ty));
                    let init = self.const_expr(&global.init_expr)?;
                    self.global_inits.push(init);
                }
            }
            Payload::ExportSection(section) => {
                self.exports.reserve(section.count() as usize);
                for export in section.clone() {
                    self.export(export?);
                }
            }
            Payload::StartSection { func, .. } => self.start = Some(FuncIndex(*func)),
            Payload::ElementSection(section) => self.element_section(section)?,
            Payload::DataSection(section) => self.data_section(section)?,
            Payload::CodeSectionStart { count, .. } => self.bodies.reserve(*count as usize),
            Payload::CustomSection(section) => self.customs.push(CustomSection {
                name: section.name().into(),
                range: narrow(section.data_range()),
            }),
            _ => {}
        }
        Ok(())
    }

    fn import_section(
        &mut self,
        section: &ImportSectionReader<'_>,
    ) -> Result<(), wasmparser::Error> {
        self.imports.reserve(section.count() as usize);
        for import in section.clone().into_imports() {
            let import = import?;
            let ty = match import.ty {
                TypeRef::Func(at) | TypeRef::FuncExact(at) => {
                    self.funcs.push(at);
                    self.imported.funcs += 1;
                    self.func_extern(at)
                }
                TypeRef::Table(ty) => {
                    let ty = self.table_type(ty);
                    self.tables.push(ty);
                    self.imported.tables += 1;
                    Some(ExternType::Table(ty))
                }
                TypeRef::Memory(ty) => {
                    let ty = memory_type(ty);
                    self.memories.push(ty);
                    self.imported.memories += 1;
                    Some(ExternType::Memory(ty))
                }
                TypeRef::Global(ty) => {
                    let ty = self.global_type(ty);
                    self.globals.push(ty);
                    self.imported.globals += 1;
                    Some(ExternType::Global(ty))
                }
                TypeRef::Tag(ty) => {
                    self.tag(ty);
                    self.imported.tags += 1;
                    self.func_extern(ty.func_type_idx).map(|ty| match ty {
                        ExternType::Func { id, ty } => ExternType::Tag { id, ty },
                        other => other,
                    })
                }
            };
            debug_assert!(ty.is_some(), "validated: a function type");
            let (module, name) = (import.module.into(), import.name.into());
            self.imports.extend(ty.map(|ty| Import { module, name, ty }));
        }
        Ok(())
    }

    fn func_extern(&self, at: u32) -> Option<ExternType> {
        let ty = self.composite_types[at as usize].as_func()?.clone();
        Some(ExternType::Func { id: self.types[at as usize], ty })
    }

    fn export(&mut self, export: wasmparser::Export<'_>) {
        let item = match export.kind {
            ExternalKind::Func | ExternalKind::FuncExact => {
                let func = FuncIndex(export.index);
                self.escaping.push(func);
                ExternIndex::Func(func)
            }
            ExternalKind::Table => ExternIndex::Table(TableIndex(export.index)),
            ExternalKind::Memory => ExternIndex::Memory(MemoryIndex(export.index)),
            ExternalKind::Global => ExternIndex::Global(GlobalIndex(export.index)),
            ExternalKind::Tag => ExternIndex::Tag(TagIndex(export.index)),
        };
        self.exports.push(Export { name: export.name.into(), item });
    }

    fn tag(&mut self, ty: wasmparser::TagType) {
        self.tags.push(TagType { func: self.types[ty.func_type_idx as usize] });
        self.tag_types.push(ty.func_type_idx);
    }

    fn table_type(&self, ty: wasmparser::TableType) -> TableType {
        TableType {
            elem: body::ref_type(&self.types, ty.element_type),
            min: ty.initial,
            max: ty.maximum,
            index64: ty.table64,
            shared: ty.shared,
        }
    }

    fn global_type(&self, ty: wasmparser::GlobalType) -> GlobalType {
        GlobalType {
            val: body::val_type(&self.types, ty.content_type),
            mutable: ty.mutable,
            shared: ty.shared,
        }
    }
}

fn memory_type(ty: wasmparser::MemoryType) -> MemoryType {
    MemoryType {
        min: ty.initial,
        max: ty.maximum,
        index64: ty.memory64,
        shared: ty.shared,
        // Validation admits 0 and 16 only.
        page_size_log2: ty.page_size_log2.unwrap_or(16) as u8,
    }
}
