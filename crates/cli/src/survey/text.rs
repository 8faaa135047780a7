//! A survey as text, for people; long lists are cut.

use std::fmt::{self, Display};

use dunlin_module::{ExternIndex, Features, escape};

use super::{Kind, Survey, Want};
use crate::quantity::Size;
use crate::report::shell_word;

/// Lists are cut after this many items; JSON has them all.
const LIST_MAX: usize = 100;

/// Prints a survey.
pub(crate) struct Text<'a> {
    pub(crate) survey: &'a Survey,
    pub(crate) wants: &'a [Want],
    /// What to call the file.
    pub(crate) title: &'a str,
    /// The file in a command.
    pub(crate) word: &'a str,
}

impl Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Survey { module, features, producers, hints, kind } = self.survey;
        let (title, size) = (self.title, Size(module.bytes.len() as u64));
        let functions = module.bodies.len();
        let functions = match functions {
            1 => "1 function".to_owned(),
            n => format!("{n} functions"),
        };
        writeln!(f, "{title}: {}, {size}, {functions}", kind.name())?;
        if let Some(name) = module.names().module() {
            writeln!(f, "name: `{}`", escape(name))?;
        }
        let off = |proposal| if Features::default().contains(proposal) { "" } else { " (off)" };
        let names = features.iter().map(|feature| format!("{}{}", feature.name(), off(*feature)));
        match features.is_empty() {
            true => writeln!(f, "features: none beyond the first release of WebAssembly")?,
            false => writeln!(f, "features: {}", names.collect::<Vec<_>>().join(", "))?,
        }
        list(
            f,
            "made by",
            producers.iter().map(|producer| {
                let [field, name, version] =
                    [&producer.field, &producer.name, &producer.version].map(|text| escape(text));
                format!("{field}: {name} {version}").trim_end().to_owned()
            }),
        )?;
        list(
            f,
            "imports",
            module.imports.iter().map(|import| {
                let (module, name) = (escape(&import.module), escape(&import.name));
                format!("`{module}::{name}` {}", import.ty)
            }),
        )?;
        list(
            f,
            "exports",
            module.exports.iter().map(|export| {
                let ty = module.extern_type(export.item);
                format!("`{}` {ty}", escape(&export.name))
            }),
        )?;
        list(
            f,
            "memories",
            module.memories.iter().enumerate().map(|(index, ty)| {
                let bytes = u128::from(ty.min) << ty.page_size_log2;
                let bytes = Size(u64::try_from(bytes).unwrap_or(u64::MAX));
                let imported = origin(index, module.imported.memories);
                format!("{ty}, {bytes} at first{imported}")
            }),
        )?;
        list(
            f,
            "tables",
            module
                .tables
                .iter()
                .enumerate()
                .map(|(index, ty)| format!("{ty}{}", origin(index, module.imported.tables))),
        )?;
        match hints {
            Ok(0) => {}
            Ok(count) => writeln!(f, "branch hints: {count}")?,
            Err(error) => writeln!(f, "branch hints: none that can be used: {error}")?,
        }
        list(
            f,
            "sections",
            self.survey.sections().map(|(name, bytes)| format!("{name}, {}", Size(bytes))),
        )?;
        list(
            f,
            "what it may ask for",
            self.wants.iter().map(|want| {
                let imports: Vec<_> =
                    want.imports.iter().map(|name| escape(name).to_string()).collect();
                format!("{}: `{}` ({})", want.what, want.flag, imports.join(", "))
            }),
        )?;
        self.how_to_run(f)
    }
}

impl Text<'_> {
    fn how_to_run(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Survey { module, kind, .. } = self.survey;
        let func = module.exports.iter().find(|export| {
            matches!(export.item, ExternIndex::Func(_)) && &*export.name != "_initialize"
        });
        match (kind, func) {
            (Kind::Command, _) => writeln!(f, "run it: `dunlin run {}`", self.word),
            (_, Some(func)) => {
                let name = shell_word(&func.name);
                writeln!(f, "call it: `dunlin run --invoke {name} {} …`", self.word)
            }
            _ => Ok(()),
        }
    }
}

fn origin(index: usize, imported: u32) -> &'static str {
    if index < imported as usize { ", imported" } else { "" }
}

/// A heading and its items, nothing at all if there are none.
fn list(
    f: &mut fmt::Formatter<'_>,
    heading: &str,
    items: impl ExactSizeIterator<Item = String>,
) -> fmt::Result {
    if items.len() == 0 {
        return Ok(());
    }
    writeln!(f, "{heading}:")?;
    let more = items.len().saturating_sub(LIST_MAX);
    for item in items.take(LIST_MAX) {
        writeln!(f, "  {item}")?;
    }
    match more {
        0 => Ok(()),
        more => writeln!(f, "  … and {more} more: `--json` lists them all"),
    }
}
