//! The table of network rules: each row's grants, what is tried under them, and what comes of it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use dunlin_wasi::host::net::{
    HttpRule, HttpTarget, ListenRule, Name, NetGrants, NetRule, Network, Operation, Protocol,
    ResolveRule, Resolver,
};
use dunlin_wasi::host::{Denial, Error, Interrupt, Wait};

/// A name server that answers as the row says, with a clock that the row moves.
#[derive(Debug, Default)]
struct Stage(Mutex<Props>);

#[derive(Debug, Default)]
struct Props {
    /// The last answer for a name counts.
    answers: Vec<(String, Vec<IpAddr>)>,
    now: Duration,
}

impl Resolver for Stage {
    fn resolve(&self, name: &Name) -> Result<Vec<IpAddr>, Error> {
        let stage = self.0.lock().unwrap();
        let found = stage.answers.iter().rev().find(|(known, _)| known == name.as_str());
        found.map(|(_, found)| found.clone()).ok_or(Error::NameUnknown)
    }

    fn now(&self) -> Duration {
        self.0.lock().unwrap().now
    }
}

/// Adds what a flag grants, read as the command line would.
fn grant(grants: &mut NetGrants, flag: &str, value: &str) {
    fn add<R>(list: &mut Vec<R>, read: Result<Vec<R>, impl std::fmt::Display>) {
        list.extend(read.unwrap_or_else(|error| panic!("{error}")));
    }
    match flag {
        "--allow-net" => add(&mut grants.net, NetRule::list(value)),
        "--allow-listen" => add(&mut grants.listen, ListenRule::list(value)),
        "--allow-resolve" => add(&mut grants.resolve, ResolveRule::list(value)),
        "--allow-http" => add(&mut grants.http, HttpRule::list(value)),
        _ => panic!("no such flag: {flag}"),
    }
}

fn grants(text: &str) -> NetGrants {
    let mut grants = NetGrants::default();
    let words: Vec<&str> = text.split_whitespace().collect();
    for pair in words.chunks(2) {
        grant(&mut grants, pair[0], pair[1]);
    }
    grants
}

fn socket(text: &str) -> SocketAddr {
    text.parse().unwrap_or_else(|_| panic!("no address: {text}"))
}

/// Looks a name up to the end of the answer.
fn look_up(network: &Network, name: &str) -> Result<(), Error> {
    let mut lookup = network.look_up(name)?;
    let wait = Wait { blocking: true, interrupt: &Interrupt::default() };
    while lookup.next(wait)?.is_some() {}
    Ok(())
}

/// Does one step; nothing for one that has no verdict.
fn step(network: &Network, stage: &Stage, step: &str) -> Option<Result<(), Error>> {
    let (step, answer) = match step.split_once(" = ") {
        Some((step, answer)) => (step, Some(answer)),
        None => (step, None),
    };
    let (verb, object) = step.split_once(' ').unwrap();
    let target = |url: &str| HttpTarget::of_url(url).map_err(|_| Error::Invalid);
    if let Some(answer) = answer {
        let host = match verb {
            "fetch" => target(object).unwrap().host.to_string(),
            _ => Name::new(object).unwrap().to_string(),
        };
        let found = answer.split(' ').map(|ip| ip.parse().unwrap()).collect();
        stage.0.lock().unwrap().answers.push((host, found));
    }
    let connect = |protocol| Operation::Connect { protocol, to: socket(object) };
    Some(match verb {
        "tcp" => network.check(connect(Protocol::Tcp)),
        "udp" => network.check(connect(Protocol::Udp)),
        "send" => network.check(Operation::Send { to: socket(object), answers: false }),
        "answer" => network.check(Operation::Send { to: socket(object), answers: true }),
        "receive" => network.check(Operation::Receive { from: socket(object) }),
        "listen" => network.check(Operation::Listen { address: socket(object) }),
        "bind" => {
            let (protocol, address) = object.split_once(' ').unwrap();
            let protocol = if protocol == "tcp" { Protocol::Tcp } else { Protocol::Udp };
            network.check(Operation::Bind { protocol, address: socket(address) })
        }
        "resolve" => look_up(network, object),
        "http" => target(object).and_then(|target| network.check_http(&target, false)),
        "redirect" => target(object).and_then(|target| network.check_http(&target, true)),
        "fetch" => target(object).and_then(|target| {
            network.check_http(&target, false)?;
            network.http_addresses(&target).map(drop)
        }),
        "wait" => {
            stage.0.lock().unwrap().now += Duration::from_secs(object.parse().unwrap());
            return None;
        }
        _ => panic!("no such step: {verb}"),
    })
}

/// Does the steps, and gives what came of each, with the network for what it noted.
fn run(grants: NetGrants, steps: &[&str]) -> (Vec<Result<(), Error>>, Network) {
    let stage = Arc::new(Stage::default());
    let network = Network::with_resolver(grants, stage.clone());
    let results = steps.iter().filter_map(|text| step(&network, &stage, text)).collect();
    (results, network)
}

/// The grants with all that the denials of a run name added, or nothing if one names nothing.
fn follow(mut grants: NetGrants, network: &Network) -> Option<NetGrants> {
    for denial in network.denials().list() {
        let Denial::Need { need, .. } = &denial else { return None };
        assert!(denial.to_string().contains(&need.flag()), "{denial}");
        let flag = need.flag();
        let (flag, value) = flag.split_once(' ').unwrap();
        grant(&mut grants, flag, value);
    }
    Some(grants)
}

#[test]
fn every_row() {
    let mut rows = 0;
    for row in include_str!("data/network-rules.txt").lines() {
        if row.is_empty() || row.starts_with('#') {
            continue;
        }
        rows += 1;
        let [granted, steps, want] = row.split('|').map(str::trim).collect::<Vec<_>>()[..] else {
            panic!("three columns: {row}");
        };
        let steps: Vec<&str> = steps.split("; ").collect();
        let want: Vec<&str> = want.split(' ').collect();
        let (results, network) = run(grants(granted), &steps);
        let got: Vec<&str> = results
            .iter()
            .zip(&want)
            .map(|(result, want)| match result {
                Ok(()) => "allow",
                // Which of the two it is shows below.
                Err(Error::Access) if *want == "never" => "never",
                Err(Error::Access) => "deny",
                Err(Error::Invalid) => "invalid",
                Err(Error::NameUnknown) => "unknown",
                Err(error) => panic!("{row}: {error}"),
            })
            .collect();
        assert_eq!(got.join(" "), want.join(" "), "{row}");
        assert_eq!(results.len(), want.len(), "{row}");

        // Nothing is denied without a word, and following the words is enough.
        let denied = |verdict: &str| want.iter().filter(|want| **want == verdict).count();
        let silent = steps.iter().filter(|step| step.starts_with("receive")).count();
        let noted = network.denials().list().len();
        assert!(noted + silent >= usize::from(denied("deny") + denied("never") > 0), "{row}");
        match follow(grants(granted), &network) {
            None => assert!(denied("never") > 0, "{row}: {:?}", network.denials().list()),
            Some(grants) => {
                assert_eq!(denied("never"), 0, "{row}");
                let (results, _) = run(grants, &steps);
                let still = results.iter().filter(|result| **result == Err(Error::Access)).count();
                assert!(still <= silent, "{row}: {:?}", network.denials().list());
            }
        }
    }
    assert!(rows >= 200, "{rows} rows");
}

/// Rules as they come back, and messages for what is none.
#[test]
fn rules_read_and_written() {
    for rule in [
        "*",
        "tcp://example.com:443",
        "tcp://*.example.com:80,443,8000-8999",
        "udp://10.0.0.0/8:53",
        "tcp://[::1]:80",
        "tcp://[fd00::]/8:*",
        "tcp://*:*",
        "tcp://localhost:80",
    ] {
        assert_eq!(rule.parse::<NetRule>().map(|rule| rule.to_string()), Ok(rule.into()));
    }
    for rule in [
        "*",
        "https://a.example",
        "http://a.example:8080/v1/x",
        "https://*:*",
        "http://10.0.0.0/8:81/x",
    ] {
        assert_eq!(rule.parse::<HttpRule>().map(|rule| rule.to_string()), Ok(rule.into()));
    }
    for rule in ["tcp://127.0.0.1:0", "udp://*:53", "tcp://localhost:80", "tcp://[::1]:80-90"] {
        assert_eq!(rule.parse::<ListenRule>().map(|rule| rule.to_string()), Ok(rule.into()));
    }
    let net = |text: &str| NetRule::list(text).unwrap_err().to_string();
    let listen = |text: &str| ListenRule::list(text).unwrap_err().to_string();
    let resolve = |text: &str| ResolveRule::list(text).unwrap_err().to_string();
    let http = |text: &str| HttpRule::list(text).unwrap_err().to_string();
    let messages = [
        net(""),
        net("example.com:443"),
        net("https://example.com"),
        net("ws://example.com:1"),
        net("tcp://example.com"),
        net("tcp://:443"),
        net("tcp://::1:80"),
        net("tcp://[::1/128]:80"),
        net("tcp://[::1:80"),
        net("tcp://[nonsense]:80"),
        net("tcp://10.1.0.0/8:80"),
        net("tcp://10.0.0.0/33:80"),
        net("tcp://10.0.0.0/x:80"),
        net("tcp://[2002:a00::]/24:80"),
        net("tcp://example.com/8:80"),
        net("tcp://127.1:80"),
        net("tcp://bücher.example:80"),
        net("tcp://a*.example:80"),
        net("tcp://a..b:80"),
        net("tcp://\u{1b}[31m:80"),
        net("tcp://a.example:http"),
        net("tcp://a.example:65536"),
        net("tcp://a.example:90-80"),
        net("tcp://a.example:80,"),
        net("tcp://a.example:0"),
        net("tcp://0.0.0.0:80"),
        net("tcp://a.example:80,udp://b.example"),
        listen("tcp://example.com:80"),
        listen("127.0.0.1:80"),
        resolve("tcp://example.com:443"),
        resolve("127.0.0.1"),
        resolve(""),
        http("example.com"),
        http("ftp://example.com"),
        http("https://user@example.com"),
        http("https://example.com/a/../b"),
        http("https://example.com?x"),
        http("https://example.com:x/"),
    ];
    let expected = include_str!("data/rule-errors.txt");
    let got = messages.join("\n\n") + "\n";
    assert_eq!(got, expected, "the messages changed; look at each, then put them there:\n{got}");
}
