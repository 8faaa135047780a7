//! From what was typed to what the library is given: configuration, limits, grants.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use dunlin::wasi::host::{Access, Input, Output};
use dunlin::wasi::{WasiCtx, WasiCtxBuilder, p1, threads};
use dunlin::{
    Config, Engine, Error, ExternType, Features, Limits, MemoryKind, Module, Proposal, PublicKey,
    StorageConfig, Store, Tier, js_string,
};
use dunlin_module::{ErrorKind, escape};

use crate::Exit;
use crate::ctrl_c::CtrlC;
use crate::flags::{
    CompileFlags, EngineFlags, FeatureFlags, GrantFlags, LimitFlags, MemoryFlag, ProgramFlags,
    TierFlag,
};
use crate::oversight::Oversight;
use crate::quantity::Size;
use crate::report::{Failure, io_reason, quoted};

/// Bytes of a slot of the value stack (`Limits::value_stack_slots`).
const SLOT_BYTES: u64 = 8;

/// What `--max-stack` may be: enough for a function or two, and no more than the engine takes.
const STACK_BYTES_MIN: u64 = 4 << 10;
const STACK_BYTES_MAX: u64 = 8 << 30;

pub(crate) fn features(flags: &FeatureFlags) -> Result<Features, Failure> {
    let mut features = match &flags.features {
        None => Features::default(),
        Some(list) => Features::parse(list).map_err(|error| {
            Failure::new(Exit::Usage, format!("invalid value for `--wasm`: {error}"))
        })?,
    };
    features.legacy_exceptions |= flags.legacy_exceptions;
    Ok(features)
}

/// An error of loading a module, with the help to switch a feature on as it is typed.
pub(crate) fn in_flags(error: Error, flags: &FeatureFlags) -> Error {
    let invalid = error.downcast_ref::<dunlin_module::Error>().map(dunlin_module::Error::kind);
    let Some(ErrorKind::Unsupported(Some(proposal))) = invalid else {
        return error;
    };
    let name = proposal.name();
    let is_off = |item: &str| item.trim().strip_prefix('-') == Some(name);
    error.with_help(match &flags.features {
        Some(list) if list.split(',').any(is_off) => format!("leave `-{name}` out of `--wasm`"),
        Some(list) => format!("enable with `--wasm {},+{name}`", escape(list)),
        None if proposal == Proposal::legacy_exceptions => {
            "enable with `--legacy-exceptions`".to_owned()
        }
        None => format!("enable with `--wasm {name}`"),
    })
}

/// The configuration of an engine that nothing limits or stops.
pub(crate) fn config(flags: &EngineFlags) -> Result<Config, Failure> {
    let mut config = Config { features: features(&flags.features)?, ..Config::default() };
    if let Some(memory) = flags.memory {
        config.memory.kind = match memory {
            MemoryFlag::Guard => MemoryKind::Guard,
            MemoryFlag::Compact => MemoryKind::Compact,
        };
    }
    if let Some(tier) = flags.tier {
        config.execution.tier = match tier {
            TierFlag::Interp => Tier::Interp,
            TierFlag::Auto => Tier::Auto,
            TierFlag::Opt => Tier::Opt,
        };
    }
    config.execution.gc_zeal =
        flags.gc_zeal.map(|every| u32::try_from(every.0).unwrap_or(u32::MAX));
    Ok(config)
}

/// The configuration of an engine that runs one program.
pub(crate) fn run_config(flags: &ProgramFlags) -> Result<Config, Failure> {
    let mut config = config(&flags.engine)?;
    config.execution.fuel = flags.limits.fuel.is_some();
    // For Ctrl-C, even without a time limit.
    config.execution.interruptible = true;
    config.execution.deterministic = flags.deterministic;
    config.execution.tier_report = flags.tiers.is_some();
    config.limits = limits(&flags.limits)?;
    config.storage = storage(&flags.storage.trust, flags.storage.no_cache)?;
    if flags.deterministic && flags.limits.max_threads.is_none() {
        // Which of two threads is first is chance.
        config.limits.threads = 0;
    }
    Ok(config)
}

/// The configuration of an engine that compiles for `dunlin run`.
pub(crate) fn compile_config(flags: &CompileFlags) -> Result<Config, Failure> {
    let mut config = config(&flags.engine)?;
    config.execution.fuel = flags.fuel;
    // As for running.
    config.execution.interruptible = true;
    config.execution.deterministic = flags.deterministic;
    config.storage = StorageConfig { cache_directory: None, ..StorageConfig::for_user() };
    Ok(config)
}

/// Where this user's files are, as the environment says: `DUNLIN_CACHE` names another directory for the
/// cache, or is `off`.
pub(crate) fn user_storage() -> StorageConfig {
    let mut storage = StorageConfig::for_user();
    match std::env::var_os("DUNLIN_CACHE") {
        Some(off) if off == "off" => storage.cache_directory = None,
        Some(directory) if !directory.is_empty() => {
            storage.cache_directory = Some(directory.into());
        }
        _ => {}
    }
    storage
}

/// Whose files are believed, and what is kept.
pub(crate) fn storage(trust: &[PathBuf], no_cache: bool) -> Result<StorageConfig, Failure> {
    let mut storage = user_storage();
    if no_cache {
        storage.cache_directory = None;
    }
    for path in trust {
        storage.trusted.push(PublicKey::load(path).map_err(|error| {
            let name = quoted(&path.to_string_lossy());
            Failure::new(Exit::Unreached, format!("cannot trust {name}: {}", error.reason()))
        })?);
    }
    Ok(storage)
}

fn limits(flags: &LimitFlags) -> Result<Limits, Failure> {
    let mut limits = Limits::default();
    if let Some(memory) = flags.max_memory {
        limits.memory_bytes = memory.0;
    }
    if let Some(heap) = flags.max_heap {
        limits.heap_bytes = heap.0;
    }
    if let Some(elements) = flags.max_table {
        limits.table_elements = elements.0;
    }
    if let Some(threads) = flags.max_threads {
        limits.threads = threads.0;
    }
    if let Some(stack) = flags.max_stack {
        if !(STACK_BYTES_MIN..=STACK_BYTES_MAX).contains(&stack.0) {
            let [min, max] = [STACK_BYTES_MIN, STACK_BYTES_MAX].map(Size);
            let message = "invalid value for `--max-stack`";
            let message = format!("{message}: expected {min} to {max}, found {stack}");
            return Err(Failure::new(Exit::Usage, message));
        }
        limits.value_stack_slots = usize::try_from(stack.0 / SLOT_BYTES).unwrap_or(usize::MAX);
    }
    Ok(limits)
}

/// How much stack these limits give a program.
pub(crate) fn stack_bytes(limits: &Limits) -> u64 {
    (limits.value_stack_slots as u64).saturating_mul(SLOT_BYTES)
}

pub(crate) fn engine(config: &Config) -> Result<Engine, Failure> {
    Engine::new(config)
        .map_err(|error| Failure::engine(Exit::Usage, "cannot run with these flags", &error))
}

/// Asked while the program waits in the host: whether it shall stop.
pub(crate) type Stop = Arc<dyn Fn() -> bool + Send + Sync>;

/// Sets fuel, time and Ctrl-C to work on what runs in a store.
pub(crate) fn limit<T>(
    store: &mut Store<T>,
    limits: &LimitFlags,
    stop_waits: impl FnOnce(&mut Store<T>, Stop),
) -> Result<CtrlC, Error> {
    if let Some(fuel) = limits.fuel {
        store.set_fuel(fuel.0)?;
    }
    let ctrl_c = CtrlC::watch(store.interrupt_handle()?);
    if let Some(timeout) = limits.timeout {
        store.set_deadline(timeout.0)?;
        // While it waits in the host: only asked for with a time limit, as asking costs.
        stop_waits(store, stop(&ctrl_c, limits));
    }
    Ok(ctrl_c)
}

/// Whether what begins now shall stop: after Ctrl-C, and when its time is over.
pub(crate) fn stop(ctrl_c: &CtrlC, limits: &LimitFlags) -> Stop {
    let deadline = limits.timeout.and_then(|timeout| Instant::now().checked_add(timeout.0));
    let ctrl_c = ctrl_c.clone();
    Arc::new(move || {
        ctrl_c.is_pressed() || deadline.is_some_and(|deadline| Instant::now() >= deadline)
    })
}

/// Whether every program is provided with this import.
pub(crate) fn is_provided(module: &str, name: &str) -> bool {
    match module {
        p1::MODULE => p1::FUNCTIONS.contains(&name),
        js_string::MODULE => js_string::FUNCTIONS.contains(&name),
        p1::MODULE_UNSTABLE => p1::FUNCTIONS.contains(&name) && name != "sock_accept",
        threads::MODULE => name == threads::SPAWN,
        _ => false,
    }
}

/// Whether a program is made for threads.
pub(crate) fn has_threads(module: &Module) -> bool {
    module.imports().any(|import| match import.ty() {
        ExternType::Memory(ty) => ty.shared,
        _ => (import.module(), import.name()) == (threads::MODULE, threads::SPAWN),
    })
}

/// The world of the program: what the flags grant and nothing else.
pub(crate) fn world(
    name: &OsStr,
    args: &[OsString],
    flags: &ProgramFlags,
    oversight: &Oversight,
) -> Result<WasiCtx, Failure> {
    let mut builder = WasiCtx::builder().arg(unicode("program name", name)?);
    for arg in args {
        builder = builder.arg(unicode("argument", arg)?);
    }
    // First: what a flag says of a variable counts more than what a policy says.
    builder = oversight.grant(builder);
    builder = environment(builder, &flags.grants)?;
    builder = streams(builder, &flags.grants)?;
    if !flags.grants.dirs.is_empty() || oversight.grants_directories() {
        builder = own_directories().into_iter().fold(builder, WasiCtxBuilder::protect);
    }
    for dir in &flags.grants.dirs {
        let access = if dir.read_only { Access::ReadOnly } else { Access::ReadWrite };
        builder = builder.dir(&dir.host, &dir.guest, access);
    }
    for address in &flags.grants.listen {
        builder = builder.listener(listen(address)?);
    }
    if flags.deterministic {
        builder = builder.deterministic(flags.seed.map_or(0, |seed| seed.0));
    }
    builder.build().map_err(|error| Failure::new(Exit::Unreached, error.to_string()))
}

/// Our own directories, which no grant covers, not even one of everything. They are made if they are not
/// there, lest a guest makes them; where that fails the guest fails as well.
fn own_directories() -> Vec<PathBuf> {
    let (here, usual) = (user_storage(), StorageConfig::for_user());
    let all = [here.key_directory, here.cache_directory, usual.cache_directory];
    let own: Vec<PathBuf> = all.into_iter().flatten().collect();
    for directory in &own {
        let mut builder = std::fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        drop(builder.recursive(true).create(directory));
    }
    own
}

fn listen(address: &str) -> Result<TcpListener, Failure> {
    let listener = TcpListener::bind(address).map_err(|error| {
        let message = format!("cannot listen on {}", quoted(address));
        Failure::new(Exit::Unreached, format!("{message}: {}", io_reason(&error)))
            .help("expected is `HOST:PORT`, as in `127.0.0.1:8080`")
    })?;
    // Nobody could guess a port that the system picked.
    if address.ends_with(":0")
        && let Ok(picked) = listener.local_addr()
    {
        eprintln!("listening on {picked}");
    }
    Ok(listener)
}

fn environment(
    mut builder: WasiCtxBuilder,
    grants: &GrantFlags,
) -> Result<WasiCtxBuilder, Failure> {
    for grant in &grants.env {
        let value = match &grant.value {
            Some(value) => value.clone(),
            None => {
                let value = std::env::var_os(&grant.name).ok_or_else(|| {
                    let name = quoted(&grant.name);
                    let message = format!("cannot pass on {name}: it is not set in this process");
                    Failure::new(Exit::Usage, message)
                        .help(format!("give it a value: `--env {}=VALUE`", grant.name))
                })?;
                unicode("environment variable", &value)?
            }
        };
        builder = builder.env(&grant.name, value);
    }
    Ok(builder)
}

fn streams(builder: WasiCtxBuilder, grants: &GrantFlags) -> Result<WasiCtxBuilder, Failure> {
    let stdin = match &grants.stdin {
        Some(path) => Input::file(open("read", path, File::open)?),
        None => Input::inherit(),
    };
    let (stdout, stderr) = match (&grants.stdout, &grants.stderr) {
        // Opened once: two places in one file would write over each other.
        (Some(out), Some(err)) if out == err => {
            let file = open("write", out, File::create)?;
            let again = open("write", err, |_| file.try_clone())?;
            (Output::file(file), Output::file(again))
        }
        (out, err) => {
            let output = |path: &Option<_>, inherited| match path {
                Some(path) => open("write", path, File::create).map(Output::file),
                None => Ok(inherited),
            };
            (output(out, Output::inherit_stdout())?, output(err, Output::inherit_stderr())?)
        }
    };
    Ok(builder.stdin(stdin).stdout(stdout).stderr(stderr))
}

fn open<'a, P: AsRef<Path>>(
    what: &str,
    path: &'a P,
    open: impl FnOnce(&'a P) -> io::Result<File>,
) -> Result<File, Failure> {
    open(path).map_err(|error| {
        let name = quoted(&path.as_ref().to_string_lossy());
        let message = format!("cannot {what} {name}: {}", io_reason(&error));
        Failure::new(Exit::Unreached, message)
    })
}

/// Text for a guest, which has to be Unicode.
fn unicode(what: &str, text: &OsStr) -> Result<String, Failure> {
    OsString::from(text).into_string().map_err(|text| {
        let text = quoted(&text.to_string_lossy());
        Failure::new(Exit::Usage, format!("the {what} {text} is not Unicode"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::{Command, Flags, RunFlags};
    use clap::Parser;

    fn run_flags(line: &str) -> RunFlags {
        match Flags::try_parse_from(line.split(' ')).unwrap().command {
            Command::Run(flags) => *flags,
            other => panic!("no run: {other:?}"),
        }
    }

    #[test]
    fn flags_set_the_fields_they_are_named_after() {
        let flags = run_flags(
            "dunlin run --fuel 5 --max-memory 1MiB --max-table 9 --max-stack 64KiB \
             --max-threads 3 --wasm -gc --memory compact --deterministic f",
        );
        let config = run_config(&flags.program).unwrap();
        assert!(config.execution.fuel);
        assert!(config.execution.deterministic);
        assert_eq!(config.limits.memory_bytes, 1 << 20);
        assert_eq!(config.limits.table_elements, 9);
        assert_eq!(config.limits.threads, 3);
        assert_eq!(config.limits.value_stack_slots, 8192);
        assert_eq!(stack_bytes(&config.limits), 64 << 10);
        assert!(!config.features.gc);
        assert_eq!(config.memory.kind, MemoryKind::Compact);
    }

    #[test]
    fn no_flags_mean_the_defaults() {
        let config = run_config(&run_flags("dunlin run f").program).unwrap();
        let default = Config::default();
        assert!(!config.execution.fuel);
        assert!(!config.execution.deterministic);
        assert_eq!(config.limits, default.limits);
        assert_eq!(config.features, default.features);
        assert_eq!(config.memory.kind, default.memory.kind);
    }

    #[test]
    fn programs_that_shall_be_deterministic_have_threads_only_if_told_to() {
        let threads = |line| run_config(&run_flags(line).program).unwrap().limits.threads;
        assert_eq!(threads("dunlin run f"), Limits::default().threads);
        assert_eq!(threads("dunlin run --deterministic f"), 0);
        assert_eq!(threads("dunlin run --deterministic --max-threads 2 f"), 2);
    }

    #[test]
    fn the_engine_takes_every_stack_that_the_flag_takes() {
        for bytes in [STACK_BYTES_MIN, STACK_BYTES_MAX] {
            let flags = run_flags(&format!("dunlin run --max-stack {bytes} f"));
            assert!(engine(&run_config(&flags.program).unwrap()).is_ok(), "{bytes}");
        }
        for bytes in [STACK_BYTES_MIN - 1, STACK_BYTES_MAX + 1] {
            let flags = run_flags(&format!("dunlin run --max-stack {bytes} f"));
            assert!(run_config(&flags.program).is_err(), "{bytes}");
        }
    }

    #[test]
    fn everything_after_the_file_is_the_programs() {
        let flags = run_flags("dunlin run --fuel 5 dir/f.wasm --fuel 6 -x --help -- a");
        assert_eq!(flags.program(), "f.wasm");
        assert_eq!(flags.args(), ["--fuel", "6", "-x", "--help", "--", "a"]);
        assert_eq!(flags.program.limits.fuel.map(|fuel| fuel.0), Some(5));
        assert_eq!(run_flags("dunlin run - -").program(), "-");
    }

    #[test]
    fn the_older_interface_has_no_accept() {
        assert!(is_provided("wasi_snapshot_preview1", "sock_accept"));
        assert!(is_provided("wasi_unstable", "fd_write"));
        assert!(is_provided("wasi_unstable", "proc_exit"));
        assert!(!is_provided("wasi_unstable", "sock_accept"));
        assert!(!is_provided("env", "fd_write"));
        assert!(!is_provided("wasi_snapshot_preview1", "fd_frob"));
    }
}
