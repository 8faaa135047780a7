//! The memories that a sweep accesses.

use std::fmt;

/// One kind of memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) index64: bool,
    page_bytes: u64,
    pages: u64,
    max: Option<u64>,
    shared: bool,
    place: Place,
}

/// Where a module has its memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    /// Its memory 0.
    First,
    /// Behind another.
    Second,
    /// Imported, as its memory 0.
    Imported,
}

/// All kinds, the most usual first.
pub(super) fn all() -> Vec<Shape> {
    const FIRST: Place = Place::First;
    let shape = |index64, page_bytes, pages, max, shared, place| Shape {
        index64,
        page_bytes,
        pages,
        max,
        shared,
        place,
    };
    vec![
        shape(false, 1 << 16, 1, None, false, FIRST),
        shape(true, 1 << 16, 1, None, false, FIRST),
        shape(false, 1 << 16, 1, Some(4), true, FIRST),
        shape(false, 1, 40, Some(50), false, FIRST),
        shape(false, 1 << 16, 1, Some(2), false, Place::Imported),
        shape(true, 1 << 16, 2, Some(3), true, Place::Second),
        shape(false, 1 << 16, 1, Some(3), false, Place::Second),
        shape(false, 1 << 16, 0, None, false, FIRST),
        shape(false, 1 << 16, (1 << 15) - 1, None, false, FIRST),
        shape(false, 1 << 16, (1 << 16) - 2, None, false, FIRST),
        shape(true, 1 << 16, (1 << 16) - 1, Some(1 << 17), false, FIRST),
        shape(true, 1, 33, None, false, Place::Imported),
        shape(false, 1, 0, None, true, FIRST).bounded(100),
    ]
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "(memory {}) {:?}", self.limits(), self.place)
    }
}

impl Shape {
    fn bounded(mut self, max: u64) -> Shape {
        self.max = Some(max);
        self
    }

    fn limits(&self) -> String {
        let mut text = String::new();
        if self.index64 {
            text += "i64 ";
        }
        text += &self.pages.to_string();
        if let Some(max) = self.max {
            text += &format!(" {max}");
        }
        if self.shared {
            text += " shared";
        }
        if self.page_bytes == 1 {
            text += " (pagesize 1)";
        }
        text
    }

    /// The type of indices.
    pub(super) fn index(&self) -> &'static str {
        if self.index64 { "i64" } else { "i32" }
    }

    /// The largest index.
    pub(super) fn index_max(&self) -> u64 {
        if self.index64 { u64::MAX } else { u32::MAX.into() }
    }

    /// The sizes, in bytes, that the memory is accessed with: at first, and after it grew.
    pub(super) fn sizes(&self) -> Vec<u64> {
        let grown = [self.pages + 1, self.pages + 2];
        let max = self.max.unwrap_or(if self.page_bytes == 1 { 1 << 20 } else { 1 << 16 });
        let mut sizes = vec![self.pages];
        sizes.extend(grown.into_iter().filter(|pages| *pages <= max));
        sizes.into_iter().map(|pages| pages * self.page_bytes).collect()
    }

    /// A module that exports the memory if it is to be imported, and one with the functions, as text.
    pub(super) fn modules(&self, functions: &str) -> [String; 2] {
        let export = format!("(memory (export \"memory\") {})", self.limits());
        let (exporter, memory) = match self.place {
            Place::First => (String::new(), format!("(memory $m {}) (memory 1)", self.limits())),
            Place::Second => (String::new(), format!("(memory 1) (memory $m {})", self.limits())),
            Place::Imported => {
                (export, format!("(import \"\" \"\" (memory $m {})) (memory 1)", self.limits()))
            }
        };
        let (delta, grown) = match self.index64 {
            true => ("(local.get 0)", "(memory.grow $m {})"),
            false => ("(i32.wrap_i64 (local.get 0))", "(i64.extend_i32_s (memory.grow $m {}))"),
        };
        let shift = self.page_bytes.trailing_zeros();
        let delta = match self.index64 {
            true => format!("(i64.shr_u {delta} (i64.const {shift}))"),
            false => format!("(i32.shr_u {delta} (i32.const {shift}))"),
        };
        let index = self.index();
        let module = format!(
            "(module {memory} (export \"memory\" (memory $m))
             (global $zero (mut {index}) ({index}.const 0))
             (global $dirty (mut i64) (i64.const 0xdeadbeef00000000))
             (func (export \"grow\") (param i64) (result i64) {})\n{functions})",
            grown.replace("{}", &delta)
        );
        [format!("(module {exporter})"), module]
    }
}
