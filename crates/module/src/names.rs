//! The names a module gives to its parts, for people to read: never trusted, never needed.

use std::ops::Range;
use std::sync::Arc;

use wasmparser::BinaryReader;

use crate::index::FuncIndex;
use crate::limits;
use crate::module::{ExternIndex, ExternType, Module};

/// The index spaces whose entries have names.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[expect(missing_docs, reason = "the names say all")]
#[repr(u8)]
pub enum NameSpace {
    Func = 1,
    Type = 4,
    Table = 5,
    Memory = 6,
    Global = 7,
    Elem = 8,
    Data = 9,
    Tag = 11,
}

/// The names of a module, from its name section (core spec §7.4.1).
///
/// A part of the section that cannot be read gives no names; names of things that do not exist
/// are kept but never asked for. Names are the guest's: print them through
/// [`escape`](crate::escape).
#[derive(Clone, Default, Debug)]
pub struct Names {
    bytes: Arc<[u8]>,
    module: Option<Text>,
    /// By number of the subsection.
    maps: [Map; 12],
    /// Function index → the name map of its locals, and of its labels.
    locals: Box<[(u32, Text)]>,
    labels: Box<[(u32, Text)]>,
    /// What to call functions without a name of their own, sorted by index.
    fallbacks: Box<[(u32, Box<str>)]>,
}

/// Sorted by index, each once.
type Map = Box<[(u32, Text)]>;

/// Where in the binary.
#[derive(Clone, Copy, Debug)]
struct Text {
    start: u32,
    end: u32,
}

impl Text {
    fn of(range: Range<u64>) -> Option<Text> {
        let Range { start, end } = range;
        Some(Text { start: start.try_into().ok()?, end: end.try_into().ok()? })
    }
}

impl Names {
    /// The module's name for itself.
    pub fn module(&self) -> Option<&str> {
        self.text(self.module?)
    }

    /// The name of the entry at `index`.
    pub fn get(&self, space: NameSpace, index: u32) -> Option<&str> {
        self.text(find(&self.maps[space as usize], index)?)
    }

    /// The name of local `local`, parameters included, of function `func`.
    pub fn local(&self, func: FuncIndex, local: u32) -> Option<&str> {
        self.nested(find(&self.locals, func.0)?, local)
    }

    /// The name of label `label` of function `func`, counted in order of its blocks.
    pub fn label(&self, func: FuncIndex, label: u32) -> Option<&str> {
        self.nested(find(&self.labels, func.0)?, label)
    }

    fn fallback(&self, func: FuncIndex) -> Option<&str> {
        let at = self.fallbacks.binary_search_by_key(&func.0, |entry| entry.0).ok()?;
        Some(&self.fallbacks[at].1)
    }

    fn text(&self, text: Text) -> Option<&str> {
        std::str::from_utf8(self.bytes.get(text.start as usize..text.end as usize)?).ok()
    }

    /// Looks `index` up in a name map that is read only now.
    fn nested(&self, map: Text, index: u32) -> Option<&str> {
        let bytes = self.bytes.get(map.start as usize..map.end as usize)?;
        let mut reader = BinaryReader::new(bytes, map.start.into());
        for _ in 0..reader.read_var_u32().ok()? {
            let at = reader.read_var_u32().ok()?;
            let name = reader.read_unlimited_string().ok()?;
            if at == index {
                return Some(name);
            }
        }
        None
    }

    /// Reads the contents of a name section that begin at `offset` of `bytes`.
    pub(crate) fn read(bytes: &Arc<[u8]>, section: Range<u32>) -> Names {
        let mut names = Names { bytes: bytes.clone(), ..Names::default() };
        let Some(contents) = bytes.get(section.start as usize..section.end as usize) else {
            return names;
        };
        let mut reader = BinaryReader::new(contents, section.start.into());
        while !reader.eof() {
            let Ok(id) = reader.read_u8() else { break };
            let Ok(mut part) = reader.read_reader() else {
                break;
            };
            match id {
                0 => names.module = read_text(&mut part),
                2 => names.locals = read_indirect(&mut part).unwrap_or_default(),
                3 => names.labels = read_indirect(&mut part).unwrap_or_default(),
                _ => {
                    if let Some(map) = names.maps.get_mut(usize::from(id)) {
                        *map = read_map(&mut part).unwrap_or_default();
                    }
                }
            }
        }
        names
    }
}

fn find(map: &[(u32, Text)], index: u32) -> Option<Text> {
    let at = map.binary_search_by_key(&index, |entry| entry.0).ok()?;
    Some(map[at].1)
}

fn read_text(reader: &mut BinaryReader<'_>) -> Option<Text> {
    let name = reader.read_unlimited_string().ok()?;
    let end = reader.original_position();
    Text::of(end - name.len() as u64..end)
}

/// A name map; sorted here if the module did not, the first of several names for one index wins.
fn read_map(reader: &mut BinaryReader<'_>) -> Option<Map> {
    let mut map = Vec::new();
    for _ in 0..reader.read_var_u32().ok()?.min(limits::NAMES as u32) {
        let index = reader.read_var_u32().ok()?;
        map.push((index, read_text(reader)?));
    }
    Some(sorted(map))
}

/// An indirect name map, of which the inner maps are only delimited.
fn read_indirect(reader: &mut BinaryReader<'_>) -> Option<Map> {
    let mut map = Vec::new();
    for _ in 0..reader.read_var_u32().ok()?.min(limits::NAMES as u32) {
        let index = reader.read_var_u32().ok()?;
        let start = reader.original_position();
        for _ in 0..reader.read_var_u32().ok()? {
            reader.read_var_u32().ok()?;
            reader.read_unlimited_string().ok()?;
        }
        map.push((index, Text::of(start..reader.original_position())?));
    }
    Some(sorted(map))
}

fn sorted(mut map: Vec<(u32, Text)>) -> Map {
    map.sort_by_key(|entry| entry.0);
    map.dedup_by_key(|entry| entry.0);
    map.into_boxed_slice()
}

impl Module {
    /// The names the module gives to its parts; read when first asked for.
    pub fn names(&self) -> &Names {
        self.names.get_or_init(|| {
            let section = self.customs.iter().find(|section| &*section.name == "name");
            let range = section.map_or(0..0, |section| section.range.clone());
            let mut names = Names::read(&self.bytes, range);
            names.fallbacks = self.fallback_names(&names);
            names
        })
    }

    /// What to call function `f`: its name, else the name of its first export, else that of its
    /// import as `module.name`. `None` if it has none of these.
    pub fn func_name(&self, f: FuncIndex) -> Option<&str> {
        let names = self.names();
        names.get(NameSpace::Func, f.0).or_else(|| names.fallback(f))
    }

    fn fallback_names(&self, names: &Names) -> Box<[(u32, Box<str>)]> {
        let mut found = Vec::new();
        let unnamed = |f: u32| find(&names.maps[NameSpace::Func as usize], f).is_none();
        for export in &self.exports {
            if let ExternIndex::Func(f) = export.item
                && unnamed(f.0)
            {
                found.push((f.0, export.name.clone()));
            }
        }
        let funcs = self.imports.iter().filter(|i| matches!(i.ty, ExternType::Func { .. }));
        for (f, import) in funcs.enumerate() {
            if unnamed(f as u32) {
                found.push((f as u32, format!("{}.{}", import.module, import.name).into()));
            }
        }
        found.sort_by_key(|entry| entry.0);
        found.dedup_by_key(|entry| entry.0);
        found.into_boxed_slice()
    }
}
