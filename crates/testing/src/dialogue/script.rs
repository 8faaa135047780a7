//! The lines of a file of dialogues.
//!
//! ```text
//! component FILE [FILE…]         what the following is about; files that are the same
//!   args NAME ARG…               of the process
//!   env NAME=VALUE               the same
//!   have %1 RESOURCE = VALUE     a resource of the host, its type as it is imported, and what it holds
//!   answer IMPORT = VALUE        what the host says; `;` parts first, second … last and ever after
//!   call EXPORT(ARGS) -> RESULT  a call; `-> trap` if it traps; `$name` names a resource
//!                                as an argument, `repeat(n, v)` is a list of n times v
//!   drop $name                   the host drops a resource of the component
//!     sees IMPORT(ARGS)          what reached the host meanwhile, in order
//!     prints "TEXT"              what it wrote
//! ```

use std::fmt;

use super::node::Node;

/// Stands for an export where a resource is dropped instead.
pub const DROP: &str = "drop";

/// What is said with one component.
#[derive(Clone, Debug, Default)]
pub struct Dialogue {
    /// Comments before it.
    pub comments: Vec<String>,
    /// Its files, which are the same.
    pub files: Vec<String>,
    /// The arguments of the process, its name first.
    pub args: Vec<String>,
    /// Its environment.
    pub env: Vec<(String, String)>,
    /// Resources of the host that are there before: their types, and what they hold.
    pub have: Vec<(u32, String, Node)>,
    /// What the host answers.
    pub answers: Vec<(String, Vec<Node>)>,
    /// Calls.
    pub turns: Vec<Turn>,
}

/// One call.
#[derive(Clone, Debug)]
pub struct Turn {
    /// `name`, `interface#name`, or [`DROP`].
    pub export: String,
    /// Arguments.
    pub args: Vec<Node>,
    /// What comes of it.
    pub outcome: Outcome,
    /// What reaches the host meanwhile.
    pub sees: Vec<String>,
    /// What is written.
    pub output: String,
}

/// What comes of a call.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It returns.
    Returned(Option<Node>),
    /// It traps.
    Trapped,
}

/// All dialogues of a file.
pub fn parse(text: &str) -> Result<Vec<Dialogue>, String> {
    let mut all: Vec<Dialogue> = Vec::new();
    let mut comments = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() {
            comments.clear();
            continue;
        }
        if let Some(comment) = line.strip_prefix('#') {
            comments.push(comment.trim().to_string());
            continue;
        }
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        if word == "component" {
            let files = rest.split_whitespace().map(str::to_string).collect();
            let comments = std::mem::take(&mut comments);
            all.push(Dialogue { comments, files, ..Dialogue::default() });
            continue;
        }
        let dialogue = all.last_mut().ok_or("the first line names a component")?;
        clause(dialogue, word, rest.trim())
            .map_err(|message| format!("line {}: {message}: {line}", number + 1))?;
    }
    Ok(all)
}

fn clause(dialogue: &mut Dialogue, word: &str, rest: &str) -> Result<(), String> {
    let equals = || rest.split_once(" = ").ok_or("expected ` = `");
    match word {
        "args" => dialogue.args = rest.split_whitespace().map(str::to_string).collect(),
        "env" => {
            let (name, value) = rest.split_once('=').ok_or("expected `=`")?;
            dialogue.env.push((name.to_string(), value.to_string()));
        }
        "have" => {
            let (resource, ty) = equals()?.0.split_once(' ').ok_or("expected a resource's type")?;
            match Node::parse(resource)? {
                Node::Host(number) => {
                    dialogue.have.push((number, ty.to_string(), Node::parse(equals()?.1)?));
                }
                other => return Err(format!("`{other}` is no resource of the host")),
            }
        }
        "answer" => {
            let (name, values) = equals()?;
            let values = values.split(" ; ").map(Node::parse).collect::<Result<_, _>>()?;
            dialogue.answers.push((name.to_string(), values));
        }
        "call" => dialogue.turns.push(call(rest)?),
        "drop" => dialogue.turns.push(Turn {
            export: DROP.to_string(),
            args: vec![Node::parse(rest)?],
            outcome: Outcome::Returned(None),
            sees: Vec::new(),
            output: String::new(),
        }),
        "sees" => last(dialogue)?.sees.push(rest.to_string()),
        "prints" => match Node::parse(rest)? {
            Node::Text(text) => last(dialogue)?.output = text,
            other => return Err(format!("`{other}` is no text")),
        },
        _ => return Err(format!("unknown word `{word}`")),
    }
    Ok(())
}

fn last(dialogue: &mut Dialogue) -> Result<&mut Turn, String> {
    dialogue.turns.last_mut().ok_or_else(|| "no call before".to_string())
}

fn call(text: &str) -> Result<Turn, String> {
    let open = text.find('(').ok_or("expected `(`")?;
    let (export, rest) = text.split_at(open);
    // The arrow is looked for from the end, where no string of an argument can be taken for it.
    let (args, outcome) = match rest.rsplit_once(") -> ") {
        Some((args, "trap")) => (args, Outcome::Trapped),
        Some((args, result)) => (args, Outcome::Returned(Some(Node::parse(result)?))),
        None => (rest.strip_suffix(')').ok_or("expected `)`")?, Outcome::Returned(None)),
    };
    Ok(Turn {
        export: export.to_string(),
        args: Node::parse_all(&args[1..])?,
        outcome,
        sees: Vec::new(),
        output: String::new(),
    })
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Returned(None) => Ok(()),
            Outcome::Returned(Some(node)) => write!(f, " -> {node}"),
            Outcome::Trapped => f.write_str(" -> trap"),
        }
    }
}

impl fmt::Display for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let args: Vec<String> = self.args.iter().map(Node::to_string).collect();
        match self.export.as_str() {
            DROP => write!(f, "drop {}", args.join(", "))?,
            export => write!(f, "call {export}({}){}", args.join(", "), self.outcome)?,
        }
        for seen in &self.sees {
            write!(f, "\n    sees {seen}")?;
        }
        if !self.output.is_empty() {
            write!(f, "\n    prints {:?}", self.output)?;
        }
        Ok(())
    }
}

impl fmt::Display for Dialogue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for comment in &self.comments {
            writeln!(f, "# {comment}")?;
        }
        writeln!(f, "component {}", self.files.join(" "))?;
        if !self.args.is_empty() {
            writeln!(f, "  args {}", self.args.join(" "))?;
        }
        for (name, value) in &self.env {
            writeln!(f, "  env {name}={value}")?;
        }
        for (number, ty, value) in &self.have {
            writeln!(f, "  have %{number} {ty} = {value}")?;
        }
        for (name, values) in &self.answers {
            let values: Vec<String> = values.iter().map(Node::to_string).collect();
            writeln!(f, "  answer {name} = {}", values.join(" ; "))?;
        }
        self.turns.iter().try_for_each(|turn| writeln!(f, "  {turn}"))
    }
}
