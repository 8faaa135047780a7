//! Components made by others, and what they say when they are called: `tests/components/*.txt`.
//!
//! Such a file knows nothing of an engine: it says for each component what the host answers when it is
//! called, which exports are called with what, and what must come of it. It was written by the judgement of
//! another engine and is then read by ours.
//!
//! - [`node`]: values as text, much like WAVE, with names for resources.
//! - [`script`]: the lines of a file.
//! - [`host`]: the host that answers by them.
//! - [`ours`]: a component in our engine.

pub mod host;
pub mod node;
pub mod ours;
pub mod script;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use host::Host;
use node::Node;
use script::{Dialogue, Outcome, Turn};

/// A component in an engine.
pub trait Speaker {
    /// Calls an export: `name`, or `interface#name`. The error is a trap.
    fn call(&mut self, export: &str, args: &[Node]) -> Result<Option<Node>, String>;
    /// Drops a resource of the component that was its result before.
    fn drop_resource(&mut self, resource: &Node) -> Result<(), String>;
    /// What it wrote to its standard output since this was asked last.
    fn take_output(&mut self) -> String;
    /// The functions it exports, named as for `call`.
    fn exports(&self) -> Vec<String>;
}

/// What is to be done with what differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judge {
    /// It is an error.
    Compare,
    /// It is what is expected from now on.
    Believe,
}

/// Has a dialogue with one component. What was not as expected.
pub fn hold(
    dialogue: &mut Dialogue,
    host: &Arc<Mutex<Host>>,
    speaker: &mut dyn Speaker,
    judge: Judge,
) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut names: BTreeMap<String, Node> = BTreeMap::new();
    for turn in &mut dialogue.turns {
        let found = one(turn, host, speaker, &mut names);
        if judge == Judge::Believe {
            turn.outcome = found.0;
            turn.sees = found.1;
            turn.output = found.2;
            continue;
        }
        let mut differs = |what: &str, expected: String, found: String| {
            if expected != found {
                wrong.push(format!("{turn}\n  {what}: expected {expected}, found {found}"));
            }
        };
        differs("outcome", turn.outcome.to_string(), found.0.to_string());
        differs("the host saw", turn.sees.join("; "), found.1.join("; "));
        differs("output", format!("{:?}", turn.output), format!("{:?}", found.2));
    }
    wrong
}

/// Which of its exports no dialogue about a file calls.
pub fn never_called(all: &[Dialogue], file: &str, exports: Vec<String>) -> Vec<String> {
    let about = || all.iter().filter(|dialogue| dialogue.files.iter().any(|other| other == file));
    let called = |export: &String| about().any(|d| d.turns.iter().any(|t| t.export == *export));
    exports.into_iter().filter(|export| !called(export)).collect()
}

fn one(
    turn: &Turn,
    host: &Arc<Mutex<Host>>,
    speaker: &mut dyn Speaker,
    names: &mut BTreeMap<String, Node>,
) -> (Outcome, Vec<String>, String) {
    let args: Vec<Node> = turn.args.iter().map(|arg| arg.replace(names).repeated()).collect();
    let outcome = if turn.export == script::DROP {
        match speaker.drop_resource(&args[0]) {
            Ok(()) => Outcome::Returned(None),
            Err(_) => Outcome::Trapped,
        }
    } else {
        match speaker.call(&turn.export, &args) {
            Ok(result) => Outcome::Returned(result.map(|result| {
                if let Outcome::Returned(Some(pattern)) = &turn.outcome {
                    pattern.bind(&result, names);
                }
                result.named(names)
            })),
            Err(_) => Outcome::Trapped,
        }
    };
    let sees = host.lock().map(|mut host| host.take_log()).unwrap_or_default();
    (outcome, sees, speaker.take_output())
}
