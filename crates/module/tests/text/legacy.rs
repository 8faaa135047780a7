//! Folded `try` blocks to plain instructions: the text parser knows the legacy exception
//! instructions only in that form.

/// An S-expression.
#[derive(Clone)]
enum Node {
    /// A word or a string, as written.
    Atom(String),
    List(Vec<Node>),
}

use Node::{Atom, List};

/// The top-level forms of a script, with the line of each, functions in plain instructions.
/// Quoted modules are unquoted first.
pub(crate) fn unfolded_forms(script: &str) -> Vec<(usize, String)> {
    let mut forms = Vec::new();
    let mut rest = script;
    while let Some((node, after)) = parse(rest) {
        let line = script[..script.len() - after.len()].lines().count();
        forms.push((line, print(&rewrite(unquote(node)))));
        rest = after;
    }
    forms
}

/// The first form of `text`, and what follows it.
fn parse(text: &str) -> Option<(Node, &str)> {
    let mut open: Vec<Vec<Node>> = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        let node = if rest.starts_with(";;") {
            rest = rest.split_once('\n').map_or("", |(_, after)| after);
            continue;
        } else if let Some(after) = rest.strip_prefix('(') {
            rest = after;
            open.push(Vec::new());
            continue;
        } else if let Some(after) = rest.strip_prefix(')') {
            rest = after;
            List(open.pop()?)
        } else {
            let len = match rest.strip_prefix('"') {
                Some(string) => string.find('"')? + 2,
                None => rest.find(|c: char| c.is_whitespace() || "()".contains(c))?,
            };
            let atom = Atom(rest[..len].to_string());
            rest = &rest[len..];
            atom
        };
        match open.last_mut() {
            Some(list) => list.push(node),
            None => return Some((node, rest)),
        }
    }
}

fn print(node: &Node) -> String {
    match node {
        Atom(text) => text.clone(),
        List(nodes) => {
            format!("({})", nodes.iter().map(print).collect::<Vec<_>>().join(" "))
        }
    }
}

fn head(node: &Node) -> &str {
    match node {
        List(nodes) => match nodes.first() {
            Some(Atom(word)) => word,
            _ => "",
        },
        Atom(_) => "",
    }
}

/// `(module quote "…" …)` to the module it quotes.
fn unquote(node: Node) -> Node {
    let List(nodes) = node else { return node };
    match &nodes[..] {
        [Atom(module), Atom(quote), strings @ ..] if module == "module" && quote == "quote" => {
            let text: String = strings.iter().map(|s| print(s).replace('"', " ")).collect();
            parse(&text).expect("a quoted module").0
        }
        _ => List(nodes.into_iter().map(unquote).collect()),
    }
}

fn rewrite(node: Node) -> Node {
    let is_func = head(&node) == "func";
    match node {
        List(nodes) if is_func => {
            let (header, body): (Vec<_>, Vec<_>) = nodes.into_iter().partition(|node| {
                let kept = ["export", "import", "type", "param", "result", "local"];
                matches!(node, Atom(_)) || kept.contains(&head(node))
            });
            List([header, instructions(body)].concat())
        }
        List(nodes) => List(nodes.into_iter().map(rewrite).collect()),
        atom => atom,
    }
}

fn instructions(nodes: Vec<Node>) -> Vec<Node> {
    let unfold = |node| match node {
        List(nodes) => instruction(nodes),
        atom => vec![atom],
    };
    nodes.into_iter().flat_map(unfold).collect()
}

/// One folded instruction in plain form.
fn instruction(mut nodes: Vec<Node>) -> Vec<Node> {
    // The instruction with its immediates, then what is folded into it.
    let is_immediate =
        |node: &Node| matches!(node, Atom(_)) || ["type", "param", "result"].contains(&head(node));
    let at = nodes.iter().position(|node| !is_immediate(node)).unwrap_or(nodes.len());
    let folded = nodes.split_off(at);
    let word = |text: &str| vec![Atom(text.to_string())];
    match print(&nodes[0]).as_str() {
        "block" | "loop" => [nodes, instructions(folded), word("end")].concat(),
        "if" => {
            let (arms, condition): (Vec<_>, Vec<_>) =
                folded.into_iter().partition(|node| ["then", "else"].contains(&head(node)));
            let arms = arms.into_iter().flat_map(|arm| clause(arm, &["then"]));
            [instructions(condition), nodes, arms.collect(), word("end")].concat()
        }
        "try" => {
            let delegates = folded.last().is_some_and(|last| head(last) == "delegate");
            let clauses = folded.into_iter().flat_map(|part| clause(part, &["do"]));
            let end = if delegates { Vec::new() } else { word("end") };
            [nodes, clauses.collect(), end].concat()
        }
        _ => [instructions(folded), nodes].concat(),
    }
}

/// `(catch $e …)` to `catch $e …`; words in `silent` are left out.
fn clause(node: Node, silent: &[&str]) -> Vec<Node> {
    let keep = !silent.contains(&head(&node));
    match node {
        List(mut nodes) => {
            let body = instructions(nodes.split_off(1));
            if keep { [nodes, body].concat() } else { body }
        }
        atom => vec![atom],
    }
}
