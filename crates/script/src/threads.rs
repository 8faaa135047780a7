//! Threads of a script: each runs directives in a store of its own, and shares memories with others.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::thread::{self, JoinHandle};

use dunlin_engine::{Error, Export, Extern, Instance, MemoryType, Module, SharedMemory, Store};
use dunlin_module::escape;

use crate::report::Outcome;
use crate::run::fail;
use crate::text::wat_to_wasm;

/// What a thread says at its end: each directive that did not pass, with its line.
type Ended = Result<Vec<(usize, Outcome)>, Error>;

/// Native stack of a thread: more than an engine needs, and little enough for many threads.
const STACK_BYTES: usize = 512 << 10;

/// The threads that nobody has waited for yet, by name.
#[derive(Default)]
pub(crate) struct Threads(HashMap<String, JoinHandle<Ended>>);

impl Threads {
    pub(crate) fn start(
        &mut self,
        name: &str,
        run: impl FnOnce() -> Ended + Send + 'static,
    ) -> Result<(), Error> {
        let builder = thread::Builder::new().stack_size(STACK_BYTES);
        let thread = builder.spawn(run).map_err(Error::host)?;
        self.0.insert(name.to_string(), thread);
        Ok(())
    }

    /// Waits for the end of a thread: it passes if all its directives did.
    pub(crate) fn wait(&mut self, name: &str) -> Outcome {
        let Some(thread) = self.0.remove(name) else {
            return fail("a running thread", format!("no thread called `${}`", escape(name)));
        };
        let wrong = match thread.join() {
            Ok(Ok(wrong)) => wrong,
            Ok(Err(error)) => return fail("a thread", error.to_string()),
            Err(_) => return fail("no panic", "panic"),
        };
        match wrong.into_iter().next() {
            None => Outcome::Pass,
            Some((_, missing @ Outcome::Unsupported { .. })) => missing,
            Some((line, outcome)) => {
                fail("all directives of the thread to pass", format!("line {line}: {outcome}"))
            }
        }
    }
}

/// The shared memories an instance exports, to be exported again in another store.
pub(crate) struct SharedExports(Vec<(String, SharedMemory)>);

impl SharedExports {
    /// Those among `exports`, which are in `store`.
    pub(crate) fn of(store: &Store<()>, exports: impl Iterator<Item = Export>) -> SharedExports {
        let shared = exports.filter_map(|export| match export.item() {
            Extern::Memory(memory) => Some((export.name().to_string(), memory.shared(store)?)),
            _ => None,
        });
        SharedExports(shared.collect())
    }

    /// An instance in `store` that exports them by the same names.
    pub(crate) fn instance(&self, store: &mut Store<()>) -> Result<Instance, Error> {
        let mut text = "(module".to_string();
        let mut imports = Vec::with_capacity(self.0.len());
        for (index, (_, memory)) in self.0.iter().enumerate() {
            let MemoryType { min, max, index64, page_size_log2, .. } = memory.ty();
            let index_type = if index64 { "i64 " } else { "" };
            let max = max.map_or(String::new(), |max| max.to_string());
            let page = match page_size_log2 {
                16 => String::new(),
                log2 => format!(" (pagesize {})", 1u64 << log2),
            };
            // Writing to a string cannot fail.
            let _ = write!(
                text,
                " (import \"\" \"{index}\" (memory {index_type}{min} {max} shared{page}))"
            );
            imports.push(Extern::from(memory.attach(&mut *store)?));
        }
        for (index, (name, _)) in self.0.iter().enumerate() {
            let name: String = name.bytes().map(|byte| format!("\\{byte:02x}")).collect();
            let _ = write!(text, " (export \"{name}\" (memory {index}))");
        }
        let bytes = wat_to_wasm(&(text + ")"), None).map_err(Error::host)?;
        let module = Module::new(store.engine(), &bytes)?;
        Instance::new(store, &module, &imports)
    }
}
