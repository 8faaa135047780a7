//! The engine: what modules and stores that work together have in common.

use std::fmt;
use std::sync::Arc;

use dunlin_code::Settings;
use dunlin_code::native::Compiler;
use dunlin_module::{Features, TypeRegistry};
use dunlin_vm::{Limits, Tiers};

use crate::config::Config;
use crate::error::Result;
#[cfg(feature = "storage")]
use crate::storage::Storage;
use crate::tiers::{self, TierReport};

/// Settings and canonical types shared by modules and stores.
///
/// Cheap to clone, and shared between threads freely. A module and a store work together only if
/// they were made from clones of one engine.
#[derive(Clone)]
pub struct Engine(Arc<Shared>);

struct Shared {
    features: Features,
    settings: Settings,
    gc_zeal: Option<u32>,
    limits: Limits,
    types: TypeRegistry,
    compiler: Option<Arc<dyn Compiler>>,
    #[cfg(feature = "storage")]
    storage: Storage,
    tiers: Option<Arc<Tiers>>,
}

impl Engine {
    /// An engine with this configuration.
    ///
    /// # Errors
    ///
    /// Lists everything in the configuration that cannot work.
    pub fn new(config: &Config) -> Result<Engine> {
        Engine::with_compiler(config, tiers::compiler())
    }

    /// As [`Engine::new`], with another compiler than that of the build, or none.
    ///
    /// # Errors
    ///
    /// As [`Engine::new`].
    pub fn with_compiler(config: &Config, compiler: Option<Arc<dyn Compiler>>) -> Result<Engine> {
        let execution = &config.execution;
        Ok(Engine(Arc::new(Shared {
            settings: config.settings()?,
            tiers: tiers::tiers(execution.tier, execution.tier_report, compiler.clone())?,
            compiler,
            #[cfg(feature = "storage")]
            storage: Storage::new(config.storage.clone()),
            features: config.features,
            gc_zeal: config.execution.gc_zeal,
            limits: config.limits.clone(),
            types: TypeRegistry::default(),
        })))
    }

    /// Whether both are clones of one engine.
    pub fn same(a: &Engine, b: &Engine) -> bool {
        Arc::ptr_eq(&a.0, &b.0)
    }

    /// The proposals that modules of this engine may use.
    pub fn features(&self) -> Features {
        self.0.features
    }

    /// The limits of stores that are not given their own.
    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// What of the [`StorageConfig`](crate::StorageConfig) could not be used so far, and why. Without
    /// it everything works, only slower.
    #[cfg(feature = "storage")]
    pub fn storage_problems(&self) -> Vec<String> {
        self.0.storage.problems()
    }

    #[cfg(feature = "storage")]
    pub(crate) fn storage(&self) -> &Storage {
        &self.0.storage
    }

    #[cfg_attr(not(feature = "storage"), expect(dead_code, reason = "what compiles now is stored"))]
    pub(crate) fn compiler(&self) -> Option<&Arc<dyn Compiler>> {
        self.0.compiler.as_ref()
    }

    /// Whether anything is compiled to native code.
    pub fn has_tiers(&self) -> bool {
        self.0.tiers.is_some()
    }

    /// What was compiled to native code so far, and where the time of guests went. Single functions
    /// are in it if [`ExecutionConfig::tier_report`](crate::ExecutionConfig::tier_report) is set.
    pub fn tier_report(&self) -> TierReport {
        self.0.tiers.as_ref().map_or_else(TierReport::default, |tiers| tiers.report())
    }

    /// The compiler, if anything may be native.
    #[cfg(feature = "storage")]
    pub(crate) fn native(&self) -> Option<&Arc<dyn Compiler>> {
        self.compiler().filter(|_| self.has_tiers())
    }

    pub(crate) fn tiers(&self) -> Option<&Arc<Tiers>> {
        self.0.tiers.as_ref()
    }

    pub(crate) fn settings(&self) -> Settings {
        self.0.settings
    }

    pub(crate) fn gc_zeal(&self) -> Option<u32> {
        self.0.gc_zeal
    }

    pub(crate) fn types(&self) -> &TypeRegistry {
        &self.0.types
    }
}

/// An engine with the default [`Config`].
impl Default for Engine {
    #[expect(clippy::expect_used, reason = "a test makes an engine of the default configuration")]
    fn default() -> Engine {
        Engine::new(&Config::default()).expect("the default configuration has no conflicts")
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("features", &self.0.features)
            .field("settings", &self.0.settings)
            .field("limits", &self.0.limits)
            .finish_non_exhaustive()
    }
}
