//! `dunlin run`: a program from its first instruction to its exit code, or one call of an export.

use std::sync::Arc;
use std::time::Instant;

use dunlin::wasi::{WasiCtx, p1};
use dunlin::{Engine, Error, Instance, Linker, Module, Store};

use crate::Exit;
use crate::ctrl_c::CtrlC;
use crate::entry::Entry;
use crate::flags::RunFlags;
use crate::gc_report::GcReport;
use crate::input::{self, Input};
use crate::literal;
use crate::outcome::Circumstances;
use crate::plan;
use crate::progress::Progress;
use crate::report::{Failure, write_stdout};

pub(crate) fn run(flags: &RunFlags) -> Result<Exit, Failure> {
    let config = plan::run_config(flags)?;
    let engine = plan::engine(&config)?;
    let input = input::load_binary(flags.file())?;
    let name = input.name();
    let module = load(&engine, input, flags)?;
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
    let ended = Store::try_new(&engine, world).and_then(|mut store| {
        ctrl_c = limit(&mut store, flags)?;
        let linker = linker(&engine, &mut store, &module, flags)?;
        let ended = linker
            .instantiate(&mut store, &module)
            .and_then(|instance| call(&mut store, &module, instance, &mut entry));
        if flags.gc_stats {
            eprint!("{}", GcReport(&store.gc_stats()));
        }
        ended
    });
    circumstances.ctrl_c = ctrl_c.is_pressed();
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

fn load(engine: &Engine, input: Input, flags: &RunFlags) -> Result<Module, Failure> {
    let name = input.name();
    let _progress = Progress::start("loading", Some(input.bytes.len() as u64));
    Module::from_shared(engine, input.bytes).map_err(|error| {
        let error = plan::in_flags(error, &flags.engine.features);
        Failure::engine(Exit::Unreached, format!("cannot load {name}"), &error)
    })
}

/// Sets fuel, time and Ctrl-C to work on what runs in this store.
fn limit(store: &mut Store<WasiCtx>, flags: &RunFlags) -> Result<CtrlC, Error> {
    if let Some(fuel) = flags.limits.fuel {
        store.set_fuel(fuel.0)?;
    }
    let ctrl_c = CtrlC::watch(store.interrupt_handle()?);
    if let Some(timeout) = flags.limits.timeout {
        store.set_deadline(timeout.0)?;
        let (deadline, ctrl_c) = (Instant::now().checked_add(timeout.0), ctrl_c.clone());
        // While it waits in the host: only asked for with a time limit, as asking costs.
        store.data_mut().set_interrupt(Arc::new(move || {
            ctrl_c.is_pressed() || deadline.is_some_and(|deadline| Instant::now() >= deadline)
        }));
    }
    Ok(ctrl_c)
}

fn linker(
    engine: &Engine,
    store: &mut Store<WasiCtx>,
    module: &Module,
    flags: &RunFlags,
) -> Result<Linker<WasiCtx>, Error> {
    let mut linker = Linker::new(engine);
    // A module that imports nothing needs nothing defined.
    if module.imports().len() > 0 {
        p1::add_to_linker(&mut linker, |world: &mut WasiCtx| world)?;
    }
    if flags.stub_unknown_imports {
        linker.define_unknown_imports_as_traps(module)?;
        linker.define_unknown_imports_as_default_values(store, module)?;
    }
    Ok(linker)
}

/// Initialises a library first if it wants that.
fn call(
    store: &mut Store<WasiCtx>,
    module: &Module,
    instance: Instance,
    entry: &mut Entry<'_>,
) -> Result<(), Error> {
    let is_reactor = module.get_export("_start").is_none();
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
