//! Files of others' suites that are not run at all, each with its reason.
//!
//! `tests/left-out.txt` has one line for each: its path, or that of a folder with a final slash, and
//! the reason. Lines that begin with `#` and empty lines say nothing. An entry for something that is
//! not there is an error.

use std::collections::BTreeMap;
use std::fs;

/// The list.
pub(super) struct LeftOut(BTreeMap<String, String>);

impl LeftOut {
    pub(super) fn load() -> Result<LeftOut, String> {
        let text = fs::read_to_string(crate::data("left-out.txt")).map_err(|e| e.to_string())?;
        LeftOut::parse(&text)
    }

    fn parse(text: &str) -> Result<LeftOut, String> {
        let mut entries = BTreeMap::new();
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let Some((path, reason)) = line.split_once(' ') else {
                return Err(format!("left-out.txt: no reason: `{line}`"));
            };
            if entries.insert(path.to_string(), reason.to_string()).is_some() {
                return Err(format!("left-out.txt: `{path}` is listed twice"));
            }
        }
        Ok(LeftOut(entries))
    }

    /// Whether the file at `path` is left out.
    pub(super) fn contains(&self, path: &str) -> bool {
        self.0.keys().any(|entry| matches(entry, path))
    }

    /// The entries below `suite` that match none of `paths`.
    pub(super) fn stale(&self, suite: &str, paths: &[String]) -> Vec<&str> {
        let entries = self.0.keys().map(String::as_str);
        entries
            .filter(|entry| entry.split('/').next() == Some(suite))
            .filter(|entry| !paths.iter().any(|path| matches(entry, path)))
            .collect()
    }
}

fn matches(entry: &str, path: &str) -> bool {
    entry == path || entry.ends_with('/') && path.starts_with(entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_folders() {
        let list = LeftOut::parse("# comment\n\ns/a.wast a file\ns/b/ a folder\nt/c x\n").unwrap();
        assert!(list.contains("s/a.wast") && list.contains("s/b/c/d.wast"));
        assert!(!list.contains("s/a.wasted") && !list.contains("s/bc.wast"));
        assert_eq!(list.stale("s", &["s/b/c.wast".to_string()]), ["s/a.wast"]);
        assert!(LeftOut::parse("s/a.wast").is_err());
    }
}
