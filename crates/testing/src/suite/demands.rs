//! What scripts of others say about themselves in their first lines: the proposals they are written
//! for, and what is to be done with them.

use dunlin_engine::{Features, Proposal};

/// What the tool that a file was written for does with it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Tool {
    /// Runs it as a script.
    Script,
    /// Accepts it as a module.
    Accepts,
    /// Rejects it as a module.
    Rejects,
}

/// What a script of Wasmtime's says that it needs.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) features: Features,
    /// More memory than a store may have by default.
    pub(super) much_memory: bool,
    pub(super) deterministic: bool,
}

/// Reads lines such as `;;! threads = true`.
pub(super) fn of_wasmtime(text: &str) -> Result<Settings, String> {
    let mut demands = Demands::from(Features::default());
    let (mut much_memory, mut deterministic) = (false, false);
    for line in text.lines().map_while(|line| line.strip_prefix(";;!")) {
        let (key, value) = line.split_once('=').ok_or_else(|| format!("no setting: `{line}`"))?;
        let on = match value.trim() {
            "true" | "yes" => true,
            "false" | "no" => false,
            value => return Err(format!("`{value}` is neither true nor false")),
        };
        match key.trim().replace('_', "-").as_str() {
            "hogs-memory" => much_memory = on,
            // Hints are in a custom section, which nothing has to be switched on for.
            "branch-hinting" => {}
            "nan-canonicalization" => deterministic = on,
            name => demands.set(name, on)?,
        }
    }
    Ok(Settings { features: demands.features()?, much_memory, deterministic })
}

/// Reads lines such as `;; RUN: wast % -f stack-switching`, continued after a backslash.
pub(super) fn of_wasm_tools(text: &str) -> Result<(Tool, Features), String> {
    let mut lines = text.lines().map_while(|line| line.strip_prefix(";;"));
    let is_command = |line: &&str| {
        let line = line.trim_start();
        line.starts_with("RUN") || line.starts_with("FAIL")
    };
    let mut command = lines.find(is_command).ok_or("no line that says how it is run")?.to_string();
    while let Some(begun) = command.strip_suffix('\\') {
        command = format!("{begun} {}", lines.next().unwrap_or_default());
    }
    let (verdict, command) = command.split_once(':').ok_or("no command after the verdict")?;
    let mut words = command.split_whitespace();
    let name = words.next().unwrap_or_default();
    let tool = match (verdict.trim(), name) {
        ("RUN", "wast") => Tool::Script,
        (verdict, _) if verdict.starts_with("RUN") => Tool::Accepts,
        ("FAIL", _) => Tool::Rejects,
        (verdict, _) => return Err(format!("`{verdict}` is no verdict")),
    };
    // What that tool has on by default.
    let mut demands = Demands::from(Features {
        custom_page_sizes: false,
        cm_async_stackful: false,
        cm_more_async_builtins: false,
        cm_threading: false,
        cm_error_context: false,
        cm_fixed_length_lists: false,
        cm_map: false,
        cm64: false,
        ..Features::default()
    });
    while let Some(word) = words.next() {
        let list = match word {
            // Other commands mean something else by it.
            _ if !["wast", "validate"].contains(&name) => continue,
            "-f" | "--features" => words.next().ok_or("no features after the flag")?,
            _ => match word.strip_prefix("-f=").or_else(|| word.strip_prefix("--features=")) {
                Some(list) => list,
                None => continue,
            },
        };
        for item in list.split(',') {
            demands.item(item)?;
        }
    }
    Ok((tool, demands.features()?))
}

/// A set of features that is being put together.
struct Demands(Features);

impl From<Features> for Demands {
    fn from(features: Features) -> Demands {
        Demands(features)
    }
}

impl Demands {
    fn item(&mut self, item: &str) -> Result<(), String> {
        match item {
            "mvp" | "-all" => self.0 = Features::NONE,
            "wasm1" => self.0 = Features::wasm1(),
            "wasm2" => self.0 = Features::wasm2(),
            "wasm3" => self.0 = Features::wasm3(),
            _ => match item.strip_prefix('-') {
                Some(name) => self.set(name, false)?,
                None => self.set(item, true)?,
            },
        }
        Ok(())
    }

    fn set(&mut self, name: &str, on: bool) -> Result<(), String> {
        match Proposal::ALL.iter().find(|proposal| proposal.name() == name) {
            Some(proposal) => self.switch(*proposal, on),
            // Parts of WebAssembly that are always on here, and those that never are.
            None if on == ALWAYS_ON.contains(&name) => {}
            None if on => return Err(format!("it needs `{name}`")),
            None if ALWAYS_ON.contains(&name) => {
                return Err(format!("`{name}` cannot be switched off"));
            }
            None => {}
        }
        Ok(())
    }

    /// Switches a proposal on with what it builds upon, or off with what builds upon it.
    fn switch(&mut self, proposal: Proposal, on: bool) {
        self.0.set(proposal, on);
        let others = Proposal::ALL.iter().copied();
        let needed = |other: &Proposal| match on {
            true => proposal.needs().contains(other),
            false => other.needs().contains(&proposal),
        };
        // No proposal needs one that needs it, so this ends.
        others.filter(needed).for_each(|other| self.switch(other, on));
    }

    fn features(self) -> Result<Features, String> {
        self.0.check().map_err(|error| error.to_string())?;
        Ok(self.0)
    }
}

/// What other tools can switch off.
const ALWAYS_ON: [&str; 2] = ["floats", "gc-types"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_of_wasmtime() {
        let features = of_wasmtime(";;! stack_switching = true\n;;! simd = true\n(module)");
        assert!(features.unwrap().features.stack_switching);
        let found = of_wasmtime(";;! bulk_memory = false\n\n;;! gc = false").unwrap();
        assert!(!found.features.bulk_memory && found.features.gc);
        assert!(!found.much_memory && !found.deterministic);
        let found = of_wasmtime(";;! hogs_memory = true\n;;! nan_canonicalization = true").unwrap();
        assert!(found.much_memory && found.deterministic);
        assert!(of_wasmtime(";;! shared_everything_threads = true").is_err());
        assert!(of_wasmtime(";;! gc_types = false").is_err());
        assert!(of_wasmtime(";;! gc_types = true").is_ok());
    }

    #[test]
    fn commands_of_wasm_tools() {
        let (tool, features) = of_wasm_tools(";; RUN: wast \\\n;;  -f wasm1 \\\n;;  %\n").unwrap();
        assert_eq!((tool, features), (Tool::Script, Features::wasm1()));
        let (tool, features) = of_wasm_tools(";; FAIL: validate % --features=-simd").unwrap();
        assert!(tool == Tool::Rejects && !features.simd && !features.custom_page_sizes);
        assert!(of_wasm_tools(";; RUN: wast % -f custom-descriptors").is_err());
        assert!(of_wasm_tools(";; RUN: wast % -f=-cm-values").is_ok());
        assert!(of_wasm_tools("(module)").is_err());
    }
}
