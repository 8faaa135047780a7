//! Exceptions at the boundary: made by the host, looked into by the host, and caught by nobody.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use dunlin_module::{
    ExternIndex, FuncType, HeapType, Hierarchy, NameSpace, RefType, TagIndex, ValType, escape,
};

use super::{Misuse, Store, StoreError, Tag};
use crate::backtrace::Backtrace;
use crate::exception;
use crate::gc::Root;

/// Values of a payload that are described; of more, the number is told.
const VALUES_MAX: usize = 8;

const EXNREF: ValType = ValType::Ref(RefType { nullable: false, heap: HeapType::Exn });

/// An exception that no guest caught, and where it was thrown.
#[derive(Debug)]
pub struct ExceptionReport {
    /// The exception.
    pub exception: Root,
    /// Where it was thrown, up to the call from the host.
    pub backtrace: Backtrace,
    /// Its tag and payload, for people to read.
    pub text: String,
}

impl fmt::Display for ExceptionReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "uncaught exception {}", self.text)
    }
}

impl std::error::Error for ExceptionReport {}

impl Store {
    /// Makes an exception with the given tag, whose payload is in `slots`.
    ///
    /// # Errors
    ///
    /// If the tag belongs to another store, the payload is not of the tag's type, or a limit is
    /// reached.
    pub fn exception_new(&mut self, tag: Tag, slots: &[u64]) -> Result<Root, StoreError> {
        let ty = self.tag_type(tag)?;
        let expected = ty.param_slots() as usize;
        if slots.len() < expected {
            return Err(Misuse::MissingSlots { expected, found: slots.len() }.into());
        }
        self.check_values(slots, &ty.params)?;
        // SAFETY: the payload was checked, and nothing is collected.
        let made = unsafe { exception::make(self, tag.index, slots.as_ptr(), false) };
        self.hold_made(made)
    }

    /// The tag of an exception.
    ///
    /// # Errors
    ///
    /// If it belongs to another store, or is none.
    pub fn exception_tag(&self, exception: &Root) -> Result<Tag, Misuse> {
        let tag = exception::tag_of(self, self.root_slot(exception)? as u32);
        Ok(Tag { store: self.id, index: tag.map_err(|_| Misuse::WrongType(EXNREF))? })
    }

    /// The payload of an exception: values of the parameter types of its tag.
    ///
    /// # Errors
    ///
    /// If it belongs to another store, or is none.
    pub fn exception_payload(&self, exception: &Root) -> Result<Vec<u64>, Misuse> {
        let mut slots = Vec::new();
        let read =
            exception::read(self, self.root_slot(exception)? as u32, |bits| slots.push(bits));
        read.map_err(|_| Misuse::WrongType(EXNREF))?;
        Ok(slots)
    }

    /// What nobody caught, thrown at the top of `backtrace`.
    pub(super) fn report_exception(
        &self,
        exception: Root,
        backtrace: Backtrace,
    ) -> ExceptionReport {
        let text = self.describe_exception(&exception).unwrap_or_default();
        ExceptionReport { exception, backtrace, text }
    }

    fn describe_exception(&self, exception: &Root) -> Result<String, Misuse> {
        let tag = self.exception_tag(exception)?;
        let ty = self.tag_type(tag)?;
        let mut text = match self.tag_title(tag) {
            Some(title) => format!("with tag {title}"),
            None => "with a tag of the host".to_owned(),
        };
        describe_values(&mut text, &ty, &self.exception_payload(exception)?);
        Ok(text)
    }

    /// What to call a tag: its name, or its index in the first module that has it.
    fn tag_title(&self, tag: Tag) -> Option<String> {
        let mut title = None;
        for instance in &self.instances {
            let module = instance.module();
            for (at, _) in instance.tags.iter().enumerate().filter(|(_, at)| **at == tag.index) {
                let item = ExternIndex::Tag(TagIndex(at as u32));
                let name = module.names().get(NameSpace::Tag, at as u32);
                let export = module.exports.iter().find(|export| export.item == item);
                if let Some(name) = name.or(export.map(|export| &*export.name)) {
                    return Some(format!("`{}`", escape(name)));
                }
                title.get_or_insert_with(|| at.to_string());
            }
        }
        title
    }
}

/// What a reference is to, in a word.
fn kind_of(heap: HeapType) -> &'static str {
    match heap.hierarchy() {
        Hierarchy::Func => "func",
        Hierarchy::Extern => "extern",
        Hierarchy::Any => "any",
        Hierarchy::Exn => "exn",
        Hierarchy::Cont => "cont",
    }
}

/// Appends a payload in the text format.
fn describe_values(text: &mut String, ty: &Arc<FuncType>, slots: &[u64]) {
    let mut slots = slots.iter();
    let mut take = || slots.next().copied().unwrap_or_default();
    for (at, ty) in ty.params.iter().take(VALUES_MAX).enumerate() {
        text.push_str(if at == 0 { ": " } else { " " });
        let bits = take();
        // Writing to a string cannot fail.
        let _ = match ty {
            ValType::I32 => write!(text, "(i32.const {})", bits as i32),
            ValType::I64 => write!(text, "(i64.const {})", bits as i64),
            ValType::F32 => write!(text, "(f32.const {:?})", f32::from_bits(bits as u32)),
            ValType::F64 => write!(text, "(f64.const {:?})", f64::from_bits(bits)),
            ValType::V128 => write!(text, "(v128.const i64x2 {:#x} {:#x})", bits, take()),
            ValType::Ref(_) if bits == 0 => write!(text, "(ref.null)"),
            ValType::Ref(ty) => write!(text, "(ref.{})", kind_of(ty.heap)),
        };
    }
    if ty.params.len() > VALUES_MAX {
        let _ = write!(text, " and {} more values", ty.params.len() - VALUES_MAX);
    }
}
