//! The configurations that everything is tested in.

use dunlin_engine::{Config, Engine, Features, MemoryConfig, MemoryKind, Tier};
use dunlin_script::PrintOptions;

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
    Configuration { name, lists: &["interp"], config, reprint: None }
}
