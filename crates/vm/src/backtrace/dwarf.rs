//! Line tables (DWARF 5 §6.2, versions 2 to 5): from addresses to file and line.
//!
//! The bytes are the guest's and may say anything. They are read in one pass that keeps nothing but
//! the answers, so that time is bounded by their number and memory by that of the addresses. Only
//! the line tables are read, which name files by themselves.

use std::fmt;

use dunlin_module::escape;

/// A place in source code.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Location {
    /// The file as the compiler named it.
    pub file: String,
    /// The line, from 1 on.
    pub line: u64,
    /// The column, from 1 on, if known.
    pub column: Option<u64>,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", escape(&self.file), self.line)?;
        self.column.map_or(Ok(()), |column| write!(f, ":{column}"))
    }
}

/// Bytes of a file name that are kept.
const NAME_BYTES_MAX: usize = 1024;

/// The sections that are read.
pub(super) struct Sections<'a> {
    pub(super) line: &'a [u8],
    pub(super) line_str: &'a [u8],
    pub(super) str: &'a [u8],
}

/// The places of the instructions at `addresses`.
pub(super) fn locate(sections: &Sections<'_>, addresses: &[u64]) -> Vec<Option<Location>> {
    let mut wanted: Vec<Wanted> = addresses
        .iter()
        .enumerate()
        .map(|(index, address)| Wanted { address: *address, index, location: None })
        .collect();
    wanted.sort_by_key(|w| w.address);
    let mut rest = Bytes(sections.line);
    while !rest.0.is_empty() {
        let Some((unit, wide)) = rest.unit() else { break };
        // A unit that makes no sense says nothing about the next one.
        let _ = read_unit(sections, unit, wide, &mut wanted);
        if wanted.iter().all(|w| w.location.is_some()) {
            break;
        }
    }
    let mut found = vec![None; addresses.len()];
    for w in wanted {
        found[w.index] = w.location;
    }
    found
}

struct Wanted {
    address: u64,
    index: usize,
    location: Option<Location>,
}

/// The parts of a unit's header that its program and its file names need.
struct Header<'a> {
    version: u16,
    /// Whether offsets take 8 bytes.
    wide: bool,
    instruction_bytes: u64,
    line_base: i8,
    line_range: u8,
    opcode_base: u8,
    /// Operands of each standard opcode, from 1 on.
    operands: &'a [u8],
    /// The tables of directories and files.
    names: Bytes<'a>,
    program: Bytes<'a>,
}

/// The state of a line number program (§6.2.2).
#[derive(Clone, Copy)]
struct Row {
    address: u64,
    file: u64,
    line: u64,
    column: u64,
}

const FIRST_ROW: Row = Row { address: 0, file: 1, line: 1, column: 0 };

fn read_unit(
    sections: &Sections<'_>,
    unit: Bytes<'_>,
    wide: bool,
    wanted: &mut [Wanted],
) -> Option<()> {
    let mut header = read_header(unit, wide)?;
    let (lowest, highest) = (wanted.first()?.address, wanted.last()?.address);
    let mut program = std::mem::replace(&mut header.program, Bytes(&[]));
    let mut row = FIRST_ROW;
    let mut last: Option<Row> = None;
    while !program.0.is_empty() {
        let step = program.step(&header, &mut row)?;
        if step == Step::State {
            continue;
        }
        if let Some(from) = last
            && from.address <= highest
            && row.address > lowest
        {
            let start = wanted.partition_point(|w| w.address < from.address);
            for w in &mut wanted[start..] {
                if w.address >= row.address {
                    break;
                }
                if w.location.is_none() && from.line > 0 {
                    w.location = file_name(sections, &header, from.file).map(|file| Location {
                        file,
                        line: from.line,
                        column: (from.column > 0).then_some(from.column),
                    });
                }
            }
        }
        last = match step {
            Step::EndOfSequence => {
                row = FIRST_ROW;
                None
            }
            // Functions that the linker left out keep their lines at address 0 or at the highest
            // ones; no code is there, as the section begins with the number of functions.
            _ if last.is_none() && (row.address == 0 || row.address >= 0xffff_fffe) => None,
            _ => Some(row),
        };
    }
    Some(())
}

fn read_header(mut unit: Bytes<'_>, wide: bool) -> Option<Header<'_>> {
    let version = unit.u16()?;
    if !(2..=5).contains(&version) {
        return None;
    }
    if version >= 5 {
        // Sizes of addresses and of segment selectors: operands carry their own size.
        unit.take(2)?;
    }
    let header_bytes = usize::try_from(unit.offset(wide)?).ok()?;
    let mut names = Bytes(unit.take(header_bytes)?);
    let program = unit;
    let instruction_bytes = u64::from(names.u8()?);
    if version >= 4 {
        // Operations per instruction: 1 on every machine but those with very long ones.
        names.u8()?;
    }
    let _default_is_statement = names.u8()?;
    let line_base = names.u8()? as i8;
    let line_range = names.u8()?;
    let opcode_base = names.u8()?;
    if line_range == 0 || opcode_base == 0 {
        return None;
    }
    let operands = names.take(usize::from(opcode_base) - 1)?;
    Some(Header {
        version,
        wide,
        instruction_bytes,
        line_base,
        line_range,
        opcode_base,
        operands,
        names,
        program,
    })
}

/// What an opcode did.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    /// It changed the state.
    State,
    /// It made a row.
    Row,
    /// It made the row that ends a sequence.
    EndOfSequence,
}

impl<'a> Bytes<'a> {
    /// Executes one opcode (§6.2.5).
    fn step(&mut self, header: &Header<'_>, row: &mut Row) -> Option<Step> {
        let opcode = self.u8()?;
        let advance = |row: &mut Row, operations: u64| {
            let bytes = operations.wrapping_mul(header.instruction_bytes);
            row.address = row.address.wrapping_add(bytes);
        };
        if opcode >= header.opcode_base {
            let special = opcode - header.opcode_base;
            advance(row, u64::from(special / header.line_range));
            let lines = i64::from(header.line_base) + i64::from(special % header.line_range);
            row.line = row.line.wrapping_add_signed(lines);
            return Some(Step::Row);
        }
        match opcode {
            0 => return self.extended(row),
            1 => return Some(Step::Row),
            2 => {
                let operations = self.uleb()?;
                advance(row, operations);
            }
            3 => row.line = row.line.wrapping_add_signed(self.sleb()?),
            4 => row.file = self.uleb()?,
            5 => row.column = self.uleb()?,
            // Flags about the row: is it a statement, a block, a prologue, an epilogue.
            6 | 7 | 10 | 11 => {}
            8 => advance(row, u64::from((255 - header.opcode_base) / header.line_range)),
            9 => row.address = row.address.wrapping_add(self.u16()?.into()),
            unknown => {
                for _ in 0..*header.operands.get(usize::from(unknown) - 1)? {
                    self.uleb()?;
                }
            }
        }
        Some(Step::State)
    }

    /// Executes an extended opcode (§6.2.5.3).
    fn extended(&mut self, row: &mut Row) -> Option<Step> {
        let size = usize::try_from(self.uleb()?).ok()?;
        let mut operands = Bytes(self.take(size)?);
        match operands.u8() {
            Some(1) => return Some(Step::EndOfSequence),
            Some(2) => {
                row.address = match operands.0.len() {
                    4 => operands.u32()?.into(),
                    8 => operands.u64()?,
                    _ => return None,
                }
            }
            _ => {}
        }
        Some(Step::State)
    }
}

/// The name of file `index` of a unit, with its directory.
fn file_name(sections: &Sections<'_>, header: &Header<'_>, index: u64) -> Option<String> {
    let (directory, name) = match header.version {
        5 => file_name_5(sections, header, index)?,
        _ => file_name_4(header.names, index)?,
    };
    let text = |bytes: &[u8]| {
        String::from_utf8_lossy(&bytes[..bytes.len().min(NAME_BYTES_MAX)]).into_owned()
    };
    let name = text(name);
    if directory.is_empty() || name.starts_with('/') {
        return Some(name);
    }
    let directory = text(directory);
    Some(format!("{}/{name}", directory.trim_end_matches('/')))
}

/// Directory and name of a file, in versions 2 to 4 (DWARF 4 §6.2.4).
fn file_name_4(mut names: Bytes<'_>, index: u64) -> Option<(&[u8], &[u8])> {
    let mut directories = names;
    while !names.string()?.is_empty() {}
    let mut at = 1;
    let (name, directory) = loop {
        let name = names.string()?;
        if name.is_empty() {
            return None;
        }
        let directory = names.uleb()?;
        names.uleb()?;
        names.uleb()?;
        if at == index {
            break (name, directory);
        }
        at += 1;
    };
    // Directory 0 is that of the compilation, which is not in this section.
    let mut path: &[u8] = &[];
    for _ in 0..directory {
        path = directories.string()?;
        if path.is_empty() {
            break;
        }
    }
    Some((path, name))
}

/// Directory and name of a file, in version 5.
fn file_name_5<'a>(
    sections: &Sections<'a>,
    header: &Header<'a>,
    index: u64,
) -> Option<(&'a [u8], &'a [u8])> {
    let directories = header.names;
    let mut names = directories;
    let format = names.entry_format()?;
    for _ in 0..names.uleb()? {
        names.entry(&format, header.wide, sections)?;
    }
    let (directory, name) = names.entry_at(index, header.wide, sections)?;
    let mut directories = directories;
    let (_, path) = directories.entry_at(directory, header.wide, sections)?;
    Some((path, name))
}

/// What an entry of a table is made of: content and form of each of its fields (§6.2.4.1).
type EntryFormat = Vec<(u64, u64)>;

const CONTENT_PATH: u64 = 1;
const CONTENT_DIRECTORY: u64 = 2;

impl<'a> Bytes<'a> {
    fn entry_format(&mut self) -> Option<EntryFormat> {
        (0..self.u8()?).map(|_| Some((self.uleb()?, self.uleb()?))).collect()
    }

    /// Directory and path of entry `index` of the table that begins here.
    fn entry_at(
        &mut self,
        index: u64,
        wide: bool,
        sections: &Sections<'a>,
    ) -> Option<(u64, &'a [u8])> {
        let format = self.entry_format()?;
        if index >= self.uleb()? {
            return None;
        }
        for _ in 0..index {
            self.entry(&format, wide, sections)?;
        }
        self.entry(&format, wide, sections)
    }

    /// Directory and path of one entry; every entry takes a byte at least.
    fn entry(
        &mut self,
        format: &EntryFormat,
        wide: bool,
        sections: &Sections<'a>,
    ) -> Option<(u64, &'a [u8])> {
        let before = self.0.len();
        let mut entry = (0, &[][..]);
        for (content, form) in format {
            let (number, text) = self.form(*form, wide, sections)?;
            match *content {
                CONTENT_PATH => entry.1 = text,
                CONTENT_DIRECTORY => entry.0 = number,
                _ => {}
            }
        }
        (self.0.len() < before).then_some(entry)
    }

    /// A value of the forms that tables of names use (§7.5.6).
    fn form(&mut self, form: u64, wide: bool, sections: &Sections<'a>) -> Option<(u64, &'a [u8])> {
        let indirect =
            |section: &'a [u8], at: u64| Bytes(section.get(usize::try_from(at).ok()?..)?).string();
        let number = match form {
            0x08 => return Some((0, self.string()?)),
            0x0e => return Some((0, indirect(sections.str, self.offset(wide)?)?)),
            0x1f => return Some((0, indirect(sections.line_str, self.offset(wide)?)?)),
            0x0b => self.u8()?.into(),
            0x05 => self.u16()?.into(),
            0x06 => self.u32()?.into(),
            0x07 => self.u64()?,
            0x0f => self.uleb()?,
            0x1e => {
                self.take(16)?;
                0
            }
            0x09 => {
                let size = usize::try_from(self.uleb()?).ok()?;
                self.take(size)?;
                0
            }
            _ => return None,
        };
        Some((number, &[]))
    }
}

/// What is left to read; little-endian.
#[derive(Clone, Copy)]
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn offset(&mut self, wide: bool) -> Option<u64> {
        if wide { self.u64() } else { self.u32().map(u64::from) }
    }

    /// The next unit, and whether its offsets take 8 bytes (§7.4).
    fn unit(&mut self) -> Option<(Bytes<'a>, bool)> {
        let size = self.u32()?;
        let (size, wide) = match size {
            0xffff_ffff => (self.u64()?, true),
            0xffff_fff0.. => return None,
            size => (size.into(), false),
        };
        Some((Bytes(self.take(usize::try_from(size).ok()?)?), wide))
    }

    /// Bytes up to a zero, which is skipped.
    fn string(&mut self) -> Option<&'a [u8]> {
        let end = self.0.iter().position(|byte| *byte == 0)?;
        let text = self.take(end)?;
        self.take(1)?;
        Some(text)
    }

    /// An unsigned number in LEB128; bits beyond the 64th are lost.
    fn uleb(&mut self) -> Option<u64> {
        let (mut value, mut shift) = (0, 0u32);
        loop {
            let byte = self.u8()?;
            value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
            shift = shift.saturating_add(7);
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
    }

    /// A signed number in LEB128; bits beyond the 64th are lost.
    fn sleb(&mut self) -> Option<i64> {
        let (mut value, mut shift) = (0i64, 0u32);
        loop {
            let byte = self.u8()?;
            value |= i64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
            shift = shift.saturating_add(7);
            if byte & 0x80 == 0 {
                let negative = byte & 0x40 != 0;
                return Some(if negative && shift < 64 { value | -1 << shift } else { value });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A version 4 unit: `src/a.c` lines 3 to 5 at 0x10..0x30, and a left-out function at 0.
    fn version_4() -> Vec<u8> {
        let mut names = vec![1, 1, 1, 0xfb, 14, 13, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1];
        names.extend(b"src\0\0a.c\0\x01\0\0b.c\0\0\0\0\0");
        let program = [
            0, 5, 2, 0, 0, 0, 0, // address 0
            1, 2, 0x40, 0, 1, 1, // a row, 0x40 on, end
            0, 5, 2, 0x10, 0, 0, 0, // address 0x10
            3, 2, 5, 7, 1, // line 3, column 7, row
            2, 0x10, 3, 2, 1, // 0x20: line 5
            2, 0x10, 0, 1, 1, // 0x30: end
        ];
        let mut unit = vec![4, 0];
        unit.extend((names.len() as u32).to_le_bytes());
        unit.extend(names);
        unit.extend(program);
        let mut section = (unit.len() as u32).to_le_bytes().to_vec();
        section.extend(unit);
        section
    }

    fn lines(line: &[u8], addresses: &[u64]) -> Vec<Option<String>> {
        let sections = Sections { line, line_str: b"/home\0x.rs\0", str: &[] };
        let found = locate(&sections, addresses);
        found.into_iter().map(|l| l.map(|l| l.to_string())).collect()
    }

    #[test]
    fn version_4_rows_cover_what_follows_them() {
        let text = |s: &str| Some(s.to_string());
        assert_eq!(
            lines(&version_4(), &[0x2f, 0x10, 0x1f, 0x20, 0x30, 0x0f, 0]),
            [
                text("src/a.c:5:7"),
                text("src/a.c:3:7"),
                text("src/a.c:3:7"),
                text("src/a.c:5:7"),
                None,
                None,
                None
            ]
        );
    }

    #[test]
    fn version_5_names_are_found_in_their_section() {
        let mut names = vec![1, 1, 1, 0xfb, 14, 13, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1];
        names.extend([1, 1, 0x1f, 1, 0, 0, 0, 0]); // directories: one, path by offset 0
        names.extend([2, 1, 0x1f, 2, 0x0b, 1, 6, 0, 0, 0, 0]); // files: offset 6, directory 0
        let program = [0, 5, 2, 8, 0, 0, 0, 4, 0, 1, 2, 4, 0, 1, 1];
        let mut unit = vec![5, 0, 4, 0];
        unit.extend((names.len() as u32).to_le_bytes());
        unit.extend(names);
        unit.extend(program);
        let mut section = (unit.len() as u32).to_le_bytes().to_vec();
        section.extend(unit);
        assert_eq!(lines(&section, &[9]), [Some("/home/x.rs:1".to_string())]);
    }

    #[test]
    fn every_truncation_and_every_changed_byte_ends() {
        let section = version_4();
        for end in 0..section.len() {
            lines(&section[..end], &[0x10, 0x20]);
        }
        for at in 0..section.len() {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut changed = section.clone();
                changed[at] = value;
                lines(&changed, &[0x10, 0x20]);
            }
        }
    }

    #[test]
    fn entries_without_bytes_are_refused() {
        let mut names = vec![1, 1, 1, 0xfb, 14, 1];
        names.extend([0]); // directories without fields ...
        names.extend([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]); // ... 2^64 of them
        let mut unit = vec![5, 0, 4, 0];
        unit.extend((names.len() as u32).to_le_bytes());
        unit.extend(names);
        unit.extend([0, 5, 2, 8, 0, 0, 0, 14, 14, 14]);
        let mut section = (unit.len() as u32).to_le_bytes().to_vec();
        section.extend(unit);
        assert_eq!(lines(&section, &[8]), [None]);
    }

    #[test]
    fn signed_numbers() {
        for (bytes, value) in [(&[0x7f][..], -1), (&[0x3f], 63), (&[0x80, 0x7f], -128)] {
            assert_eq!(Bytes(bytes).sleb(), Some(value));
        }
        assert_eq!(Bytes(&[0xff; 30]).sleb(), None);
    }
}
