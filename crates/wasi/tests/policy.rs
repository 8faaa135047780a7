//! Policies: read, written, learned from a run, enforced in the next, and compared.

mod guest;

use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::{Arc, Mutex};

use dunlin_wasi::WasiCtx;
use dunlin_wasi::host::keyvalue::StorePlace;
use dunlin_wasi::host::net::{NetRule, Operation, Protocol};
use dunlin_wasi::host::{Audit, Network};
use dunlin_wasi::p1::{Errno, call};
use dunlin_wasi::policy::{DirGrant, Policy, Recorder, diff};
use guest::*;

const SAMPLE: &str = r#"version = 1
env = [
    "HOME",
    "DEBUG=1",
]

[[dir]]
host = "data"
guest = "/data"
access = "ro"

[[dir]]
host = "/var/out"
guest = "."
access = "rw"

[network]
connect = [
    "tcp://db.example.com:5432",
    "udp://10.0.0.0/8:53",
]
listen = ["tcp://127.0.0.1:8080"]
resolve = ["*.example.com"]
http = ["https://api.example.com/v1"]
sockets_max = 16

[config]
color = "red"

[store]
cache = "memory"
default = "file:data.kv"

[component."acme:parser"]
env = ["LANG"]

[component."acme:parser".network]
connect = ["tcp://[::1]:80"]
"#;

#[test]
fn reads_what_it_writes() {
    let policy = Policy::parse(SAMPLE).unwrap();
    assert_eq!(policy.render(), SAMPLE);
    let empty = Policy::parse("version = 1").unwrap();
    assert_eq!(empty, Policy::default());
    assert_eq!(Policy::parse(&empty.render()), Ok(empty));
    // Names that mean something to TOML.
    let mut odd = Policy::default();
    let host = "a\"b\\c\n\u{1b}é".to_owned();
    let access = dunlin_wasi::host::Access::ReadWrite;
    odd.root.dirs.push(DirGrant { host, guest: "]\n[network]".into(), access });
    odd.root.config.insert("a.b = [".into(), "'''".into());
    odd.components.insert("x\"]\n".into(), odd.root.clone());
    assert_eq!(Policy::parse(&odd.render()), Ok(odd));
}

#[test]
fn mistakes_have_a_place() {
    let cases = [
        ("", "line 1, column 1: missing field `version`"),
        (
            "version = 2\nfuture = true",
            "line 1, column 11: expected version 1 of a policy, found 2",
        ),
        ("version = \"1\"", "line 1, column 11: invalid type: string \"1\", expected u32"),
        (
            "version = 1\nenvironment = []",
            "line 2, column 1: unknown field `environment`, expected one of `version`, `env`, `dir`, \
             `network`, `config`, `store`, `component`",
        ),
        (
            "version = 1\n[[dir]]\nhost = \"a\"\nguest = \"b\"\naccess = \"w\"",
            "line 5, column 10: unknown variant `w`, expected `ro` or `rw`",
        ),
        (
            "version = 1\n[[dir]]\nhost = \"a\"\naccess = \"ro\"",
            "line 2, column 1: missing field `guest`",
        ),
        (
            "version = 1\n[network]\nconnect = [\"tcp://a.example:1\", \"example.com:443\"]",
            "line 3, column 11: invalid rule `example.com:443` for `--allow-net`: expected `tcp://` \
             or `udp://` before the host\nhelp: write `tcp://example.com:443`",
        ),
        (
            "version = 1\nenv = [\"=x\"]",
            "line 2, column 7: expected `NAME` or `NAME=VALUE`, found `=x`",
        ),
        (
            "version = 1\n[store]\na = \"\\u001b[2J\"",
            "line 3, column 5: invalid place of a store `\\u{1b}[2J`: expected `memory` or `file:PATH`",
        ),
        (
            "version = 1\n[component.x]\nversion = 1",
            "line 3, column 1: unknown field `version`, expected one of `env`, `dir`, `network`, \
             `config`, `store`",
        ),
        (
            "version = 1\n[component.\"\"]\nenv = [\"A\"]",
            "line 2, column 2: a component without a name: what the outermost is granted stands outside \
             of all tables",
        ),
        ("version = 1\nenv = [", "line 2, column 8: unclosed array, expected `]`"),
        ("version = 1\nversion = 1", "line 2, column 1: duplicate key"),
    ];
    for (text, want) in cases {
        let got = Policy::parse(text).map_err(|error| error.to_string());
        assert_eq!(got, Err(want.to_owned()), "{text}");
    }
}

fn build(base: &Path) {
    let _ = std::fs::remove_dir_all(base);
    for dir in ["data/a/deep", "data/b", "data/c", "other"] {
        std::fs::create_dir_all(base.join(dir)).unwrap();
    }
    for n in 0..12 {
        std::fs::create_dir_all(base.join(format!("data/many/{n}"))).unwrap();
        std::fs::write(base.join(format!("data/many/{n}/f")), "content").unwrap();
    }
    for file in
        ["data/f", "data/a/f", "data/a/g", "data/a/deep/f", "data/b/f", "data/c/f", "other/f"]
    {
        std::fs::write(base.join(file), "content").unwrap();
    }
    symlink("../b/f", base.join("data/a/file_link")).unwrap();
    symlink("../b", base.join("data/a/dir_link")).unwrap();
}

/// A guest under a policy, with the names of its directories.
fn under(
    policy: &Policy,
    base: &Path,
    observer: Arc<dyn dunlin_wasi::host::Observer>,
) -> (Guest, Vec<String>) {
    let builder = WasiCtx::builder().observer(observer);
    let open = |_: &str, place: &StorePlace| place.store(base);
    let env = |name: &str| (name != "UNSET").then(|| format!("host's {name}"));
    let builder = policy.root.enforce(builder, base, env, open);
    let names = policy.root.dirs.iter().map(|dir| dir.guest.clone()).collect();
    (Guest::new(builder), names)
}

fn dirs(text: &str) -> Policy {
    let mut policy = Policy::default();
    for grant in text.split_whitespace() {
        let (grant, access) = match grant.strip_suffix(":ro") {
            Some(grant) => (grant, dunlin_wasi::host::Access::ReadOnly),
            None => (grant, dunlin_wasi::host::Access::ReadWrite),
        };
        let (host, guest) = grant.split_once("::").unwrap();
        policy.root.dirs.push(DirGrant { host: host.into(), guest: guest.into(), access });
    }
    policy
}

/// Runs a script under a policy, and learns another one from it.
fn learn(given: &Policy, base: &Path, script: &str) -> (Vec<Res<()>>, Policy, Arc<Recorder>) {
    build(base);
    let recorder = Arc::new(Recorder::default());
    let (mut guest, names) = under(given, base, recorder.clone());
    let results = script.split("; ").map(|text| step(&mut guest, &names, text)).collect();
    let learned = recorder.policy(given, base);
    (results, learned, recorder)
}

#[test]
fn directories() {
    let tree = TempTree::new();
    let base = tree.join("base");
    for (given, script, want) in [
        ("data::/data", "read /data/a/f", "data/a::/data/a:ro"),
        ("data::/data", "write /data/a/f", "data/a::/data/a"),
        ("data::/data", "read /data/a/f; write /data/a/g", "data/a::/data/a"),
        ("data::/data", "read /data/a/f; write /data/b/f", "data/a::/data/a:ro data/b::/data/b"),
        ("data::/data", "read /data/f", "data::/data:ro"),
        ("data::/data", "read /data/f; write /data/a/f", "data::/data:ro data/a::/data/a"),
        ("data::/data", "write /data/f; read /data/a/f", "data::/data"),
        ("data::/data", "read /data/a/f; read /data/a/deep/f", "data/a::/data/a:ro"),
        (
            "data::/data",
            "list /data/a/deep; stat /data/b",
            "data/a/deep::/data/a/deep:ro data/b::/data/b:ro",
        ),
        ("data::/data", "list /data", "data::/data:ro"),
        ("data::/data", "mkdir /data/a/new; create /data/a/new/f", "data/a::/data/a"),
        ("data::/data", "rename /data/a/f /data/b/g", "data/a::/data/a data/b::/data/b"),
        ("data::/data", "unlink /data/a/deep/f; rmdir /data/a/deep", "data/a::/data/a"),
        ("data::/data", "read /data/none/f", "data::/data:ro"),
        ("data::/data", "read /data/a/../b/f", "data::/data:ro"),
        ("data::/data", "read /data/a/deep/../f", "data/a::/data/a:ro"),
        ("data::/data", "read /data/a/file_link", "data::/data:ro"),
        ("data::/data", "read /data/a/dir_link/f", "data/a/dir_link::/data/a/dir_link:ro"),
        ("data::/data", "read /data/a/dir_link/f; readlink /data/a/dir_link", "data::/data:ro"),
        ("data::/data", "lstat /data/a/dir_link", "data/a::/data/a:ro"),
        ("data::/data", "lstat /data/a/deep", "data/a/deep::/data/a/deep:ro"),
        (
            "data::/data",
            "read /data/a/dir_link/f; write /data/a/f",
            "data/a::/data/a data/a/dir_link::/data/a/dir_link:ro",
        ),
        ("data::/", "read /a/f", "data/a::/a:ro"),
        ("data::.", "read ./a/f", "data/a::a:ro"),
        ("data::/data other::/other", "read /other/f", "other::/other:ro"),
        ("data::/data:ro", "write /data/a/f", ""),
        ("data::/data", "read /data/../other/f", ""),
    ] {
        let (_, learned, _) = learn(&dirs(given), &base, script);
        assert_eq!(learned.root.dirs, dirs(want).root.dirs, "{script}");
    }
    // Many directories side by side are data.
    let script = |n: usize| {
        let steps: Vec<String> = (0..n).map(|n| format!("read /data/many/{n}/f")).collect();
        steps.join("; ")
    };
    let (_, learned, _) = learn(&dirs("data::/data"), &base, &script(8));
    assert_eq!(learned.root.dirs.len(), 8);
    let (_, learned, _) = learn(&dirs("data::/data"), &base, &script(9));
    assert_eq!(learned.root.dirs, dirs("data/many::/data/many:ro").root.dirs);
}

/// Whatever a program did, it may do again under what was learned, and it comes out the same.
#[test]
fn what_was_learned_is_enough() {
    const PATHS: &[&str] = &[
        "f",
        "a/f",
        "a/g",
        "a/deep/f",
        "a/deep",
        "b/f",
        "b",
        "c/f",
        "c/new",
        "a/file_link",
        "a/dir_link/f",
        "none/f",
        "a/../b/f",
        "c/../c/f",
        "many/3/f",
        "new",
        "new/f",
        "a/dir_link",
        "a/dir_link/new",
        ".",
    ];
    const VERBS: &[&str] = &[
        "read", "read", "read", "stat", "list", "write", "append", "truncate", "create", "mkdir",
        "rmdir", "rename", "link", "times", "readlink", "lstat",
    ];
    let tree = TempTree::in_memory();
    let base = tree.join("base");
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed % below as u64) as usize
    };
    let (mut narrower, mut changed) = (0, 0);
    for _ in 0..400 {
        let mut steps = Vec::new();
        for _ in 0..=random(5) {
            let mut path = || format!("/data/{}", PATHS[random(PATHS.len())]);
            let (one, other) = (path(), path());
            let verb = VERBS[random(VERBS.len())];
            let two = matches!(verb, "rename" | "link");
            // A link that the run itself replaces is not seen any more when it is over.
            if verb == "rename" && (one.ends_with("_link") || other.ends_with("_link")) {
                continue;
            }
            steps.push(if two { format!("{verb} {one} {other}") } else { format!("{verb} {one}") });
        }
        if steps.is_empty() {
            continue;
        }
        let script = steps.join("; ");
        let (results, learned, recorder) = learn(&dirs("data::/data"), &base, &script);
        let refused = |result: &Res<()>| matches!(result, Err(Errno::NOTCAPABLE | Errno::ROFS));
        if results.iter().any(refused) {
            continue;
        }
        assert!(!recorder.is_incomplete());
        narrower += usize::from(learned.root.dirs.iter().all(|dir| dir.guest != "/data"));
        changed += usize::from(results.iter().any(Result::is_ok));
        let (again, relearned, _) = learn(&learned, &base, &script);
        assert_eq!(again, results, "{script}\n{}", learned.render());
        assert_eq!(relearned, learned, "learning settles: {script}");
    }
    assert!(narrower > 50 && changed > 100, "{narrower} and {changed} of 400");
}

#[test]
fn the_rest_of_a_world() {
    let tree = TempTree::new();
    let given = Policy::parse(
        "version = 1\nenv = [\"HOME\", \"DEBUG=1\", \"UNSET\"]\n[config]\ncolor = \"red\"\nsize = \"big\"\n\
         [store]\ndefault = \"memory\"\nother = \"file:x\"\n[network]\n\
         connect = [\"*\", \"tcp://localhost:*\", \"udp://127.0.0.0/8:*\"]\n\
         listen = [\"tcp://*:*\"]\nhttp = [\"*\"]",
    );
    let given = given.unwrap();
    let recorder = Arc::new(Recorder::default());
    let (mut guest, _) = under(&given, tree.path(), recorder.clone());
    let connect = |network: &Network, to: &str| {
        network.check(Operation::Connect { protocol: Protocol::Tcp, to: to.parse().unwrap() })
    };
    let run = |guest: &mut Guest| {
        guest.call(|c, m| call::environ_get(c, m, OUT, DATA)).unwrap();
        let text = String::from_utf8_lossy(&guest.bytes(DATA, 64)).into_owned();
        let ctx = &guest.ctx;
        let network = ctx.network();
        let color = ctx.config().get("color").map(str::to_owned);
        let mut results = vec![
            connect(network, "93.184.216.34:443"),
            connect(network, "93.184.216.34:80"),
            connect(network, "127.0.0.1:5432"),
            network.check(Operation::Bind {
                protocol: Protocol::Udp,
                address: "0.0.0.0:0".parse().unwrap(),
            }),
            network.check(Operation::Send { to: "127.0.0.1:53".parse().unwrap(), answers: false }),
            network.check(Operation::Listen { address: "0.0.0.0:8080".parse().unwrap() }),
            network.look_up("localhost").map(drop),
        ];
        for url in ["https://a.example/x/y", "https://a.example/z", "http://b.example:81/"] {
            let target = dunlin_wasi::host::net::HttpTarget::of_url(url).unwrap();
            results.push(network.check_http(&target, false));
        }
        (text, color, results, ctx.stores().open("default").is_ok())
    };
    let first = run(&mut guest);
    assert!(first.2.iter().all(Result::is_ok) && first.3, "{first:?}");
    let learned = recorder.policy(&given, tree.path());
    assert_eq!(
        learned.render(),
        "version = 1\nenv = [\n    \"DEBUG=1\",\n    \"HOME\",\n]\n\n[network]\nconnect = [\n    \
         \"tcp://127.0.0.1:5432\",\n    \"tcp://93.184.216.34:443,80\",\n    \"udp://127.0.0.1:53\",\n]\n\
         listen = [\"tcp://0.0.0.0/0:8080\"]\nhttp = [\n    \
         \"http://b.example:81\",\n    \"https://a.example\",\n]\n\n\
         [config]\ncolor = \"red\"\n\n[store]\ndefault = \"memory\"\n"
    );
    // The same again, and nothing else.
    let (mut guest, _) = under(&learned, tree.path(), recorder.clone());
    let again = run(&mut guest);
    // The order of variables is the policy's.
    assert!(again.0.contains("DEBUG=1") && again.0.contains("HOME=host's HOME"));
    assert_eq!((again.1, again.2, again.3), (first.1, first.2, first.3));
    assert!(connect(guest.ctx.network(), "93.184.216.35:443").is_err());
    assert!(connect(guest.ctx.network(), "127.0.0.1:22").is_err());
    assert!(guest.ctx.stores().open("other").is_err());
    assert_eq!(guest.ctx.config().get("size"), None);
}

/// Somewhere to write that can be looked at.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Five programs, of which each runs again, and a changed one is stopped with a line that says who it was.
#[test]
fn a_changed_program_is_stopped() {
    let tree = TempTree::new();
    let base = tree.join("base");
    for (program, changed) in [
        ("read /data/a/f", "read /data/b/f"),
        ("read /data/a/f; list /data/a", "write /data/a/f"),
        ("write /data/a/f; create /data/a/new", "unlink /data/f"),
        ("read /data/b/f; write /data/c/f", "rename /data/c/f /data/b/new"),
        ("list /data; stat /data/a", "mkdir /data/new"),
    ] {
        let (first, learned, _) = learn(&dirs("data::/data"), &base, program);
        assert!(first.iter().all(Result::is_ok), "{program}");
        build(&base);
        let out = Shared::default();
        let (mut guest, names) = under(&learned, &base, Arc::new(Audit::new(out.clone())));
        for text in program.split("; ") {
            assert_eq!(step(&mut guest, &names, text), Ok(()), "{program}: {text}");
        }
        assert!(step(&mut guest, &names, changed).is_err(), "{program}: {changed}");
        let log = String::from_utf8(out.0.lock().unwrap().clone()).unwrap();
        let last: serde_json::Value = serde_json::from_str(log.lines().last().unwrap()).unwrap();
        // What lies below no directory at all is refused by the C library.
        if names.iter().any(|name| changed.contains(name.as_str())) {
            assert_eq!(last["verdict"], "denied", "{changed}");
            assert!(last["function"].as_str().unwrap().starts_with("path_"), "{changed}");
        }
    }
}

/// Components inside have their own grants, and learn their own.
#[test]
fn components() {
    let tree = TempTree::new();
    build(&tree.join("base"));
    let recorder = Arc::new(Recorder::default());
    let net = || {
        let net: Vec<NetRule> = vec!["*".parse().unwrap()];
        dunlin_wasi::host::NetGrants { net, ..Default::default() }
    };
    let ctx = |name: &str| {
        WasiCtx::builder().component(name).net(net()).observer(recorder.clone()).build().unwrap()
    };
    let connect = |ctx: &WasiCtx, to: &str| {
        let to = to.parse().unwrap();
        ctx.network().check(Operation::Connect { protocol: Protocol::Tcp, to })
    };
    connect(&ctx(""), "93.184.216.34:1").unwrap();
    connect(&ctx("dep"), "93.184.216.34:2").unwrap();
    connect(&ctx("dep"), "10.0.0.1:3").unwrap_err();
    let learned = recorder.policy(&Policy::default(), tree.path());
    assert_eq!(
        learned.render(),
        "version = 1\n\n[network]\nconnect = [\"tcp://93.184.216.34:1\"]\n\n[component.dep.network]\n\
         connect = [\"tcp://93.184.216.34:2\"]\n"
    );
    assert!(learned.of("dep").is_some() && learned.of("other").is_none());
    let denied: Vec<_> = recorder.denied().into_iter().collect();
    assert_eq!(denied, [("dep".to_owned(), "--allow-net tcp://10.0.0.1:3".to_owned())]);
}

#[test]
fn differences() {
    let old = Policy::parse(SAMPLE).unwrap();
    let mut new = old.clone();
    new.root.net.net.push("tcp://evil.example:443".parse().unwrap());
    new.root.env.clear();
    new.components.get_mut("acme:parser").unwrap().dirs.push(dirs("/::/").root.dirs[0].clone());
    let changes = diff(&old.needs(), &new.needs());
    let pair = |component: &str, flag: &str| (component.to_owned(), flag.to_owned());
    assert_eq!(
        changes.added.into_iter().collect::<Vec<_>>(),
        [pair("", "--allow-net tcp://evil.example:443"), pair("acme:parser", "--dir /::/")]
    );
    assert_eq!(
        changes.removed.into_iter().collect::<Vec<_>>(),
        [pair("", "--env DEBUG=1"), pair("", "--env HOME")]
    );
}
