//! Components made by others say what they should when they are called: `tests/components/jco.txt`.

use std::fs;

use dunlin_testing::dialogue::script::{self, Dialogue};
use dunlin_testing::{data, suite};

fn table() -> (String, Vec<Dialogue>) {
    let text = fs::read_to_string(data("components/jco.txt")).expect("it is there");
    let dialogues = script::parse(&text).unwrap_or_else(|message| panic!("{message}"));
    (text, dialogues)
}

/// What is written is what is read, so that another engine can be asked again.
#[test]
fn the_table_is_written_as_it_is_read() {
    let (text, dialogues) = table();
    let header = text.split("\n\n").next().unwrap_or_default();
    let printed: Vec<String> = dialogues.iter().map(Dialogue::to_string).collect();
    let again = format!("{header}\n\n{}", printed.join("\n"));
    let differs = text.lines().zip(again.lines()).find(|(a, b)| a != b);
    assert_eq!(differs, None);
    assert_eq!(text.lines().count(), again.lines().count());
}

#[test]
fn every_component_has_a_dialogue() {
    let Some(root) = suite::suites_folder().map(|root| root.join("jco-components")) else { return };
    let (_, dialogues) = table();
    let mut missing = Vec::new();
    for folder in ["components-p2", "runtime-p2", "commands"] {
        for entry in fs::read_dir(root.join(folder)).expect("the folder is there") {
            let name = entry.expect("it can be listed").file_name();
            let file = format!("{folder}/{}", name.to_string_lossy());
            if !dialogues.iter().any(|dialogue| dialogue.files.contains(&file)) {
                missing.push(file);
            }
        }
    }
    assert!(missing.is_empty(), "{missing:?}");
}
