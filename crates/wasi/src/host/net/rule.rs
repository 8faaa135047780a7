//! Rules that grant the network: what they are, and how they are written.

use std::fmt;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::address::{Block, BlockError, Scope, scope};
use super::name::{Name, NameError};

/// What carries bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// Connections.
    Tcp,
    /// Datagrams.
    Udp,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Protocol::Tcp { "tcp" } else { "udp" })
    }
}

/// Which hosts a rule covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hosts {
    /// `*`: every name, and every address that is global. What is not global has to be named.
    Any,
    /// `localhost`: the loopback addresses, and the names that mean them.
    Localhost,
    /// One name, and the global addresses it was found at.
    Name(Name),
    /// `*.name`: all names below one, and the global addresses they were found at.
    Below(Name),
    /// Addresses, of whatever sort.
    Block(Block),
}

impl Hosts {
    /// Whether a name is covered.
    pub fn covers_name(&self, name: &Name) -> bool {
        match self {
            Hosts::Any => true,
            Hosts::Localhost => name.is_localhost(),
            Hosts::Name(granted) => granted == name,
            Hosts::Below(domain) => name.is_below(domain.as_str()),
            Hosts::Block(block) => {
                name.is_localhost() && LOCALHOST.iter().any(|&ip| block.contains(ip))
            }
        }
    }

    /// Whether an address in its canonical form is covered, of which these names are known.
    pub fn covers_address(&self, ip: IpAddr, names: &[Name]) -> bool {
        match self {
            Hosts::Block(block) => block.contains(ip),
            Hosts::Localhost => scope(ip) == Scope::Loopback,
            Hosts::Any => scope(ip) == Scope::Global,
            Hosts::Name(_) | Hosts::Below(_) => {
                scope(ip) == Scope::Global && names.iter().any(|name| self.covers_name(name))
            }
        }
    }
}

/// What `localhost` is, without asking anybody.
pub(super) const LOCALHOST: [IpAddr; 2] =
    [IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), IpAddr::V6(std::net::Ipv6Addr::LOCALHOST)];

impl fmt::Display for Hosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Hosts::Any => f.write_str("*"),
            Hosts::Localhost => f.write_str("localhost"),
            Hosts::Name(name) => write!(f, "{name}"),
            Hosts::Below(name) => write!(f, "*.{name}"),
            Hosts::Block(block) => write!(f, "{block}"),
        }
    }
}

/// Which ports a rule covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ports(Vec<RangeInclusive<u16>>);

impl Ports {
    /// One port.
    pub fn one(port: u16) -> Ports {
        Ports(vec![port..=port])
    }

    /// Every port.
    pub fn any() -> Ports {
        Ports(vec![0..=u16::MAX])
    }

    /// Whether a port is one of them.
    pub fn contains(&self, port: u16) -> bool {
        self.0.iter().any(|range| range.contains(&port))
    }

    /// Adds ports to the list.
    pub fn extend(&mut self, more: Ports) {
        self.0.extend(more.0);
    }

    fn is_any(&self) -> bool {
        self.0 == [0..=u16::MAX]
    }
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_any() {
            return f.write_str("*");
        }
        for (n, range) in self.0.iter().enumerate() {
            let comma = if n == 0 { "" } else { "," };
            match (range.start(), range.end()) {
                (start, end) if start == end => write!(f, "{comma}{start}")?,
                (start, end) => write!(f, "{comma}{start}-{end}")?,
            }
        }
        Ok(())
    }
}

/// A rule that is none: which flag it is for, what stands there, what is wrong, and what to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleError {
    pub(super) flag: &'static str,
    pub(super) rule: String,
    pub(super) problem: Problem,
}

/// What is wrong with a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) text: String,
    pub(super) help: Option<String>,
}

impl Problem {
    pub(super) fn new(text: impl Into<String>) -> Problem {
        Problem { text: text.into(), help: None }
    }

    pub(super) fn help(self, help: impl Into<String>) -> Problem {
        Problem { help: Some(help.into()), ..self }
    }

    pub(super) fn of(self, flag: &'static str, rule: &str) -> RuleError {
        RuleError { flag, rule: rule.to_owned(), problem: self }
    }
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Problem { text, help } = &self.problem;
        write!(f, "invalid rule `{}` for `{}`: {text}", self.rule.escape_debug(), self.flag)?;
        if let Some(help) = help {
            write!(f, "\nhelp: {help}")?;
        }
        Ok(())
    }
}

impl std::error::Error for RuleError {}

/// `--allow-net`: connecting, and sending datagrams.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NetRule {
    /// By what; without, by anything.
    pub protocol: Option<Protocol>,
    /// To whom.
    pub hosts: Hosts,
    /// To which ports.
    pub ports: Ports,
}

/// `--allow-listen`: taking connections, and datagrams from anybody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ListenRule {
    /// By what.
    pub protocol: Protocol,
    /// On which addresses.
    pub hosts: Hosts,
    /// On which ports; 0 is one that the system picks.
    pub ports: Ports,
}

/// `--allow-resolve`: looking names up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ResolveRule {
    /// Which names.
    pub hosts: Hosts,
}

impl NetRule {
    pub(crate) const FLAG: &str = "--allow-net";

    /// Several rules separated by commas: a comma between ports belongs to the ports.
    pub fn list(text: &str) -> Result<Vec<NetRule>, RuleError> {
        separate(text).map(str::parse).collect()
    }

    fn read(text: &str) -> Result<NetRule, Problem> {
        if text == "*" {
            return Ok(NetRule { protocol: None, hosts: Hosts::Any, ports: Ports::any() });
        }
        let (protocol, rest) = protocol(text)?;
        let (hosts, ports) = endpoint(rest)?;
        if let Hosts::Block(block) = hosts
            && block.is_single()
            && scope(block.base()) == Scope::Unspecified
        {
            return Err(Problem::new("nobody can be reached at the unspecified address")
                .help(format!("for every address write `{protocol}://{}/0:…`", hosts)));
        }
        if ports.contains(0) && !ports.is_any() {
            return Err(Problem::new("port 0 is none that can be reached"));
        }
        Ok(NetRule { protocol: Some(protocol), hosts, ports })
    }
}

impl ListenRule {
    pub(crate) const FLAG: &str = "--allow-listen";

    /// Several rules separated by commas: a comma between ports belongs to the ports.
    pub fn list(text: &str) -> Result<Vec<ListenRule>, RuleError> {
        separate(text).map(str::parse).collect()
    }

    fn read(text: &str) -> Result<ListenRule, Problem> {
        let (protocol, rest) = protocol(text)?;
        let (hosts, ports) = endpoint(rest)?;
        let hosts = match hosts {
            Hosts::Name(_) | Hosts::Below(_) => {
                return Err(Problem::new(format!(
                    "expected an address to listen on, found name `{hosts}`"
                ))
                .help("write an address of this machine, `localhost`, or `*` for all of them"));
            }
            Hosts::Block(block)
                if block.is_single() && scope(block.base()) == Scope::Unspecified =>
            {
                Block::new(block.base(), 0).map_or(hosts, Hosts::Block)
            }
            hosts => hosts,
        };
        Ok(ListenRule { protocol, hosts, ports })
    }

    /// Whether listening on an address is covered.
    pub(super) fn covers(&self, protocol: Protocol, ip: IpAddr, port: u16) -> bool {
        let hosts = match &self.hosts {
            // Nothing is nearer than what this machine has.
            Hosts::Any => true,
            Hosts::Block(block) if scope(ip) == Scope::Unspecified => {
                block.base() == ip && Block::new(ip, 0).is_ok_and(|all| all == *block)
            }
            hosts => hosts.covers_address(ip, &[]),
        };
        hosts && self.protocol == protocol && self.ports.contains(port)
    }
}

impl ResolveRule {
    pub(crate) const FLAG: &str = "--allow-resolve";

    /// Several rules separated by commas.
    pub fn list(text: &str) -> Result<Vec<ResolveRule>, RuleError> {
        text.split(',').map(str::parse).collect()
    }

    fn read(text: &str) -> Result<ResolveRule, Problem> {
        if text.contains("://") || text.contains(':') {
            return Err(Problem::new("expected a name alone, without protocol and port"));
        }
        match hosts(text)? {
            Hosts::Block(_) => Err(Problem::new("expected a name, found an address").help(
                "addresses need no look-up, and looking names up for addresses is not offered",
            )),
            hosts => Ok(ResolveRule { hosts }),
        }
    }
}

impl fmt::Display for NetRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.protocol {
            Some(protocol) => write!(f, "{protocol}://{}:{}", self.hosts, self.ports),
            None => f.write_str("*"),
        }
    }
}

impl fmt::Display for ListenRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}:{}", self.protocol, self.hosts, self.ports)
    }
}

impl fmt::Display for ResolveRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.hosts)
    }
}

/// Texts that are rules: parsing with an error that quotes the whole of it, and the way to and from strings
/// that files take.
macro_rules! textual {
    ($($rule:ident)*) => {$(
        impl FromStr for $rule {
            type Err = RuleError;

            fn from_str(text: &str) -> Result<$rule, RuleError> {
                $rule::read(text).map_err(|problem| problem.of($rule::FLAG, text))
            }
        }

        impl TryFrom<String> for $rule {
            type Error = RuleError;

            fn try_from(text: String) -> Result<$rule, RuleError> {
                text.parse()
            }
        }

        impl From<$rule> for String {
            fn from(rule: $rule) -> String {
                rule.to_string()
            }
        }
    )*};
}
pub(super) use textual;

textual! { NetRule ListenRule ResolveRule }

/// Cuts a list of rules at the commas after which another rule begins.
pub(super) fn separate(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        for (at, _) in text.match_indices(',') {
            let after = text.get(at.saturating_add(1)..).unwrap_or_default();
            let next = after.split(',').next().unwrap_or_default();
            if next.contains("://") {
                rest = Some(after);
                return text.get(..at);
            }
        }
        rest.take()
    })
}

fn protocol(text: &str) -> Result<(Protocol, &str), Problem> {
    match text.split_once("://") {
        Some(("tcp", rest)) => Ok((Protocol::Tcp, rest)),
        Some(("udp", rest)) => Ok((Protocol::Udp, rest)),
        Some((other, rest)) => {
            let problem =
                Problem::new(format!("expected `tcp://` or `udp://`, found `{other}://`"));
            Err(match other {
                "http" | "https" => problem.help(format!("for HTTP write `--allow-http {text}`")),
                _ => problem.help(format!("write `tcp://{rest}`")),
            })
        }
        None if text.is_empty() => Err(Problem::new("expected a rule, found nothing")),
        None => Err(Problem::new("expected `tcp://` or `udp://` before the host")
            .help(format!("write `tcp://{text}`"))),
    }
}

/// `HOST:PORTS`
fn endpoint(text: &str) -> Result<(Hosts, Ports), Problem> {
    let (host, port) = split_port(text)?;
    let hosts = hosts(host)?;
    let Some(port) = port else {
        return Err(Problem::new(format!("expected `:PORT` after `{host}`"))
            .help(format!("write `{host}:443` for one port, `{host}:*` for every port")));
    };
    Ok((hosts, ports(port)?))
}

/// Cuts the port off, where there is one.
pub(super) fn split_port(text: &str) -> Result<(&str, Option<&str>), Problem> {
    let (inside, rest) = match text.strip_prefix('[') {
        Some(inner) => match inner.find(']') {
            Some(end) => text.split_at(end.saturating_add(2)),
            None => return Err(Problem::new("expected `]` after the address")),
        },
        None => ("", text),
    };
    let Some((host, port)) = rest.split_once(':') else { return Ok((text, None)) };
    if inside.is_empty() && port.contains(':') {
        let problem = Problem::new("an IPv6 address stands in brackets");
        return Err(match text.rsplit_once(':') {
            Some((ip, port)) if ip.parse::<std::net::Ipv6Addr>().is_ok() => {
                problem.help(format!("write `[{ip}]:{port}`"))
            }
            _ => problem.help("write `[ADDRESS]:PORT`"),
        });
    }
    let host = text.get(..inside.len().saturating_add(host.len())).unwrap_or(text);
    Ok((host, Some(port)))
}

/// `*`, `*.NAME`, `NAME`, `ADDRESS` or `ADDRESS/BITS`
pub(super) fn hosts(text: &str) -> Result<Hosts, Problem> {
    if text == "*" {
        return Ok(Hosts::Any);
    }
    let bracket = text.find(']').unwrap_or(0);
    let (host, len) = match text.get(bracket..).and_then(|rest| rest.find('/')) {
        Some(at) => {
            let (host, len) = text.split_at(bracket.saturating_add(at));
            (host, len.get(1..))
        }
        None => (text, None),
    };
    if let Some(ip) = address(host)? {
        let Some(len) = len else { return Ok(Hosts::Block(Block::single(ip))) };
        let Ok(len) = len.parse() else {
            return Err(Problem::new(format!(
                "expected a number of bits after `/`, found `{len}`"
            )));
        };
        return match Block::new(ip, len) {
            Ok(block) => Ok(Hosts::Block(block)),
            Err(BlockError::Length { max }) => {
                Err(Problem::new(format!("`/{len}` is more than {max} bits")))
            }
            Err(BlockError::Bits { meant }) => {
                Err(Problem::new(format!("`{host}` has bits set after the first {len}"))
                    .help(format!("write `{meant}` for the block, or `{host}` for the address")))
            }
            Err(BlockError::Embedded) => {
                Err(Problem::new("these addresses stand for IPv4 addresses")
                    .help("write the block of IPv4 addresses"))
            }
        };
    }
    if len.is_some() {
        return Err(Problem::new(format!("expected an address before `/`, found `{host}`")));
    }
    let wrong = |error: NameError| match error {
        NameError::Empty if host.is_empty() => Problem::new("expected a host, found nothing"),
        NameError::Character('*') => {
            Problem::new("`*` stands for a whole host, or in front of `.NAME`")
        }
        error => Problem::new(format!("expected a domain name, found {error}")),
    };
    match host.strip_prefix("*.") {
        Some(domain) => Name::new(domain).map(Hosts::Below),
        None => Name::new(host).map(|name| match name.is_localhost() {
            true => Hosts::Localhost,
            false => Hosts::Name(name),
        }),
    }
    .map_err(wrong)
}

/// The address a host is, if it is one: IPv6 in brackets.
fn address(host: &str) -> Result<Option<IpAddr>, Problem> {
    let Some(inner) = host.strip_prefix('[') else {
        return Ok(host.parse().ok().map(IpAddr::V4));
    };
    let Some(inner) = inner.strip_suffix(']') else {
        return Err(Problem::new(format!("expected `]` at the end of `{host}`")));
    };
    if let Some((ip, len)) = inner.split_once('/') {
        return Err(Problem::new("the number of bits stands after the brackets")
            .help(format!("write `[{ip}]/{len}`")));
    }
    match inner.parse() {
        Ok(ip) => Ok(Some(IpAddr::V6(ip))),
        Err(_) => {
            Err(Problem::new(format!("expected an IPv6 address in brackets, found `{inner}`")))
        }
    }
}

/// `*`, or ports and ranges of ports with commas between them
pub(super) fn ports(text: &str) -> Result<Ports, Problem> {
    if text == "*" {
        return Ok(Ports::any());
    }
    let one = |text: &str| match text.parse::<u16>() {
        Ok(port) if !text.starts_with('+') => Ok(port),
        _ if text.is_empty() => Err(Problem::new("expected a port, found nothing")),
        _ => Err(Problem::new(format!("expected a port from 0 to 65535, found `{text}`"))),
    };
    let mut list = Vec::new();
    for part in text.split(',') {
        let (start, end) = match part.split_once('-') {
            Some((start, end)) => (one(start)?, one(end)?),
            None => (one(part)?, one(part)?),
        };
        if start > end {
            return Err(Problem::new(format!("the range `{part}` of ports ends before it begins")));
        }
        list.push(start..=end);
    }
    Ok(Ports(list))
}
