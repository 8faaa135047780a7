//! The custom sections of a module, read without the decoder that is being tested.

use std::collections::BTreeMap;
use std::fmt::Debug;

/// The custom sections of a module.
#[derive(Default, PartialEq, Eq, Debug)]
pub(super) struct Customs {
    names: Option<Names>,
    /// All but the name section: the section it comes after, its name and its contents.
    others: Vec<(u8, Vec<u8>, Vec<u8>)>,
}

/// Subsection, index, and the index inside of that where there is one, to name.
type Names = BTreeMap<(u8, u32, Option<u32>), Vec<u8>>;

/// The subsections of the name section that name things inside of other things.
const INDIRECT: [u8; 3] = [2, 3, 10];

/// The highest subsection there is a meaning for.
const LAST: u8 = 11;

impl Customs {
    /// Of the sections up to the first that is cut off; none for what is no module.
    pub(super) fn of(wasm: &[u8]) -> Customs {
        let mut customs = Customs::default();
        let Some(sections) = wasm.strip_prefix(b"\0asm\x01\0\0\0") else {
            return customs;
        };
        let _ = customs.read(&mut Reader(sections));
        customs
    }

    fn read(&mut self, reader: &mut Reader<'_>) -> Option<()> {
        let mut last = 0;
        while !reader.0.is_empty() {
            let id = reader.byte()?;
            let mut section = Reader(reader.bytes()?);
            if id != 0 {
                // Text has no way to say that there is a section with nothing in it.
                last = if section.0 == [0] { last } else { id };
                continue;
            }
            match section.bytes()? {
                // Only the first one counts.
                b"name" if self.names.is_none() => self.names = names(&mut section),
                b"name" => {}
                name => self.others.push((last, name.to_vec(), section.0.to_vec())),
            }
        }
        Some(())
    }

    /// What of these is not the same in `after`.
    pub(super) fn lost_in(&self, after: &Customs) -> Option<String> {
        let lost = |before: &dyn Debug| format!("{before:?} is lost");
        // A name section that cannot be read says nothing.
        if let (Some(names), found) = (&self.names, after.names.as_ref()) {
            let found = |name| found.and_then(|names| names.get(name));
            if let Some(entry) = names.iter().find(|(at, name)| found(at) != Some(name)) {
                return Some(lost(&entry));
            }
        }
        let other = self.others.iter().find(|section| !after.others.contains(section));
        other.map(|section| lost(section))
    }
}

/// Of several names for one thing, the first counts.
fn names(reader: &mut Reader<'_>) -> Option<Names> {
    let mut names = Names::new();
    while !reader.0.is_empty() {
        let id = reader.byte()?;
        let mut part = Reader(reader.bytes()?);
        match id {
            0 => {
                names.insert((0, 0, None), part.bytes()?.to_vec());
            }
            _ if INDIRECT.contains(&id) => {
                for _ in 0..part.u32()? {
                    let outer = part.u32()?;
                    for _ in 0..part.u32()? {
                        let inner = part.u32()?;
                        let name = part.bytes()?.to_vec();
                        names.entry((id, outer, Some(inner))).or_insert(name);
                    }
                }
            }
            1..=LAST => {
                for _ in 0..part.u32()? {
                    let index = part.u32()?;
                    let name = part.bytes()?.to_vec();
                    names.entry((id, index, None)).or_insert(name);
                }
            }
            _ => {}
        }
    }
    Some(names)
}

/// Reads the binary format's `u32` and `vec(byte)`.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    fn u32(&mut self) -> Option<u32> {
        let mut value = 0u32;
        for shift in [0, 7, 14, 21, 28] {
            let byte = self.byte()?;
            value |= u32::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = usize::try_from(self.u32()?).ok()?;
        let (head, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(head)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn customs(text: &str) -> Customs {
        Customs::of(&dunlin_script::wat_to_wasm(text, None).expect("the text is well-formed"))
    }

    #[test]
    fn each_loss_is_found() {
        let text = "(module (func $f (param $p i32)) (@custom \"a\" \"b\"))";
        let whole = customs(text);
        assert_eq!(whole.lost_in(&customs(text)), None);
        for less in [text.replace("$f", ""), text.replace("$p", "$q"), text.replace("\"b\"", "")] {
            assert!(whole.lost_in(&customs(&less)).is_some(), "{less}");
        }
    }
}
