//! Keys and the cache as files: whom they belong to, and what happens to them under many hands.

#![expect(clippy::print_stdout, reason = "how child processes tell their parents")]

use std::fs::{self, File, FileTimes, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

use dunlin_seal::directory::Kind;
use dunlin_seal::{Directory, MachineKey, PublicKey, SigningKey};

/// An empty directory of this test's own.
fn scratch(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("seal-{name}"));
    drop(fs::remove_dir_all(&path));
    fs::create_dir_all(&path).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o700)).unwrap();
    path
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn refused<T: std::fmt::Debug>(result: Result<T, dunlin_seal::AccessError>) -> String {
    result.unwrap_err().reason()
}

#[test]
fn a_key_is_made_once_and_is_private() {
    let dir = scratch("key").join("state/dunlin");
    let key = MachineKey::load_or_create(&dir).unwrap();
    assert_eq!((mode(&dir), mode(&dir.join("machine.key"))), (0o700, 0o600));
    assert_eq!(MachineKey::load_or_create(&dir).unwrap().id(), key.id());
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 1, "nothing else is left");
    let other = MachineKey::load_or_create(&scratch("key-2").join("x")).unwrap();
    assert_ne!(other.id(), key.id());
}

#[test]
fn a_key_that_others_can_reach_is_refused() {
    let dir = scratch("key-open");
    MachineKey::load_or_create(&dir).unwrap();
    let file = dir.join("machine.key");
    for wrong in [0o640, 0o604, 0o620, 0o666] {
        set_mode(&file, wrong);
        let why = refused(MachineKey::load_or_create(&dir));
        assert_eq!(why, format!("others may use it: expected mode 700 or 600, found {wrong:o}"));
    }
    set_mode(&file, 0o600);
    for wrong in [0o777, 0o755, 0o710] {
        set_mode(&dir, wrong);
        let why = refused(MachineKey::load_or_create(&dir));
        assert_eq!(why, format!("others may use it: expected mode 700 or 600, found {wrong:o}"));
    }
    set_mode(&dir, 0o700);
    MachineKey::load_or_create(&dir).unwrap();
}

#[test]
fn a_key_of_somebody_else_is_refused() {
    let dir = scratch("key-foreign");
    MachineKey::load_or_create(&dir).unwrap();
    let file = dir.join("machine.key");
    // Only root can give files away.
    if std::os::unix::fs::chown(&file, Some(12345), None).is_ok() {
        assert_eq!(refused(MachineKey::load_or_create(&dir)), "it belongs to another user");
        std::os::unix::fs::chown(&file, Some(0), None).unwrap();
        std::os::unix::fs::chown(&dir, Some(12345), None).unwrap();
        assert_eq!(refused(MachineKey::load_or_create(&dir)), "it belongs to another user");
    }
}

#[test]
fn links_and_other_things_are_refused() {
    let dir = scratch("key-links");
    let elsewhere = scratch("key-elsewhere");
    MachineKey::load_or_create(&elsewhere).unwrap();
    let file = dir.join("machine.key");
    symlink(elsewhere.join("machine.key"), &file).unwrap();
    assert_eq!(refused(MachineKey::load_or_create(&dir)), "expected a file, found a link");
    fs::remove_file(&file).unwrap();
    // To nowhere: it is not followed when the key is made either.
    symlink(elsewhere.join("new"), &file).unwrap();
    assert_eq!(refused(MachineKey::load_or_create(&dir)), "expected a file, found a link");
    assert!(!elsewhere.join("new").exists());
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    assert_eq!(refused(MachineKey::load_or_create(&dir)), "expected a file, found something else");
    fs::remove_dir(&file).unwrap();
    // A FIFO must not make anybody wait.
    assert!(Command::new("mkfifo").arg(&file).status().unwrap().success());
    assert_eq!(refused(MachineKey::load_or_create(&dir)), "expected a file, found something else");
    fs::remove_file(&file).unwrap();
    let link = dir.join("link");
    symlink(&elsewhere, &link).unwrap();
    let why = refused(MachineKey::load_or_create(&link));
    assert_eq!(why, "expected a directory, found a file or a link");
    for len in [0, 31, 33] {
        fs::write(&file, vec![1; len]).unwrap();
        set_mode(&file, 0o600);
        assert!(MachineKey::load_or_create(&dir).is_err(), "{len} bytes");
    }
}

#[test]
fn of_many_that_make_a_key_all_have_the_same() {
    for round in 0..20 {
        let dir = scratch("key-race").join(round.to_string());
        let ids: Vec<_> = std::thread::scope(|scope| {
            let make = || *MachineKey::load_or_create(&dir).unwrap().id();
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(make)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(ids.iter().all(|id| *id == ids[0]));
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 1);
    }
}

#[test]
fn pairs_are_kept_in_pem() {
    let dir = scratch("pair");
    let key = SigningKey::generate().unwrap();
    let (private, public) = (dir.join("private.pem"), dir.join("public.pem"));
    key.save_new(&private).unwrap();
    assert_eq!(mode(&private), 0o600);
    fs::write(&public, key.public().pem()).unwrap();
    assert_eq!(SigningKey::load(&private).unwrap().public(), key.public());
    assert_eq!(PublicKey::load(&public).unwrap(), key.public());
    assert_eq!(refused(key.save_new(&private)), "file exists");
    let swapped = "expected a private key, found a public one";
    assert_eq!(refused(SigningKey::load(&public)), swapped);
    let swapped = "expected a public key, found a private one";
    assert_eq!(refused(PublicKey::load(&private)), swapped);
    fs::write(&public, "hello").unwrap();
    assert_eq!(refused(PublicKey::load(&public)), "expected an Ed25519 public key in PEM");
    assert_eq!(refused(SigningKey::load(&public)), "expected an Ed25519 private key in PEM");
}

/// The example keys of RFC 8410, section 10.
#[test]
fn keys_of_others_are_read() {
    let dir = scratch("rfc8410");
    let (private, public) = (dir.join("a"), dir.join("b"));
    fs::write(
        &private,
        "-----BEGIN PRIVATE KEY-----\n\
         MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
         -----END PRIVATE KEY-----\n",
    )
    .unwrap();
    fs::write(
        &public,
        "-----BEGIN PUBLIC KEY-----\n\
         MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n\
         -----END PUBLIC KEY-----\n",
    )
    .unwrap();
    let key = SigningKey::load(&private).unwrap();
    assert_eq!(PublicKey::load(&public).unwrap(), key.public());
}

#[test]
fn files_are_found_again() {
    let dir = Directory::open_or_create(&scratch("cache").join("a/b")).unwrap();
    assert_eq!(mode(dir.path()), 0o700);
    let hash = [3; 32];
    assert!(dir.read(Kind::Code, &hash).unwrap().is_none());
    dir.write(Kind::Code, &hash, b"one").unwrap();
    dir.write(Kind::Code, &hash, b"two").unwrap();
    assert_eq!(dir.read(Kind::Code, &hash).unwrap().as_deref(), Some(&b"two"[..]));
    assert!(dir.read(Kind::Verdict, &hash).unwrap().is_none());
    fs::write(dir.path().join("mine.txt"), "not the cache's").unwrap();
    assert_eq!(dir.list().unwrap().len(), 1);
    assert_eq!(dir.clear().unwrap().len(), 1);
    assert!(dir.read(Kind::Code, &hash).unwrap().is_none());
    assert!(dir.path().join("mine.txt").exists());
}

#[test]
fn what_is_in_the_way_of_a_file_is_refused() {
    let dir = Directory::open_or_create(&scratch("cache-hostile")).unwrap();
    let (hash, name) = ([0xab; 32], format!("{}.code", "ab".repeat(32)));
    let path = dir.path().join(name);
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    assert!(dir.read(Kind::Code, &hash).is_err());
    // Writing replaces it.
    dir.write(Kind::Code, &hash, b"x").unwrap();
    assert_eq!(dir.read(Kind::Code, &hash).unwrap().as_deref(), Some(&b"x"[..]));
    fs::remove_file(&path).unwrap();
    let target = dir.path().join("target");
    fs::write(&target, "outside").unwrap();
    symlink(&target, &path).unwrap();
    assert!(dir.read(Kind::Code, &hash).is_err());
    dir.write(Kind::Code, &hash, b"y").unwrap();
    assert_eq!(fs::read(&target).unwrap(), b"outside");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(dir.read(Kind::Code, &hash).is_err());
    assert!(dir.write(Kind::Code, &hash, b"z").is_err());
    assert_eq!(dir.list().unwrap().iter().filter(|f| f.kind.is_none()).count(), 0);
    set_mode(dir.path(), 0o777);
    assert!(Directory::open(dir.path()).is_err());
    set_mode(dir.path(), 0o700);
    // Sparse, so that it takes no room.
    fs::remove_dir(&path).unwrap();
    File::create(&path).unwrap().set_len(1 << 40).unwrap();
    assert!(dir.read(Kind::Code, &hash).is_err());
}

#[test]
fn what_was_used_longest_ago_goes_first() {
    let dir = Directory::open_or_create(&scratch("cache-trim")).unwrap();
    for n in 0..10u8 {
        dir.write(Kind::Code, &[n; 32], &[n; 1000]).unwrap();
        let name = format!("{}.code", dunlin_seal::hex(&[n; 32]));
        let age = Duration::from_secs(100_000 - u64::from(n) * 1000);
        let used = SystemTime::now() - age;
        let file = File::open(dir.path().join(name)).unwrap();
        file.set_times(FileTimes::new().set_modified(used)).unwrap();
    }
    // The oldest is used again.
    dir.read(Kind::Code, &[0; 32]).unwrap().unwrap();
    fs::write(dir.path().join("tmp-0123"), "being written").unwrap();
    dir.trim(4500).unwrap();
    let left: Vec<u8> =
        (0..10).filter(|n| dir.read(Kind::Code, &[*n; 32]).unwrap().is_some()).collect();
    assert_eq!(left, [0, 7, 8, 9]);
    assert!(dir.path().join("tmp-0123").exists(), "somebody may still be writing it");
    let old = SystemTime::now() - Duration::from_secs(100_000);
    let file = File::open(dir.path().join("tmp-0123")).unwrap();
    file.set_times(FileTimes::new().set_modified(old)).unwrap();
    dir.trim(u64::MAX).unwrap();
    assert!(!dir.path().join("tmp-0123").exists(), "nobody writes it any more");
}

/// Runs the test called `name` of this program again as another process, which sees `DUNLIN_CHILD`.
fn again(name: &str, dir: &Path, before: &str) -> Child {
    let program = std::env::current_exe().unwrap();
    Command::new("sh")
        .arg("-c")
        .arg(format!("{before} exec \"$0\" --exact {name} --nocapture"))
        .arg(program)
        .env("DUNLIN_CHILD", dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

const HASH: [u8; 32] = [0x11; 32];

/// Contents that tell whether they are whole.
fn contents(n: u8) -> Vec<u8> {
    vec![n; 300_000 + usize::from(n)]
}

fn is_whole(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(|n| *bytes == contents(*n))
}

/// As another process: writes until somebody ends it.
#[test]
fn writer() {
    let Some(dir) = std::env::var_os("DUNLIN_CHILD") else { return };
    let dir = Directory::open_or_create(Path::new(&dir)).unwrap();
    println!("ready");
    for n in 0..u64::MAX {
        dir.write(Kind::Code, &HASH, &contents(n as u8)).unwrap();
    }
}

/// Many write the same file at once and are killed at any time: whoever reads finds it whole.
#[test]
fn killed_while_writing() {
    let path = scratch("cache-kill");
    let dir = Directory::open_or_create(&path).unwrap();
    let mut found = 0;
    for round in 0..25u64 {
        let mut writers: Vec<Child> = (0..3).map(|_| again("writer", &path, "")).collect();
        for writer in &mut writers {
            // Until it says that it is ready.
            use std::io::Read;
            let mut byte = [0];
            writer.stdout.as_mut().unwrap().read_exact(&mut byte).unwrap();
        }
        let start = std::time::Instant::now();
        while start.elapsed() < Duration::from_millis(3 + round % 7) {
            if let Some(bytes) = dir.read(Kind::Code, &HASH).unwrap() {
                assert!(is_whole(&bytes));
                found += 1;
            }
        }
        for mut writer in writers {
            writer.kill().unwrap();
            writer.wait().unwrap();
        }
        if let Some(bytes) = dir.read(Kind::Code, &HASH).unwrap() {
            assert!(is_whole(&bytes), "after round {round}");
        }
    }
    assert!(found > 10, "{found}");
    let files = dir.clear().unwrap();
    assert!(files.iter().any(|file| file.kind.is_none()), "nobody was killed while writing");
    assert_eq!(fs::read_dir(&path).unwrap().count(), 0);
}

/// As another process: finds the disk full.
#[test]
fn writer_on_a_full_disk() {
    let Some(dir) = std::env::var_os("DUNLIN_CHILD") else { return };
    let dir = Directory::open_or_create(Path::new(&dir)).unwrap();
    println!("result {}", dir.write(Kind::Code, &HASH, &contents(9)).unwrap_err().reason());
}

#[test]
fn a_full_disk_leaves_what_was_there() {
    let path = scratch("cache-full");
    let dir = Directory::open_or_create(&path).unwrap();
    dir.write(Kind::Code, &HASH, b"whole").unwrap();
    // No file may have more than a few kilobytes, and no signal says so.
    let child = again("writer_on_a_full_disk", &path, "trap '' XFSZ; ulimit -f 8;");
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("result file too large"), "{said}");
    assert_eq!(dir.read(Kind::Code, &HASH).unwrap().as_deref(), Some(&b"whole"[..]));
    assert_eq!(fs::read_dir(&path).unwrap().count(), 1, "what was begun is removed");
}
