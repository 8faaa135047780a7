//! `dunlin run`: a program from its first instruction to its exit code, or one call of an export.

use std::sync::Arc;
use std::time::Instant;

use dunlin::wasi::threads::{self, ThreadGroup};
use dunlin::wasi::{WasiCtx, p1};
use dunlin::{Engine, Error, Instance, Linker, Mismatch, Module, Store, js_string};
use dunlin_module::escape;

use crate::Exit;
use crate::ctrl_c::CtrlC;
use crate::entry::Entry;
use crate::flags::RunFlags;
use crate::gc_report::GcReport;
use crate::input::{self, Format};
use crate::literal;
use crate::outcome::Circumstances;
use crate::plan;
use crate::progress::Progress;
use crate::report::{Failure, write_stdout};
use crate::tier_report::TierTable;

pub(crate) fn run(flags: &RunFlags) -> Result<Exit, Failure> {
    let config = plan::run_config(flags)?;
    let engine = plan::engine(&config)?;
    let name = input::name(flags.file());
    let module = load(&engine, flags)?;
    let mut entry = match &flags.invoke {
        Some(export) => Entry::invocation(&module, &name, export, flags.args())?,
        None => Entry::start(&module, &name)?,
    };

    let world = plan::world(flags)?;
    let denials = world.denials();
    let mut circumstances = Circumstances {
        module: &module,
        name,
        flags,
        limits: &config.limits,
        denials,
        ctrl_c: false,
    };
    let mut ctrl_c = CtrlC::default();
    let program = Program { engine: &engine, module: &module, flags };
    let ended = match plan::has_threads(&module) {
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

fn load(engine: &Engine, flags: &RunFlags) -> Result<Module, Failure> {
    if let Some(file) = input::open_compiled(flags.file()) {
        let name = input::name(flags.file());
        let _progress = Progress::start("loading", file.metadata().ok().map(|m| m.len()));
        return deserialized(Module::deserialize_file(engine, file), &name, flags);
    }
    let input = input::load(flags.file())?;
    let name = input.name();
    let _progress = Progress::start("loading", Some(input.bytes.len() as u64));
    match input.format()? {
        // From a stream.
        Format::Compiled => {
            deserialized(Module::deserialize_any(engine, &input.bytes), &name, flags)
        }
        Format::Binary | Format::Text => {
            Module::from_shared(engine, input.bytes).map_err(|error| failed(error, &name, flags))
        }
    }
}

fn deserialized(
    loaded: Result<(Module, Option<Mismatch>), Error>,
    name: &str,
    flags: &RunFlags,
) -> Result<Module, Failure> {
    let (module, mismatch) = loaded.map_err(|error| failed(error, name, flags))?;
    if let Some(mismatch) = mismatch {
        let why = mismatch.to_string();
        eprintln!("note: {name} runs without its native code: {}", escape(&why));
    }
    Ok(module)
}

fn failed(error: Error, name: &str, flags: &RunFlags) -> Failure {
    let error = plan::in_flags(error, &flags.engine.features);
    Failure::engine(Exit::Unreached, format!("cannot load {name}"), &error)
}

/// What is run, and how.
#[derive(Clone, Copy)]
struct Program<'a> {
    engine: &'a Engine,
    module: &'a Module,
    flags: &'a RunFlags,
}

/// Asked while the program waits in the host: whether it shall stop.
type Stop = Arc<dyn Fn() -> bool + Send + Sync>;

impl Program<'_> {
    /// Runs a program that is one thread.
    fn run_alone(
        self,
        world: WasiCtx,
        entry: &mut Entry<'_>,
        ctrl_c: &mut CtrlC,
    ) -> Result<(), Error> {
        let mut store = Store::try_new(self.engine, world)?;
        *ctrl_c = self.limit(&mut store, |store, stop| store.data_mut().set_interrupt(stop))?;
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
        *ctrl_c = self.limit(&mut store, |_, stop| group.set_interrupt(stop))?;
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

    /// Sets fuel, time and Ctrl-C to work on what runs in this store.
    fn limit<T>(
        self,
        store: &mut Store<T>,
        stop_waits: impl FnOnce(&mut Store<T>, Stop),
    ) -> Result<CtrlC, Error> {
        let limits = &self.flags.limits;
        if let Some(fuel) = limits.fuel {
            store.set_fuel(fuel.0)?;
        }
        let ctrl_c = CtrlC::watch(store.interrupt_handle()?);
        if let Some(timeout) = limits.timeout {
            store.set_deadline(timeout.0)?;
            let (deadline, ctrl_c) = (Instant::now().checked_add(timeout.0), ctrl_c.clone());
            // While it waits in the host: only asked for with a time limit, as asking costs.
            let stop = move || {
                ctrl_c.is_pressed() || deadline.is_some_and(|deadline| Instant::now() >= deadline)
            };
            stop_waits(store, Arc::new(stop));
        }
        Ok(ctrl_c)
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
