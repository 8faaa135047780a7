//! Lists of directives that a configuration cannot pass yet, each with its reason.
//!
//! A list is a text file. An entry is the path of a script, a colon, line numbers separated by
//! commas, and the reason; or the path, ` * `, and the reason, for all directives of a script.
//! Lines that begin with `#` and empty lines say nothing. A directive that is listed and passes is
//! as wrong as one that is not listed and fails.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;

/// The longest line that is written, as for everything else in this repository.
const COLUMNS: usize = 100;

/// What a list begins with.
const HEADER: &str = "\
# What does not pass yet, by directive; `crates/testing/src/failing.rs` explains the form.
# `BLESS=1 cargo test -p dunlin-testing --test spec` rewrites what needs an unsupported feature.
";

/// What is known to fail, by script.
#[derive(Default)]
pub struct Failing {
    scripts: BTreeMap<String, Known>,
}

/// What is known to fail in one script.
#[derive(Default)]
struct Known {
    lines: BTreeMap<usize, String>,
    whole: Option<String>,
}

impl Failing {
    /// Reads the lists `names` below `tests/failing`; one that does not exist is empty.
    ///
    /// # Errors
    ///
    /// Names the first entry that is malformed.
    pub fn load(names: &[&str]) -> Result<Failing, String> {
        let mut failing = Failing::default();
        for name in names {
            let path = crate::data(format!("failing/{name}.txt"));
            let text = fs::read_to_string(path).unwrap_or_default();
            for (i, line) in text.lines().enumerate() {
                failing
                    .entry(line)
                    .ok_or_else(|| format!("failing/{name}.txt:{}: malformed entry", i + 1))?;
            }
        }
        Ok(failing)
    }

    fn entry(&mut self, line: &str) -> Option<()> {
        if line.is_empty() || line.starts_with('#') {
            return Some(());
        }
        let (place, reason) = line.split_once(' ')?;
        if let Some(reason) = reason.strip_prefix("* ") {
            self.scripts.entry(place.to_string()).or_default().whole = Some(reason.to_string());
            return Some(());
        }
        let (path, lines) = place.rsplit_once(':')?;
        let known = self.scripts.entry(path.to_string()).or_default();
        for line in lines.split(',') {
            known.lines.insert(line.parse().ok()?, reason.to_string());
        }
        Some(())
    }

    /// Why the directive at `line` of `script` is known to fail, if it is.
    pub fn reason(&self, script: &str, line: usize) -> Option<&str> {
        let known = self.scripts.get(script)?;
        known.lines.get(&line).or(known.whole.as_ref()).map(String::as_str)
    }

    /// Entries for lines of `script` that are not among `failed`, the lines where something failed.
    pub fn stale(&self, script: &str, failed: &BTreeSet<usize>) -> Vec<String> {
        let Some(known) = self.scripts.get(script) else {
            return Vec::new();
        };
        let mut stale: Vec<String> = known
            .lines
            .keys()
            .filter(|line| !failed.contains(line))
            .map(|line| format!("{script}:{line}: passes, but is listed as failing"))
            .collect();
        if known.whole.is_some() && failed.is_empty() {
            stale.push(format!("{script}: passes, but is listed as failing"));
        }
        stale
    }

    /// The scripts of `suite` that are listed.
    pub fn scripts<'a>(&'a self, suite: &'a str) -> impl Iterator<Item = &'a str> {
        let is_of_suite = move |script: &&str| script.split('/').next() == Some(suite);
        self.scripts.keys().map(String::as_str).filter(is_of_suite)
    }

    /// Lists the `unsupported` directives of `script`, or all of it if it is `about` a proposal
    /// that there is not at all, and removes what is not among `failed`.
    pub fn bless(
        &mut self,
        script: &str,
        failed: &BTreeSet<usize>,
        unsupported: &[(usize, String)],
        about: Option<&str>,
    ) {
        let known = self.scripts.entry(script.to_string()).or_default();
        known.lines.retain(|line, _| failed.contains(line) && about.is_none());
        known.whole = about.map(String::from).or(known.whole.take());
        known.whole = known.whole.take().filter(|_| !failed.is_empty());
        for (line, reason) in unsupported {
            known.lines.insert(*line, reason.clone());
        }
        if known.lines.is_empty() && known.whole.is_none() {
            self.scripts.remove(script);
        }
    }

    /// The text of a list with these entries.
    pub fn to_text(&self) -> String {
        let mut text = HEADER.to_string();
        for (script, known) in &self.scripts {
            if let Some(reason) = &known.whole {
                let _ = writeln!(text, "{script} * {reason}");
            }
            let mut by_reason: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
            for (&line, reason) in &known.lines {
                by_reason.entry(reason).or_default().push(line);
            }
            for (reason, lines) in by_reason {
                let mut entry = String::new();
                for line in lines {
                    let number = line.to_string();
                    let length = entry.len() + 1 + number.len() + 1 + reason.len();
                    if !entry.is_empty() && length > COLUMNS {
                        let _ = writeln!(text, "{entry} {reason}");
                        entry.clear();
                    }
                    entry += if entry.is_empty() { script } else { "," };
                    if entry.len() == script.len() {
                        entry.push(':');
                    }
                    entry += &number;
                }
                let _ = writeln!(text, "{entry} {reason}");
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_reads_back_what_it_writes() {
        let mut failing = Failing::default();
        for line in 1..60 {
            let reason = if line % 2 == 0 { "gc" } else { "exceptions" };
            failing.entry(&format!("suite/long.wast:{line}000 {reason}")).unwrap();
        }
        failing.entry("suite/whole.wast * threads and more").unwrap();
        let text = failing.to_text();
        assert!(text.lines().all(|line| line.len() <= COLUMNS), "{text}");
        let mut again = Failing::default();
        for line in text.lines() {
            again.entry(line).unwrap();
        }
        assert_eq!(again.to_text(), text);
        assert_eq!(again.reason("suite/long.wast", 2000), Some("gc"));
        assert_eq!(again.reason("suite/long.wast", 2001), None);
        assert_eq!(again.reason("suite/whole.wast", 7), Some("threads and more"));
    }

    #[test]
    fn what_passes_may_not_be_listed() {
        let mut failing = Failing::default();
        failing.entry("a.wast:3,5 gc").unwrap();
        assert_eq!(failing.stale("a.wast", &BTreeSet::from([3])).len(), 1);
        assert!(failing.stale("a.wast", &BTreeSet::from([3, 5, 7])).is_empty());
        failing.bless("a.wast", &BTreeSet::from([5, 9]), &[(9, "threads".to_string())], None);
        assert_eq!(failing.to_text(), format!("{HEADER}a.wast:5 gc\na.wast:9 threads\n"));
        failing.bless("a.wast", &BTreeSet::from([5, 9]), &[], Some("novelty"));
        assert_eq!(failing.to_text(), format!("{HEADER}a.wast * novelty\n"));
        failing.bless("a.wast", &BTreeSet::new(), &[], Some("novelty"));
        assert_eq!(failing.to_text(), HEADER);
        assert!(failing.entry("no colon").is_none());
        assert!(failing.entry("a.wast:x reason").is_none());
    }
}
