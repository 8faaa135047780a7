//! What is going on in a component instance: kept in a global, where [adapters](crate::adapter) see it too.

use dunlin_engine::raw::RawStore;
use dunlin_engine::{Error, Global, GlobalType, Result, ValType};

use crate::state::trap;

/// What is going on in a component instance; it is the instance's alone, and tells it from others.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Flags(Global);

/// It may call out of itself.
pub(crate) const MAY_LEAVE: u32 = 1;
/// A call into it has not come back, be it because it goes on or because it trapped.
pub(crate) const ENTERED: u32 = 2;
/// What they are while nothing goes on.
pub(crate) const IDLE: u32 = MAY_LEAVE;

impl Flags {
    /// Those of one more instance.
    pub(crate) fn new(store: &mut RawStore<'_>) -> Result<Flags> {
        Ok(Flags(Global::new(
            store.context::<()>(),
            GlobalType::new(ValType::I32, true),
            IDLE as i32,
        )?))
    }

    /// The global they are in.
    pub(crate) fn global(self) -> Global {
        self.0
    }

    #[inline]
    fn get(self, store: &RawStore<'_>) -> Result<u32> {
        Ok(store.number(self.0)? as u32)
    }

    #[inline]
    fn set(self, store: &mut RawStore<'_>, flags: u32) -> Result<()> {
        store.set_number(self.0, flags.into())
    }

    /// Fails unless the instance may call out of itself.
    #[inline]
    pub(crate) fn check_may_leave(self, store: &RawStore<'_>) -> Result<()> {
        if self.get(store)? & MAY_LEAVE == 0 {
            return Err(cannot_leave());
        }
        Ok(())
    }

    /// Runs what the instance may not call out of itself during. If it fails, nobody enters the instance
    /// again.
    #[inline]
    pub(crate) fn inside<R>(
        self,
        store: &mut RawStore<'_>,
        f: impl FnOnce(&mut RawStore<'_>) -> Result<R>,
    ) -> Result<R> {
        let flags = self.get(store)?;
        self.set(store, flags & !MAY_LEAVE)?;
        let result = f(store)?;
        self.set(store, flags | MAY_LEAVE)?;
        Ok(result)
    }
}

/// Begins a call into all of these instances, the callee and those around it.
#[inline]
pub(crate) fn enter(store: &mut RawStore<'_>, all: &[Flags]) -> Result<()> {
    for flags in all {
        if flags.get(store)? & ENTERED != 0 {
            return Err(cannot_enter());
        }
    }
    for flags in all {
        let before = flags.get(store)?;
        flags.set(store, before | ENTERED)?;
    }
    Ok(())
}

/// Ends a call that [`enter`] began, unless it trapped: then nobody may enter again.
#[inline]
pub(crate) fn exit(store: &mut RawStore<'_>, all: &[Flags]) -> Result<()> {
    for flags in all {
        let before = flags.get(store)?;
        flags.set(store, before & !ENTERED)?;
    }
    Ok(())
}

#[cold]
pub(crate) fn cannot_leave() -> Error {
    trap("cannot leave component instance")
}

#[cold]
pub(crate) fn cannot_enter() -> Error {
    trap("cannot enter component instance")
}
