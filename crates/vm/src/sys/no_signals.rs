//! Where faults are not turned into traps there are no guard memories either.

use super::NoMemory;

pub(super) const AVAILABLE: bool = false;

pub(crate) fn install() -> Result<(), NoMemory> {
    Err(NoMemory)
}
