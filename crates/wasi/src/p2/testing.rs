//! What tests of several interfaces need.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use dunlin_engine::raw::raw;
use dunlin_engine::{AsContextMut, Config, Engine, Store};

use crate::{WasiCtx, WasiCtxBuilder};

/// A world whose guest may have so many bytes of the host.
pub(super) fn charged(builder: WasiCtxBuilder, bytes: u64) -> WasiCtx {
    let mut config = Config::default();
    config.limits.budget_bytes = bytes;
    let mut store = Store::new(&Engine::new(&config).unwrap(), ());
    let mut ctx = builder.build().unwrap();
    ctx.p2.table.charge_to(raw(store.as_context_mut()).budget().share());
    ctx
}

/// A directory of a test's own, gone at its end.
pub(super) struct Scratch(pub(super) PathBuf);

impl Scratch {
    pub(super) fn new() -> Scratch {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("dunlin-p2-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Scratch(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
