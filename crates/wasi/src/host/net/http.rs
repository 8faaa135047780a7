//! HTTP: what a request is addressed to, and rules that grant such targets.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::address::canonical;
use super::name::Name;
use super::rule::{Hosts, Ports, Problem, RuleError, hosts, ports, separate, split_port, textual};

/// How a request travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// In the clear.
    Http,
    /// Over TLS.
    Https,
}

impl Scheme {
    fn port(self) -> u16 {
        if self == Scheme::Http { 80 } else { 443 }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Scheme::Http { "http" } else { "https" })
    }
}

/// A host as a request names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// A name, to be looked up.
    Name(Name),
    /// An address, in its canonical form.
    Address(IpAddr),
}

impl Host {
    /// Reads a host: a name, an IPv4 address, or an IPv6 address in brackets.
    pub fn new(text: &str) -> Option<Host> {
        if let Some(inner) = text.strip_prefix('[') {
            let ip: Ipv6Addr = inner.strip_suffix(']')?.parse().ok()?;
            return Some(Host::Address(canonical(IpAddr::V6(ip))));
        }
        match text.parse() {
            Ok(ip) => Some(Host::Address(IpAddr::V4(ip))),
            Err(_) => Name::new(text).ok().map(Host::Name),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Name(name) => write!(f, "{name}"),
            Host::Address(IpAddr::V4(ip)) => write!(f, "{ip}"),
            Host::Address(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
        }
    }
}

/// What a request really goes to: nothing else of it may decide where it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpTarget {
    /// How.
    pub scheme: Scheme,
    /// To whom.
    pub host: Host,
    /// To which port.
    pub port: u16,
    /// For what; begins with `/`.
    pub path: String,
}

/// Why a request has no target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetError {
    /// The scheme is neither `http` nor `https`.
    Scheme,
    /// The authority is no host with or without a port; a name of a user is refused too.
    Authority,
    /// The path does not begin with one `/`, or has characters that no path has.
    Path,
}

impl fmt::Display for TargetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TargetError::Scheme => "the scheme of the request is neither `http` nor `https`",
            TargetError::Authority => {
                "the authority of the request is no host with or without a port"
            }
            TargetError::Path => "the path of the request does not begin with one `/`",
        })
    }
}

impl std::error::Error for TargetError {}

impl HttpTarget {
    /// Puts a target together from the parts a request has.
    ///
    /// A path in absolute form (`http://elsewhere/`) is refused, so that what is checked is what is
    /// sent to.
    pub fn new(scheme: &str, authority: &str, path: &str) -> Result<HttpTarget, TargetError> {
        let scheme = match scheme {
            _ if scheme.eq_ignore_ascii_case("http") => Scheme::Http,
            _ if scheme.eq_ignore_ascii_case("https") => Scheme::Https,
            _ => return Err(TargetError::Scheme),
        };
        let (host, port) = split_port(authority).map_err(|_| TargetError::Authority)?;
        let host = Host::new(host).ok_or(TargetError::Authority)?;
        let port = match port {
            None | Some("") => scheme.port(),
            Some(port) if port.bytes().all(|b| b.is_ascii_digit()) => {
                port.parse().ok().filter(|&port| port != 0).ok_or(TargetError::Authority)?
            }
            Some(_) => return Err(TargetError::Authority),
        };
        let path = match path {
            "" => "/",
            path if path.starts_with('/') && !path.starts_with("//") => path,
            _ => return Err(TargetError::Path),
        };
        if path.bytes().any(|b| b.is_ascii_control() || b == b' ' || b == b'\\') {
            return Err(TargetError::Path);
        }
        Ok(HttpTarget { scheme, host, port, path: path.to_owned() })
    }

    /// The target of an absolute URL, such as one that a redirect names.
    pub fn of_url(url: &str) -> Result<HttpTarget, TargetError> {
        let (scheme, rest) = url.split_once("://").ok_or(TargetError::Scheme)?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let path = path.split('#').next().unwrap_or_default();
        if path.starts_with('?') {
            return HttpTarget::new(scheme, authority, &format!("/{path}"));
        }
        HttpTarget::new(scheme, authority, path)
    }

    /// Scheme, host and port, the last where it is not what the scheme has anyway.
    pub fn origin(&self) -> String {
        let HttpTarget { scheme, host, port, .. } = self;
        if *port == scheme.port() {
            format!("{scheme}://{host}")
        } else {
            format!("{scheme}://{host}:{port}")
        }
    }
}

impl fmt::Display for HttpTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin(), self.path)
    }
}

/// `--allow-http`: sending requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HttpRule {
    /// How; without, in any way.
    pub scheme: Option<Scheme>,
    /// To whom.
    pub hosts: Hosts,
    /// To which ports.
    pub ports: Ports,
    /// For paths that begin with these segments; empty for all.
    pub prefix: String,
}

impl HttpRule {
    pub(crate) const FLAG: &str = "--allow-http";

    /// Several rules separated by commas: a comma between ports belongs to the ports.
    pub fn list(text: &str) -> Result<Vec<HttpRule>, RuleError> {
        separate(text).map(str::parse).collect()
    }

    fn read(text: &str) -> Result<HttpRule, Problem> {
        if text == "*" {
            let (hosts, ports) = (Hosts::Any, Ports::any());
            return Ok(HttpRule { scheme: None, hosts, ports, prefix: String::new() });
        }
        let (scheme, rest) = match text.split_once("://") {
            Some(("http", rest)) => (Scheme::Http, rest),
            Some(("https", rest)) => (Scheme::Https, rest),
            Some((other, rest)) => {
                return Err(Problem::new(format!(
                    "expected `https://` or `http://`, found `{other}://`"
                ))
                .help(format!("write `https://{rest}`")));
            }
            None => {
                return Err(Problem::new("expected `https://` or `http://` before the host")
                    .help(format!("write `https://{text}`")));
            }
        };
        if let Some(c) =
            rest.chars().find(|c| matches!(c, '@' | '?' | '#' | '\\' | ' ') || c.is_control())
        {
            return Err(Problem::new(format!("`{}` has no place in a rule", c.escape_debug())));
        }
        // The `/` of a block of addresses is followed by digits and the end or a further part.
        let (authority, prefix) = split_path(rest);
        let (host, port) = split_port(authority)?;
        let hosts = hosts(host)?;
        let ports = match port {
            None => Ports::one(scheme.port()),
            Some(port) => ports(port)?,
        };
        let prefix = prefix.trim_end_matches('/');
        if !is_plain(prefix) {
            return Err(Problem::new("a path of a rule has no `.`, `..`, empty or encoded parts"));
        }
        Ok(HttpRule { scheme: Some(scheme), hosts, ports, prefix: prefix.to_owned() })
    }

    /// Whether a target is covered, leaving out which addresses its host has.
    pub(super) fn covers(&self, target: &HttpTarget) -> bool {
        let host = match &target.host {
            Host::Name(name) => self.hosts.covers_name(name),
            Host::Address(ip) => self.hosts.covers_address(*ip, &[]),
        };
        host && self.scheme.is_none_or(|scheme| scheme == target.scheme)
            && self.ports.contains(target.port)
            && self.covers_path(&target.path)
    }

    /// Servers differ in what they make of `/a/../b` and `/a%2f..`: with a prefix, neither is covered.
    fn covers_path(&self, path: &str) -> bool {
        if self.prefix.is_empty() {
            return true;
        }
        let path = path.split('?').next().unwrap_or_default();
        let rest = path.strip_prefix(self.prefix.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) && !leads_up(path)
    }
}

/// Cuts the path off an authority, which may end in a block of addresses.
fn split_path(text: &str) -> (&str, &str) {
    let Some(at) = text.find('/') else { return (text, "") };
    let (host, rest) = text.split_at(at);
    let after = rest.get(1..).unwrap_or_default();
    let digits = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
    let is_address = host.ends_with(']') || host.parse::<std::net::Ipv4Addr>().is_ok();
    if digits == 0 || !is_address {
        return text.split_at(at);
    }
    let after_bits = after.get(digits..).unwrap_or_default();
    let end = after_bits.find('/').unwrap_or(after_bits.len());
    text.split_at(at.saturating_add(1).saturating_add(digits).saturating_add(end))
}

/// Whether a prefix of paths has one reading only.
fn is_plain(prefix: &str) -> bool {
    prefix.is_empty() || (!prefix.contains('%') && !leads_up(prefix) && !prefix.contains("//"))
}

/// Whether some server may take a path for one that lies elsewhere.
fn leads_up(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    if lower.contains("%2f")
        || lower.contains("%5c")
        || lower.contains("%00")
        || lower.contains("%25")
    {
        return true;
    }
    let plain = lower.replace("%2e", ".");
    // A server may take `..;x` for `..` with a parameter.
    plain.split('/').any(|part| matches!(part.split(';').next(), Some("." | "..")))
}

impl fmt::Display for HttpRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(scheme) = self.scheme else { return f.write_str("*") };
        write!(f, "{scheme}://{}", self.hosts)?;
        if self.ports != Ports::one(scheme.port()) {
            write!(f, ":{}", self.ports)?;
        }
        f.write_str(&self.prefix)
    }
}

textual! { HttpRule }
