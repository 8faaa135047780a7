//! Campaigns: many random modules compared with another engine, and what differs made small.

use dunlin_script::{PrintOptions, print};

use crate::generator::{self, FeatureSet};
use crate::oracle::{Compared, Rival, compare_all};

/// How many modules another process is given at a time.
const BATCH: u64 = 500;

/// How often each exported function is called.
const CALLS: usize = 2;

/// What is to be compared.
#[derive(Clone, Copy, Debug)]
pub struct Campaign {
    /// What modules may use.
    pub set: &'static FeatureSet,
    /// The other engine.
    pub rival: Rival,
    /// The seed of the first module.
    pub seed: u64,
    /// How many seeds.
    pub count: u64,
    /// How many smaller modules are tried to find one that still differs.
    pub attempts: usize,
}

/// What came of a campaign.
#[derive(Debug, Default)]
pub struct Tally {
    /// Modules that were run in our configurations.
    pub modules: u64,
    /// Those of them that the other engine ran as well.
    pub compared: u64,
    /// What differs.
    pub differences: Vec<Difference>,
}

/// A module that two engines disagree about.
#[derive(Debug)]
pub struct Difference {
    /// Its seed.
    pub seed: u64,
    /// What they say.
    pub message: String,
    /// A module made smaller, with what they say about it, as text.
    pub smallest: String,
}

impl Campaign {
    /// Runs it, telling `progress` after each batch.
    ///
    /// # Errors
    ///
    /// If the other engine cannot be run at all.
    pub fn run(&self, mut progress: impl FnMut(&Tally)) -> Result<Tally, String> {
        let mut tally = Tally::default();
        let end = self.seed.saturating_add(self.count);
        let mut seed = self.seed;
        while seed < end {
            let batch = seed..end.min(seed.saturating_add(BATCH));
            seed = batch.end;
            self.batch(batch, &mut tally)?;
            progress(&tally);
        }
        Ok(tally)
    }

    fn batch(&self, seeds: std::ops::Range<u64>, tally: &mut Tally) -> Result<(), String> {
        let made = seeds
            .filter_map(|seed| Some((seed, generator::module(&generator::bytes(seed), self.set)?)));
        let (seeds, modules): (Vec<u64>, Vec<Vec<u8>>) = made.unzip();
        let compared = compare_all(&modules, CALLS, self.rival, self.set.ours)?;
        for (seed, compared) in seeds.into_iter().zip(compared) {
            tally.modules += 1;
            match compared {
                Ok(Compared::WithOther) => tally.compared += 1,
                Ok(Compared::OursOnly) => {}
                Err(message) => {
                    tally.compared += 1;
                    let smallest = self.smallest(&generator::bytes(seed));
                    tally.differences.push(Difference { seed, message, smallest });
                }
            }
        }
        Ok(())
    }

    /// What they say about the module made of `data`, if they disagree.
    fn differs(&self, data: &[u8]) -> Option<(Vec<u8>, String)> {
        let module = generator::module(data, self.set)?;
        let modules = std::slice::from_ref(&module);
        let compared = compare_all(modules, CALLS, self.rival, self.set.ours).ok()?;
        let message = compared.into_iter().next()?.err()?;
        Some((module, message))
    }

    /// Leaves out of `data` what is not needed for a difference, in ever smaller pieces.
    fn smallest(&self, data: &[u8]) -> String {
        let Some(mut best) = self.differs(data) else {
            return "the difference does not come again".to_string();
        };
        let mut data = data.to_vec();
        let (mut attempts, mut piece) = (0, data.len() / 2);
        while piece > 0 && attempts < self.attempts {
            let mut at = 0;
            while at < data.len() && attempts < self.attempts {
                attempts += 1;
                let mut shorter = data.clone();
                shorter.drain(at..data.len().min(at + piece));
                match self.differs(&shorter).filter(|(module, _)| module.len() <= best.0.len()) {
                    Some(found) => (data, best) = (shorter, found),
                    None => at += piece,
                }
            }
            piece /= 2;
        }
        let text = print(&best.0, &PrintOptions::default());
        format!("{}\n{}", best.1, text.unwrap_or_else(|error| error.to_string()))
    }
}
