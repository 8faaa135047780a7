//! Components made by others say what they should when they are called: `tests/components/jco.txt`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

use dunlin_component::{Component, Linker};
use dunlin_engine::{Engine, Store};
use dunlin_testing::dialogue::host::Host;
use dunlin_testing::dialogue::ours::{Ours, Talk, Talks};
use dunlin_testing::dialogue::script::{self, Dialogue};
use dunlin_testing::dialogue::{Judge, Speaker, hold, never_called};
use dunlin_testing::matrix::{Configuration, configurations};
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

/// These call WASI 0.2, which is not there yet.
const NEED_WASI: &[&str] = &[
    "components-p2/env-allow.composed.wasm",
    "components-p2/stdio.composed.wasm",
    "components-p2/hello_stdout.component.wasm",
    "components-p2/stdout-pollable-hang.component.wasm",
    "components-p2/utf8-utf16.composed.wasm",
    "commands/dir.virt.wasm",
    "runtime-p2/smoke.component.wasm",
];

#[derive(Default)]
struct Data {
    talk: Talk,
}

impl Talks for Data {
    fn talk(&mut self) -> &mut Talk {
        &mut self.talk
    }
}

/// What is wrong with one component in one configuration.
fn one(
    dialogue: &Dialogue,
    all: &[Dialogue],
    file: &str,
    root: &Path,
    engine: &Engine,
) -> Vec<String> {
    let bytes = fs::read(root.join(file)).expect("the component is there");
    let component = match Component::new(engine, bytes) {
        Ok(component) => component,
        Err(error) => return vec![error.to_string()],
    };
    let linker = Linker::<Data>::new(engine);
    let host = Arc::new(Mutex::new(Host::new(dialogue)));
    let talk = Talk::new(Arc::clone(&host));
    let mut store = Store::new(engine, Data { talk });
    // An error only where fuel is not counted.
    let _ = store.set_fuel(u64::MAX);
    let mut speaker = match Ours::new(linker, &component, store, dialogue, Box::new(String::new)) {
        Ok(speaker) => speaker,
        Err(error) => return vec![error.to_string()],
    };
    let mut wrong = hold(&mut dialogue.clone(), &host, &mut speaker, Judge::Compare);
    let left = never_called(all, file, speaker.exports()).into_iter();
    wrong.extend(left.map(|export| format!("`{export}` is never called")));
    wrong
}

#[test]
fn components_say_what_they_should() {
    let Some(root) = suite::suites_folder().map(|root| root.join("jco-components")) else { return };
    let (_, all) = table();
    let mut wrong = Vec::new();
    for Configuration { name, config, .. } in &configurations() {
        let mut failed = BTreeSet::new();
        let engine = Engine::new(config).expect("the configuration works");
        for dialogue in &all {
            for file in &dialogue.files {
                let found = one(dialogue, &all, file, &root, &engine);
                if !found.is_empty() && NEED_WASI.contains(&&**file) {
                    failed.insert(&**file);
                    continue;
                }
                wrong.extend(found.into_iter().map(|message| format!("{name}: {file}: {message}")));
            }
        }
        let works = NEED_WASI.iter().filter(|file| !failed.contains(**file));
        wrong.extend(works.map(|file| format!("{name}: {file} works: take it off the list")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
