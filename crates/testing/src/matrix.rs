//! The configurations that everything is tested in.

use dunlin_engine::{Config, Engine, Features, MemoryConfig, MemoryKind, Tier};
use dunlin_script::{ModuleLoader, PrintOptions};

/// One way to run a module.
#[derive(Clone, Debug)]
pub struct Configuration {
    /// How it is called in messages.
    pub name: &'static str,
    /// The lists in `tests/failing` that apply to it, without `.txt`.
    pub lists: &'static [&'static str],
    /// The engine's configuration.
    pub config: Config,
    /// Whether each module is first printed, in this way, and read back.
    pub reprint: Option<PrintOptions>,
    /// What makes a module of a binary, if not [`Module::new`](dunlin_engine::Module::new).
    pub load: Option<ModuleLoader>,
}

impl Configuration {
    /// The same, deterministic.
    #[must_use]
    pub fn deterministic(mut self) -> Configuration {
        self.config.execution.deterministic = true;
        self
    }

    /// The same with a collection at every so many allocations.
    #[must_use]
    fn zealous(mut self, zeal: u32) -> Configuration {
        self.config.execution.gc_zeal = Some(zeal);
        self
    }

    /// The same with another set of proposals.
    #[must_use]
    pub fn with_features(&self, features: Features) -> Configuration {
        let mut configuration = self.clone();
        configuration.config.features = features;
        configuration
    }
}

/// The kinds of memory of this build. The default is guard memories wherever there are any.
pub fn memory_kinds() -> &'static [MemoryKind] {
    match MemoryConfig::default().kind {
        MemoryKind::Guard => &[MemoryKind::Guard, MemoryKind::Compact],
        MemoryKind::Compact => &[MemoryKind::Compact],
    }
}

/// All configurations of this build. Both kinds of memory, and both with and without the checks that
/// fuel and interruption add to code, and one that is deterministic: these change what code is
/// lowered to.
pub fn configurations() -> Vec<Configuration> {
    let guard = [
        configuration("interp-guard", MemoryKind::Guard, false),
        configuration("interp-guard-metered", MemoryKind::Guard, true),
    ];
    let compact = [
        configuration("interp-compact", MemoryKind::Compact, false),
        configuration("interp-compact-metered", MemoryKind::Compact, true),
        configuration("interp-compact-deterministic", MemoryKind::Compact, false).deterministic(),
    ];
    // The default is guard memories wherever there are any.
    match MemoryConfig::default().kind {
        MemoryKind::Guard => guard.into_iter().chain(compact).collect(),
        MemoryKind::Compact => compact.into(),
    }
}

/// The configurations that scripts run in besides [`configurations`]: each module is replaced by what
/// comes back from printing it, with one instruction per line and with nested expressions. It has to
/// do the same.
pub fn reprinted() -> Vec<Configuration> {
    let reprinted = |name, fold| {
        let mut configuration = configuration(name, MemoryConfig::default().kind, false);
        configuration.reprint = Some(PrintOptions { fold, ..PrintOptions::default() });
        configuration
    };
    vec![reprinted("interp-reprinted", false), reprinted("interp-reprinted-folded", true)]
}

/// The configuration in which every branch back and every call stops to look whether something should
/// be compiled, which changes nothing.
pub fn looking() -> Vec<Configuration> {
    let mut looking = configuration("interp-looking", MemoryConfig::default().kind, true);
    looking.config.execution.tier = Tier::Looking;
    vec![looking]
}

/// The configurations with native code, if this build has any: all of it from the start, and in the
/// middle of what runs. With and without the checks for fuel and interruption, with a collector that
/// leaves nothing where it was, and deterministic.
pub fn native() -> Vec<Configuration> {
    let native = |name, kind, metered, tier| {
        let mut configuration = configuration(name, kind, metered);
        configuration.config.execution.tier = tier;
        configuration
    };
    if Engine::default().has_tiers() {
        vec![
            native("opt-guard", MemoryKind::Guard, false, Tier::Opt),
            native("opt-compact-metered", MemoryKind::Compact, true, Tier::Opt),
            native("eager-guard-metered", MemoryKind::Guard, true, Tier::Eager),
            native("eager-compact", MemoryKind::Compact, false, Tier::Eager),
            native("opt-guard-deterministic", MemoryKind::Guard, false, Tier::Opt).deterministic(),
            native("eager-compact-metered-deterministic", MemoryKind::Compact, true, Tier::Eager)
                .deterministic(),
            native("opt-guard-zeal-1", MemoryKind::Guard, false, Tier::Opt).zealous(1),
            native("eager-compact-zeal-3", MemoryKind::Compact, false, Tier::Eager).zealous(3),
        ]
    } else {
        Vec::new()
    }
}

/// The configurations in which native code is entered at loops alone: functions are interpreted until one
/// of their loops is at its second iteration.
pub fn at_loops() -> Vec<Configuration> {
    let at_loops = |name, kind, metered| {
        let mut configuration = configuration(name, kind, metered);
        configuration.config.execution.tier = Tier::Loops;
        configuration
    };
    if !Engine::default().has_tiers() {
        return Vec::new();
    }
    vec![
        at_loops("loops-guard", MemoryKind::Guard, false),
        at_loops("loops-compact-metered", MemoryKind::Compact, true),
        at_loops("loops-guard-deterministic", MemoryKind::Guard, false).deterministic(),
        at_loops("loops-compact-zeal-3", MemoryKind::Compact, false).zealous(3),
    ]
}

/// Compiled before it runs, sealed, and read back.
#[cfg(feature = "ahead")]
mod ahead {
    use std::sync::OnceLock;

    use dunlin_engine::{Config, Engine, Module, Result, SigningKey};

    fn key() -> &'static SigningKey {
        static KEY: OnceLock<SigningKey> = OnceLock::new();
        KEY.get_or_init(|| SigningKey::from_seed(&[7; 32]))
    }

    /// Lets engines believe what [`load`] makes.
    pub(super) fn trust(config: &mut Config) {
        config.storage.trusted.push(key().public());
    }

    /// A module by way of a compiled program.
    pub(super) fn load(engine: &Engine, bytes: &[u8]) -> Result<Module> {
        let program = Module::new(engine, bytes)?.precompile(&|_, _| ())?.sign(key());
        Module::deserialize(engine, program)
    }
}

/// The configurations in which each module is compiled ahead of time and read back: all of it is native
/// before the first call.
#[cfg(feature = "ahead")]
pub fn ahead() -> Vec<Configuration> {
    let ahead = |name, kind, metered| {
        let mut configuration = configuration(name, kind, metered);
        // An engine that only interprets takes no native code.
        configuration.config.execution.tier = Tier::Auto;
        ahead::trust(&mut configuration.config);
        configuration.load = Some(ahead::load);
        configuration
    };
    if !Engine::default().has_tiers() {
        return Vec::new();
    }
    vec![
        ahead("ahead-guard", MemoryKind::Guard, false),
        ahead("ahead-compact-metered", MemoryKind::Compact, true),
        ahead("ahead-guard-deterministic", MemoryKind::Guard, false).deterministic(),
        ahead("ahead-compact-zeal-3", MemoryKind::Compact, false).zealous(3),
    ]
}

/// None: this build keeps no compiled programs.
#[cfg(not(feature = "ahead"))]
pub fn ahead() -> Vec<Configuration> {
    Vec::new()
}

/// Every way to get code, with each kind of memory, deterministic or not, with or without the checks for
/// fuel and interruption, and with a collector that runs seldom, often or always. Where [`native`] and
/// the others have some pairs of these, here are all.
pub fn full() -> Vec<Configuration> {
    let is_way = |c: &Configuration| ["opt-guard", "eager-compact"].contains(&c.name);
    let compiled = native().into_iter().filter(is_way).chain(ahead().into_iter().take(1));
    let ways: Vec<Configuration> = configurations().into_iter().take(1).chain(compiled).collect();
    let mut all = Vec::new();
    for way in &ways {
        let tier = way.name.split('-').next().unwrap_or_default();
        for kind in memory_kinds() {
            for (metered, deterministic, zeal) in every_setting() {
                let mut configuration = way.clone();
                let config = &mut configuration.config;
                config.memory.kind = *kind;
                config.execution.fuel = metered;
                config.execution.interruptible = metered;
                config.execution.deterministic = deterministic;
                config.execution.gc_zeal = zeal;
                let words = [
                    tier.to_string(),
                    format!("{kind:?}").to_lowercase(),
                    if metered { "metered" } else { "" }.to_string(),
                    if deterministic { "deterministic" } else { "" }.to_string(),
                    zeal.map_or(String::new(), |zeal| format!("zeal-{zeal}")),
                ];
                let words: Vec<String> =
                    words.into_iter().filter(|word| !word.is_empty()).collect();
                // Some dozens, made once by a program that tests.
                configuration.name = words.join("-").leak();
                all.push(configuration);
            }
        }
    }
    all
}

/// Whether code is metered, whether it is deterministic, and how often garbage is collected.
fn every_setting() -> impl Iterator<Item = (bool, bool, Option<u32>)> {
    let switches = [(false, false), (false, true), (true, false), (true, true)];
    let zeals = [None, Some(1), Some(3)];
    switches.into_iter().flat_map(move |(m, d)| zeals.into_iter().map(move |zeal| (m, d, zeal)))
}

/// The configurations with a collector that leaves nothing where it was: it runs at every allocation,
/// or at every third.
pub fn zealous() -> Vec<Configuration> {
    let zealous = |name, kind, zeal| {
        let mut configuration = configuration(name, kind, false);
        configuration.config.execution.gc_zeal = Some(zeal);
        configuration
    };
    let default = MemoryConfig::default().kind;
    vec![
        zealous("interp-zeal-1", default, 1),
        zealous("interp-zeal-3", default, 3),
        zealous("interp-compact-zeal-1", MemoryKind::Compact, 1),
        zealous("interp-compact-zeal-3", MemoryKind::Compact, 3),
    ]
}

fn configuration(name: &'static str, kind: MemoryKind, metered: bool) -> Configuration {
    let mut config = Config::default();
    config.execution.tier = Tier::Interp;
    config.memory.kind = kind;
    config.execution.fuel = metered;
    config.execution.interruptible = metered;
    config.execution.tier = Tier::Interp;
    Configuration { name, lists: &["interp"], config, reprint: None, load: None }
}
