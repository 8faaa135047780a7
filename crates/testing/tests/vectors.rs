//! Every vector instruction gives the same on thousands of operands in all configurations.

use dunlin_engine::{Engine, Instance, Module, Store};
use dunlin_script::wat_to_wasm;
use dunlin_testing::matrix::{Configuration, configurations, native};
use dunlin_testing::vectors::{self, Case};

/// Sets of operands of each instruction.
const SETS: usize = 10_000;

struct Running {
    configuration: Configuration,
    store: Store<()>,
    instance: Instance,
}

impl Running {
    fn new(configuration: Configuration, wasm: &[u8], operands: &[u8]) -> Running {
        let engine = Engine::new(&configuration.config).expect("the configuration works");
        let module = Module::new(&engine, wasm).expect("the module is valid");
        let mut store = Store::new(&engine, ());
        if configuration.config.execution.fuel {
            store.set_fuel(u64::MAX).expect("fuel is counted");
        }
        let instance = Instance::new(&mut store, &module, &[]).expect("nothing is imported");
        let memory = instance.get_memory(&mut store, "memory").expect("it is exported");
        memory.write(&mut store, 0, operands).expect("it is large enough");
        Running { configuration, store, instance }
    }

    fn call(&mut self, case: &Case) {
        let f = self.instance.get_typed_func::<(), ()>(&mut self.store, &case.name);
        f.expect("it is exported").call(&mut self.store, ()).expect("it does not trap");
    }

    fn memory(&mut self) -> &[u8] {
        let memory = self.instance.get_memory(&mut self.store, "memory").expect("it is exported");
        memory.data(&self.store)
    }
}

#[test]
fn agree() {
    let cases = vectors::cases();
    let wasm = wat_to_wasm(&vectors::module(&cases, SETS), None).expect("it is well-formed");
    let operands = vectors::operands(SETS, 0);
    for deterministic in [false, true] {
        let with_profile = |c: Configuration| if deterministic { c.deterministic() } else { c };
        // Checks for fuel and interruption have nothing to do with vectors, nor has the collector.
        let mut all = configurations()
            .into_iter()
            .chain(native())
            .filter(|Configuration { config, .. }| {
                let execution = &config.execution;
                !execution.fuel && !execution.deterministic && execution.gc_zeal.is_none()
            })
            .map(|configuration| Running::new(with_profile(configuration), &wasm, &operands));
        let mut reference = all.next().expect("there is a configuration");
        let mut others: Vec<Running> = all.collect();
        for case in &cases {
            reference.call(case);
            for other in &mut others {
                other.call(case);
                let memories = [reference.memory(), other.memory()];
                if let Some(difference) = vectors::difference(case, memories, deterministic) {
                    panic!(
                        "{}, {}, deterministic {deterministic}: {difference}",
                        reference.configuration.name, other.configuration.name
                    );
                }
            }
        }
    }
}
