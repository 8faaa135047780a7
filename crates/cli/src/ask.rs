//! Needs that no grant covers, put to whoever sits at the terminal: once, always or never.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use dunlin::wasi::host::{Answer, Approver, Need, Source, ask_at_terminal, is_interactive};
use dunlin::wasi::policy::Policy;

use crate::Exit;
use crate::flags::{AskFlag, ProgramFlags};
use crate::input;
use crate::oversight::{read, replace};
use crate::plan::Stop;
use crate::report::{Failure, io_reason};

/// How many questions one run may ask.
const QUESTIONS_MAX: u32 = 64;

/// What is longer is refused unasked: nobody reads it to its end, and the screen should not be full of it.
const NEED_MAX: usize = 300;
const NAME_MAX: usize = 200;

/// How often an answer that is none is asked for again.
const TRIES: u32 = 3;

/// One program runs in a process.
static STOP: OnceLock<Stop> = OnceLock::new();

/// Questions end without an answer as soon as `stop` says so.
pub(crate) fn stop_when(stop: Stop) {
    // The first is that of the program, if there ever is another one.
    let _ = STOP.set(stop);
}

fn is_over() -> bool {
    STOP.get().is_some_and(|stop| stop())
}

/// Asks, and remembers the answers.
pub(crate) struct Ask {
    policy: Option<PathBuf>,
    learns: Option<PathBuf>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// By component and flag: whether it was `always`, or `never`.
    answers: BTreeMap<(String, String), bool>,
    /// Component and need of each `always`.
    always: Vec<(String, Need)>,
    asked: u32,
}

/// What was said.
enum Said {
    Once,
    Always,
    Never,
}

impl Ask {
    /// Somebody to ask, if there is somebody and they may be asked.
    pub(crate) fn new(flags: &ProgramFlags) -> Option<Ask> {
        let rules = &flags.grants.rules;
        // What somebody answers is no input that is the same at every run.
        if rules.ask == AskFlag::Never || flags.deterministic || !is_interactive() {
            return None;
        }
        let named = |path: &Option<PathBuf>| path.clone().filter(|path| !input::is_stdin(path));
        Some(Ask {
            policy: named(&rules.policy),
            learns: named(&rules.learn),
            state: Mutex::default(),
        })
    }

    fn put(&self, question: &str) -> Said {
        let mut question = question.to_owned();
        for _ in 0..TRIES {
            let Ok(Some(answer)) = ask_at_terminal(&question, &is_over) else {
                return Said::Never;
            };
            match answer.trim().to_ascii_lowercase().as_str() {
                "o" | "once" => return Said::Once,
                "a" | "always" => return Said::Always,
                "n" | "never" | "" => return Said::Never,
                _ => question = "expected `once`, `always` or `never` [never]: ".to_owned(),
            }
        }
        Said::Never
    }

    /// Adds what was answered with `always` to the policy, after the run: until then the program is
    /// kept from it
    /// by what file it is.
    pub(crate) fn keep(&self) -> Result<(), Failure> {
        let Some(path) = &self.policy else { return Ok(()) };
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.always.is_empty() { Ok(()) } else { add(path, &state.always) }
    }
}

impl Approver for Ask {
    fn approve(&self, source: &Source, holder: &str, need: &Need) -> Answer {
        let key = (holder.to_owned(), need.flag());
        let length = key.1.len().max(need.target().len());
        if length > NEED_MAX || holder.len() > NAME_MAX || source.component.len() > NAME_MAX {
            return Answer::No;
        }
        // Held while somebody thinks: others wait for their own question, or for this very answer.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match state.answers.get(&key) {
            Some(true) => return Answer::Granted,
            Some(false) => return Answer::No,
            None => {}
        }
        if state.asked >= QUESTIONS_MAX || is_over() {
            return Answer::No;
        }
        state.asked += 1;
        if state.asked == QUESTIONS_MAX {
            eprintln!("note: this is the last question; what else is not granted is refused");
        }
        let keeps = self.policy.as_ref().or(self.learns.as_ref());
        match self.put(&question(source, holder, need, keeps.map(PathBuf::as_path))) {
            Said::Once => Answer::Once,
            Said::Always => {
                state.answers.insert(key, true);
                state.always.push((holder.to_owned(), need.clone()));
                Answer::Granted
            }
            Said::Never => {
                state.answers.insert(key, false);
                Answer::No
            }
        }
    }
}

impl fmt::Debug for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ask").finish_non_exhaustive()
    }
}

/// Who asks for what, and what there is to say. What comes from the program is shown so that it can be
/// mistaken for nothing else.
fn question(source: &Source, holder: &str, need: &Need, keeps: Option<&Path>) -> String {
    let who = match &*source.component {
        "" => "the program".to_owned(),
        component => format!("component `{}`", Plain(component)),
    };
    let whose = match holder {
        _ if holder == &*source.component => String::new(),
        "" => ", by something of the outermost component's".to_owned(),
        holder => format!(", by something of component `{}`'s", Plain(holder)),
    };
    let wants = match need {
        Need::Connect { .. } => "connect to",
        Need::Listen { .. } => "listen on",
        Need::Resolve { .. } => "look up",
        Need::Http { .. } => "send a request to",
        Need::Store { .. } => "have, in memory, the store",
        Need::Path { .. } => "change",
        _ => "have",
    };
    let target = need.target();
    let (target, function, flag) = (Plain(&target), Plain(source.function), need.flag());
    let always = match keeps {
        Some(path) => format!("added to {}", input::name(path)),
        None => "for this run".to_owned(),
    };
    format!(
        "dunlin: {who} asks to {wants} `{target}`{whose}\n        \
         (`{function}`, which takes `{}`)\n        \
         once, always ({always}) or never? [never] ",
        Plain(&flag)
    )
}

/// Text as printable ASCII.
struct Plain<'a>(&'a str);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '`' => write!(f, "{}", c.escape_unicode())?,
                ' '..='~' => write!(f, "{c}")?,
                c => write!(f, "{}", c.escape_unicode())?,
            }
        }
        Ok(())
    }
}

/// Adds needs to a policy file: to the table of each component, or for all if there are no tables.
/// Comments at
/// its start are kept.
fn add(path: &Path, needs: &[(String, Need)]) -> Result<(), Failure> {
    let input = input::read(path)?;
    let mut policy: Policy = read(&input)?;
    let apart = !policy.components.is_empty();
    let cannot = |why: &str| {
        let message = format!("cannot add what was answered to {}: {why}", input.name());
        Failure::new(Exit::Unreached, message)
    };
    for (holder, need) in needs {
        let grants = match apart && !holder.is_empty() {
            true => policy.components.entry(holder.clone()).or_default(),
            false => &mut policy.root,
        };
        if !grants.add(need) {
            let need = need.flag();
            return Err(cannot(&format!("`{}` is no rule", Plain(&need))));
        }
    }
    let text = String::from_utf8_lossy(&input.bytes);
    let is_comment = |line: &&str| line.trim_start().starts_with('#') || line.trim().is_empty();
    let head: String = text.split_inclusive('\n').take_while(is_comment).collect();
    replace(path, &(head + &policy.render())).map_err(|error| cannot(&io_reason(&error)))
}
