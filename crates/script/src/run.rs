//! Runs the directives of a script, one after the other, in one store.

use std::any::Any;
use std::collections::HashMap;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use dunlin_component::Component;
use dunlin_engine::{Config, Engine, Error, ErrorKind, Extern, Instance, Module, Store, Trap, Val};
use dunlin_module::{Proposal, TypeRegistry, escape, is_component};

use crate::components;
use crate::print::{PrintOptions, print};
use crate::report::{Outcome, Report, Summary};
use crate::script::{Action, Command, Directive, Script, Source};
use crate::spectest::Spectest;
use crate::text::wat_to_wasm;
use crate::threads::{SharedExports, Threads};
use crate::value::{Argument, Expected, Found, Wanted, value_of};

/// Takes what a script prints through the functions of the `spectest` module.
pub type PrintSink = Arc<dyn Fn(&str) + Send + Sync>;

/// Makes a module of a binary.
pub type ModuleLoader = fn(&Engine, &[u8]) -> dunlin_engine::Result<Module>;

/// How to run a script.
#[derive(Clone, Default)]
pub struct RunOptions {
    /// The engine to run it on.
    pub config: Config,
    /// How long one directive may take; needs
    /// [`ExecutionConfig::interruptible`](dunlin_engine::ExecutionConfig::interruptible).
    pub timeout: Option<Duration>,
    /// Where `spectest.print…` writes; nowhere if there is none.
    pub print: Option<PrintSink>,
    /// Whether each valid module is replaced by what comes back from printing it in this way.
    pub reprint: Option<PrintOptions>,
    /// What makes a module of a valid binary, if not [`Module::new`].
    pub load: Option<ModuleLoader>,
    /// Whose conventions the script follows.
    pub dialect: Dialect,
}

/// Whose conventions a script follows where they are not those of the spec.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Dialect {
    /// As the spec's interpreter reads scripts.
    #[default]
    Spec,
    /// As Wasmtime reads them: a module with a name is registered under it, a trap while a module is
    /// instantiated makes it unlinkable, and traps are called by parts of what they are called there.
    Wasmtime,
    /// As tools read them that execute nothing: a `(module …)` only has to be valid. Where it can be
    /// instantiated, it is all the same.
    Validator,
}

impl Script {
    /// Runs the directives in order and tells `on_directive` how each ended.
    ///
    /// A directive that fails, or that makes the engine panic, does not stop those after it.
    ///
    /// # Errors
    ///
    /// If there can be no engine or store with this configuration.
    pub fn run(
        &self,
        options: &RunOptions,
        mut on_directive: impl FnMut(&Report),
    ) -> Result<Summary, Error> {
        let mut runner = Runner::new(options)?;
        let mut summary = Summary::default();
        for directive in self.directives() {
            let outcome = runner.run_contained(directive)?;
            summary.add(&outcome);
            on_directive(&Report {
                line: directive.line,
                column: directive.column,
                directive: directive.keyword.clone(),
                outcome,
            });
        }
        Ok(summary)
    }
}

/// What a name in a script stands for.
#[derive(Clone)]
enum Slot<T> {
    Live(T),
    /// It would need this feature.
    Unsupported(String),
    /// There is none, and this says why.
    Missing(String),
}

/// A module or component that can be instantiated.
#[derive(Clone)]
enum Definition {
    Module(Module),
    Component(Component),
}

/// An instance of a module or component.
#[derive(Clone)]
enum Instantiated {
    Core(Instance),
    /// With the feature for want of which an action on it could not be run.
    Component(dunlin_component::Instance, Arc<OnceLock<String>>),
}

/// What an action yields.
enum Results {
    Core(Vec<Val>),
    Component(Option<dunlin_component::Val>),
}

/// Why an action has no results.
enum Stop {
    Error(Error),
    Unlinkable(String),
    Unsupported(String),
    /// The directive makes no sense, or one before it failed.
    Unusable(String),
}

impl Instantiated {
    fn core(&self) -> Result<Instance, Stop> {
        match self {
            Instantiated::Core(instance) => Ok(*instance),
            Instantiated::Component(..) => {
                Err(Stop::Unusable("a component where a module is meant".to_string()))
            }
        }
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Stop {
        let feature = error.missing_feature().map(Proposal::name);
        match feature.or_else(|| components::missing_feature(&error)) {
            Some(feature) => Stop::Unsupported(feature.to_string()),
            None => Stop::Error(error),
        }
    }
}

struct Runner<'a> {
    options: &'a RunOptions,
    engine: Engine,
    store: Store<()>,
    spectest: Spectest,
    definitions: Names<Definition>,
    instances: Names<Instantiated>,
    registered: HashMap<String, Slot<Instantiated>>,
    threads: Threads,
    /// Instances on which an action could not be run for want of a feature: from then on, what they
    /// hold is not what the script assumes.
    astray: HashMap<Instance, String>,
}

/// Things a script can name, and the one it gets without naming any.
struct Names<T> {
    latest: Slot<T>,
    named: HashMap<String, Slot<T>>,
}

impl<T: Clone> Names<T> {
    fn new(kind: &str) -> Names<T> {
        let latest = Slot::Missing(format!("no {kind} before this directive"));
        Names { latest, named: HashMap::new() }
    }

    fn define(&mut self, name: Option<&String>, slot: Slot<T>) {
        if let Some(name) = name {
            self.named.insert(name.clone(), slot.clone());
        }
        self.latest = slot;
    }

    fn get(&self, name: Option<&String>) -> Result<T, Stop> {
        let slot = match name {
            None => &self.latest,
            Some(name) => match self.named.get(name) {
                Some(slot) => slot,
                None => {
                    return Err(Stop::Unusable(format!("nothing called `${}`", escape(name))));
                }
            },
        };
        slot.live()
    }

    /// Forgets everything for this reason.
    fn lose(&mut self, reason: &str) {
        self.latest.lose(reason);
        self.named.values_mut().for_each(|slot| slot.lose(reason));
    }
}

impl<T: Clone> Slot<T> {
    fn live(&self) -> Result<T, Stop> {
        match self {
            Slot::Live(value) => Ok(value.clone()),
            Slot::Unsupported(feature) => Err(Stop::Unsupported(feature.clone())),
            Slot::Missing(reason) => Err(Stop::Unusable(reason.clone())),
        }
    }

    fn lose(&mut self, reason: &str) {
        if matches!(self, Slot::Live(_)) {
            *self = Slot::Missing(reason.to_string());
        }
    }
}

impl<'a> Runner<'a> {
    fn new(options: &'a RunOptions) -> Result<Runner<'a>, Error> {
        Runner::on(options, Engine::new(&options.config)?)
    }

    fn on(options: &'a RunOptions, engine: Engine) -> Result<Runner<'a>, Error> {
        let store = Store::try_new(&engine, ())?;
        Ok(Runner {
            options,
            engine,
            store,
            spectest: Spectest::new(options.print.clone()),
            definitions: Names::new("module definition"),
            instances: Names::new("module"),
            registered: HashMap::new(),
            threads: Threads::default(),
            astray: HashMap::new(),
        })
    }

    /// Runs a directive; a panic is an outcome like others.
    fn run_contained(&mut self, directive: &Directive) -> Result<Outcome, Error> {
        let command = match &directive.command {
            Ok(command) => command,
            Err(error) => return Ok(fail("a directive", format!("malformed text: {error}"))),
        };
        if self.options.config.execution.fuel {
            self.store.set_fuel(u64::MAX)?;
        }
        if let Some(timeout) = self.options.timeout {
            self.store.set_deadline(timeout)?;
        }
        let result = catch_unwind(AssertUnwindSafe(|| self.run(directive, command)));
        match result {
            Ok(outcome) => {
                self.store.clear_deadline();
                Ok(outcome)
            }
            Err(panic) => {
                let reason = format!("lost to the panic at line {}", directive.line);
                self.start_anew(&reason)?;
                Ok(fail("no panic", format!("panic: {}", panic_message(&*panic))))
            }
        }
    }

    /// Replaces the store, whose state nobody knows after a panic.
    fn start_anew(&mut self, reason: &str) -> Result<(), Error> {
        let store = Store::try_new(&self.engine, ())?;
        // Dropping it could panic again.
        mem::forget(mem::replace(&mut self.store, store));
        self.spectest = Spectest::new(self.options.print.clone());
        self.astray.clear();
        self.instances.lose(reason);
        self.registered.values_mut().for_each(|slot| slot.lose(reason));
        Ok(())
    }

    fn run(&mut self, directive: &Directive, command: &Command) -> Outcome {
        match command {
            Command::Module { name, source } => {
                let defined = self.define(source);
                self.definitions.define(name.as_ref(), slot(&defined, directive));
                let is_enough = self.options.dialect == Dialect::Validator && defined.is_ok();
                let instance = defined.and_then(|module| self.instantiate(&module));
                let instance_slot = slot(&instance, directive);
                if let (Dialect::Wasmtime, Some(name)) = (self.options.dialect, name) {
                    self.registered.insert(name.clone(), instance_slot.clone());
                }
                self.instances.define(name.as_ref(), instance_slot);
                if is_enough { Outcome::Pass } else { succeed("an instance", instance) }
            }
            Command::Definition { name, source } => {
                let defined = self.define(source);
                self.definitions.define(name.as_ref(), slot(&defined, directive));
                succeed("a valid module", defined)
            }
            Command::Instance { name, definition } => {
                let defined = self.definitions.get(definition.as_ref());
                let instance = defined.and_then(|module| self.instantiate(&module));
                self.instances.define(name.as_ref(), slot(&instance, directive));
                succeed("an instance", instance)
            }
            Command::Register { name, instance } => {
                let instance = self.instances.get(instance.as_ref());
                self.registered.insert(name.clone(), slot(&instance, directive));
                succeed("an instance", instance)
            }
            Command::Action(action) => {
                let result = self.execute(action);
                self.judged(action, succeed("no trap", result))
            }
            Command::AssertReturn(action, expected) => {
                let result = self.execute(action);
                self.judged(action, self.assert_return(expected, result))
            }
            Command::AssertTrap(action, message) => {
                let result = self.execute(action);
                self.judged(action, self.assert_trap(message, result))
            }
            Command::AssertException(action) => {
                let result = self.execute(action);
                self.judged(action, self.assert_exception(result))
            }
            Command::AssertRejected(source, message) => {
                self.assert_rejected(source, message, |_| Ok(()))
            }
            Command::AssertRejectedCustom(source, message) => {
                let features = self.options.config.features;
                self.assert_rejected(source, message, |bytes| {
                    let module =
                        dunlin_module::Module::decode(bytes, &features, &TypeRegistry::new())?;
                    module.branch_hints().map(drop)
                })
            }
            Command::AssertUnlinkable(source, message) => self.assert_unlinkable(source, message),
            Command::Thread { name, shared, directives } => {
                let started = self.start_thread(name, shared.as_ref(), directives);
                succeed("a thread", started)
            }
            Command::Wait(name) => self.threads.wait(name),
            Command::Unsupported(feature) => Outcome::Unsupported { feature: feature.to_string() },
        }
    }

    fn define(&self, source: &Source) -> Result<Definition, Stop> {
        let bytes = source.encode().map_err(Stop::Unusable)?;
        if is_component(&bytes) {
            let component = match &self.options.reprint {
                None => Component::new(&self.engine, &bytes)?,
                Some(options) => {
                    let again = reprint(&bytes, options).map_err(Stop::Unusable)?;
                    Component::new(&self.engine, &again)?
                }
            };
            return Ok(Definition::Component(component));
        }
        self.define_module(&bytes).map(Definition::Module)
    }

    fn define_module(&self, bytes: &[u8]) -> Result<Module, Stop> {
        let module = match self.options.load {
            None => Module::new(&self.engine, bytes)?,
            Some(load) => load(&self.engine, bytes)?,
        };
        let Some(options) = &self.options.reprint else {
            return Ok(module);
        };
        let again = reprint(bytes, options).map_err(Stop::Unusable)?;
        Ok(Module::new(&self.engine, &again)?)
    }

    fn instantiate(&mut self, definition: &Definition) -> Result<Instantiated, Stop> {
        let module = match definition {
            Definition::Module(module) => module,
            Definition::Component(component) => return self.instantiate_component(component),
        };
        let mut imports = Vec::with_capacity(module.imports().len());
        for import in module.imports() {
            match self.resolve(import.module(), import.name())? {
                Some(item) => imports.push(item),
                None => {
                    return Err(Stop::Unlinkable(format!(
                        "unknown import: `{}::{}`",
                        escape(import.module()),
                        escape(import.name())
                    )));
                }
            }
        }
        Ok(Instantiated::Core(Instance::new(&mut self.store, module, &imports)?))
    }

    fn instantiate_component(&mut self, component: &Component) -> Result<Instantiated, Stop> {
        let mut given = Vec::new();
        for import in &component.description().imports {
            if let Some(slot) = self.registered.get(&*import.name)
                && let Instantiated::Component(instance, _) = slot.live()?
            {
                given.push((import.name.to_string(), instance));
            }
        }
        let given = given.into_iter();
        let instance = components::instantiate(&self.engine, &mut self.store, component, given)?;
        Ok(Instantiated::Component(instance, Arc::default()))
    }

    fn resolve(&mut self, module: &str, name: &str) -> Result<Option<Extern>, Stop> {
        match self.registered.get(module) {
            Some(slot) => Ok(slot.live()?.core()?.get_export(&mut self.store, name)),
            None if module == "spectest" => Ok(self.spectest.item(&mut self.store, name)?),
            // Scripts with threads import from instances by the names these have in the script.
            None => match self.instances.named.get(module) {
                Some(slot) => Ok(slot.live()?.core()?.get_export(&mut self.store, name)),
                None => Ok(None),
            },
        }
    }

    /// Starts a thread on which `directives` run in a store of their own.
    fn start_thread(
        &mut self,
        name: &str,
        shared: Option<&String>,
        directives: &Arc<[Directive]>,
    ) -> Result<(), Stop> {
        let shared = match shared {
            Some(name) => {
                let exports = self.instances.get(Some(name))?.core()?.exports(&mut self.store);
                Some((name.clone(), SharedExports::of(&self.store, exports)))
            }
            None => None,
        };
        let (options, engine) = (self.options.clone(), self.engine.clone());
        let directives = directives.clone();
        self.threads.start(name, move || {
            let mut runner = Runner::on(&options, engine)?;
            if let Some((name, exports)) = shared {
                let instance = exports.instance(&mut runner.store)?;
                runner.instances.define(Some(&name), Slot::Live(Instantiated::Core(instance)));
            }
            let mut wrong = Vec::new();
            for directive in &*directives {
                let outcome = runner.run_contained(directive)?;
                if outcome != Outcome::Pass {
                    wrong.push((directive.line, outcome));
                }
            }
            Ok(wrong)
        })?;
        Ok(())
    }

    fn execute(&mut self, action: &Action) -> Result<Results, Stop> {
        match action {
            Action::Invoke { instance, export, arguments } => {
                let instance = match self.instances.get(instance.as_ref())? {
                    Instantiated::Core(instance) => instance,
                    Instantiated::Component(instance, astray) => {
                        let result = self.invoke_component(&instance, export, arguments);
                        if let Err(Stop::Unsupported(feature)) = &result {
                            astray.get_or_init(|| feature.clone());
                        }
                        return result.map(Results::Component);
                    }
                };
                let result = self.invoke(instance, export, arguments);
                if let Err(Stop::Unsupported(feature)) = &result {
                    self.astray.entry(instance).or_insert_with(|| feature.clone());
                }
                result.map(Results::Core)
            }
            Action::Get { instance, export } => {
                let instance = self.instances.get(instance.as_ref())?.core()?;
                let Some(global) = instance.get_global(&mut self.store, export) else {
                    return Err(Stop::Unusable(no_export("global", export)));
                };
                Ok(Results::Core(vec![global.get(&mut self.store)]))
            }
            Action::Instantiate(source) => {
                let module = self.define(source)?;
                self.instantiate(&module).map(|_| Results::Core(Vec::new()))
            }
            Action::Unsupported(feature) => Err(Stop::Unsupported(feature.to_string())),
        }
    }

    fn invoke(
        &mut self,
        instance: Instance,
        export: &str,
        arguments: &[Argument],
    ) -> Result<Vec<Val>, Stop> {
        let Some(func) = instance.get_func(&mut self.store, export) else {
            return Err(Stop::Unusable(no_export("function", export)));
        };
        let arguments = arguments.iter().map(|argument| value_of(argument, &mut self.store));
        let arguments = arguments.collect::<Result<Vec<Val>, Error>>()?;
        let mut results = vec![Val::I32(0); func.ty(&self.store).results.len()];
        func.call(&mut self.store, &arguments, &mut results)?;
        Ok(results)
    }

    fn invoke_component(
        &mut self,
        instance: &dunlin_component::Instance,
        export: &str,
        arguments: &[Argument],
    ) -> Result<Option<dunlin_component::Val>, Stop> {
        let Some(func) = instance.get_func(export) else {
            return Err(Stop::Unusable(no_export("function", export)));
        };
        let Some(arguments) = components::arguments(arguments) else {
            let reason = "a function of a component takes no values of core functions";
            return Err(Stop::Unusable(reason.to_string()));
        };
        Ok(func.call(&mut self.store, &arguments)?)
    }

    /// The outcome of a directive about `action`, unless its instance had gone astray before.
    fn judged(&self, action: &Action, outcome: Outcome) -> Outcome {
        let (Outcome::Fail { .. }, Action::Invoke { instance, .. } | Action::Get { instance, .. }) =
            (&outcome, action)
        else {
            return outcome;
        };
        let feature = match self.instances.get(instance.as_ref()) {
            Ok(Instantiated::Core(instance)) => self.astray.get(&instance).cloned(),
            Ok(Instantiated::Component(_, astray)) => astray.get().cloned(),
            Err(_) => None,
        };
        feature.map_or(outcome, |feature| Outcome::Unsupported { feature })
    }

    fn assert_return(&self, expected: &[Expected], result: Result<Results, Stop>) -> Outcome {
        let found = match result {
            Ok(Results::Core(found)) => found,
            Ok(Results::Component(found)) => {
                return match components::matches(expected, found.as_ref()) {
                    true => Outcome::Pass,
                    false => fail(Wanted(expected).to_string(), components::show(found.as_ref())),
                };
            }
            Err(stop) => return stop.outcome(Wanted(expected).to_string()),
        };
        let matches = expected.len() == found.len()
            && expected.iter().zip(&found).all(|(e, f)| e.matches(f, &self.store));
        if matches {
            return Outcome::Pass;
        }
        let found = Found { values: &found, expected, store: &self.store };
        fail(Wanted(expected).to_string(), found.to_string())
    }

    fn assert_trap(&self, message: &str, result: Result<Results, Stop>) -> Outcome {
        match &result {
            Err(Stop::Error(error)) => match error.trap() {
                Some(trap) if self.options.dialect.calls(trap, message) => Outcome::Pass,
                Some(trap) if components::calls(trap, error, message) => Outcome::Pass,
                _ => self.unexpected(&format!("trap `{}`", escape(message)), result),
            },
            _ => self.unexpected(&format!("trap `{}`", escape(message)), result),
        }
    }

    fn assert_exception(&self, result: Result<Results, Stop>) -> Outcome {
        match &result {
            Err(Stop::Error(error)) if error.kind() == ErrorKind::Exception => Outcome::Pass,
            _ => self.unexpected("an exception", result),
        }
    }

    /// The outcome of a result that is not the one wanted.
    fn unexpected(&self, wanted: &str, result: Result<Results, Stop>) -> Outcome {
        match result {
            Ok(Results::Component(found)) => fail(wanted, components::show(found.as_ref())),
            Ok(Results::Core(found)) => fail(
                wanted,
                Found { values: &found, expected: &[], store: &self.store }.to_string(),
            ),
            Err(stop) => stop.outcome(wanted.to_string()),
        }
    }

    /// `check` looks at what validation does not.
    fn assert_rejected(
        &self,
        source: &Source,
        message: &str,
        check: impl Fn(&[u8]) -> Result<(), dunlin_module::Error>,
    ) -> Outcome {
        let Ok(bytes) = source.encode() else {
            return Outcome::Pass;
        };
        if is_component(&bytes) {
            return match components::validate(&bytes, &self.options.config.features) {
                // Some scripts say where, too.
                Err(error) if in_one_line(&error).contains(message) => Outcome::Pass,
                Err(error) => fail(rejected(message), error.to_string()),
                Ok(_) => fail(rejected(message), "a valid component"),
            };
        }
        match Module::validate(&self.engine, &bytes) {
            Err(error) if error.kind() == ErrorKind::Invalid => Outcome::Pass,
            Err(error) => fail(rejected(message), error.to_string()),
            Ok(()) if check(&bytes).is_err() => Outcome::Pass,
            Ok(()) => fail(rejected(message), "a valid module"),
        }
    }

    fn assert_unlinkable(&mut self, source: &Source, message: &str) -> Outcome {
        let wanted = format!("link error `{}`", escape(message));
        match self.define(source).and_then(|module| self.instantiate(&module)) {
            Err(Stop::Unlinkable(_)) => Outcome::Pass,
            Err(Stop::Error(error)) if error.kind() == ErrorKind::Link => Outcome::Pass,
            Err(Stop::Error(error))
                if self.options.dialect == Dialect::Wasmtime
                    && error.trap().is_some_and(|trap| trap.message() == message) =>
            {
                Outcome::Pass
            }
            Err(stop) => stop.outcome(wanted),
            Ok(_) => fail(wanted, "an instance"),
        }
    }
}

impl Dialect {
    /// Whether `message` in a script stands for `trap`.
    fn calls(self, trap: Trap, message: &str) -> bool {
        let trap = trap.message();
        if self == Dialect::Wasmtime {
            // The two have one name there.
            const UNDEFINED: &str = "undefined element: out of bounds table access";
            let trap = if UNDEFINED.contains(trap) { UNDEFINED } else { trap };
            return trap.contains(message);
        }
        // Scripts may say less than the trap does, and older ones say more.
        trap.starts_with(message) || message.starts_with(trap)
    }
}

impl Stop {
    fn outcome(self, expected: String) -> Outcome {
        match self {
            Stop::Unsupported(feature) => Outcome::Unsupported { feature },
            Stop::Error(error) => fail(expected, error.to_string()),
            Stop::Unlinkable(found) | Stop::Unusable(found) => fail(expected, found),
        }
    }

    fn describe(&self) -> String {
        match self {
            Stop::Unsupported(feature) => format!("needs `{feature}`"),
            Stop::Error(error) => error.to_string(),
            Stop::Unlinkable(reason) | Stop::Unusable(reason) => reason.clone(),
        }
    }
}

/// What later directives find under the name of this result.
fn slot<T: Clone>(result: &Result<T, Stop>, directive: &Directive) -> Slot<T> {
    match result {
        Ok(value) => Slot::Live(value.clone()),
        Err(Stop::Unsupported(feature)) => Slot::Unsupported(feature.clone()),
        Err(stop) => {
            let (line, reason) = (directive.line, stop.describe());
            Slot::Missing(format!("nothing, because line {line} failed: {reason}"))
        }
    }
}

fn succeed<T>(expected: &str, result: Result<T, Stop>) -> Outcome {
    match result {
        Ok(_) => Outcome::Pass,
        Err(stop) => stop.outcome(expected.to_string()),
    }
}

pub(crate) fn fail(expected: impl Into<String>, found: impl Into<String>) -> Outcome {
    Outcome::Fail { expected: expected.into(), found: found.into() }
}

fn rejected(message: &str) -> String {
    format!("rejection with `{}`", escape(message))
}

/// What was found, and where.
fn in_one_line(error: &dunlin_module::Error) -> String {
    let at = error.offset().map_or_else(String::new, |at| format!(" (at offset {at:#x})"));
    format!("{}{at}", error.message())
}

fn no_export(kind: &str, name: &str) -> String {
    format!("no exported {kind} `{}`", escape(name))
}

/// The module that comes back from printing one.
fn reprint(bytes: &[u8], options: &PrintOptions) -> Result<Vec<u8>, String> {
    let text = print(bytes, options).map_err(|error| error.to_string())?;
    wat_to_wasm(&text, None).map_err(|error| format!("cannot read what was printed: {error}"))
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("without a message");
    escape(text).to_string()
}
