//! What a guest is given: arguments, environment, streams, directories, sockets.

use std::any::Any;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use dunlin_engine::Result as EngineResult;
use rustix::io::Errno;

use crate::host::keyvalue::{Store, Stores};
use crate::host::net::Resolver;
use crate::host::{
    Access, Approver, Config, Denials, Dir, Error, FileId, Grant, Input, Interrupt, Listener,
    NetGrants, Network, Observer, Output, Protected, Random, Stream, SystemResolver, Table, Time,
    VirtualTime, Witness, join, open_granted, probe,
};
use crate::p1::{Descriptor, Descriptors, Object};
use crate::p2;
use crate::realm::{Preopen, Realm, Realms};

/// How many descriptors a guest may hold, unless the builder says otherwise.
pub const DESCRIPTORS_MAX: usize = 1024;

/// How many bytes of arguments, and of environment, a guest is given at most.
pub const STRINGS_MAX: usize = 16 << 20;

/// The world of one guest. Whatever was not granted when it was built is denied.
#[derive(Debug)]
pub struct WasiCtx {
    pub(crate) args: Vec<String>,
    pub(crate) stdin: Input,
    pub(crate) stdout: Output,
    pub(crate) stderr: Output,
    /// What the component that called last is granted.
    pub(crate) realm: Realm,
    realms: Realms,
    /// What a guest of WASI 0.1 holds.
    pub(crate) fds: Descriptors,
    /// What a guest of WASI 0.2 holds.
    pub(crate) p2: p2::State,
    extensions: Vec<Box<dyn Any + Send>>,
    pub(crate) interrupt: Interrupt,
    pub(crate) time: Time,
    pub(crate) random: Random,
}

impl WasiCtx {
    /// Starts from nothing: no arguments, no environment, empty input, discarded output, no
    /// directories, no sockets.
    pub fn builder() -> WasiCtxBuilder {
        WasiCtxBuilder::default()
    }

    /// What the guest was refused so far. The list stays readable after the guest is gone.
    pub fn denials(&self) -> Denials {
        self.realm.witness.denials.clone()
    }

    /// The network, as far as it was granted to the component that called last.
    pub fn network(&self) -> &Network {
        &self.realm.network
    }

    /// What a guest of WASI 0.2 holds.
    pub fn table(&mut self) -> &mut p2::ResourceTable {
        &mut self.p2.table
    }

    /// What another crate keeps of the guest as an `E`; new at the first call.
    ///
    /// # Errors
    ///
    /// None, as long as this crate is not wrong.
    pub fn extension<E: Any + Default + Send>(&mut self) -> dunlin_engine::Result<&mut E> {
        if !self.extensions.iter().any(|known| known.is::<E>()) {
            self.extensions.push(Box::<E>::default());
        }
        let mut found = self.extensions.iter_mut().filter_map(|known| known.downcast_mut());
        found.next().ok_or_else(|| dunlin_engine::Error::misuse("what was kept is gone"))
    }

    /// The configuration of the component that called last.
    pub fn config(&self) -> &Config {
        &self.realm.config
    }

    /// The stores of keys and values of the component that called last.
    pub fn stores(&self) -> &Stores {
        &self.realm.stores
    }

    /// A component of the guest calls this function of the host; the outermost without a name. What is
    /// done from
    /// now on takes its grants. Functions of WASI do this themselves; an embedder's own do it where they use
    /// what is granted.
    ///
    /// # Errors
    ///
    /// If the guest has not enough budget left for one more component to be told apart.
    #[inline]
    pub fn enter(
        &mut self,
        component: Option<&Arc<str>>,
        function: &'static str,
    ) -> EngineResult<()> {
        if self.realms.is_elsewhere(component) {
            let charge = |bytes| self.p2.table.keep(bytes);
            self.realms.go(&mut self.realm, component, charge)?;
        }
        self.realm.witness.enter(function);
        Ok(())
    }

    /// Replaces the question that stops the guest while it waits in the host.
    pub fn set_interrupt(&mut self, stop: Arc<dyn Fn() -> bool + Send + Sync>) {
        self.interrupt = Interrupt::new(stop);
    }
}

/// A directory to grant.
#[derive(Debug)]
struct DirGrant {
    host: PathBuf,
    guest: String,
    access: Access,
}

/// What one component is to be granted.
#[derive(Debug, Default)]
struct Granted {
    env: Vec<(String, String)>,
    dirs: Vec<DirGrant>,
    net: NetGrants,
    config: BTreeMap<String, String>,
    stores: BTreeMap<String, Store>,
}

/// Collects what a guest is to be given. Nothing is opened or checked before [`build`].
///
/// [`build`]: WasiCtxBuilder::build
#[derive(Debug)]
pub struct WasiCtxBuilder {
    args: Vec<String>,
    stdin: Input,
    stdout: Output,
    stderr: Output,
    /// By component; the outermost has the empty name.
    granted: BTreeMap<String, Granted>,
    /// Whose grants are being collected.
    grantee: String,
    apart: bool,
    sockets: Vec<Object>,
    protected: Vec<PathBuf>,
    interrupt: Interrupt,
    time: Time,
    random: Random,
    descriptors_max: usize,
    component: String,
    observers: Vec<Arc<dyn Observer>>,
    approver: Option<Arc<dyn Approver>>,
    resolver: Arc<dyn Resolver>,
}

impl Default for WasiCtxBuilder {
    fn default() -> WasiCtxBuilder {
        WasiCtxBuilder {
            args: Vec::new(),
            stdin: Input::null(),
            stdout: Output::null(),
            stderr: Output::null(),
            granted: BTreeMap::new(),
            grantee: String::new(),
            apart: false,
            sockets: Vec::new(),
            protected: Vec::new(),
            interrupt: Interrupt::default(),
            time: Time::default(),
            random: Random::default(),
            descriptors_max: DESCRIPTORS_MAX,
            component: String::new(),
            observers: Vec::new(),
            approver: None,
            resolver: Arc::new(SystemResolver),
        }
    }
}

impl WasiCtxBuilder {
    /// Adds one argument; the first is the program's name.
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments.
    pub fn args<S: Into<String>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets a variable of the environment; the last value of a name counts.
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let (name, value) = (name.into(), value.into());
        let env = &mut self.granted().env;
        match env.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value,
            None => env.push((name, value)),
        }
        self
    }

    /// Sets where standard input comes from.
    pub fn stdin(mut self, input: Input) -> Self {
        self.stdin = input;
        self
    }

    /// Sets where standard output goes.
    pub fn stdout(mut self, output: Output) -> Self {
        self.stdout = output;
        self
    }

    /// Sets where standard error goes.
    pub fn stderr(mut self, output: Output) -> Self {
        self.stderr = output;
        self
    }

    /// Gives the guest this process's own three streams.
    pub fn inherit_stdio(self) -> Self {
        self.stdin(Input::inherit())
            .stdout(Output::inherit_stdout())
            .stderr(Output::inherit_stderr())
    }

    /// Grants a directory of the host, under the name `guest`.
    ///
    /// Directories get the lowest descriptors after the three streams, in the order of grants.
    pub fn dir(mut self, host: impl AsRef<Path>, guest: impl Into<String>, access: Access) -> Self {
        let host = host.as_ref().to_owned();
        self.granted().dirs.push(DirGrant { host, guest: guest.into(), access });
        self
    }

    /// Grants a listener. Sockets get the descriptors after those of the directories.
    pub fn listener(mut self, listener: impl Into<Listener>) -> Self {
        self.sockets.push(Object::Listener(listener.into()));
        self
    }

    /// Grants a connected socket.
    pub fn stream(mut self, stream: impl Into<Stream>) -> Self {
        self.sockets.push(Object::Stream(stream.into()));
        self
    }

    /// Keeps a file, or a directory with all below it, out of every grant, whatever name or
    /// link it is reached by. Nothing on the way to it can be moved or removed. A path that does not
    /// exist protects nothing.
    pub fn protect(mut self, path: impl Into<PathBuf>) -> Self {
        self.protected.push(path.into());
        self
    }

    /// Stops the guest while it waits in the host as soon as `stop` says so; the wait then ends
    /// with [`Interrupted`](crate::p1::Interrupted). It is asked every few milliseconds.
    pub fn interrupt(mut self, stop: Arc<dyn Fn() -> bool + Send + Sync>) -> Self {
        self.interrupt = Interrupt::new(stop);
        self
    }

    /// Makes what the guest sees of time and chance depend on what it does and on `seed` alone:
    /// clocks show [virtual time](VirtualTime), and random bytes come from the seed, so they are no
    /// secret. What it finds in directories and hears through pipes and sockets, and when, stays
    /// the host's.
    pub fn deterministic(mut self, seed: u64) -> Self {
        self.time = Time::Virtual(VirtualTime::default());
        self.random = Random::Seeded(AtomicU64::new(seed));
        self
    }

    /// Limits how many descriptors the guest may hold, streams and directories included.
    pub fn descriptors_max(mut self, limit: usize) -> Self {
        self.descriptors_max = limit;
        self
    }

    /// Grants what of the network these rules cover, in place of what was granted before.
    pub fn net(mut self, grants: NetGrants) -> Self {
        self.granted().net = grants;
        self
    }

    /// Looks names up by this resolver rather than by that of the system.
    pub fn resolver(mut self, resolver: Arc<dyn Resolver>) -> Self {
        self.resolver = resolver;
        self
    }

    /// Sets a value of the configuration; the last value of a key counts.
    pub fn config(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.granted().config.insert(key.into(), value.into());
        self
    }

    /// Grants a store of keys and values by a name. Guests may share one.
    pub fn store(mut self, name: impl Into<String>, store: Store) -> Self {
        self.granted().stores.insert(name.into(), store);
        self
    }

    /// What is granted from here on is granted to a component inside the guest, by its name in the
    /// composition
    /// ([`Source::component`](dunlin_component::Source)); to the outermost with an empty name, as at first.
    ///
    /// From the first named component on, each has what is granted to it and nothing else, as
    /// [`apart`](WasiCtxBuilder::apart) says. As long as none is named, all have what the outermost
    /// has. Arguments,
    /// standard streams, clocks and random numbers are everybody's.
    pub fn of(mut self, component: impl Into<String>) -> Self {
        self.grantee = component.into();
        self.apart |= !self.grantee.is_empty();
        self.granted();
        self
    }

    /// Grants to each component what is granted to it by name and nothing else, even if none is named.
    pub fn apart(mut self) -> Self {
        self.apart = true;
        self
    }

    fn granted(&mut self) -> &mut Granted {
        self.granted.entry(self.grantee.clone()).or_default()
    }

    /// Names the guest itself for observers.
    pub fn component(mut self, name: impl Into<String>) -> Self {
        self.component = name.into();
        self
    }

    /// Tells an observer of everything the guest does that takes a grant. There may be several.
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observers.push(observer);
        self
    }

    /// Asks somebody where no grant covers what the guest needs.
    pub fn approver(mut self, approver: Arc<dyn Approver>) -> Self {
        self.approver = Some(approver);
        self
    }

    /// Opens and checks everything.
    pub fn build(mut self) -> Result<WasiCtx, BuildError> {
        let mut size = 0usize;
        for arg in &self.args {
            check_text("argument", arg, &mut size)?;
        }
        let witness = Witness::new(&self.component, self.observers, self.approver);
        // Nothing has to be kept out of no grant.
        let no_dirs = self.granted.values().all(|granted| granted.dirs.is_empty());
        let paths = if no_dirs { &[][..] } else { &self.protected[..] };
        let protected = Arc::new(Protected::find(paths));
        let outermost = self.granted.remove("").unwrap_or_default();
        let realm = outermost.realm(&protected, &witness, &self.resolver)?;
        let mut others = HashMap::with_capacity(self.granted.len());
        for (name, granted) in self.granted {
            let name: Arc<str> = name.into();
            let realm = granted.realm(&protected, &witness.of(&name), &self.resolver)?;
            others.insert(name, realm);
        }

        let mut fds: Descriptors = Table::new(self.descriptors_max);
        let mut insert = |descriptor| fds.insert(descriptor).map_err(BuildError::Descriptors);
        insert(Descriptor::new(Object::Input(self.stdin.clone())))?;
        insert(Descriptor::new(Object::Output(self.stdout.clone())))?;
        insert(Descriptor::new(Object::Output(self.stderr.clone())))?;
        for Preopen { dir, name } in &realm.dirs {
            let mut descriptor = Descriptor::new(Object::Dir(Arc::clone(dir)));
            descriptor.preopen = Some(name.clone());
            insert(descriptor)?;
        }
        for socket in self.sockets {
            insert(Descriptor::new(socket))?;
        }
        Ok(WasiCtx {
            args: self.args,
            stdin: self.stdin,
            stdout: self.stdout,
            stderr: self.stderr,
            realms: Realms::new(others, &realm, self.apart),
            realm,
            fds,
            p2: p2::State::new(self.descriptors_max),
            extensions: Vec::new(),
            interrupt: self.interrupt,
            time: self.time,
            random: self.random,
        })
    }
}

impl Granted {
    /// Opens and checks everything of one component.
    fn realm(
        self,
        protected: &Arc<Protected>,
        witness: &Witness,
        resolver: &Arc<dyn Resolver>,
    ) -> Result<Realm, BuildError> {
        let mut env = Vec::with_capacity(self.env.len());
        let mut size = 0;
        for (name, value) in &self.env {
            if name.is_empty() || name.contains('=') {
                return Err(BuildError::Name { what: "environment variable", name: name.clone() });
            }
            let text = format!("{name}={value}");
            check_text("environment variable", &text, &mut size)?;
            env.push(text);
        }
        let mut dirs = Vec::with_capacity(self.dirs.len());
        for grant in self.dirs {
            let name = grant.guest.clone();
            dirs.push(Preopen { dir: Arc::new(open_dir(grant, protected, witness)?), name });
        }
        Ok(Realm {
            env: env.into(),
            dirs,
            network: Network::build(self.net, Arc::clone(resolver), witness.clone()),
            config: Config { values: Arc::new(self.config), witness: witness.clone() },
            stores: Stores {
                granted: Arc::new(self.stores),
                witness: witness.clone(),
                ..Stores::default()
            },
            witness: witness.clone(),
        })
    }
}

fn check_text(what: &'static str, text: &str, size: &mut usize) -> Result<(), BuildError> {
    if text.contains('\0') {
        return Err(BuildError::Nul { what, text: text.to_owned() });
    }
    *size = size.saturating_add(text.len()).saturating_add(1);
    if *size > STRINGS_MAX { Err(BuildError::TooLong { what }) } else { Ok(()) }
}

fn open_dir(
    grant: DirGrant,
    protected: &Arc<Protected>,
    witness: &Witness,
) -> Result<Dir, BuildError> {
    if grant.guest.is_empty() || grant.guest.contains('\0') {
        return Err(BuildError::Name { what: "directory", name: grant.guest });
    }
    let host = grant.host.display().to_string();
    let open = || {
        let fd = open_granted(&grant.host)?;
        let root = FileId::of(&fd)?;
        Ok((fd, root))
    };
    let (fd, root) =
        open().map_err(|error: Error| BuildError::Directory { host: host.clone(), error })?;
    match probe(std::os::fd::AsFd::as_fd(&fd)) {
        Ok(()) => {}
        Err(Errno::NOSYS | Errno::PERM | Errno::INVAL) => {
            return Err(BuildError::NoSandbox { host });
        }
        Err(errno) => {
            return Err(BuildError::Directory { host, error: errno.into() });
        }
    }
    let covered = protected.covers(std::os::fd::AsFd::as_fd(&fd));
    if covered.map_err(|error| BuildError::Directory { host: host.clone(), error })? {
        return Err(BuildError::Protected { host });
    }
    let terms = Grant {
        access: grant.access,
        host,
        guest: join("", &grant.guest),
        root,
        protected: Arc::clone(protected),
        witness: witness.clone(),
    };
    Ok(Dir::new(fd, Arc::new(terms)))
}

/// Why a guest's world could not be built.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuildError {
    /// A directory that should be granted could not be opened.
    Directory {
        /// The directory, as the embedder named it.
        host: String,
        /// Why not.
        error: Error,
    },
    /// A directory that should be granted is protected.
    Protected {
        /// The directory, as the embedder named it.
        host: String,
    },
    /// The host cannot keep a guest inside a directory.
    NoSandbox {
        /// The directory, as the embedder named it.
        host: String,
    },
    /// A name that is empty or holds a character it must not.
    Name {
        /// What was named.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// A zero byte in a string.
    Nul {
        /// What held it.
        what: &'static str,
        /// The string.
        text: String,
    },
    /// More strings than [`STRINGS_MAX`] bytes.
    TooLong {
        /// What was too long.
        what: &'static str,
    },
    /// More streams, directories and sockets than the guest may hold.
    Descriptors(Error),
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BuildError::Directory { host, error } => {
                write!(f, "cannot grant directory `{}`: {error}", host.escape_debug())
            }
            BuildError::Protected { host } => {
                write!(f, "cannot grant directory `{}`: it is protected", host.escape_debug())
            }
            BuildError::NoSandbox { host } => write!(
                f,
                "cannot grant directory `{}`: this system does not offer the `openat2` call that \
                 keeps a guest inside it\n\
                 help: it needs Linux 5.6 or later, with `openat2` not filtered out",
                host.escape_debug()
            ),
            BuildError::Name { what, name } => {
                write!(f, "invalid name of {what}: `{}`", name.escape_debug())
            }
            BuildError::Nul { what, text } => {
                write!(f, "a zero byte in {what} `{}`", text.escape_debug())
            }
            BuildError::TooLong { what } => {
                write!(f, "too many bytes of {what}s: expected at most {STRINGS_MAX} in total")
            }
            BuildError::Descriptors(error) => {
                write!(f, "cannot give the guest all its descriptors: {error}")
            }
        }
    }
}

impl std::error::Error for BuildError {}
