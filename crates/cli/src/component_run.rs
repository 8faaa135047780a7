//! Components that are run or called: linked with the world they are granted, entered, and their results
//! printed.

use std::sync::Arc;

use dunlin::component::{Component, Func, Instance, Linker, Val};
use dunlin::wasi::{WasiCtx, p2};
use dunlin::{Config, Engine, Error, Store};
use dunlin_module::escape;
use dunlin_script::{WaveCall, show_wave};

use crate::Exit;
use crate::ctrl_c::CtrlC;
use crate::flags::ProgramFlags;
use crate::outcome::Circumstances;
use crate::oversight::Oversight;
use crate::plan::{self, Stop};
use crate::report::{Failure, write_stdout};
use crate::tier_report::TierTable;

/// How many functions a message lists.
const FUNCS_LISTED: usize = 16;

/// The interface that programs export, and its function.
const RUN: (&str, &str) = ("wasi:cli/run@0.2.0", "run");

/// A component, and what it is given.
pub(crate) struct ComponentRun<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) config: &'a Config,
    pub(crate) component: &'a Component,
    /// The file, as messages show it.
    pub(crate) name: String,
    pub(crate) flags: &'a ProgramFlags,
    pub(crate) oversight: &'a Oversight,
}

impl ComponentRun<'_> {
    /// Runs it as a program, from start to exit.
    pub(crate) fn program(self, world: WasiCtx) -> Result<Exit, Failure> {
        self.enter(world, |instance, store, name| {
            let Some(run) = instance.get_func_in(RUN.0, RUN.1) else {
                let message =
                    format!("cannot run {name}: it is no program, it does not export `{}`", RUN.0);
                let failure = Failure::new(Exit::Unreached, message);
                return Ok(Err(match listed(instance) {
                    Some(funcs) => {
                        failure.help(format!("call a function with `dunlin call`: {funcs}"))
                    }
                    None => failure.help("it exports no functions either"),
                }));
            };
            Ok(Ok(match run.call(store, &[])? {
                Some(Val::Result(Err(_))) => Exit::Guest(1),
                _ => Exit::DONE,
            }))
        })
    }

    /// Calls one function of it and prints the result.
    pub(crate) fn call(self, world: WasiCtx, call: &WaveCall) -> Result<Exit, Failure> {
        self.enter(world, |instance, store, name| {
            let func = match find(instance, call, name) {
                Ok(func) => func,
                Err(failure) => return Ok(Err(failure)),
            };
            let params = match call.params(&func.ty()) {
                Ok(params) => params,
                Err(error) => {
                    let message = format!("cannot call `{}`", escape(func.name()));
                    return Ok(Err(Failure::new(Exit::Usage, message).caused_by(error)));
                }
            };
            let result = func.call(&mut *store, &params)?;
            let line = result.map(|val| format!("{}\n", show_wave(&val))).unwrap_or_default();
            Ok(write_stdout(line).map(|()| Exit::DONE))
        })
    }

    /// Links it, and goes where `then` says.
    fn enter(
        self,
        world: WasiCtx,
        then: impl FnOnce(&Instance, &mut Store<WasiCtx>, &str) -> Result<Result<Exit, Failure>, Error>,
    ) -> Result<Exit, Failure> {
        let denials = world.denials();
        let interfaces = || self.component.description().imports.iter();
        let mut circumstances = Circumstances {
            lacks_imports: true,
            opens_files: interfaces().any(|import| import.name.starts_with("wasi:filesystem/")),
            name: self.name.clone(),
            flags: self.flags,
            limits: &self.config.limits,
            denials,
            grants_apart: self.oversight.grants_apart(),
            ctrl_c: false,
        };
        let mut ctrl_c = CtrlC::default();
        let ended = self
            .link(world, &mut ctrl_c)
            .and_then(|(mut store, instance)| then(&instance, &mut store, &self.name));
        circumstances.ctrl_c = ctrl_c.is_pressed();
        self.component.modules().iter().for_each(|module| {
            module.save_to_cache();
        });
        if self.flags.storage.verbose {
            for problem in self.engine.storage_problems() {
                eprintln!("note: {}", escape(&problem));
            }
        }
        if let Some(format) = self.flags.tiers {
            eprint!("{}", TierTable::new(self.engine.tier_report()).print(format));
        }
        match ended {
            Ok(Ok(Exit::Guest(code))) if code != 0 => Err(circumstances.gave_up(code)),
            Ok(ended) => ended,
            Err(error) => {
                let failure = circumstances.explain(error);
                match ctrl_c.may_tell() {
                    true => Err(failure),
                    false => Err(Failure::quiet(failure.exit())),
                }
            }
        }
    }

    fn link(
        &self,
        world: WasiCtx,
        ctrl_c: &mut CtrlC,
    ) -> Result<(Store<WasiCtx>, Instance), Error> {
        let mut store = Store::try_new(self.engine, world)?;
        let stop_waits =
            |store: &mut Store<WasiCtx>, stop: Stop| store.data_mut().set_interrupt(stop);
        *ctrl_c = plan::limit(&mut store, &self.flags.limits, stop_waits)?;
        self.oversight.stop_asking(plan::stop(ctrl_c, &self.flags.limits));
        let mut linker = Linker::new(self.engine);
        p2::add_to_linker(&mut linker, |world: &mut WasiCtx| world)?;
        #[cfg(feature = "http")]
        if self.component.description().imports.iter().any(|i| i.name.starts_with("wasi:http/")) {
            dunlin::http::add_to_linker(&mut linker, |world| world)?;
        }
        if self.flags.stub_unknown_imports {
            linker.define_unknown_imports_as_traps(self.component)?;
        }
        let instance = linker.instantiate(&mut store, self.component)?;
        Ok((store, instance))
    }
}

/// The function a call names, whose interface may be left out where there is only one.
fn find(instance: &Instance, call: &WaveCall, file: &str) -> Result<Func, Failure> {
    let (interface, name) = call.name();
    let exact = match interface {
        Some(interface) => instance.get_func_in(interface, name),
        None => instance.get_func(name),
    };
    if let Some(func) = exact {
        return Ok(func);
    }
    let named =
        |found: &(Option<Arc<str>>, Arc<str>, Func)| interface.is_none() && &*found.1 == name;
    let mut found = instance.funcs().into_iter().filter(named);
    match (found.next(), found.next()) {
        (Some((_, _, func)), None) => Ok(func),
        (Some(first), Some(second)) => {
            let interface = |found: (Option<Arc<str>>, Arc<str>, Func)| found.0.unwrap_or_default();
            let (first, second) = (interface(first), interface(second));
            let message = format!(
                "cannot call `{}` of {file}: `{}` and `{}` both have a function of this name",
                escape(name),
                escape(&first),
                escape(&second)
            );
            let help = format!("say which: `{}#{}(...)`", escape(&first), escape(name));
            Err(Failure::new(Exit::Usage, message).help(help))
        }
        (None, _) => {
            let whole = interface.map(|interface| format!("{interface}#")).unwrap_or_default();
            let message = format!(
                "cannot call `{}{}`: {file} does not export it",
                escape(&whole),
                escape(name)
            );
            let failure = Failure::new(Exit::Usage, message);
            Err(match listed(instance) {
                Some(funcs) => failure.help(format!("it exports {funcs}")),
                None => failure.help("it exports no functions"),
            })
        }
    }
}

/// The functions of a component, as calls name them.
fn listed(instance: &Instance) -> Option<String> {
    let funcs = instance.funcs();
    let mut names: Vec<String> = funcs
        .iter()
        .take(FUNCS_LISTED)
        .map(|(interface, name, _)| match interface {
            Some(interface) => format!("`{}#{}`", escape(interface), escape(name)),
            None => format!("`{}`", escape(name)),
        })
        .collect();
    if funcs.len() > FUNCS_LISTED {
        names.push(format!("{} more", funcs.len() - FUNCS_LISTED));
    }
    (!names.is_empty()).then(|| names.join(", "))
}
