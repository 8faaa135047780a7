//! Engines in other processes: each is given a batch of modules with their [probes](super::probe),
//! and says line by line what it saw.
//!
//! The batch is a file: for each module its size (32 bits, little-endian), its bytes, and the same
//! for its probe. The answer to each module is `refused` and why, or `trap` and why if it stopped
//! while it was instantiated, or `instantiated` and then for each export of the probe `values` and
//! numbers in hexadecimal, or `trap` and why; and at last `end`. A process that says nothing for
//! a while, or is gone, is not asked about the module it was at again.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use super::probe::{Answer, Probe, probe};
use super::{Observation, Rival, Step, Stop};

/// How long a process may take from one line to the next.
const PATIENCE: Duration = Duration::from_secs(20);

/// An engine that runs in a process of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum External {
    /// V8, through `node` on `PATH`.
    Node,
    /// Wasmtime, through its package for `python3`.
    Wasmtime,
}

/// What an engine made of a module.
enum Seen {
    /// It ran.
    Ran(Observation),
    /// It does not accept the module, and why.
    Refused(String),
    /// It was stopped, or ended for reasons of its own.
    Lost,
}

impl External {
    /// How to run an engine, if it is one in another process.
    pub(super) fn of(rival: Rival) -> Option<External> {
        match rival {
            Rival::Wasmi => None,
            Rival::Node => Some(External::Node),
            Rival::Wasmtime => Some(External::Wasmtime),
        }
    }

    fn name(self) -> &'static str {
        match self {
            External::Node => "node",
            External::Wasmtime => "wasmtime",
        }
    }

    /// The same steps as on our engine for each module; `None` where there is nothing to compare.
    pub(super) fn observe(
        self,
        modules: &[&[u8]],
        calls: usize,
        deterministic: bool,
    ) -> Result<Vec<Option<Observation>>, String> {
        let probes = modules.iter().map(|module| probe(module, calls));
        let probes = probes.collect::<Result<Vec<_>, _>>()?;
        let pairs: Vec<_> = modules.iter().copied().zip(&probes).collect();
        let seen = self.run(&pairs, deterministic)?.into_iter().map(|seen| match seen {
            Seen::Ran(observation) => Some(observation),
            Seen::Refused(why) => {
                if std::env::var_os("DUNLIN_FUZZ_REFUSED").is_some() {
                    eprintln!("{} refused: {why}", self.name());
                }
                None
            }
            Seen::Lost => None,
        });
        Ok(seen.collect())
    }

    /// Whether it can be run here.
    pub(super) fn is_there(self) -> bool {
        let mut command = match self {
            External::Node => Command::new("node"),
            External::Wasmtime => Command::new("python3"),
        };
        match self {
            External::Node => command.arg("--version"),
            External::Wasmtime => command.args(["-c", "import wasmtime"]),
        };
        let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        quiet.status().is_ok_and(|status| status.success())
    }

    fn start(self, batch: &Batch, deterministic: bool) -> std::io::Result<Child> {
        let mut command = match self {
            External::Node => {
                let mut command = Command::new("node");
                command.arg("--no-warnings").arg(batch.path("driver.mjs")).arg(batch.path("batch"));
                command
            }
            External::Wasmtime => {
                let mut command = Command::new("python3");
                command.arg(batch.path("driver.py")).arg(batch.path("batch")).args([
                    "wasm_wide_arithmetic",
                    "wasm_custom_page_sizes",
                    "wasm_gc",
                    "wasm_function_references",
                    "wasm_exceptions",
                    "wasm_relaxed_simd_deterministic",
                ]);
                if deterministic {
                    command.arg("cranelift_nan_canonicalization");
                }
                command
            }
        };
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()
    }

    /// What the engine makes of each of the modules.
    fn run(self, modules: &[(&[u8], &Probe)], deterministic: bool) -> Result<Vec<Seen>, String> {
        let batch = Batch::new().map_err(|error| format!("no folder for a batch: {error}"))?;
        let failed = |error| format!("cannot run {}: {error}", self.name());
        let mut seen = Vec::new();
        while seen.len() < modules.len() {
            let before = seen.len();
            batch.write(&modules[before..]).map_err(failed)?;
            let mut process = self.start(&batch, deterministic).map_err(failed)?;
            let lines = lines_of(&mut process);
            while seen.len() < modules.len() {
                match read_one(&lines, modules[seen.len()].1) {
                    Some(one) => seen.push(one),
                    None => break,
                }
            }
            if seen.len() < modules.len() {
                // It hangs or is gone; one that never answers is not an engine.
                let _ = process.kill();
                let ended = process.wait().map_err(failed)?;
                if before == 0 && seen.is_empty() && ended.code().is_some_and(|code| code != 0) {
                    return Err(format!("{} ended with {ended}", self.name()));
                }
                seen.push(Seen::Lost);
            } else {
                process.wait().map_err(failed)?;
            }
        }
        Ok(seen)
    }
}

/// The lines a process writes, read on a thread of their own.
fn lines_of(process: &mut Child) -> Receiver<String> {
    let (sender, lines) = channel();
    if let Some(output) = process.stdout.take() {
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
    }
    lines
}

/// The answer to one module; `None` if it does not come.
fn read_one(lines: &Receiver<String>, probe: &Probe) -> Option<Seen> {
    let mut refused = None;
    let mut start_trap = None;
    let mut instantiated = false;
    let mut answers = Vec::new();
    loop {
        let line = match lines.recv_timeout(PATIENCE) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return None,
        };
        let (word, rest) = line.split_once(' ').unwrap_or((&line, ""));
        match word {
            "refused" => refused = Some(rest.to_string()),
            "instantiated" => instantiated = true,
            "trap" if instantiated => answers.push(Answer::Trap(stop(rest))),
            "trap" => start_trap = Some(stop(rest)),
            "values" => {
                let values = rest.split_whitespace().map(|value| u64::from_str_radix(value, 16));
                answers.push(Answer::Values(values.collect::<Result<_, _>>().ok()?));
            }
            "end" => break,
            _ => return None,
        }
    }
    if let Some(trap) = start_trap {
        let steps = vec![Step::Trapped { function: "start".to_string(), trap }];
        return Some(Seen::Ran(Observation { steps }));
    }
    match refused {
        Some(why) => Some(Seen::Refused(why)),
        None => Some(probe.observation(&answers).map_or(Seen::Lost, Seen::Ran)),
    }
}

fn stop(word: &str) -> Stop {
    match word {
        "unreachable" => Stop::Unreachable,
        "memory" => Stop::MemoryOutOfBounds,
        "table" => Stop::TableOutOfBounds,
        "element" => Stop::NullElement,
        "signature" => Stop::BadSignature,
        "overflow" => Stop::IntegerOverflow,
        "division" => Stop::DivisionByZero,
        "conversion" => Stop::BadConversion,
        "null" => Stop::Null,
        "cast" => Stop::Cast,
        "array" => Stop::ArrayOutOfBounds,
        "unaligned" => Stop::Unaligned,
        "exception" => Stop::Exception,
        "stack" => Stop::StackOverflow,
        _ => Stop::Engine,
    }
}

/// A folder with a batch and the drivers, removed at the end.
struct Batch(PathBuf);

impl Batch {
    fn new() -> std::io::Result<Batch> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("dunlin-batch-{}-{number}", std::process::id());
        let batch = Batch(std::env::temp_dir().join(name));
        fs::create_dir_all(&batch.0)?;
        fs::write(batch.path("driver.mjs"), include_str!("node.mjs"))?;
        fs::write(batch.path("driver.py"), include_str!("wasmtime.py"))?;
        Ok(batch)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn write(&self, modules: &[(&[u8], &Probe)]) -> std::io::Result<()> {
        let mut bytes = Vec::new();
        for (module, probe) in modules {
            for part in [module, &probe.binary[..]] {
                bytes.extend_from_slice(&(part.len() as u32).to_le_bytes());
                bytes.extend_from_slice(part);
            }
        }
        fs::write(self.path("batch"), bytes)
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
