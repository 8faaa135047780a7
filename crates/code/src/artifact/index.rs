//! Where everything is in an artifact, so that single functions can be read.

use std::ops::Range;

use dunlin_module::{DefinedFuncIndex, Module};

use super::meta::{self, Bounds};
use super::read::Reader;
use super::{
    ArtifactError, FUNCTION_BYTES, Function, HEADER_BYTES, HEAT_BYTES, Head, check_code,
    check_place, malformed, place,
};
use crate::native::Entry;

/// About so much code is read at a time: what lies beside a function is often used with it.
const GROUP_BYTES: u32 = 16 << 10;

/// Where everything is in an artifact.
#[derive(Debug)]
pub struct Index {
    rows: Box<[Row]>,
    /// The first row of each group, and the number of rows.
    groups: Box<[u32]>,
    meta_at: usize,
    image_at: usize,
}

#[derive(Debug)]
struct Row {
    func: DefinedFuncIndex,
    entry: Entry,
    align: u32,
    /// Where its code begins in the image.
    offset: u32,
    code_bytes: u32,
    /// Where its metadata ends, which begins where that of the function before it does.
    meta_end: u32,
}

impl Index {
    /// How many bytes at the beginning of an artifact [`Index::read`] wants, by the first
    /// [`Index::FIRST_BYTES`] of them.
    ///
    /// # Errors
    ///
    /// If they do not begin as an artifact does.
    pub fn front_bytes(first: &[u8]) -> Result<usize, ArtifactError> {
        let mut reader = Reader::new(first);
        let (_, _, sizes) = Head::fixed(&mut reader)?;
        let rows = sizes.functions.checked_mul(FUNCTION_BYTES);
        let heats = sizes.heats.checked_mul(HEAT_BYTES);
        let parts = [rows, heats, Some(sizes.fingerprint), Some(HEADER_BYTES)];
        let front = parts.into_iter().try_fold(0usize, |sum, part| sum.checked_add(part?));
        front.ok_or_else(|| malformed("it is cut off"))
    }

    /// So many bytes say how many say where everything is.
    pub const FIRST_BYTES: usize = HEADER_BYTES;

    /// Reads and checks where everything is in an artifact of `length` bytes for `module`, which begins
    /// with `front`.
    ///
    /// # Errors
    ///
    /// As [`Artifact::parse_for`](super::Artifact::parse_for), but for what is in metadata and code.
    pub fn read(front: &[u8], length: usize, module: &Module) -> Result<Index, ArtifactError> {
        let mut reader = Reader::new(front);
        let Head { functions, heats, meta_bytes, image_bytes, .. } = Head::read(&mut reader)?;
        let mut rows = Reader::new(reader.take_rows(functions, FUNCTION_BYTES)?);
        reader.take_rows(heats, HEAT_BYTES)?;
        reader.end("more than its front")?;
        let image_at = front.len().checked_add(meta_bytes);
        let image_at = image_at.ok_or_else(|| malformed("it is cut off"))?;
        if image_at.checked_add(image_bytes) != Some(length) {
            return Err(malformed("it is shorter or longer than it says"));
        }
        let mut index =
            Index { rows: Box::default(), groups: Box::default(), meta_at: front.len(), image_at };
        let mut all: Vec<Row> = Vec::with_capacity(functions);
        let (mut groups, mut begun) = (Vec::new(), 0);
        let (mut code_end, mut meta_end) = (0u32, 0u32);
        for at in 0..functions {
            let (func, entry) = place(&mut rows)?;
            check_place(module, func, entry)?;
            if all.last().is_some_and(|last| (last.func, last.entry) >= (func, entry)) {
                return Err(malformed("functions are not in order").of(func));
            }
            let (align, code_bytes, of_meta) = (rows.u32()?, rows.u32()?, rows.u32()?);
            check_code(align, code_bytes as usize).map_err(|error| error.of(func))?;
            let offset = code_end.checked_next_multiple_of(align);
            let end = offset.and_then(|offset| offset.checked_add(code_bytes));
            let (Some(offset), Some(end), Some(meta)) =
                (offset, end, meta_end.checked_add(of_meta))
            else {
                return Err(malformed("code is not where it must be").of(func));
            };
            if groups.is_empty() || end - begun > GROUP_BYTES {
                groups.push(at as u32);
                begun = offset;
            }
            (code_end, meta_end) = (end, meta);
            all.push(Row { func, entry, align, offset, code_bytes, meta_end });
        }
        if (code_end as usize, meta_end as usize) != (image_bytes, meta_bytes) {
            return Err(malformed("code or metadata are longer than the functions'"));
        }
        groups.push(functions as u32);
        (index.rows, index.groups) = (all.into(), groups.into());
        Ok(index)
    }

    /// How many functions there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// How many groups there are, of functions that are read together.
    pub fn groups(&self) -> usize {
        self.groups.len().saturating_sub(1)
    }

    /// The group that a function is in.
    pub fn group_of(&self, func: DefinedFuncIndex) -> Option<usize> {
        let key = (func, Entry::Function);
        let row = self.rows.binary_search_by_key(&key, |row| (row.func, row.entry)).ok()?;
        self.groups.partition_point(|first| *first as usize <= row).checked_sub(1)
    }

    fn rows_of(&self, group: usize) -> (usize, &[Row]) {
        let range = self.groups.get(group).zip(self.groups.get(group + 1));
        let range = range.map_or(0..0, |(first, end)| *first as usize..*end as usize);
        (range.start, self.rows.get(range).unwrap_or_default())
    }

    /// Where in the artifact the metadata and the code of a group are.
    pub fn parts(&self, group: usize) -> (Range<usize>, Range<usize>) {
        let (first, rows) = self.rows_of(group);
        let (Some(head), Some(last)) = (rows.first(), rows.last()) else { return (0..0, 0..0) };
        let meta = self.meta_begin(first)..last.meta_end as usize;
        let code = head.offset as usize..(last.offset + last.code_bytes) as usize;
        let (meta_at, image_at) = (self.meta_at, self.image_at);
        (meta_at + meta.start..meta_at + meta.end, image_at + code.start..image_at + code.end)
    }

    fn meta_begin(&self, row: usize) -> usize {
        row.checked_sub(1)
            .and_then(|before| self.rows.get(before))
            .map_or(0, |r| r.meta_end as usize)
    }

    /// The functions of a group, from the bytes of its parts, whose metadata is checked.
    ///
    /// # Errors
    ///
    /// If anything is not as [`Builder`](super::Builder) writes it.
    pub fn functions<'a>(
        &self,
        group: usize,
        meta: &'a [u8],
        code: &'a [u8],
        module: &Module,
    ) -> Result<Vec<Function<'a>>, ArtifactError> {
        let (first, rows) = self.rows_of(group);
        let base = rows.first().map_or(0, |row| row.offset as usize);
        let mut meta = Reader::new(meta);
        let mut functions = Vec::with_capacity(rows.len());
        for (at, row) in rows.iter().enumerate() {
            let count = row.meta_end as usize - self.meta_begin(first + at);
            let known = meta.take(count)?;
            let offset = row.offset as usize - base;
            let code = code.get(offset..).and_then(|rest| rest.get(..row.code_bytes as usize));
            let code =
                code.ok_or_else(|| malformed("code is not where it must be").of(row.func))?;
            meta::read(known, &Bounds::of(module, code.len()), &mut ())
                .map_err(|error| error.of(row.func))?;
            let (func, entry, align) = (row.func, row.entry, row.align);
            functions.push(Function { func, entry, offset, code, align, meta: known });
        }
        meta.end("the metadata is longer than its functions'")?;
        Ok(functions)
    }
}
