//! What the tests of this crate share: from text to an instance that can be called.

#![allow(dead_code, unreachable_pub, reason = "each test program uses its own part of this")]

use std::sync::Arc;

use dunlin_module::{Features, FuncType, Module, TypeRegistry, ValType};
use dunlin_vm::{
    CallError, Extern, Func, HostCall, HostError, HostFn, InstanceHandle, InstantiateError, Limits,
    MemoryKind, ModuleCode, Settings, Store, Trap,
};

/// All kinds of memories that this build has.
pub fn kinds() -> impl Iterator<Item = MemoryKind> {
    let all = [MemoryKind::Guard, MemoryKind::Compact];
    all.into_iter().filter(|kind| *kind == MemoryKind::Compact || dunlin_vm::GUARD)
}

pub fn settings(memory_kind: MemoryKind) -> Settings {
    Settings { memory_kind, fuel: false, interruptible: true, deterministic: false }
}

/// A store with its engine-wide parts.
pub struct World {
    pub types: TypeRegistry,
    pub settings: Settings,
    pub store: Store,
}

impl World {
    pub fn new(kind: MemoryKind) -> World {
        World::with(settings(kind), Limits::default())
    }

    pub fn with(settings: Settings, limits: Limits) -> World {
        let types = TypeRegistry::new();
        let store = Store::new(types.clone(), settings, limits, Box::new(())).unwrap();
        World { types, settings, store }
    }

    /// Another store of the same engine.
    pub fn sibling(&self) -> Store {
        let limits = Limits::default();
        Store::new(self.types.clone(), self.settings, limits, Box::new(())).unwrap()
    }

    pub fn code(&self, text: &str) -> Arc<ModuleCode> {
        let bytes = wat::parse_str(text).unwrap_or_else(|e| panic!("{e}"));
        self.code_of(bytes)
    }

    pub fn code_of(&self, bytes: Vec<u8>) -> Arc<ModuleCode> {
        let module = Module::decode(bytes, &Features::default(), &self.types).unwrap();
        ModuleCode::new(Arc::new(module), self.settings)
    }

    pub fn instance(&mut self, text: &str, imports: &[Extern]) -> InstanceHandle {
        self.try_instance(text, imports).unwrap_or_else(|e| panic!("{e}"))
    }

    pub fn try_instance(
        &mut self,
        text: &str,
        imports: &[Extern],
    ) -> Result<InstanceHandle, InstantiateError> {
        let code = self.code(text);
        self.store.instantiate(&code, imports)
    }

    pub fn export(&mut self, instance: InstanceHandle, name: &str) -> Extern {
        self.store.export(instance, name).unwrap().unwrap_or_else(|| panic!("no `{name}`"))
    }

    pub fn func(&mut self, instance: InstanceHandle, name: &str) -> Func {
        match self.export(instance, name) {
            Extern::Func(func) => func,
            other => panic!("{other:?}"),
        }
    }

    /// Calls an export with raw slots; its first result slot.
    pub fn call(
        &mut self,
        instance: InstanceHandle,
        name: &str,
        args: &[u64],
    ) -> Result<u64, CallError> {
        let func = self.func(instance, name);
        let mut slots = [0; 16];
        slots[..args.len()].copy_from_slice(args);
        self.store.call(func, &mut slots)?;
        Ok(slots[0])
    }

    /// Calls an export that must return.
    pub fn run(&mut self, instance: InstanceHandle, name: &str, args: &[u64]) -> u64 {
        self.call(instance, name, args).unwrap_or_else(|e| panic!("`{name}`: {e}"))
    }

    /// Calls an export that must trap.
    pub fn trap(&mut self, instance: InstanceHandle, name: &str, args: &[u64]) -> Trap {
        match self.call(instance, name, args) {
            Err(CallError::Trap(report)) => report.trap,
            other => panic!("`{name}`: {other:?}"),
        }
    }

    pub fn host(
        &mut self,
        params: &[ValType],
        results: &[ValType],
        f: impl Fn(&mut HostCall<'_>) -> Result<(), HostError> + Send + Sync + 'static,
    ) -> Extern {
        let ty = FuncType::new(params.iter().copied(), results.iter().copied());
        Extern::Func(self.store.host_func(&ty, HostFn::new(f)).unwrap())
    }
}

/// Runs `test` on a thread with the smallest native stack that is promised to be enough.
pub fn on_small_stack(test: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(256 << 10);
    if let Err(panic) = thread.spawn(test).unwrap().join() {
        std::panic::resume_unwind(panic);
    }
}

/// Runs the test program again, for one test alone and with `DUNLIN_CHILD` set.
pub fn child(test: &str) -> std::process::Output {
    std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env("DUNLIN_CHILD", "1")
        .output()
        .unwrap()
}

pub fn is_child() -> bool {
    std::env::var_os("DUNLIN_CHILD").is_some()
}
