//! What was compiled, when and why, for those who ask.

use std::sync::Arc;
use std::time::{Duration, Instant};

use dunlin_code::native::Entry;
use dunlin_module::{DefinedFuncIndex, FuncIndex, Module};

use super::ticker::TICK;

/// What tiers did since the engine was made.
#[derive(Clone, Default, Debug)]
#[non_exhaustive]
pub struct TierReport {
    /// What was compiled or refused, in the order in which it was done; empty unless
    /// [`TierPolicy::record`](super::TierPolicy::record) says otherwise.
    pub lines: Vec<CompiledCode>,
    /// How often something was compiled.
    pub compiled: u64,
    /// How often something was asked for and stays interpreted.
    pub refused: u64,
    /// Time of all compiling, on all threads.
    pub compiling: Duration,
    /// Native code, in bytes.
    pub native_bytes: u64,
    /// About how long guests were interpreted: the samples that were taken.
    pub interpreted: Duration,
    /// About how long guests were in native code or in the host: the samples that nobody took.
    pub elsewhere: Duration,
    /// How often a running loop was taken over.
    pub osr_entries: u64,
}

/// Something that was compiled, or stays interpreted.
#[derive(Clone, Debug)]
pub struct CompiledCode {
    /// The module.
    pub module: Arc<Module>,
    /// The function.
    pub func: FuncIndex,
    /// Where it is entered.
    pub entry: Entry,
    /// When it was asked for, since the engine was made.
    pub asked: Duration,
    /// The interpreted time seen until then.
    pub heat: Duration,
    /// When compiling began.
    pub began: Duration,
    /// How long it took.
    pub took: Duration,
    /// Bytes of native code; or why there is none.
    pub outcome: Result<u64, String>,
    /// How often the loop was taken over.
    pub osr_entries: u64,
}

/// When something was asked for, and the heat it had.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) at: Instant,
    pub(super) heat: Duration,
}

/// What became of it.
#[derive(Debug)]
pub(super) enum Outcome {
    Native { bytes: u64 },
    Refused(String),
}

/// What a line is about.
type Subject<'a> = (&'a Arc<Module>, DefinedFuncIndex, Entry, Asked);

/// The book that all of it is written into.
#[derive(Debug)]
pub(super) struct Ledger {
    start: Instant,
    report: TierReport,
}

impl Ledger {
    pub(super) fn new(start: Instant) -> Ledger {
        Ledger { start, report: TierReport::default() }
    }

    pub(super) fn report(&self) -> TierReport {
        self.report.clone()
    }

    /// Notes that something was compiled or refused; gives the number of its line, if it has one.
    pub(super) fn compiled(
        &mut self,
        subject: Option<Subject<'_>>,
        began: Instant,
        took: Duration,
        outcome: Outcome,
    ) -> Option<usize> {
        let report = &mut self.report;
        report.compiling += took;
        let outcome = match outcome {
            Outcome::Native { bytes } => {
                report.compiled += 1;
                report.native_bytes += bytes;
                Ok(bytes)
            }
            Outcome::Refused(why) => {
                report.refused += 1;
                Err(why)
            }
        };
        let (module, func, entry, asked) = subject?;
        report.lines.push(CompiledCode {
            module: module.clone(),
            func: module.func_index(func),
            entry,
            asked: asked.at.saturating_duration_since(self.start),
            heat: asked.heat,
            began: began.saturating_duration_since(self.start),
            took,
            outcome,
            osr_entries: 0,
        });
        Some(report.lines.len() - 1)
    }

    /// A running loop was taken over.
    pub(super) fn entered(&mut self, line: Option<usize>) {
        self.report.osr_entries += 1;
        if let Some(line) = line.and_then(|line| self.report.lines.get_mut(line)) {
            line.osr_entries += 1;
        }
    }

    /// A tick was taken.
    pub(super) fn sampled(&mut self) {
        self.report.interpreted += TICK;
    }

    /// A tick was left for so long.
    pub(super) fn left(&mut self, interval: Duration) {
        self.report.elsewhere += interval;
    }
}
