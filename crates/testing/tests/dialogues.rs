//! Components made by others say what they should when they are called: `tests/components/jco.txt`.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use dunlin_component::{Component, Linker};
use dunlin_engine::{Engine, Store};
use dunlin_testing::dialogue::host::Host;
use dunlin_testing::dialogue::ours::{Ours, Talk, Talks};
use dunlin_testing::dialogue::script::{self, Dialogue};
use dunlin_testing::dialogue::{Judge, Speaker, hold, never_called};
use dunlin_testing::matrix::{Configuration, configurations};
use dunlin_testing::{data, suite};
use dunlin_wasi::host::{Output, OutputPipe};
use dunlin_wasi::{WasiCtx, p2};

#[expect(clippy::print_stdout, reason = "says what is not tested")]
fn components() -> Option<PathBuf> {
    let folder = suite::suites_folder().map(|root| root.join("jco-components"));
    if folder.is_none() {
        println!("skipped: jco-components (set DUNLIN_SUITES)");
    }
    folder
}

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
    let Some(root) = components() else { return };
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

/// What a component may write in all.
const OUTPUT_MAX: usize = 1 << 20;

struct Data {
    talk: Talk,
    wasi: WasiCtx,
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
    let mut linker = Linker::<Data>::new(engine);
    p2::add_to_linker(&mut linker, |data: &mut Data| &mut data.wasi)
        .expect("nothing is defined yet");
    let output = OutputPipe::new(OUTPUT_MAX);
    let mut wasi = WasiCtx::builder().args(&dialogue.args).stdout(Output::pipe(output.clone()));
    for (name, value) in &dialogue.env {
        wasi = wasi.env(name, value);
    }
    let wasi = wasi.build().expect("nothing is granted");
    let host = Arc::new(Mutex::new(Host::new(dialogue)));
    let talk = Talk::new(Arc::clone(&host));
    let mut store = Store::new(engine, Data { talk, wasi });
    // An error only where fuel is not counted.
    let _ = store.set_fuel(u64::MAX);
    let printed = Box::new(move || String::from_utf8_lossy(&output.take()).into_owned());
    let mut speaker = match Ours::new(linker, &component, store, dialogue, printed) {
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
    let Some(root) = components() else { return };
    let (_, all) = table();
    let mut wrong = Vec::new();
    for Configuration { name, config, .. } in &configurations() {
        let engine = Engine::new(config).expect("the configuration works");
        for dialogue in &all {
            for file in &dialogue.files {
                let found = one(dialogue, &all, file, &root, &engine);
                wrong.extend(found.into_iter().map(|message| format!("{name}: {file}: {message}")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
