//! Values of a configuration, by key: what an embedder tells a guest that is no secret of the environment.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Need;
use super::witness::{Verdict, Witness};

/// The configuration of a guest.
#[derive(Clone, Debug, Default)]
pub struct Config {
    pub(crate) values: Arc<BTreeMap<String, String>>,
    pub(crate) witness: Witness,
}

impl Config {
    /// The value of a key, if there is one. Asking for another is no denial: most keys have a default.
    pub fn get(&self, key: &str) -> Option<&str> {
        let value = self.values.get(key);
        let verdict = if value.is_some() { Verdict::Granted } else { Verdict::Denied };
        self.tell(key, verdict);
        value.map(String::as_str)
    }

    /// All keys and values, in the order of the keys.
    pub fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.iter().map(|(key, value)| {
            self.tell(key, Verdict::Granted);
            (key.as_str(), value.as_str())
        })
    }

    fn tell(&self, key: &str, verdict: Verdict) {
        let rule = format_args!("--config {key}");
        let rule = (verdict == Verdict::Granted).then_some(&rule as _);
        self.witness.tell("config", verdict, rule, || Need::Config { key: key.to_owned() });
    }
}
