//! What a guest needs: one thing that a grant gives, and the flag that would give just it.

use std::fmt;
use std::net::SocketAddr;

use super::denial::Escaped;
use super::net::{Host, HttpTarget, Protocol};

/// A granted directory, by both its names.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mount {
    /// As the host names it.
    pub host: String,
    /// As the guest names it.
    pub guest: String,
}

/// One thing that a grant gives.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Need {
    /// A file or directory.
    Path {
        /// As the guest would name it from its root.
        path: String,
        /// To change it.
        write: bool,
        /// What it is below, if that is granted at all.
        mount: Option<Mount>,
    },
    /// A variable of the environment.
    Env {
        /// Its name.
        name: String,
    },
    /// A connection, or datagrams to and from somebody.
    Connect {
        /// By what.
        protocol: Protocol,
        /// With whom: by name, if the guest got the address from one.
        host: Host,
        /// On which port of theirs.
        port: u16,
    },
    /// An address to take connections or datagrams on.
    Listen {
        /// By what.
        protocol: Protocol,
        /// Where; port 0 for one that the system picks.
        address: SocketAddr,
    },
    /// Looking up a name.
    Resolve {
        /// The name, in its one form.
        name: String,
    },
    /// Sending a request.
    Http {
        /// What to.
        target: HttpTarget,
    },
    /// A value of the configuration.
    Config {
        /// Its key.
        key: String,
    },
    /// A store of keys and values.
    Store {
        /// Its name.
        name: String,
    },
}

impl Need {
    /// What sort of need it is, in one word.
    pub fn kind(&self) -> &'static str {
        match self {
            Need::Path { write: false, .. } => "read",
            Need::Path { write: true, .. } => "write",
            Need::Env { .. } => "env",
            Need::Connect { .. } => "connect",
            Need::Listen { .. } => "listen",
            Need::Resolve { .. } => "resolve",
            Need::Http { .. } => "http",
            Need::Config { .. } => "config",
            Need::Store { .. } => "store",
        }
    }

    /// What of that sort, as the guest wrote it.
    pub fn target(&self) -> String {
        match self {
            Need::Path { path: name, .. }
            | Need::Env { name }
            | Need::Resolve { name }
            | Need::Store { name }
            | Need::Config { key: name } => name.clone(),
            Need::Connect { protocol, host, port } => format!("{protocol}://{host}:{port}"),
            Need::Listen { protocol, address } => {
                // The scope of a link-local address is no part of any rule.
                let (host, port) = (Host::Address(address.ip()), address.port());
                format!("{protocol}://{host}:{port}")
            }
            Need::Http { target } => target.to_string(),
        }
    }

    /// The flag that grants it, and as little beside it as possible.
    pub fn flag(&self) -> String {
        match self {
            Need::Path { mount: Some(Mount { host, guest }), write, .. } => {
                let ro = if *write { "" } else { ":ro" };
                format!("--dir {}::{}{ro}", Escaped(host), Escaped(guest))
            }
            Need::Path { path, mount: None, .. } => {
                format!("--dir HOST::{}", Escaped(&super::join(path, "..")))
            }
            Need::Env { name } => format!("--env {}", Escaped(name)),
            Need::Connect { .. } => format!("--allow-net {self}"),
            Need::Listen { .. } => format!("--allow-listen {self}"),
            Need::Resolve { .. } => format!("--allow-resolve {self}"),
            Need::Http { target } => format!("--allow-http {}", Escaped(&target.origin())),
            Need::Config { key } => format!("--config {}=VALUE", Escaped(key)),
            Need::Store { name } => format!("--kv {}=memory", Escaped(name)),
        }
    }
}

/// The target, with whatever the guest wrote escaped.
impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Escaped(&self.target()))
    }
}
