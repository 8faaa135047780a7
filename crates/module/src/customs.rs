//! Custom sections: their bytes, and the producers section.

use wasmparser::BinaryReader;

use crate::limits;
use crate::module::{CustomSection, Module};

/// One entry of the producers section: something that had a part in making the module.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Producer {
    /// The part it had: `language`, `processed-by`, `sdk`.
    pub field: String,
    /// What it is called.
    pub name: String,
    /// Its version.
    pub version: String,
}

impl Module {
    /// The contents of a custom section.
    pub fn custom_bytes(&self, section: &CustomSection) -> &[u8] {
        &self.bytes[section.range.start as usize..section.range.end as usize]
    }

    /// The contents of all custom sections called `name`, in order.
    pub fn custom_sections<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.customs.iter().filter(move |s| &*s.name == name).map(|s| self.custom_bytes(s))
    }

    /// What made the module, as it says itself: the entries of the producers section up to the
    /// first one that cannot be read.
    pub fn producers(&self) -> Vec<Producer> {
        let mut producers = Vec::new();
        for bytes in self.custom_sections("producers") {
            if !read_producers(bytes, &mut producers) {
                break;
            }
        }
        producers
    }
}

/// Reads a producers section; whether all of it could be read.
pub(crate) fn read_producers(section: &[u8], producers: &mut Vec<Producer>) -> bool {
    read_entries(&mut BinaryReader::new(section, 0), producers).is_ok()
}

fn read_entries(
    reader: &mut BinaryReader<'_>,
    producers: &mut Vec<Producer>,
) -> Result<(), wasmparser::Error> {
    for _ in 0..reader.read_var_u32()? {
        let field = reader.read_string()?;
        for _ in 0..reader.read_var_u32()? {
            let (name, version) = (reader.read_string()?, reader.read_string()?);
            if producers.len() < limits::PRODUCERS {
                producers.push(Producer {
                    field: field.into(),
                    name: name.into(),
                    version: version.into(),
                });
            }
        }
    }
    Ok(())
}
