//! A component sends requests, as far as it is granted, and the log and the policy say which.

#![cfg(feature = "http")]

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Answers every request with a redirect that says `moved`.
fn serve() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let head = "HTTP/1.1 302 Found\r\nlocation: http://10.0.0.1/\r\ncontent-length: 5";
            let _ = stream.write_all(format!("{head}\r\n\r\nmoved").as_bytes());
        }
    });
    address
}

fn dunlin(dir: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dunlin"));
    command.current_dir(dir).env("DUNLIN_CACHE", "off");
    command.args(args).output().unwrap()
}

/// What a command printed, if it ended well.
fn printed(dir: &Path, args: &[&str]) -> String {
    let output = dunlin(dir, args);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert_eq!(output.status.code(), Some(0), "{args:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// A directory with the component in it.
fn directory() -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("http");
    fs::remove_dir_all(&dir).ok();
    fs::create_dir_all(&dir).unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs/fetch");
    let (wit, wat) = (source.join("wit"), source.join("fetch.wat"));
    let (wit, wat) = (wit.to_str().unwrap(), wat.to_str().unwrap());
    printed(&dir, &["component", "new", "--wit", wit, wat, "-o", "fetch.wasm"]);
    dir
}

#[test]
fn requests_go_where_they_are_granted() {
    let dir = directory();
    let to = serve();
    let rule = format!("http://{to}/a");
    let get = |path: &str| format!("get(\"{to}\", \"{path}\")");
    let call = |grants: &[&str], path: &str| {
        let path = get(path);
        printed(&dir, &[&["call"], grants, &["fetch.wasm", &*path]].concat())
    };
    let grants = ["--allow-http", &rule, "--audit", "log", "--learn", "app.toml"];
    assert_eq!(call(&grants, "/a/b"), "ok(\"moved\")\n");
    // 15 is `HTTP-request-denied`.
    assert_eq!(call(&["--allow-http", &rule], "/b"), "err(15)\n");
    assert_eq!(call(&[], "/a"), "err(15)\n");
    assert_eq!(call(&["--allow-http", "*"], "/a"), "err(15)\n");

    let log = fs::read_to_string(dir.join("log")).unwrap();
    let lines: Vec<&str> = log.lines().collect();
    assert_eq!(lines.len(), 2, "{log}");
    for (line, operation) in lines.iter().zip(["\"http\"", "\"connect-for-http\""]) {
        assert!(line.contains(operation) && line.contains("\"handle\""), "{line}");
        assert!(line.contains(&rule), "the rule that granted it: {line}");
    }
    let shown = printed(&dir, &["policy", "show", "app.toml"]);
    assert_eq!(shown, format!("--allow-http http://{to}\n"));
    assert_eq!(call(&["--policy", "app.toml"], "/c"), "ok(\"moved\")\n");
    let needs = printed(&dir, &["inspect", "fetch.wasm"]);
    assert!(needs.contains("granted with --allow-http RULE"), "{needs}");
}
