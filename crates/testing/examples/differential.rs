//! Compares many random modules with another engine: `scripts/differential` runs all of it.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is a program")]

use std::process::ExitCode;

use dunlin_testing::campaign::Campaign;
use dunlin_testing::generator::{FeatureSet, SETS};
use dunlin_testing::oracle::Rival;

const USAGE: &str = "usage: differential [--set NAME] [--oracle NAME] [--seed S] [--count N] \
                     [--shrink ATTEMPTS]";

fn main() -> ExitCode {
    match campaign(std::env::args().skip(1)).and_then(|campaign| run(&campaign)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::from(2)
        }
    }
}

fn campaign(mut args: impl Iterator<Item = String>) -> Result<Campaign, String> {
    let mut campaign =
        Campaign { set: &SETS[0], rival: Rival::Wasmi, seed: 0, count: 1000, attempts: 200 };
    while let Some(flag) = args.next() {
        let value = args.next().ok_or(USAGE)?;
        let number = || value.parse::<u64>().map_err(|error| format!("`{value}`: {error}"));
        match flag.as_str() {
            "--set" => campaign.set = set(&value)?,
            "--oracle" => campaign.rival = rival(&value)?,
            "--seed" => campaign.seed = number()?,
            "--count" => campaign.count = number()?,
            "--shrink" => campaign.attempts = number()? as usize,
            _ => return Err(USAGE.to_string()),
        }
    }
    Ok(campaign)
}

fn set(name: &str) -> Result<&'static FeatureSet, String> {
    let names = || SETS.iter().map(|set| set.name).collect::<Vec<_>>().join(", ");
    let found = SETS.iter().find(|set| set.name == name);
    found.ok_or_else(|| format!("unknown set `{name}`; there are {}", names()))
}

fn rival(name: &str) -> Result<Rival, String> {
    let names = || Rival::ALL.map(Rival::name).join(", ");
    let found = Rival::ALL.into_iter().find(|rival| rival.name() == name);
    found.ok_or_else(|| format!("unknown oracle `{name}`; there are {}", names()))
}

/// Whether nothing differs.
fn run(campaign: &Campaign) -> Result<bool, String> {
    let (set, rival) = (campaign.set.name, campaign.rival.name());
    let mut told = 0;
    let tally = campaign.run(|tally| {
        for difference in &tally.differences[told..] {
            println!("seed {}: {}", difference.seed, difference.message);
            println!("smallest: {}", difference.smallest);
        }
        told = tally.differences.len();
        eprintln!("{set}, {rival}: {} modules, {} compared", tally.modules, tally.compared);
    })?;
    println!(
        "{set}, {rival}: seeds from {}: {} modules, {} compared, {} differences",
        campaign.seed,
        tally.modules,
        tally.compared,
        tally.differences.len()
    );
    Ok(tally.differences.is_empty())
}
