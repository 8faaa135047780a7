//! `dunlin cache`: what the cache holds.

use dunlin::{CacheEntry, CacheKind};

use crate::Exit;
use crate::flags::{CacheAction, CacheFlags};
use crate::plan;
use crate::quantity::Size;
use crate::report::{Failure, quoted, write_stdout};

pub(crate) fn run(flags: &CacheFlags) -> Result<Exit, Failure> {
    let storage = plan::user_storage();
    let Some(directory) = &storage.cache_directory else {
        write_stdout("the cache is off\n")?;
        return Ok(Exit::DONE);
    };
    let name = quoted(&directory.to_string_lossy());
    let (files, what) = match flags.action {
        CacheAction::Show => (dunlin::list_cache(&storage), "show"),
        CacheAction::Clear => (dunlin::clear_cache(&storage), "clear"),
    };
    let files = files.map_err(|error| {
        Failure::engine(Exit::Unreached, format!("cannot {what} the cache"), &error)
    })?;
    let count = |kind, one, many| {
        let of_kind: Vec<&CacheEntry> = files.iter().filter(|file| file.kind == kind).collect();
        let bytes = Size(of_kind.iter().map(|file| file.bytes).sum());
        match of_kind.len() {
            1 => format!("  1 {one}, {bytes}\n"),
            count => format!("  {count} {many}, {bytes}\n"),
        }
    };
    let mut text = match flags.action {
        CacheAction::Show => {
            let most = Size(storage.cache_bytes_max);
            format!("{name}: at most {most}\n")
        }
        CacheAction::Clear => format!("{name}: removed\n"),
    };
    text += &count(Some(CacheKind::Code), "module's code", "modules' code");
    text += &count(
        Some(CacheKind::Verdict),
        "verdict that a module is valid",
        "verdicts that modules are valid",
    );
    if files.iter().any(|file| file.kind.is_none()) {
        text += &count(None, "file that is being written", "files that are being written");
    }
    write_stdout(text)?;
    Ok(Exit::DONE)
}
