//! The rules of the repository that a machine can hold.
//!
//! What each rule is for stands in STYLE.md. A rule that needs an exception lists it here.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Lines a source file may have; tables of instructions are exempt.
const FILE_LINES_MAX: usize = 1200;
const TABLES: &[&str] = &["crates/code/src/op/lists.rs", "crates/code/src/op/lists/simd.rs"];
const LINE_COLUMNS_MAX: usize = 110;
const BANNED_FILE_NAMES: &[&str] = &["util", "utils", "common", "misc", "helper", "helpers"];
/// Words that leak where the project was made or leave work undone. Split, so that this file has
/// none of them.
const BANNED_WORDS: &[(&str, &str)] = &[
    ("TO", "DO"),
    ("FIX", "ME"),
    ("todo", "!("),
    ("unimplemented", "!("),
    ("#[ig", "nore"),
    ("/work/", "main"),
    ("/tmp/", "helpers"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the repository")
}

/// All files of the repository with the given ending, as paths from its root.
fn files(ending: &str) -> Vec<PathBuf> {
    let root = root();
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a readable folder") {
            let path = entry.expect("a readable entry").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() {
                if !matches!(name.as_str(), "target" | ".git" | "node_modules") {
                    folders.push(path);
                }
            } else if name.ends_with(ending) {
                found.push(path.strip_prefix(&root).expect("inside").to_owned());
            }
        }
    }
    found.sort();
    found
}

fn read(path: &Path) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn check(rule: &str, violations: Vec<String>) {
    assert!(violations.is_empty(), "{rule}:\n  {}", violations.join("\n  "));
}

#[test]
fn source_files_open_with_their_purpose() {
    let wrong = files(".rs").into_iter().filter(|path| !read(path).starts_with("//! "));
    check(
        "a source file opens with one sentence of purpose",
        wrong.map(|p| p.display().to_string()).collect(),
    );
}

#[test]
fn source_files_are_of_readable_size() {
    let mut wrong = Vec::new();
    for path in files(".rs") {
        let text = read(&path);
        let name = path.display().to_string();
        if text.lines().count() > FILE_LINES_MAX && !TABLES.contains(&name.as_str()) {
            wrong.push(format!("{name}: {} lines", text.lines().count()));
        }
        for (n, line) in text.lines().enumerate() {
            let in_table = line.trim_start().starts_with("//") && line.contains('|');
            if line.chars().count() > LINE_COLUMNS_MAX && !in_table {
                wrong.push(format!("{name}:{}: {} columns", n + 1, line.chars().count()));
            }
        }
    }
    check("files and lines have limits", wrong);
}

/// `cargo run` in the workspace must know what to run.
#[test]
fn there_is_one_program() {
    let is_program = |path: &Path| {
        let path = path.to_string_lossy().replace('\\', "/");
        path.ends_with("/src/main.rs") || path.contains("/src/bin/")
    };
    let programs: Vec<PathBuf> = files(".rs").into_iter().filter(|p| is_program(p)).collect();
    assert!(matches!(&programs[..], [one] if one.ends_with("cli/src/main.rs")), "{programs:?}");
}

#[test]
fn file_names_say_something() {
    let wrong = files(".rs").into_iter().filter(|path| {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        BANNED_FILE_NAMES.contains(&&*stem)
    });
    check("banned file names", wrong.map(|p| p.display().to_string()).collect());
}

#[test]
fn nothing_is_left_undone_or_leaks() {
    let mut wrong = Vec::new();
    for ending in [".rs", ".md", ".toml", ".py", ".sh", "run"] {
        for path in files(ending) {
            let Ok(text) = fs::read_to_string(root().join(&path)) else { continue };
            for (n, line) in text.lines().enumerate() {
                for (a, b) in BANNED_WORDS {
                    if line.contains(&format!("{a}{b}")) {
                        wrong.push(format!("{}:{}: {a}{b}", path.display(), n + 1));
                    }
                }
            }
        }
    }
    check("banned words", wrong);
}

/// The rows of the table in a document that follows `heading`: the cells of each.
fn table(document: &str, heading: &str) -> Vec<Vec<String>> {
    let after = document.split_once(heading).unwrap_or_else(|| panic!("no heading {heading}")).1;
    let rows = after.lines().skip_while(|l| !l.starts_with('|')).take_while(|l| l.starts_with('|'));
    rows.skip(2)
        .map(|row| row.trim_matches('|').split('|').map(|c| c.trim().to_owned()).collect())
        .collect()
}

fn names(cell: &str) -> BTreeSet<String> {
    let plain = cell.replace(['`', ' '], "");
    plain.split(',').filter(|n| !n.is_empty() && *n != "–").map(str::to_owned).collect()
}

/// What a crate's manifest says it uses outside of tests, by our short names, and by all others.
fn dependencies(krate: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let manifest = read(Path::new("crates").join(krate).join("Cargo.toml").as_path());
    let (mut ours, mut others) = (BTreeSet::new(), BTreeSet::new());
    let mut section = String::new();
    for line in manifest.lines() {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']').to_owned();
        } else if section.ends_with("dependencies") && !section.contains("dev-") {
            let end = line.find(['.', ' ', '=']).unwrap_or(0);
            match line[..end].trim() {
                "" | "#" => {}
                "dunlin" => drop(ours.insert("dunlin".to_owned())),
                name => match name.strip_prefix("dunlin-") {
                    Some(name) => drop(ours.insert(name.to_owned())),
                    None => drop(others.insert(name.to_owned())),
                },
            }
        }
    }
    (ours, others)
}

#[test]
fn crates_use_what_the_architecture_allows() {
    let document = read(Path::new("ARCHITECTURE.md"));
    let mut allowed = BTreeMap::new();
    for row in table(&document, "## Crates") {
        allowed.insert(row[0].replace('`', ""), names(&row[2]));
    }
    let mut wrong = Vec::new();
    for entry in fs::read_dir(root().join("crates")).expect("crates") {
        let krate = entry.expect("a crate").file_name().to_string_lossy().into_owned();
        let (ours, _) = dependencies(&krate);
        match allowed.get(&krate) {
            None => wrong.push(format!("`{krate}` is not in the table of ARCHITECTURE.md")),
            Some(may) if may != &ours => {
                wrong.push(format!("`{krate}` uses {ours:?}, the table says {may:?}"));
            }
            Some(_) => {}
        }
    }
    check("crate dependencies are those of ARCHITECTURE.md", wrong);
}

#[test]
fn outside_dependencies_are_accounted_for() {
    let document = read(Path::new("docs/dependencies.md"));
    let mut wrong = Vec::new();
    for entry in fs::read_dir(root().join("crates")).expect("crates") {
        let krate = entry.expect("a crate").file_name().to_string_lossy().into_owned();
        for name in dependencies(&krate).1 {
            if !document.contains(&format!("| `{name}` |")) {
                wrong.push(format!("`{name}`, used by `{krate}`"));
            }
        }
    }
    check("every dependency has a row in docs/dependencies.md", wrong);
}

#[test]
fn unsafe_stays_where_it_may() {
    let document = read(Path::new("ARCHITECTURE.md"));
    let mut allowed: Vec<String> = Vec::new();
    for row in table(&document, "## Unsafe code") {
        allowed.push(row[0].replace('`', ""));
    }
    let mut wrong = Vec::new();
    for path in files(".rs") {
        let name = path.display().to_string();
        if allowed.iter().any(|place| name.starts_with(place.as_str())) {
            continue;
        }
        for (n, line) in read(&path).lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            // Put together here, so that this file has none of them.
            let is = |word: &str| code.contains(&["unsafe", word].join(" "));
            if is("{") || is("fn") || is("impl") || is("extern") {
                wrong.push(format!("{name}:{}", n + 1));
            }
        }
    }
    check("unsafe code outside the places ARCHITECTURE.md lists", wrong);
}

#[test]
fn links_in_documents_lead_somewhere() {
    let mut wrong = Vec::new();
    for path in files(".md") {
        let text = read(&path);
        for part in text.split("](").skip(1) {
            let target = part.split([')', '#', ' ']).next().unwrap_or_default();
            if target.is_empty() || target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let from = path.parent().unwrap_or(Path::new(""));
            if !root().join(from).join(target).exists() {
                wrong.push(format!("{}: {target}", path.display()));
            }
        }
    }
    check("links in documents", wrong);
}
