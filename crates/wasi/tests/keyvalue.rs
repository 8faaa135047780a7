//! Stores of keys and values: the same in memory and in a file, and what is in the file is there the next time.

mod guest;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use dunlin_wasi::WasiCtx;
use dunlin_wasi::host::keyvalue::{
    KEY_MAX, STORE_MAX, Store, StoreError, StorePlace, Swapped, VALUE_MAX,
};
use dunlin_wasi::host::{Event, Observer};
use guest::TempTree;

/// A store of each sort.
fn each(tree: &TempTree, limit: u64, test: impl Fn(Store)) {
    test(Store::memory(limit));
    test(Store::file(tree.join("store"), limit));
}

fn text(value: Option<Vec<u8>>) -> Option<String> {
    value.map(|value| String::from_utf8(value).unwrap())
}

#[test]
fn one_at_a_time() {
    each(&TempTree::new(), STORE_MAX, |store| {
        assert_eq!(store.get("k"), Ok(None));
        assert_eq!(store.exists("k"), Ok(false));
        assert_eq!(store.delete("k"), Ok(()));
        assert_eq!(store.set("k", b"v"), Ok(()));
        assert_eq!(store.get("k").map(text), Ok(Some("v".into())));
        assert_eq!(store.exists("k"), Ok(true));
        assert_eq!(store.set("k", b""), Ok(()));
        assert_eq!(store.get("k"), Ok(Some(vec![])), "an empty value is one");
        assert_eq!(store.set("", b"empty"), Ok(()));
        assert_eq!(store.get("").map(text), Ok(Some("empty".into())));
        assert_eq!(store.delete("k"), Ok(()));
        assert_eq!(store.get("k"), Ok(None));
        assert_eq!(store.list(None).map(|listed| listed.keys), Ok(vec!["".into()]));
    });
}

#[test]
fn many_at_once() {
    each(&TempTree::new(), STORE_MAX, |store| {
        store.set_many(&[("a", b"1"), ("b", b"2"), ("a", b"3")]).unwrap();
        let values = store.get_many(&["b", "none", "a", "b"]).unwrap();
        let values: Vec<_> = values.into_iter().map(text).collect();
        assert_eq!(values, [Some("2".into()), None, Some("3".into()), Some("2".into())]);
        store.delete_many(&["a", "none", "a"]).unwrap();
        assert_eq!(store.list(None).unwrap().keys, ["b"]);
    });
}

#[test]
fn keys_come_in_pages() {
    each(&TempTree::new(), STORE_MAX, |store| {
        let names: Vec<String> = (0..2500).map(|n| format!("key/{n:05}")).collect();
        let entries: Vec<(&str, &[u8])> =
            names.iter().map(|name| (name.as_str(), &b"v"[..])).collect();
        store.set_many(&entries).unwrap();
        let (mut all, mut pages, mut cursor) = (Vec::new(), 0, None);
        loop {
            let page = store.list(cursor.as_deref()).unwrap();
            all.extend(page.keys);
            pages += 1;
            // What goes on meanwhile does not make any other key appear twice or not at all.
            store.delete(all.last().unwrap()).unwrap();
            cursor = page.cursor;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!((all, pages), (names, 3));
        assert_eq!(store.list(Some("z")).unwrap().keys.len(), 0);

        let long: Vec<String> = (0..200).map(|n| format!("{n:04}{}", "x".repeat(4000))).collect();
        let entries: Vec<(&str, &[u8])> =
            long.iter().map(|name| (name.as_str(), &b"v"[..])).collect();
        store.set_many(&entries).unwrap();
        let page = store.list(None).unwrap();
        assert!(page.keys.len() < 100 && page.cursor.is_some(), "{} long keys", page.keys.len());
    });
}

#[test]
fn numbers() {
    each(&TempTree::new(), STORE_MAX, |store| {
        assert_eq!(store.increment("n", 5), Ok(5));
        assert_eq!(store.increment("n", -7), Ok(-2));
        assert_eq!(store.get("n").map(text), Ok(Some("-2".into())));
        store.set("n", i64::MAX.to_string().as_bytes()).unwrap();
        assert_eq!(store.increment("n", 1), Err(StoreError::Overflow));
        assert_eq!(store.increment("n", 0), Ok(i64::MAX));
        for wrong in [&b""[..], b"x", b" 1", b"9223372036854775808", b"\xff"] {
            store.set("w", wrong).unwrap();
            assert_eq!(store.increment("w", 1), Err(StoreError::NotANumber));
            assert_eq!(store.get("w"), Ok(Some(wrong.to_vec())), "it stays as it was");
        }
    });
}

#[test]
fn swaps() {
    each(&TempTree::new(), STORE_MAX, |store| {
        let (swap, value) = store.begin_swap("k").unwrap();
        assert_eq!(value, None);
        store.set("other", b"x").unwrap();
        assert!(matches!(swap.swap(b"1"), Ok(Swapped::Done)));

        let (swap, value) = store.begin_swap("k").unwrap();
        assert_eq!(text(value), Some("1".into()));
        store.set("k", b"2").unwrap();
        let Ok(Swapped::Failed(again, value)) = swap.swap(b"lost") else { panic!("swapped") };
        assert_eq!(text(value), Some("2".into()));
        assert!(matches!(again.swap(b"3"), Ok(Swapped::Done)));
        assert_eq!(store.get("k").map(text), Ok(Some("3".into())));

        // The same value is another one if it was put there anew; so is nothing, if there was something.
        let (swap, _) = store.begin_swap("k").unwrap();
        store.set("k", b"3").unwrap();
        assert!(matches!(swap.swap(b"lost"), Ok(Swapped::Failed(..))));
        let (swap, _) = store.begin_swap("k").unwrap();
        store.delete("k").unwrap();
        assert!(matches!(swap.swap(b"lost"), Ok(Swapped::Failed(_, None))));
        let (swap, _) = store.begin_swap("k").unwrap();
        store.set("k", b"in between").unwrap();
        store.delete("k").unwrap();
        let Ok(Swapped::Failed(again, None)) = swap.swap(b"lost") else { panic!("swapped") };
        assert!(matches!(again.swap(b"4"), Ok(Swapped::Done)));
    });
}

#[test]
fn limits() {
    each(&TempTree::new(), 1000, |store| {
        let key = "k".repeat(KEY_MAX + 1);
        assert_eq!(store.set(&key, b""), Err(StoreError::KeyTooLong));
        assert_eq!(store.get(&key), Err(StoreError::KeyTooLong));
        assert_eq!(store.get_many(&["a", &key]), Err(StoreError::KeyTooLong));
        assert_eq!(store.exists(&key), Err(StoreError::KeyTooLong));
        assert_eq!(store.delete(&key), Err(StoreError::KeyTooLong));
        assert_eq!(store.increment(&key, 1), Err(StoreError::KeyTooLong));
        assert_eq!(store.begin_swap(&key).err(), Some(StoreError::KeyTooLong));
        let value = vec![0; VALUE_MAX + 1];
        assert_eq!(store.set("k", &value), Err(StoreError::ValueTooLong));
        let (swap, _) = store.begin_swap("k").unwrap();
        assert_eq!(swap.swap(&value).err(), Some(StoreError::ValueTooLong));

        let full = Err(StoreError::Full { limit: 1000 });
        store.set("a", &[0; 400]).unwrap();
        store.set("b", &[0; 400]).unwrap();
        assert_eq!(store.set("c", &[0; 100]), full);
        // All or nothing.
        assert_eq!(store.set_many(&[("a", b"x"), ("c", &[0; 900])]), full);
        assert_eq!(store.get("a").unwrap().unwrap().len(), 400);
        store.set("a", &[0; 300]).unwrap();
        assert_eq!(store.set("c", &[0; 110]), full, "entries are not for free");
        store.delete("b").unwrap();
        store.set("c", &[0; 400]).unwrap();
        store.delete_many(&["a", "b", "c"]).unwrap();
        for n in 0..15 {
            store.set(&n.to_string(), b"").unwrap();
        }
        assert_eq!(store.set("one more", b""), full);
    });
}

/// Random operations, compared with a map.
#[test]
fn as_a_map_would() {
    each(&TempTree::new(), STORE_MAX, |store| {
        let mut map: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = move |below: u64| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed % below
        };
        for round in 0..400 {
            let key = format!("k{}", random(12));
            match random(5) {
                0 => assert_eq!(store.get(&key).unwrap().as_ref(), map.get(&key), "{round}"),
                1 => {
                    store.delete(&key).unwrap();
                    map.remove(&key);
                }
                2 => {
                    let number = |value: &Vec<u8>| std::str::from_utf8(value).ok()?.parse().ok();
                    let old: Option<i64> = map.get(&key).map_or(Some(0), number);
                    let got = store.increment(&key, 3).ok();
                    assert_eq!(got, old.map(|old| old + 3), "{round}");
                    if let Some(new) = got {
                        map.insert(key, new.to_string().into_bytes());
                    }
                }
                _ => {
                    let value = vec![b'0'; random(9) as usize];
                    store.set(&key, &value).unwrap();
                    map.insert(key, value);
                }
            }
            assert!(store.list(None).unwrap().keys.iter().eq(map.keys()), "{round}");
        }
    });
}

#[test]
fn nothing_gets_lost_between_threads() {
    each(&TempTree::new(), STORE_MAX, |store| {
        std::thread::scope(|scope| {
            for _ in 0..4 {
                let store = store.clone();
                scope.spawn(move || {
                    for _ in 0..20 {
                        store.increment("n", 1).unwrap();
                        let (mut swap, mut value) = store.begin_swap("s").unwrap();
                        loop {
                            let mut next = value.unwrap_or_default();
                            next.push(b'x');
                            match swap.swap(&next).unwrap() {
                                Swapped::Done => break,
                                Swapped::Failed(again, now) => (swap, value) = (again, now),
                            }
                        }
                    }
                });
            }
        });
        assert_eq!(store.get("n").map(text), Ok(Some("80".into())));
        assert_eq!(store.get("s").unwrap().unwrap().len(), 80);
    });
}

#[test]
fn a_file_lasts() {
    let tree = TempTree::new();
    let path = tree.join("data.kv");
    let place: StorePlace = "file:data.kv".parse().unwrap();
    let store = place.store(tree.path());
    assert!(!path.exists(), "made when it is used");
    store.set("k", b"v").unwrap();
    let (swap, _) = store.begin_swap("k").unwrap();

    let other = place.store(tree.path());
    let error = other.get("k").unwrap_err().to_string();
    assert!(error.starts_with(&format!("cannot open store `{}`: ", path.display())), "{error}");
    drop(store);
    assert!(other.get("k").is_err(), "whoever holds a swap holds the store");
    assert!(matches!(swap.swap(b"w"), Ok(Swapped::Done)));
    assert_eq!(other.get("k").map(text), Ok(Some("w".into())));
    assert_eq!(other.increment("n", 2), Ok(2));
    drop(other);
    assert_eq!(place.store(tree.path()).increment("n", 2), Ok(4));
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);

    std::fs::write(tree.join("garbage"), "not a database, and long enough to be one ".repeat(500))
        .unwrap();
    let garbage = Store::file(tree.join("garbage"), STORE_MAX);
    assert!(matches!(garbage.get("k"), Err(StoreError::Storage(_))));
    let nowhere = Store::file(tree.join("no/such/place"), STORE_MAX);
    assert!(matches!(nowhere.set("k", b""), Err(StoreError::Storage(_))));
}

#[test]
fn places() {
    for text in ["memory", "file:x", "file:/a:b"] {
        assert_eq!(text.parse::<StorePlace>().map(String::from), Ok(text.into()));
    }
    for text in ["", "file:", "redis:x", "memory:", "\u{1b}"] {
        let error = text.parse::<StorePlace>().unwrap_err();
        let want = format!(
            "invalid place of a store `{}`: expected `memory` or `file:PATH`",
            text.escape_debug()
        );
        assert_eq!(error, want);
    }
}

#[derive(Debug, Default)]
struct Log(Mutex<Vec<String>>);

impl Observer for Log {
    fn observe(&self, event: &Event<'_>) {
        let line = format!("{:?} {} {}", event.verdict, event.need.kind(), event.need);
        self.0.lock().unwrap().push(line);
    }
}

#[test]
fn a_guest_has_what_it_was_given() {
    let log = Arc::new(Log::default());
    let shared = Store::memory(STORE_MAX);
    let world = || {
        WasiCtx::builder()
            .store("default", shared.clone())
            .config("color", "red")
            .config("shape", "round")
            .observer(log.clone())
            .build()
            .unwrap()
    };
    let (one, other) = (world(), world());
    one.stores().open("default").unwrap().set("k", b"v").unwrap();
    assert_eq!(other.stores().open("default").unwrap().get("k").map(text), Ok(Some("v".into())));
    assert_eq!(one.stores().open("secret").err(), Some(StoreError::AccessDenied));
    let denials = one.denials().list();
    assert_eq!(denials.len(), 1);
    assert_eq!(
        denials[0].to_string(),
        "the guest was denied `secret`; grant it with `--kv secret=memory`"
    );
    assert_eq!(one.config().get("color"), Some("red"));
    assert_eq!(one.config().get("size"), None);
    assert_eq!(one.config().all().collect::<Vec<_>>(), [("color", "red"), ("shape", "round")]);
    assert_eq!(one.denials().list().len(), 1, "a value that is not set is no denial");
    let lines = log.0.lock().unwrap().join("\n");
    assert_eq!(
        lines,
        "Granted store default\nGranted store default\nDenied store secret\nGranted config color\n\
         Denied config size\nGranted config color\nGranted config shape"
    );
}
