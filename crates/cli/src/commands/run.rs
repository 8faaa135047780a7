//! `dunlin run`: a program from its first instruction to its exit code, or one call of an export.

use std::ffi::OsString;

use dunlin::component::Component;
use dunlin::wasi::threads::{self, ThreadGroup};
use dunlin::wasi::{WasiCtx, p1};
use dunlin::{
    Config, Engine, Error, ExternType, Instance, Linker, Mismatch, Module, Store, js_string,
};
use dunlin_module::escape;
use dunlin_script::WaveCall;

use crate::Exit;
use crate::component_run::ComponentRun;
use crate::ctrl_c::CtrlC;
use crate::entry::Entry;
use crate::flags::{ProgramFlags, RunFlags};
use crate::gc_report::GcReport;
use crate::input::{self, Format, Input};
use crate::literal;
use crate::outcome::Circumstances;
use crate::oversight::Oversight;
use crate::plan;
use crate::progress::Progress;
use crate::report::{Failure, write_stdout};
use crate::tier_report::TierTable;

pub(crate) fn run(flags: &RunFlags) -> Result<Exit, Failure> {
    let oversight = Oversight::new(&flags.program)?;
    let ended = start(flags, &oversight);
    oversight.finish(ended)
}

fn start(flags: &RunFlags, oversight: &Oversight) -> Result<Exit, Failure> {
    let config = plan::run_config(&flags.program)?;
    let engine = plan::engine(&config)?;
    let name = input::name(flags.file());
    let program = match load(&engine, flags)? {
        Loaded::Module(module) => {
            oversight.meet(None);
            module
        }
        Loaded::Component(component) => {
            oversight.meet(Some(&component));
            let world = || {
                let args = if flags.invoke.is_none() { flags.args() } else { &[] };
                plan::world(flags.program(), args, &flags.program, oversight)
            };
            let run = ComponentRun {
                engine: &engine,
                config: &config,
                component: &component,
                name,
                flags: &flags.program,
                oversight,
            };
            return match &flags.invoke {
                None => run.program(world()?),
                Some(call) => {
                    let call = WaveCall::parse(call).map_err(|error| {
                        let message = "invalid value for `--invoke`";
                        Failure::new(Exit::Usage, message).caused_by(error)
                    })?;
                    run.call(world()?, &call)
                }
            };
        }
    };
    match &flags.invoke {
        Some(export) => {
            // They are its values.
            let world = plan::world(flags.program(), &[], &flags.program, oversight)?;
            let call = (export.as_str(), flags.args());
            invoke(&engine, &config, &program, name, world, call, &flags.program)
        }
        None => {
            let entry = Entry::start(&program, &name)?;
            let world = plan::world(flags.program(), flags.args(), &flags.program, oversight)?;
            enter(&engine, &config, &program, name, world, entry, &flags.program)
        }
    }
}

/// Calls one export of a module with values as text, and prints its results.
pub(crate) fn invoke(
    engine: &Engine,
    config: &Config,
    module: &Module,
    name: String,
    world: WasiCtx,
    (export, values): (&str, &[OsString]),
    flags: &ProgramFlags,
) -> Result<Exit, Failure> {
    let entry = Entry::invocation(module, &name, export, values)?;
    enter(engine, config, module, name, world, entry, flags)
}

fn enter(
    engine: &Engine,
    config: &Config,
    module: &Module,
    name: String,
    world: WasiCtx,
    mut entry: Entry<'_>,
    flags: &ProgramFlags,
) -> Result<Exit, Failure> {
    let denials = world.denials();
    let mut circumstances = Circumstances {
        lacks_imports: lacks_imports(module),
        opens_files: module.imports().any(|import| import.name() == "path_open"),
        name,
        flags,
        limits: &config.limits,
        denials,
        grants_apart: false,
        ctrl_c: false,
    };
    let mut ctrl_c = CtrlC::default();
    let program = Program { engine, module, flags };
    let ended = match plan::has_threads(module) {
        true => program.run_threads(world, &mut entry, &mut ctrl_c),
        false => program.run_alone(world, &mut entry, &mut ctrl_c),
    };
    circumstances.ctrl_c = ctrl_c.is_pressed();
    module.save_to_cache();
    if flags.storage.verbose {
        for problem in engine.storage_problems() {
            eprintln!("note: {}", escape(&problem));
        }
    }
    if let Some(format) = flags.tiers {
        eprint!("{}", TierTable::new(engine.tier_report()).print(format));
    }
    match ended {
        Ok(()) => {
            let lines: String =
                entry.results.iter().map(|value| literal::print(value) + "\n").collect();
            write_stdout(lines)?;
            Ok(Exit::DONE)
        }
        Err(error) => {
            let failure = circumstances.explain(error);
            match ctrl_c.may_tell() {
                true => Err(failure),
                false => Err(Failure::quiet(failure.exit())),
            }
        }
    }
}

/// What a file holds.
enum Loaded {
    Module(Module),
    Component(Component),
}

/// Makes a component of a file.
pub(crate) fn component(
    engine: &Engine,
    input: Input,
    flags: &ProgramFlags,
) -> Result<Component, Failure> {
    let name = input.name();
    Component::from_shared(engine, input.bytes).map_err(|error| failed(error, &name, flags))
}

/// Whether stubs would help.
fn lacks_imports(module: &Module) -> bool {
    module.imports().any(|import| match import.ty() {
        ExternType::Memory(ty) if ty.shared => false,
        _ => !plan::is_provided(import.module(), import.name()),
    })
}

fn load(engine: &Engine, flags: &RunFlags) -> Result<Loaded, Failure> {
    if let Some(file) = input::open_compiled(flags.file()) {
        let name = input::name(flags.file());
        let _progress = Progress::start("loading", file.metadata().ok().map(|m| m.len()));
        return deserialized(Module::deserialize_file(engine, file), &name, &flags.program);
    }
    let input = input::load(flags.file())?;
    let name = input.name();
    let _progress = Progress::start("loading", Some(input.bytes.len() as u64));
    match input.format()? {
        // From a stream.
        Format::Compiled => {
            let module = Module::deserialize_any(engine, &input.bytes);
            deserialized(module, &name, &flags.program)
        }
        Format::Binary | Format::Text if Component::is_component(&input.bytes) => {
            component(engine, input, &flags.program).map(Loaded::Component)
        }
        Format::Binary | Format::Text => Module::from_shared(engine, input.bytes)
            .map(Loaded::Module)
            .map_err(|error| failed(error, &name, &flags.program)),
    }
}

fn deserialized(
    loaded: Result<(Module, Option<Mismatch>), Error>,
    name: &str,
    flags: &ProgramFlags,
) -> Result<Loaded, Failure> {
    let (module, mismatch) = loaded.map_err(|error| failed(error, name, flags))?;
    if let Some(mismatch) = mismatch {
        let why = mismatch.to_string();
        eprintln!("note: {name} runs without its native code: {}", escape(&why));
    }
    Ok(Loaded::Module(module))
}

pub(crate) fn failed(error: Error, name: &str, flags: &ProgramFlags) -> Failure {
    let error = plan::in_flags(error, &flags.engine.features);
    Failure::engine(Exit::Unreached, format!("cannot load {name}"), &error)
}

/// What is run, and how.
#[derive(Clone, Copy)]
struct Program<'a> {
    engine: &'a Engine,
    module: &'a Module,
    flags: &'a ProgramFlags,
}

impl Program<'_> {
    /// Runs a program that is one thread.
    fn run_alone(
        self,
        world: WasiCtx,
        entry: &mut Entry<'_>,
        ctrl_c: &mut CtrlC,
    ) -> Result<(), Error> {
        let mut store = Store::try_new(self.engine, world)?;
        *ctrl_c = plan::limit(&mut store, &self.flags.limits, |store, stop| {
            store.data_mut().set_interrupt(stop)
        })?;
        let mut linker = Linker::new(self.engine);
        // A module that imports nothing needs nothing defined.
        if self.module.imports().len() > 0 {
            p1::add_to_linker(&mut linker, |world: &mut WasiCtx| world)?;
        }
        self.strings(&mut linker)?;
        for namespace in self.flags.string_constants.iter().map(String::as_str).chain(["'"]) {
            js_string::define_constants(&mut linker, &mut store, self.module, namespace)?;
        }
        self.stub(&mut store, &mut linker)?;
        let instance = linker.instantiate(&mut store, self.module);
        let ended = instance.and_then(|instance| self.call(&mut store, instance, entry));
        self.report(&store);
        ended
    }

    /// Runs a program that may start threads.
    fn run_threads(
        self,
        world: WasiCtx,
        entry: &mut Entry<'_>,
        ctrl_c: &mut CtrlC,
    ) -> Result<(), Error> {
        let group = ThreadGroup::new(world);
        let mut store = Store::try_new(self.engine, group.main())?;
        *ctrl_c = plan::limit(&mut store, &self.flags.limits, |_, stop| group.set_interrupt(stop))?;
        let mut linker = Linker::new(self.engine);
        threads::add_to_linker(&mut linker)?;
        // Before stubs, which are of one store only.
        linker.define_unknown_shared_memories(&mut store, self.module)?;
        self.stub(&mut store, &mut linker)?;
        let instance = group.instantiate(&mut store, linker, self.module);
        let ended = instance
            .and_then(|instance| group.run(&mut store, |store| self.call(store, instance, entry)));
        self.report(&store);
        ended
    }

    /// Says what the collector did, for the first thread.
    fn report<T>(self, store: &Store<T>) {
        if self.flags.gc_stats {
            eprint!("{}", GcReport(&store.gc_stats()));
        }
    }

    /// Strings of JavaScript, for a program that was compiled for a browser.
    fn strings<T: 'static>(self, linker: &mut Linker<T>) -> Result<(), Error> {
        match self.module.imports().any(|import| import.module() == js_string::MODULE) {
            true => js_string::add_to_linker(linker),
            false => Ok(()),
        }
    }

    fn stub<T>(self, store: &mut Store<T>, linker: &mut Linker<T>) -> Result<(), Error> {
        if self.flags.stub_unknown_imports {
            linker.define_unknown_imports_as_traps(self.module)?;
            linker.define_unknown_imports_as_default_values(store, self.module)?;
        }
        Ok(())
    }

    /// Initialises a library first if it wants that.
    fn call<T>(
        self,
        store: &mut Store<T>,
        instance: Instance,
        entry: &mut Entry<'_>,
    ) -> Result<(), Error> {
        let is_reactor = self.module.get_export("_start").is_none();
        if is_reactor
            && entry.name != "_initialize"
            && let Some(initialize) = instance.get_func(&mut *store, "_initialize")
        {
            initialize.call(&mut *store, &[], &mut [])?;
        }
        match instance.get_func(&mut *store, entry.name) {
            Some(func) => func.call(store, &entry.args, &mut entry.results),
            None => Err(Error::msg("an export of the module is missing in its instance")),
        }
    }
}
