//! WASI 0.2 against guests that use handles they do not have, drop what others need, and never drop
//! anything: through the real imports of a component that does with numbers what it is told.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::PathBuf;

use dunlin_component::{Component, Instance, Linker, TypedFunc};
use dunlin_engine::{Engine, Error, ErrorKind, Limits, Store};
use dunlin_wasi::host::{Access, NetGrants};
use dunlin_wasi::{WasiCtx, p2};

const GUEST: &str = include_str!("data/handles.wat");

/// What the guest does, in the order of its table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[rustfmt::skip]
enum Act {
    Directory, Open, Entries, Reader, Writer, Stdin, Stdout, Timer, Tcp, Udp, Incoming, Outgoing,
    Network,
    PollInput, PollOutput, PollTcp, PollUdp, PollIncoming, PollOutgoing,
    Ready, Poll, Read, CheckWrite, Write, Splice, GetType, Same, NextEntry, IsListening,
    Receive, CheckSend, Bind, Exit,
    DropDescriptor, DropEntries, DropInput, DropOutput, DropPollable, DropTcp,
    DropUdp, DropIncoming, DropOutgoing, DropNetwork, DropError, Timers, Churn,
}

use Act::*;

/// A type of resources.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[rustfmt::skip]
enum Kind { Descriptor, Entries, Input, Output, Pollable, Tcp, Udp, Incoming, Outgoing, Network, Error }

/// What takes handles, and of which types.
const TAKES: [(Act, &[Kind]); 35] = [
    (Open, &[Kind::Descriptor]),
    (Entries, &[Kind::Descriptor]),
    (Reader, &[Kind::Descriptor]),
    (Writer, &[Kind::Descriptor]),
    (GetType, &[Kind::Descriptor]),
    (Same, &[Kind::Descriptor, Kind::Descriptor]),
    (NextEntry, &[Kind::Entries]),
    (Read, &[Kind::Input]),
    (PollInput, &[Kind::Input]),
    (CheckWrite, &[Kind::Output]),
    (Write, &[Kind::Output]),
    (Splice, &[Kind::Output, Kind::Input]),
    (PollOutput, &[Kind::Output]),
    (Ready, &[Kind::Pollable]),
    (Poll, &[Kind::Pollable, Kind::Pollable]),
    (IsListening, &[Kind::Tcp]),
    (PollTcp, &[Kind::Tcp]),
    (Incoming, &[Kind::Udp]),
    (PollUdp, &[Kind::Udp]),
    (Bind, &[Kind::Udp, Kind::Network]),
    (Receive, &[Kind::Incoming]),
    (PollIncoming, &[Kind::Incoming]),
    (CheckSend, &[Kind::Outgoing]),
    (PollOutgoing, &[Kind::Outgoing]),
    (DropDescriptor, &[Kind::Descriptor]),
    (DropEntries, &[Kind::Entries]),
    (DropInput, &[Kind::Input]),
    (DropOutput, &[Kind::Output]),
    (DropPollable, &[Kind::Pollable]),
    (DropTcp, &[Kind::Tcp]),
    (DropUdp, &[Kind::Udp]),
    (DropIncoming, &[Kind::Incoming]),
    (DropOutgoing, &[Kind::Outgoing]),
    (DropNetwork, &[Kind::Network]),
    (DropError, &[Kind::Error]),
];

/// What WASI says no to.
const REFUSED: u32 = u32::MAX;

/// How many files and sockets a guest may have open.
const OPEN_MAX: usize = 6;

/// A directory with a file, gone at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let path = std::env::temp_dir().join(format!("dunlin-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        std::fs::write(path.join("file"), "some text").unwrap();
        Scratch(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The component, ready to be instantiated.
struct Setting {
    engine: Engine,
    component: Component,
    linker: Linker<WasiCtx>,
    scratch: Scratch,
}

impl Setting {
    fn new(name: &str) -> Setting {
        Setting::of(name, GUEST)
    }

    fn of(name: &str, text: &str) -> Setting {
        let engine = Engine::default();
        let bytes = wat::parse_str(text).unwrap_or_else(|error| panic!("{error}"));
        let component = Component::new(&engine, bytes).unwrap();
        let mut linker = Linker::new(&engine);
        p2::add_to_linker(&mut linker, |ctx| ctx).unwrap();
        Setting { engine, component, linker, scratch: Scratch::new(name) }
    }

    fn store(&self) -> Store<WasiCtx> {
        let listen = vec!["udp://127.0.0.1:0".parse().unwrap()];
        let sockets_max = Some(OPEN_MAX);
        let builder = WasiCtx::builder()
            .dir(&self.scratch.0, "/", Access::ReadWrite)
            .descriptors_max(OPEN_MAX)
            .net(NetGrants { listen, sockets_max, ..NetGrants::default() });
        Store::new(&self.engine, builder.build().unwrap())
    }

    fn guest(&self, store: &mut Store<WasiCtx>) -> Guest {
        let instance = self.linker.instantiate(&mut *store, &self.component).unwrap();
        Guest::new(&instance)
    }
}

/// An instance of it.
struct Guest(TypedFunc<(u32, u32, u32), u32>);

impl Guest {
    fn new(instance: &Instance) -> Guest {
        Guest(instance.get_typed_func("act").unwrap())
    }

    fn try_act(&self, store: &mut Store<WasiCtx>, act: Act, a: u32, b: u32) -> Result<u32, Error> {
        self.0.call(store, (act as u32, a, b))
    }

    #[track_caller]
    fn act(&self, store: &mut Store<WasiCtx>, act: Act, a: u32, b: u32) -> u32 {
        match self.try_act(store, act, a, b) {
            Ok(result) => result,
            Err(error) => panic!("{act:?}({a}, {b}): {error}"),
        }
    }

    /// One handle of each type but errors.
    fn one_of_each(&self, store: &mut Store<WasiCtx>) -> [(Kind, u32); 10] {
        let directory = self.act(store, Directory, 0, 0);
        let descriptor = self.act(store, Open, directory, 0);
        let entries = self.act(store, Entries, directory, 0);
        let input = self.act(store, Reader, descriptor, 0);
        let output = self.act(store, Writer, descriptor, 0);
        let pollable = self.act(store, Timer, 0, 0);
        let (tcp, udp) = (self.act(store, Tcp, 0, 0), self.act(store, Udp, 0, 0));
        let incoming = self.act(store, Incoming, udp, 0);
        let outgoing = self.act(store, Outgoing, 0, 0);
        let network = self.act(store, Network, 0, 0);
        let all = [
            (Kind::Descriptor, descriptor),
            (Kind::Entries, entries),
            (Kind::Input, input),
            (Kind::Output, output),
            (Kind::Pollable, pollable),
            (Kind::Tcp, tcp),
            (Kind::Udp, udp),
            (Kind::Incoming, incoming),
            (Kind::Outgoing, outgoing),
            (Kind::Network, network),
        ];
        assert!(all.iter().all(|(_, handle)| *handle != REFUSED), "{all:?}");
        all
    }
}

#[track_caller]
fn assert_trapped(result: Result<u32, Error>, why: &str, what: impl std::fmt::Debug) {
    let error = result.expect_err(&format!("{what:?}"));
    assert_eq!(error.kind(), ErrorKind::Trap, "{what:?}: {error}");
    assert!(error.to_string().contains(why), "{what:?}: expected {why}: {error}");
}

/// Every function that takes a handle, with every number that is none, and with handles of all other types.
#[test]
fn handles_that_a_guest_does_not_have() {
    let setting = Setting::new("wrong");
    for (act, kinds) in TAKES {
        for wrong in 0..kinds.len() {
            let attempt = |bad: &dyn Fn(&[(Kind, u32)]) -> Option<(u32, &'static str)>| {
                let mut store = setting.store();
                let guest = setting.guest(&mut store);
                let all = guest.one_of_each(&mut store);
                let Some((bad, why)) = bad(&all) else { return };
                let good = |kind: &Kind| all.iter().find(|(known, _)| known == kind);
                let good = |kind: Option<&Kind>| kind.and_then(good).map_or(0, |found| found.1);
                let mut params = [good(kinds.first()), good(kinds.get(1))];
                params[wrong] = bad;
                let result = guest.try_act(&mut store, act, params[0], params[1]);
                assert_trapped(result, why, (act, params));
                // And nobody gets in again.
                let again = guest.try_act(&mut store, Timer, 0, 0);
                assert_trapped(again, "cannot enter", act);
            };
            for bad in [0, 999, 1 << 28, 1 << 31, u32::MAX] {
                attempt(&|_| Some((bad, "unknown handle index")));
            }
            for other in 0..10 {
                attempt(&|all| {
                    let (kind, handle) = all[other];
                    (kind != kinds[wrong]).then_some((handle, "wrong type"))
                });
            }
        }
    }
}

#[test]
fn handles_are_dropped_once() {
    let setting = Setting::new("twice");
    for (act, kinds) in &TAKES[24..34] {
        let mut store = setting.store();
        let guest = setting.guest(&mut store);
        let all = guest.one_of_each(&mut store);
        let handle = all.iter().find(|(kind, _)| *kind == kinds[0]).unwrap().1;
        guest.act(&mut store, *act, handle, 0);
        let twice = guest.try_act(&mut store, *act, handle, 0);
        assert_trapped(twice, "unknown handle index", act);
    }
}

/// A handle means nothing to another instance, in whose world it is all the same.
#[test]
fn handles_of_another_instance() {
    let setting = Setting::new("other");
    for (act, kinds) in TAKES {
        if kinds[0] == Kind::Error {
            continue;
        }
        let mut store = setting.store();
        let (owner, thief) = (setting.guest(&mut store), setting.guest(&mut store));
        let all = owner.one_of_each(&mut store);
        let of = |kind: Kind| all.iter().find(|(known, _)| *known == kind).unwrap().1;
        let params = [of(kinds[0]), kinds.get(1).map_or(0, |kind| of(*kind))];
        let stolen = thief.try_act(&mut store, act, params[0], params[1]);
        assert_trapped(stolen, "unknown handle index", act);
        // The owner has it still.
        owner.act(&mut store, act, params[0], params[1]);
    }
}

/// One component of two ends itself, the other goes on with what it has.
#[test]
fn who_exits_exits_alone() {
    let setting = Setting::new("exit");
    let mut store = setting.store();
    let (first, second) = (setting.guest(&mut store), setting.guest(&mut store));
    let (own, others) = (first.one_of_each(&mut store), second.one_of_each(&mut store));
    let exit = first.try_act(&mut store, Act::Exit, 1, 0).unwrap_err();
    assert!(exit.is::<dunlin_wasi::Exit>(), "{exit}");
    assert_trapped(first.try_act(&mut store, Ready, own[4].1, 0), "cannot enter", "after exit");
    assert_eq!(second.act(&mut store, Ready, others[4].1, 0), 1);
    assert_eq!(second.act(&mut store, GetType, others[0].1, 0), 0);
}

struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }
}

/// Whatever is made and dropped, in whatever order, and used in between: nothing traps, and nothing of it
/// is left in the end.
#[test]
fn parents_and_children_in_any_order() {
    const MAKES: [(Act, Option<Kind>, Kind); 18] = [
        (Directory, None, Kind::Descriptor),
        (Open, Some(Kind::Descriptor), Kind::Descriptor),
        (Entries, Some(Kind::Descriptor), Kind::Entries),
        (Reader, Some(Kind::Descriptor), Kind::Input),
        (Writer, Some(Kind::Descriptor), Kind::Output),
        (Stdin, None, Kind::Input),
        (Stdout, None, Kind::Output),
        (Timer, None, Kind::Pollable),
        (Tcp, None, Kind::Tcp),
        (Udp, None, Kind::Udp),
        (Incoming, Some(Kind::Udp), Kind::Incoming),
        (Network, None, Kind::Network),
        (PollInput, Some(Kind::Input), Kind::Pollable),
        (PollOutput, Some(Kind::Output), Kind::Pollable),
        (PollTcp, Some(Kind::Tcp), Kind::Pollable),
        (PollUdp, Some(Kind::Udp), Kind::Pollable),
        (PollIncoming, Some(Kind::Incoming), Kind::Pollable),
        (PollOutgoing, Some(Kind::Outgoing), Kind::Pollable),
    ];
    const USES: [(Act, Kind); 8] = [
        (Ready, Kind::Pollable),
        (Read, Kind::Input),
        (CheckWrite, Kind::Output),
        (GetType, Kind::Descriptor),
        (NextEntry, Kind::Entries),
        (IsListening, Kind::Tcp),
        (Receive, Kind::Incoming),
        (CheckSend, Kind::Outgoing),
    ];
    let rounds = if std::env::var_os("DUNLIN_LONG").is_some() { 2000 } else { 60 };
    let setting = Setting::new("orders");
    let mut store = setting.store();
    let guest = setting.guest(&mut store);
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut used = 0;
    for _ in 0..rounds {
        let mut alive: Vec<(Kind, u32)> = Vec::new();
        let some = |random: &mut Random, alive: &[(Kind, u32)], kind: Kind| {
            let of: Vec<u32> = alive.iter().filter(|one| one.0 == kind).map(|one| one.1).collect();
            (!of.is_empty()).then(|| of[random.below(of.len())])
        };
        for _ in 0..random.below(120) {
            match random.below(8) {
                0..4 => {
                    let (act, of, kind) = MAKES[random.below(MAKES.len())];
                    let Some(of) = of.map_or(Some(0), |of| some(&mut random, &alive, of)) else {
                        continue;
                    };
                    let made = guest.act(&mut store, act, of, 0);
                    if made == REFUSED {
                        continue;
                    }
                    alive.push((kind, made));
                    if act == Incoming {
                        let outgoing = guest.act(&mut store, Outgoing, 0, 0);
                        alive.push((Kind::Outgoing, outgoing));
                    }
                }
                4 | 5 => {
                    let (act, kind) = USES[random.below(USES.len())];
                    let Some(handle) = some(&mut random, &alive, kind) else { continue };
                    guest.act(&mut store, act, handle, 0);
                    // A timer that is over keeps this from waiting.
                    if let Some(pollable) = some(&mut random, &alive, Kind::Pollable) {
                        let timer = guest.act(&mut store, Timer, 0, 0);
                        guest.act(&mut store, Poll, pollable, timer);
                        guest.act(&mut store, DropPollable, timer, 0);
                    }
                    used += 1;
                }
                _ if alive.is_empty() => {}
                _ => {
                    let (kind, handle) = alive.swap_remove(random.below(alive.len()));
                    guest.act(&mut store, drops(kind), handle, 0);
                }
            }
        }
        while !alive.is_empty() {
            let (kind, handle) = alive.swap_remove(random.below(alive.len()));
            guest.act(&mut store, drops(kind), handle, 0);
        }
        // As many places for files and sockets as there were.
        let tcp: Vec<u32> = (0..=OPEN_MAX).map(|_| guest.act(&mut store, Tcp, 0, 0)).collect();
        assert_eq!(tcp.iter().filter(|made| **made == REFUSED).count(), 1, "{tcp:?}");
        let directory = guest.act(&mut store, Directory, 0, 0);
        let open = (0..=OPEN_MAX).map(|_| guest.act(&mut store, Open, directory, 0));
        let open: Vec<u32> = open.collect();
        let files = open.iter().filter(|made| **made != REFUSED).count();
        assert_eq!(files, OPEN_MAX, "{open:?}");
        for (act, made) in [(DropTcp, tcp), (DropDescriptor, open)] {
            for handle in made.into_iter().filter(|made| *made != REFUSED) {
                guest.act(&mut store, act, handle, 0);
            }
        }
        guest.act(&mut store, DropDescriptor, directory, 0);
    }
    assert!(used > rounds, "{used}");
}

fn drops(kind: Kind) -> Act {
    let found = TAKES[24..].iter().find(|(_, kinds)| kinds[0] == kind);
    found.map(|(act, _)| *act).unwrap()
}

/// Ten million resources that are never dropped are not made; as many that are cost nothing.
#[test]
fn resources_without_end() {
    const MANY: u32 = 10_000_000;
    let setting = Setting::new("many");
    let mut store = setting.store();
    let guest = setting.guest(&mut store);
    let result = guest.try_act(&mut store, Timers, MANY, 0);
    assert_trapped(result, &format!("{} resources of the host", p2::RESOURCES_MAX), "timers");

    let limits = Limits { budget_bytes: 1 << 20, ..Limits::default() };
    let ctx = WasiCtx::builder().build().unwrap();
    let mut store = Store::with_limits(&setting.engine, ctx, limits).unwrap();
    let guest = setting.guest(&mut store);
    guest.act(&mut store, Churn, MANY / 10, 0);
    let error = guest.try_act(&mut store, Timers, MANY, 0).unwrap_err();
    assert!(error.help().is_some_and(|help| help.contains("budget_bytes")), "{}", error.report());
}

#[test]
fn more_than_was_permitted_is_not_written() {
    let setting = Setting::new("permit");
    let out_of_bounds = (17 << 16) + 1;
    for (bytes, why) in [
        (1, "`check-write` comes first"),
        // None from the last address there is, and from behind it.
        (1 << 31 | (17 << 16), ""),
        (1 << 31 | out_of_bounds, "out of bounds"),
        (u32::MAX, "out of bounds"),
        (17 << 16, "out of bounds"),
    ] {
        let mut store = setting.store();
        let guest = setting.guest(&mut store);
        let output = guest.act(&mut store, Stdout, 0, 0);
        let result = guest.try_act(&mut store, Write, output, bytes);
        match why {
            "" => assert_eq!(result.unwrap(), 0),
            why => assert_trapped(result, why, bytes),
        }
    }
    // What is permitted is permitted once; a file is copied onto itself in steps.
    let mut store = setting.store();
    let guest = setting.guest(&mut store);
    let all = guest.one_of_each(&mut store);
    let (input, output) = (all[2].1, all[3].1);
    for _ in 0..4 {
        guest.act(&mut store, Splice, output, input);
    }
    assert_eq!(guest.act(&mut store, CheckWrite, output, 0), 0);
    assert_eq!(guest.act(&mut store, Write, output, 64), 0);
    let text = std::fs::read(setting.scratch.0.join("file")).unwrap();
    assert_eq!((&text[..9], text.len()), (&b"some text"[..], 9 + 64));
}

/// Functions are linked by their types, in which all resources are alike: what a guest says that it imports
/// is not what it gets.
#[test]
fn functions_imported_for_another_type() {
    let replaced = |name: &str, from: &str, to: &str| {
        assert!(GUEST.contains(from), "{from}");
        Setting::of(name, &GUEST.replace(from, to))
    };
    let setting =
        replaced("takes", r#"(param "other" (borrow $d))"#, r#"(param "other" (borrow $in))"#);
    let mut store = setting.store();
    let guest = setting.guest(&mut store);
    let all = guest.one_of_each(&mut store);
    let result = guest.try_act(&mut store, Same, all[0].1, all[2].1);
    assert_trapped(result, "of another type than the host expects", "same");

    let stdin = r#"(type $in)) (export "get-stdin""#;
    let from = format!("(alias outer 1 $in {stdin}");
    let setting = replaced("gives", &from, &format!("(alias outer 1 $out {stdin}"));
    let mut store = setting.store();
    let guest = setting.guest(&mut store);
    let error = guest.try_act(&mut store, Stdin, 0, 0).unwrap_err();
    assert!(error.to_string().contains("of another type than the guest expects"), "{error}");
    let again = guest.try_act(&mut store, Timer, 0, 0);
    assert_trapped(again, "cannot enter", "after that");
}
