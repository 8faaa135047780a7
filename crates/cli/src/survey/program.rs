//! What a compiled program says of itself, and whether it would be run here.

use std::fmt;
use std::sync::Arc;

use dunlin::{Engine, Module, ProgramInfo};
use dunlin_module::escape;

use crate::Exit;
use crate::flags::InspectFlags;
use crate::input::Input;
use crate::json::Json;
use crate::plan;
use crate::quantity::Size;
use crate::report::Failure;

/// A compiled program.
pub(crate) struct Program {
    /// The module that it was made from.
    pub(crate) module: Arc<[u8]>,
    sealed_by: String,
    /// Why it would not be run here, if so.
    refused: Option<String>,
    compiler: String,
    settings: String,
    functions: u64,
    code_bytes: u64,
}

impl Program {
    pub(crate) fn of(input: &Input, flags: &InspectFlags) -> Result<Program, Failure> {
        let name = input.name();
        let failed =
            |error| Failure::engine(Exit::Unreached, format!("cannot read {name}"), &error);
        let info = ProgramInfo::read(&input.bytes).map_err(failed)?;
        let storage = plan::storage(&flags.trust, true)?;
        let engine: Engine = plan::engine(&dunlin::Config { storage, ..Default::default() })?;
        Ok(Program {
            module: info.module.into(),
            sealed_by: info.sealed_by.to_string(),
            refused: Module::check_seal(&engine, &input.bytes).err().map(|error| error.to_string()),
            compiler: info.fingerprint,
            settings: info.settings,
            functions: info.functions as u64,
            code_bytes: info.code_bytes as u64,
        })
    }

    pub(crate) fn json(&self) -> Json {
        Json::Object(vec![
            ("sealed_by", self.sealed_by.as_str().into()),
            ("refused", self.refused.clone().into()),
            ("compiler", self.compiler.as_str().into()),
            ("settings", self.settings.as_str().into()),
            ("functions", self.functions.into()),
            ("code_bytes", self.code_bytes.into()),
        ])
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "compiled program:")?;
        writeln!(f, "  sealed by: `{}`", self.sealed_by)?;
        match &self.refused {
            None => writeln!(f, "  trusted here: yes")?,
            Some(why) => writeln!(f, "  trusted here: no: {}", escape(why))?,
        }
        let items: Vec<&str> = self.compiler.split("; ").collect();
        let compiler = items.iter().take_while(|item| !item.contains('=')).copied();
        writeln!(f, "  compiler: {}", escape(&compiler.collect::<Vec<_>>().join(", ")))?;
        // Switched on, as the code generator writes it.
        let on = |item: &&str| item.strip_prefix("has_")?.strip_suffix("=1").map(str::to_owned);
        let features: Vec<String> = items.iter().filter_map(on).collect();
        writeln!(f, "  processor with: {}", escape(&features.join(", ")))?;
        writeln!(f, "  settings: {}", self.settings)?;
        let plural = if self.functions == 1 { "" } else { "s" };
        let size = Size(self.code_bytes);
        writeln!(f, "  native code: {} function{plural}, {size}", self.functions)
    }
}
