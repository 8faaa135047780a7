//! The host of a dialogue: answers by the lines of the file, and writes down what reaches it.
//!
//! An answer is a value in which `$0` is the first argument and `$0.field` a part of it, and may call
//! `new(v)`: a resource that holds `v`; `held(r)`: what it holds; `hold(r, v)`: it holds `v` from now on;
//! `add(a, b)`: a sum of numbers, or two texts in one; `none` and the like are themselves.

use std::collections::BTreeMap;

use super::node::Node;
use super::script::Dialogue;

/// The host.
#[derive(Debug, Default)]
pub struct Host {
    answers: BTreeMap<String, Vec<Node>>,
    asked: BTreeMap<String, usize>,
    held: BTreeMap<u32, Node>,
    made: u32,
    log: Vec<String>,
}

impl Host {
    /// The host of a dialogue.
    pub fn new(dialogue: &Dialogue) -> Host {
        Host {
            answers: dialogue.answers.iter().cloned().collect(),
            held: dialogue.have.iter().map(|(number, _, value)| (*number, value.clone())).collect(),
            ..Host::default()
        }
    }

    /// An import was called: `name` or `interface#name`. The error is one of the file.
    pub fn call(&mut self, import: &str, args: &[Node]) -> Result<Option<Node>, String> {
        let texts: Vec<String> = args.iter().map(Node::to_string).collect();
        let entry = self.log.len();
        self.log.push(format!("{import}({})", texts.join(", ")));
        let Some(answers) = self.answers.get(import) else { return Ok(None) };
        let asked = self.asked.entry(import.to_string()).or_default();
        let answer = answers[(*asked).min(answers.len() - 1)].clone();
        *asked += 1;
        let result = self.evaluate(&answer, args)?;
        if let Some(result) = &result {
            self.log[entry].push_str(&format!(" -> {result}"));
        }
        Ok(result)
    }

    /// A resource of the host was dropped.
    pub fn dropped(&mut self, resource: u32) {
        self.log.push(format!("drop %{resource}"));
    }

    /// What was written down.
    pub fn take_log(&mut self) -> Vec<String> {
        std::mem::take(&mut self.log)
    }

    fn evaluate(&mut self, answer: &Node, args: &[Node]) -> Result<Option<Node>, String> {
        let all = |host: &mut Host, nodes: &[Node]| -> Result<Vec<Node>, String> {
            let each = nodes.iter().map(|node| host.evaluate(node, args)?.ok_or("no value".into()));
            each.collect()
        };
        Ok(Some(match answer {
            Node::Name(index, parts) => {
                let index: usize =
                    index.parse().map_err(|_| format!("`${index}` is no argument"))?;
                let mut node = args.get(index).ok_or_else(|| format!("no argument {index}"))?;
                for part in parts {
                    node = node.part(part).ok_or_else(|| format!("no `{part}` in `{node}`"))?;
                }
                node.clone()
            }
            Node::List(nodes) => Node::List(all(self, nodes)?),
            Node::Tuple(nodes) => Node::Tuple(all(self, nodes)?),
            Node::Record(fields) => {
                let mut values = Vec::new();
                for (label, node) in fields {
                    values.push((label.clone(), self.evaluate(node, args)?.ok_or("no value")?));
                }
                Node::Record(values)
            }
            Node::Case(label, nodes) => {
                let nodes = all(self, nodes)?;
                return self.function(label, nodes);
            }
            other => other.clone(),
        }))
    }

    fn function(&mut self, label: &str, nodes: Vec<Node>) -> Result<Option<Node>, String> {
        Ok(Some(match (label, &nodes[..]) {
            ("nothing", []) => return Ok(None),
            ("new", [value]) => {
                self.made += 1;
                self.held.insert(self.made, value.clone());
                Node::Host(self.made)
            }
            ("held", [Node::Host(resource)]) => {
                self.held.get(resource).cloned().ok_or_else(|| format!("nothing in %{resource}"))?
            }
            ("hold", [Node::Host(resource), value]) => {
                self.held.insert(*resource, value.clone());
                return Ok(None);
            }
            ("add", [Node::Text(a), Node::Text(b)]) => Node::Text(format!("{a}{b}")),
            ("add", [Node::Plain(a), Node::Plain(b)]) => {
                let number = |text: &str| text.parse::<f64>().map_err(|e| format!("`{text}`: {e}"));
                Node::number(number(a)? + number(b)?)
            }
            _ => Node::Case(label.to_string(), nodes),
        }))
    }
}
