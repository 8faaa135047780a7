//! Components of one guest: each uses its own grants, and what was opened keeps those it was opened with.

mod guest;

use std::sync::{Arc, Mutex};

use dunlin_wasi::WasiCtx;
use dunlin_wasi::host::net::{Operation, Protocol};
use dunlin_wasi::host::{
    Access, Answer, Approver, Denials, Event, Need, NetGrants, Observer, Source, Verdict,
};
use dunlin_wasi::policy::{Policy, Recorder};
use guest::*;

#[derive(Debug, Default)]
struct Log(Mutex<Vec<String>>);

impl Observer for Log {
    fn observe(&self, event: &Event<'_>) {
        let (who, whose) = (&event.source.component, event.holder);
        let denied = if event.verdict == Verdict::Denied { "not " } else { "" };
        let line = format!("{who} by {whose}: {denied}{} {}", event.operation, event.need);
        self.0.lock().unwrap().push(line);
    }
}

impl Log {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

fn net(rule: &str) -> NetGrants {
    NetGrants { net: vec![rule.parse().unwrap()], ..NetGrants::default() }
}

fn connect(ctx: &WasiCtx, to: &str) -> bool {
    let to = to.parse().unwrap();
    ctx.network().check(Operation::Connect { protocol: Protocol::Tcp, to }).is_ok()
}

fn denied(denials: &Denials) -> Vec<(String, String)> {
    let list = denials.by_component().into_iter();
    list.map(|(who, what)| (who.to_string(), what.to_string())).collect()
}

#[test]
fn each_component_has_its_own() {
    let one: Arc<str> = "one".into();
    let builder = WasiCtx::builder()
        .config("who", "outermost")
        .of("one")
        .net(net("tcp://10.0.0.1:1"))
        .config("who", "one")
        .of("");
    let mut ctx = builder.net(net("tcp://10.0.0.2:2")).build().unwrap();
    let found = |ctx: &WasiCtx| {
        let who = ctx.config().get("who").map(str::to_owned);
        (connect(ctx, "10.0.0.1:1"), connect(ctx, "10.0.0.2:2"), who)
    };
    for _ in 0..2 {
        assert_eq!(found(&ctx), (false, true, Some("outermost".to_owned())));
        ctx.enter(Some(&one), "f").unwrap();
        assert_eq!(found(&ctx), (true, false, Some("one".to_owned())));
        // Another one of this name is the same one; one that nobody named has nothing.
        ctx.enter(Some(&Arc::from("one")), "f").unwrap();
        assert_eq!(found(&ctx), (true, false, Some("one".to_owned())));
        ctx.enter(Some(&Arc::from("two")), "f").unwrap();
        assert_eq!(found(&ctx), (false, false, None));
        // The empty name is the outermost's, which nobody inside can have.
        ctx.enter(None, "f").unwrap();
    }
    let whose: Vec<String> = denied(&ctx.denials()).into_iter().map(|(who, _)| who).collect();
    assert_eq!(whose, ["", "one", "two", "two"]);
}

#[test]
fn without_grants_of_their_own_all_have_the_same() {
    let log = Arc::new(Log::default());
    for watched in [false, true] {
        let mut builder = WasiCtx::builder().net(net("tcp://10.0.0.1:1")).env("A", "b");
        if watched {
            builder = builder.observer(log.clone());
        }
        let mut ctx = builder.build().unwrap();
        for name in ["", "one", "two"] {
            ctx.enter((!name.is_empty()).then(|| Arc::from(name)).as_ref(), "f").unwrap();
            assert!(connect(&ctx, "10.0.0.1:1"), "{name}");
        }
    }
    assert_eq!(
        log.take(),
        [
            " by : connect tcp://10.0.0.1:1",
            "one by one: connect tcp://10.0.0.1:1",
            "two by two: connect tcp://10.0.0.1:1"
        ]
    );
}

#[test]
fn what_was_opened_is_used_under_the_grants_it_was_opened_with() {
    let tree = TempTree::new();
    for dir in ["one", "two"] {
        std::fs::create_dir(tree.join(dir)).unwrap();
        std::fs::write(tree.join(dir).join("f"), "content").unwrap();
    }
    let (log, recorder) = (Arc::new(Log::default()), Arc::new(Recorder::default()));
    // Descriptors of WASI 0.1 are the outermost's, whoever uses them.
    let builder = WasiCtx::builder()
        .dir(tree.join("one"), "/data", Access::ReadOnly)
        .of("two")
        .dir(tree.join("two"), "/data", Access::ReadWrite)
        .observer(log.clone())
        .observer(recorder.clone());
    let mut guest = Guest::new(builder);
    guest.ctx.enter(Some(&Arc::from("two")), "f").unwrap();
    guest.open(ROOT, "f", Open::READ).unwrap();
    assert!(guest.open(ROOT, "f", Open::WRITE).is_err(), "it is granted for reading");
    assert_eq!(log.take(), ["two by : open /data/f", "two by : not open /data/f"]);
    let denials = denied(&guest.ctx.denials());
    assert_eq!(denials.len(), 1);
    assert_eq!(denials[0].0, "", "who could have granted it");
    let learned = recorder.policy(&Policy::default(), tree.path());
    assert!(learned.components.is_empty() && learned.root.dirs.len() == 1, "{learned:?}");
}

#[derive(Debug)]
struct Says(Answer, Mutex<Vec<String>>);

impl Approver for Says {
    fn approve(&self, source: &Source, holder: &str, need: &Need) -> Answer {
        let line = format!("{}.{} by {holder}: {need}", source.component, source.function);
        self.1.lock().unwrap().push(line);
        self.0
    }
}

#[test]
fn somebody_may_be_asked() {
    for (answer, passes, told) in [
        (Answer::No, false, "not connect"),
        (Answer::Once, true, "connect"),
        (Answer::Granted, true, "connect"),
    ] {
        let (says, log) = (Arc::new(Says(answer, Mutex::default())), Arc::new(Log::default()));
        let builder = WasiCtx::builder().approver(says.clone()).observer(log.clone());
        let mut ctx = builder.net(net("tcp://10.0.0.1:1")).of("two").build().unwrap();
        assert!(connect(&ctx, "10.0.0.1:1"));
        ctx.enter(Some(&Arc::from("two")), "dial").unwrap();
        assert_eq!(connect(&ctx, "10.0.0.1:1"), passes);
        // Nobody may connect to that, and who sends to the guest is not the guest's doing.
        assert!(!connect(&ctx, "10.0.0.1:0"));
        let from = "10.0.0.1:9".parse().unwrap();
        assert!(ctx.network().check(Operation::Receive { from }).is_err());
        assert_eq!(*says.1.lock().unwrap(), ["two.dial by two: tcp://10.0.0.1:1"]);
        assert_eq!(log.take()[1], format!("two by two: {told} tcp://10.0.0.1:1"));
        // A store that was granted is the same one each time.
        if let Ok(store) = ctx.stores().open("s") {
            store.set("k", b"v").unwrap();
            assert_eq!(ctx.stores().open("s").unwrap().get("k").unwrap().unwrap(), b"v");
        }
        assert_eq!(ctx.stores().open("s").is_ok(), passes);
    }
}
