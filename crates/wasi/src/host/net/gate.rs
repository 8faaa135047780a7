//! The one place that decides what of the network a guest may use.
//!
//! Every operation of a socket, a look-up or a request asks [`Network::ask`] before it happens, whichever
//! ABI it came by. What is decided there is decided by the grants, by what names the guest was told
//! which addresses for, and by nothing else.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::address::{Scope, canonical, scope};
use super::http::{Host, HttpRule, HttpTarget};
use super::lookup::{Resolver, SystemResolver};
use super::name::Name;
use super::names::Names;
use super::rule::{LOCALHOST, ListenRule, NetRule, Protocol, ResolveRule};
use crate::host::witness::{Answer, Verdict, Witness};
use crate::host::{Denial, Error, Need};

/// How many sockets a guest may hold, unless the grants say otherwise.
pub const SOCKETS_MAX: usize = 1024;

/// What of the network is granted. By default that is nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetGrants {
    /// Whom to connect to, and to send datagrams to.
    pub net: Vec<NetRule>,
    /// Where to take connections and datagrams.
    pub listen: Vec<ListenRule>,
    /// Which names to look up, beside those that other rules name.
    pub resolve: Vec<ResolveRule>,
    /// Where to send requests.
    pub http: Vec<HttpRule>,
    /// How many sockets at once, if not [`SOCKETS_MAX`].
    pub sockets_max: Option<usize>,
}

/// The network as one guest has it. A clone is another handle on the same.
#[derive(Clone, Debug)]
pub struct Network {
    inner: Arc<Inner>,
    witness: Witness,
}

#[derive(Debug)]
struct Inner {
    grants: NetGrants,
    resolver: Arc<dyn Resolver>,
    names: Mutex<Names>,
    sockets: AtomicUsize,
    lookups: AtomicUsize,
}

/// What a guest is about to do.
#[derive(Clone, Copy, Debug)]
pub enum Operation<'a> {
    /// Connect a socket, or set the peer of one for datagrams.
    Connect {
        /// By what.
        protocol: Protocol,
        /// With whom.
        to: SocketAddr,
    },
    /// Send a datagram.
    Send {
        /// To whom.
        to: SocketAddr,
        /// Whether they sent one to the same socket before, which listens.
        answers: bool,
    },
    /// Take a datagram on a socket that does not listen.
    Receive {
        /// From whom.
        from: SocketAddr,
    },
    /// Give a socket an address: one it asked for, or one it gets by the way.
    Bind {
        /// Of what.
        protocol: Protocol,
        /// Which address.
        address: SocketAddr,
    },
    /// Take connections on the address that was asked for.
    Listen {
        /// Which address.
        address: SocketAddr,
    },
    /// Look up a name.
    Resolve {
        /// Which.
        name: &'a Name,
    },
    /// Send a request.
    Http {
        /// To what.
        target: &'a HttpTarget,
        /// Whether the answer to another request named it.
        redirect: bool,
    },
    /// Connect to an address of a request's host.
    HttpAddress {
        /// The request.
        target: &'a HttpTarget,
        /// The address.
        ip: IpAddr,
    },
}

/// Which rule covers an operation.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ground<'a> {
    Net(&'a NetRule),
    Listen(&'a ListenRule),
    Resolve(&'a ResolveRule),
    Http(&'a HttpRule),
    /// Somebody who was asked let it pass.
    Allowed,
}

impl fmt::Display for Ground<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ground::Net(rule) => write!(f, "{} {rule}", NetRule::FLAG),
            Ground::Listen(rule) => write!(f, "{} {rule}", ListenRule::FLAG),
            Ground::Resolve(rule) => write!(f, "{} {rule}", ResolveRule::FLAG),
            Ground::Http(rule) => write!(f, "{} {rule}", HttpRule::FLAG),
            Ground::Allowed => f.write_str("allowed when asked"),
        }
    }
}

/// Why an operation is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    /// No rule covers it.
    NotGranted,
    /// The address is of a sort that a rule has to name as an address.
    Scope(Scope),
    /// No rule can cover it.
    Never(&'static str),
}

impl Operation<'_> {
    /// What observers are told: what is done, and where that matters, by which right.
    fn word(&self, ground: Option<&Ground<'_>>) -> &'static str {
        match (self, ground) {
            (Operation::Send { .. }, Some(Ground::Listen(_))) => return "answer",
            (Operation::Bind { .. }, Some(Ground::Net(_))) => return "bind-to-send",
            (Operation::HttpAddress { .. }, Some(Ground::Http(_))) => return "connect-for-http",
            _ => {}
        }
        match self {
            Operation::Connect { .. } => "connect",
            Operation::Send { .. } => "send",
            Operation::Receive { .. } => "receive",
            Operation::Bind { .. } => "bind",
            Operation::Listen { .. } => "listen",
            Operation::Resolve { .. } => "resolve",
            Operation::Http { redirect: false, .. } => "http",
            Operation::Http { redirect: true, .. } => "redirect",
            Operation::HttpAddress { .. } => "connect",
        }
    }
}

impl Network {
    /// A network with these grants, by the system's resolver.
    pub fn new(grants: NetGrants) -> Network {
        Network::build(grants, Arc::new(SystemResolver), Witness::default())
    }

    /// A network with another resolver and clock.
    pub fn with_resolver(grants: NetGrants, resolver: Arc<dyn Resolver>) -> Network {
        Network::build(grants, resolver, Witness::default())
    }

    pub(crate) fn build(
        grants: NetGrants,
        resolver: Arc<dyn Resolver>,
        witness: Witness,
    ) -> Network {
        let (names, sockets, lookups) = Default::default();
        let inner = Arc::new(Inner { grants, resolver, names, sockets, lookups });
        Network { inner, witness }
    }

    /// The same network in the hands of somebody else.
    pub(crate) fn seen_by(&self, witness: Witness) -> Network {
        Network { inner: Arc::clone(&self.inner), witness }
    }

    /// Another handle on the same, for what goes on when the function that began it has returned: observers
    /// are told that function all the same.
    pub fn for_later(&self) -> Network {
        self.seen_by(self.witness.for_later())
    }

    /// One where nothing is granted.
    pub(crate) fn nothing(&self) -> Network {
        let resolver = Arc::clone(&self.inner.resolver);
        Network::build(NetGrants::default(), resolver, self.witness.clone())
    }

    /// What the guest was refused so far.
    pub fn denials(&self) -> crate::host::Denials {
        self.witness.denials.clone()
    }

    /// Decides an operation, notes the answer, and fails if it is no.
    pub(super) fn ask(&self, operation: Operation<'_>) -> Result<Ground<'_>, Error> {
        let refusal = match self.decide(operation) {
            Ok(ground) => {
                let need = || self.need(operation);
                let word = operation.word(Some(&ground));
                self.witness.tell(word, Verdict::Granted, Some(&ground), need);
                return Ok(ground);
            }
            Err(refusal) => refusal,
        };
        let need = self.need(operation);
        let never = matches!(refusal, Refusal::Never(_));
        // Who sends datagrams to the guest is nothing the guest does.
        let received = matches!(operation, Operation::Receive { .. });
        let answer = if never || received { Answer::No } else { self.witness.unmet(&need) };
        if let Some(verdict) = answer.verdict() {
            let ground = Ground::Allowed;
            self.witness.tell(operation.word(None), verdict, Some(&ground), || need);
            return Ok(ground);
        }
        self.witness.tell(operation.word(None), Verdict::Denied, None, || need.clone());
        if !received {
            self.witness.deny(match refusal {
                Refusal::NotGranted => {
                    let client =
                        matches!(operation, Operation::Bind { address, .. } if address.port() == 0);
                    let note =
                        "a socket that only sends needs an address to send to granted instead";
                    Denial::Need { need, note: client.then(|| note.to_owned()) }
                }
                Refusal::Scope(scope) => {
                    Denial::Need { need, note: self.explain(operation, scope) }
                }
                Refusal::Never(why) => Denial::Never { what: need.to_string(), why },
            });
        }
        Err(Error::Access)
    }

    fn decide(&self, operation: Operation<'_>) -> Result<Ground<'_>, Refusal> {
        match operation {
            Operation::Connect { protocol, to } => self.decide_peer(protocol, to),
            Operation::Receive { from } => self.decide_peer(Protocol::Udp, from),
            Operation::Send { to, answers } => match self.decide_peer(Protocol::Udp, to) {
                Err(Refusal::NotGranted | Refusal::Scope(_)) if answers => {
                    let mut rules = self.inner.grants.listen.iter();
                    let rule = rules.find(|rule| rule.protocol == Protocol::Udp);
                    rule.map(Ground::Listen).ok_or(Refusal::NotGranted)
                }
                decided => decided,
            },
            Operation::Bind { protocol, address } => self.decide_bind(protocol, address),
            Operation::Listen { address } => self.decide_listen(Protocol::Tcp, address),
            Operation::Resolve { name } => self.decide_name(name),
            Operation::Http { target, .. } => {
                let rule = self.inner.grants.http.iter().find(|rule| rule.covers(target));
                rule.map(Ground::Http).ok_or_else(|| refused_host(&target.host))
            }
            Operation::HttpAddress { target, ip } => self.decide_http_address(target, ip),
        }
    }

    /// Whether anything may be sent to somebody.
    fn decide_peer(&self, protocol: Protocol, peer: SocketAddr) -> Result<Ground<'_>, Refusal> {
        let ip = canonical(peer.ip());
        let scope = scope(ip);
        if peer.port() == 0 {
            return Err(Refusal::Never("nobody is at port 0"));
        }
        match scope {
            Scope::Unspecified => return Err(Refusal::Never("it is no address of anybody")),
            Scope::Multicast | Scope::Broadcast if protocol == Protocol::Tcp => {
                return Err(Refusal::Never("connections are with one machine"));
            }
            _ => {}
        }
        let names = self.names_of(ip);
        let rules =
            self.inner.grants.net.iter().filter(|rule| rule.covers_port(protocol, peer.port()));
        for rule in rules {
            if rule.hosts.covers_address(ip, &names) {
                return Ok(Ground::Net(rule));
            }
        }
        Err(if scope == Scope::Global { Refusal::NotGranted } else { Refusal::Scope(scope) })
    }

    /// Whether a socket may have an address: one to listen on, or any of its own that nobody else
    /// knows, to reach somebody.
    fn decide_bind(&self, protocol: Protocol, at: SocketAddr) -> Result<Ground<'_>, Refusal> {
        match self.decide_listen(protocol, at) {
            Err(Refusal::NotGranted) if at.port() == 0 => {
                let mut rules = self.inner.grants.net.iter();
                let rule = rules.find(|rule| rule.protocol.is_none_or(|p| p == protocol));
                rule.map(Ground::Net).ok_or(Refusal::NotGranted)
            }
            decided => decided,
        }
    }

    fn decide_listen(&self, protocol: Protocol, at: SocketAddr) -> Result<Ground<'_>, Refusal> {
        let ip = canonical(at.ip());
        if matches!(scope(ip), Scope::Multicast | Scope::Broadcast) {
            return Err(Refusal::Never("it is no address of this machine"));
        }
        let mut rules = self.inner.grants.listen.iter();
        let rule = rules.find(|rule| rule.covers(protocol, ip, at.port()));
        rule.map(Ground::Listen).ok_or(Refusal::NotGranted)
    }

    /// Whether a name may be looked up: as such, or because it may be connected to.
    fn decide_name(&self, name: &Name) -> Result<Ground<'_>, Refusal> {
        if let Some(rule) = self.inner.grants.resolve.iter().find(|r| r.hosts.covers_name(name)) {
            return Ok(Ground::Resolve(rule));
        }
        let rule = self.inner.grants.net.iter().find(|rule| rule.hosts.covers_name(name));
        rule.map(Ground::Net).ok_or(Refusal::NotGranted)
    }

    /// Whether a request that is granted may go to this address of its host.
    fn decide_http_address(&self, to: &HttpTarget, ip: IpAddr) -> Result<Ground<'_>, Refusal> {
        let ip = canonical(ip);
        let scope = scope(ip);
        if scope == Scope::Unspecified {
            return Err(Refusal::Never("it is no address of anybody"));
        }
        let names = match &to.host {
            Host::Name(name) => std::slice::from_ref(name),
            Host::Address(_) => &[],
        };
        let mut rules = self.inner.grants.http.iter();
        if let Some(rule) = rules.find(|r| r.covers(to) && r.hosts.covers_address(ip, names)) {
            return Ok(Ground::Http(rule));
        }
        // An address that was granted as such may also be reached by a name.
        let mut rules = self.inner.grants.net.iter();
        let rule = rules.find(|rule| {
            rule.covers_port(Protocol::Tcp, to.port) && rule.hosts.covers_address(ip, &[])
        });
        rule.map(Ground::Net).ok_or(match scope {
            Scope::Global => Refusal::NotGranted,
            scope => Refusal::Scope(scope),
        })
    }

    /// What an operation takes, by the name of the host where the guest has one for it.
    fn need(&self, operation: Operation<'_>) -> Need {
        let peer = |protocol, peer: SocketAddr| {
            let (ip, port) = (canonical(peer.ip()), peer.port());
            let name = (scope(ip) == Scope::Global).then(|| self.names_of(ip).into_iter().next());
            let host = name.flatten().map_or(Host::Address(ip), Host::Name);
            Need::Connect { protocol, host, port }
        };
        match operation {
            Operation::Connect { protocol, to } => peer(protocol, to),
            Operation::Send { to, .. } => peer(Protocol::Udp, to),
            Operation::Receive { from } => peer(Protocol::Udp, from),
            Operation::Bind { protocol, address } => Need::Listen { protocol, address },
            Operation::Listen { address } => Need::Listen { protocol: Protocol::Tcp, address },
            Operation::Resolve { name } => Need::Resolve { name: name.to_string() },
            Operation::Http { target, .. } => Need::Http { target: target.clone() },
            Operation::HttpAddress { target, ip } => {
                let (host, port) = (Host::Address(canonical(ip)), target.port);
                Need::Connect { protocol: Protocol::Tcp, host, port }
            }
        }
    }

    /// Why a rule that names a host does not cover an address of it.
    fn explain(&self, operation: Operation<'_>, scope: Scope) -> Option<String> {
        let by = match operation {
            Operation::Connect { to: at, .. } | Operation::Send { to: at, .. } => {
                self.names_of(canonical(at.ip())).into_iter().next()
            }
            Operation::HttpAddress {
                target: HttpTarget { host: Host::Name(name), .. }, ..
            } => Some(name.clone()),
            _ => None,
        };
        Some(match by {
            Some(name) => format!("`{name}` leads to {scope}"),
            None => format!("it is {scope}"),
        })
    }

    fn names_of(&self, ip: IpAddr) -> Vec<Name> {
        self.names().of(ip, self.inner.resolver.now())
    }

    fn names(&self) -> MutexGuard<'_, Names> {
        // Nothing panics under the lock.
        self.inner.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks a name up that may be, and remembers what was found. Takes its time.
    pub(super) fn resolve(&self, name: &Name) -> Result<Vec<IpAddr>, Error> {
        if name.is_localhost() {
            return Ok(LOCALHOST.to_vec());
        }
        let mut found = Vec::new();
        for ip in self.inner.resolver.resolve(name)?.into_iter().take(ANSWERS_MAX) {
            // What is written as IPv6 but is IPv4 is for IPv4 sockets.
            let ip = ip.to_canonical();
            if !found.contains(&ip) {
                found.push(ip);
            }
        }
        if found.is_empty() {
            return Err(Error::NameUnknown);
        }
        let real: Vec<IpAddr> = found.iter().map(|&ip| canonical(ip)).collect();
        self.names().remember(name, &real, self.inner.resolver.now());
        Ok(found)
    }

    /// Fails unless an operation may be done, and notes the question and the answer.
    pub fn check(&self, operation: Operation<'_>) -> Result<(), Error> {
        self.ask(operation).map(drop)
    }

    /// Fails unless a request may be sent; the answer to another request may have `redirect`ed to it.
    pub fn check_http(&self, target: &HttpTarget, redirect: bool) -> Result<(), Error> {
        self.check(Operation::Http { target, redirect })
    }

    /// Where to connect to for a request that may be sent: the host's addresses without those that no rule
    /// covers. Looks the name up, which takes its time.
    pub fn http_addresses(&self, target: &HttpTarget) -> Result<Vec<SocketAddr>, Error> {
        let found = match &target.host {
            Host::Name(name) => {
                let _place = self.place_of_lookup()?;
                self.resolve(name)?
            }
            Host::Address(ip) => vec![*ip],
        };
        let mut refused = Error::NameUnknown;
        let mut addresses = Vec::with_capacity(found.len());
        for ip in found {
            match self.ask(Operation::HttpAddress { target, ip }) {
                Ok(_) => addresses.push(SocketAddr::new(ip, target.port)),
                Err(error) => refused = error,
            }
        }
        if addresses.is_empty() { Err(refused) } else { Ok(addresses) }
    }

    /// Counts one more socket, until the place is dropped.
    pub(super) fn place(&self) -> Result<Place, Error> {
        let max = self.inner.grants.sockets_max.unwrap_or(SOCKETS_MAX);
        Place::take(self, |inner| &inner.sockets, max)
    }

    /// Counts one more look-up that goes on.
    pub(super) fn place_of_lookup(&self) -> Result<Place, Error> {
        Place::take(self, |inner| &inner.lookups, LOOKUPS_MAX)
    }
}

impl NetRule {
    fn covers_port(&self, protocol: Protocol, port: u16) -> bool {
        self.protocol.is_none_or(|covered| covered == protocol) && self.ports.contains(port)
    }
}

/// How many addresses of one name are looked at.
const ANSWERS_MAX: usize = 64;

/// How many look-ups of a guest go on at once.
const LOOKUPS_MAX: usize = 32;

/// One of a limited number of things a guest may have, given back when dropped.
#[derive(Debug)]
pub(super) struct Place {
    network: Network,
    counter: fn(&Inner) -> &AtomicUsize,
}

impl Place {
    fn take(
        network: &Network,
        counter: fn(&Inner) -> &AtomicUsize,
        max: usize,
    ) -> Result<Place, Error> {
        let taken =
            counter(&network.inner).fetch_update(Ordering::Relaxed, Ordering::Relaxed, |taken| {
                (taken < max).then(|| taken.saturating_add(1))
            });
        taken.map_err(|_| Error::TableFull)?;
        Ok(Place { network: network.clone(), counter })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        (self.counter)(&self.network.inner).fetch_sub(1, Ordering::Relaxed);
    }
}

/// Why no rule covers a host: an address may be of a sort that wildcards leave out.
fn refused_host(host: &Host) -> Refusal {
    match host {
        Host::Address(ip) if scope(*ip) == Scope::Unspecified => {
            Refusal::Never("it is no address of anybody")
        }
        Host::Address(ip) if scope(*ip) != Scope::Global => Refusal::Scope(scope(*ip)),
        _ => Refusal::NotGranted,
    }
}
