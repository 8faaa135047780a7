//! `dunlin call`: one function of a component or module, with values as text.

use dunlin::Module;
use dunlin::component::Component;
use dunlin_script::WaveCall;

use crate::Exit;
use crate::commands::run;
use crate::component_run::ComponentRun;
use crate::flags::CallFlags;
use crate::input;
use crate::oversight::Oversight;
use crate::plan;
use crate::report::Failure;

pub(crate) fn run(flags: &CallFlags) -> Result<Exit, Failure> {
    let call = WaveCall::parse(&flags.call)
        .map_err(|error| Failure::new(Exit::Usage, "cannot read the call").caused_by(error))?;
    let oversight = Oversight::new(&flags.program)?;
    let ended = enter(flags, &call, &oversight);
    oversight.finish(ended)
}

fn enter(flags: &CallFlags, call: &WaveCall, oversight: &Oversight) -> Result<Exit, Failure> {
    let config = plan::run_config(&flags.program)?;
    let engine = plan::engine(&config)?;
    let input = input::load_binary(&flags.file)?;
    let name = input.name();
    let program = flags.file.file_name().unwrap_or(flags.file.as_os_str());
    let world = plan::world(program, &[], &flags.program, oversight)?;
    if Component::is_component(&input.bytes) {
        let component = run::component(&engine, input, &flags.program)?;
        oversight.meet(Some(&component));
        let (engine, config, component) = (&engine, &config, &component);
        let flags = &flags.program;
        let run = ComponentRun { engine, config, component, name, flags, oversight };
        return run.call(world, call);
    }
    oversight.meet(None);
    let module = Module::from_shared(&engine, input.bytes)
        .map_err(|error| run::failed(error, &name, &flags.program))?;
    let (_, export) = call.name();
    run::invoke(&engine, &config, &module, name, world, (export, &call.words()), &flags.program)
}
