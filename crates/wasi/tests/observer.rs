//! What an observer is told of a guest: each operation once, with its source, its need and the answer.

mod guest;

use std::sync::{Arc, Mutex};

use dunlin_wasi::WasiCtx;
use dunlin_wasi::host::{Access, Audit, Event, Observer, Source, Verdict};
use dunlin_wasi::p1::call;
use guest::*;

#[derive(Debug, Default)]
struct Log(Mutex<Vec<String>>);

impl Observer for Log {
    fn observe(&self, event: &Event<'_>) {
        let Source { component, function } = event.source;
        let verdict = match event.verdict {
            Verdict::Granted => "+",
            Verdict::Allowed => "?",
            Verdict::Denied => "-",
        };
        let (operation, need) = (event.operation, event.need);
        let line = format!("{component}.{function} {verdict} {operation}: {} {need}", need.kind());
        self.0.lock().unwrap().push(line);
    }
}

#[test]
fn every_path() {
    let tree = TempTree::new();
    std::fs::create_dir_all(tree.join("rw/d")).unwrap();
    std::fs::create_dir(tree.join("ro")).unwrap();
    for name in ["rw/f", "rw/g", "ro/f"] {
        std::fs::write(tree.join(name), "content").unwrap();
    }
    let log = Arc::new(Log::default());
    let builder = WasiCtx::builder()
        .dir(tree.join("ro"), "/ro", Access::ReadOnly)
        .dir(tree.join("rw"), "/rw", Access::ReadWrite)
        .env("HOME", "/rw")
        .component("dep")
        .observer(log.clone());
    let mut guest = Guest::new(builder);
    let (ro, rw) = (ROOT, ROOT + 1);
    guest.call(|c, m| call::environ_sizes_get(c, m, OUT, OUT + 4)).unwrap();
    guest.call(|c, m| call::environ_get(c, m, OUT, DATA)).unwrap();
    let file = guest.open(ro, "f", Open::READ).unwrap();
    let _ = guest.read(file, 9);
    let _ = guest.set_size(file, 0);
    let _ = guest.open(ro, "f", Open::WRITE);
    let _ = guest.open(ro, "../out", Open::READ);
    let _ = guest.open(ro, "none", Open::READ);
    let dir = guest.open(rw, "d", Open::READ.with(DIRECTORY)).unwrap();
    let _ = guest.open(dir, "../f", Open::READ.with(TRUNC));
    let _ = guest.open(dir, "new", Open::WRITE.with(CREAT));
    let _ = guest.stat_at(rw, "f", true);
    let _ = guest.set_times_at(rw, "f", true, (1, 1, 5));
    let _ = guest.mkdir(rw, "m");
    let _ = guest.rmdir(rw, "m");
    let _ = guest.symlink("f", rw, "l");
    let _ = guest.symlink("/etc/passwd", rw, "k");
    let _ = guest.readlink(rw, "l", 9);
    let _ = guest.unlink(rw, "l");
    let _ = guest.link((rw, "f"), false, (dir, "h"));
    let _ = guest.rename((rw, "f"), (ro, "i"));
    let lines = log.0.lock().unwrap().join("\n");
    assert_eq!(
        lines,
        "dep.environ_get + env: env HOME\n\
         dep.path_open + open: read /ro/f\n\
         dep.fd_filestat_set_size - change: write /ro\n\
         dep.path_open - open: write /ro/f\n\
         dep.path_open - open: read /out\n\
         dep.path_open + open: read /ro/none\n\
         dep.path_open + open: read /rw/d\n\
         dep.path_open - open: write /rw/f\n\
         dep.path_open + open: write /rw/d/new\n\
         dep.path_filestat_get + stat: read /rw/f\n\
         dep.path_filestat_set_times + set-times: write /rw/f\n\
         dep.path_create_directory + create-dir: write /rw/m\n\
         dep.path_remove_directory + remove-dir: write /rw/m\n\
         dep.path_symlink + symlink: write /rw/l\n\
         dep.path_symlink - symlink: write /rw/k\n\
         dep.path_readlink + read-link: read /rw/l\n\
         dep.path_unlink_file + unlink: write /rw/l\n\
         dep.path_link + link: write /rw/f\n\
         dep.path_link + link: write /rw/d/h\n\
         dep.path_rename - rename: write /rw/f\n\
         dep.path_rename - rename: write /ro/i"
    );
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

#[test]
fn the_audit_log_of_a_hostile_guest() {
    let tree = TempTree::new();
    let out = Shared::default();
    let audit = Arc::new(Audit::new(out.clone()));
    let builder =
        WasiCtx::builder().dir(tree.path(), "/d", Access::ReadOnly).observer(audit.clone());
    let mut guest = Guest::new(builder);
    let name = "a\",\"verdict\":\"granted\"}\n{\u{9b}31m\u{202e}";
    let _ = guest.open(ROOT, name, Open::WRITE.with(CREAT));
    assert!(audit.failure().is_none());
    let text = String::from_utf8(out.0.lock().unwrap().clone()).unwrap();
    assert!(text.is_ascii() && text.lines().count() == 1, "{text}");
    let line: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(line["target"], format!("/d/{name}"));
    assert_eq!(line["verdict"], "denied");
    assert_eq!(line["function"], "path_open");
    assert_eq!(line["rule"], format!("--dir {}::/d:ro", tree.path().display()));
}
