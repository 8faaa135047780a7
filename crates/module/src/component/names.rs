//! What policies call component instances: names given from outside, so that none can take another's.

use std::collections::{HashMap, HashSet};
use std::mem;
use std::sync::Arc;

use super::ComponentInstance;
use super::link::Linker;
use crate::error::Error;

/// Between the name of an instance and those of the instances it consists of.
const SEPARATOR: char = '>';

/// Bytes of names that count as one definition.
const BYTES_PER_WORK: usize = 16;

impl Linker<'_> {
    /// Gives every instance but the outermost a name of its own.
    ///
    /// Until now instances have the names that those around them call them by. What a component calls
    /// itself is never among these: it could claim to be another one. For the same reason what it calls
    /// its parts comes after its own name, and how many there are changes the name of nobody else.
    pub(super) fn name_instances(&mut self) -> Result<(), Error> {
        let mut instances = mem::take(&mut self.instances);
        let mut siblings = vec![0u32; instances.len()];
        let mut taken = HashSet::with_capacity(instances.len());
        let mut counts: HashMap<Arc<str>, u32> = HashMap::new();
        for at in 1..instances.len() {
            let (before, rest) = instances.split_at_mut(at);
            let [instance, ..] = rest else { break };
            let Some(parent) = instance.parent.map(|parent| parent.index()) else { continue };
            siblings[parent] += 1;
            let name = whole_name(&before[parent], parent == 0, instance, siblings[parent]);
            self.charge(name.len() / BYTES_PER_WORK + 1)?;
            let name: Arc<str> = name.into();
            let mut unique = name.clone();
            while !taken.insert(unique.clone()) {
                self.charge(1)?;
                let count = counts.entry(name.clone()).or_insert(1);
                *count += 1;
                unique = format!("{name}#{count}").into();
            }
            instance.name = Some(unique);
        }
        self.instances = instances;
        Ok(())
    }
}

/// The name of the `nth` instance of those that `parent` consists of, unless another one has it.
fn whole_name(
    parent: &ComponentInstance,
    in_outermost: bool,
    instance: &ComponentInstance,
    nth: u32,
) -> String {
    let own = match instance.name.as_deref() {
        Some(name) if !name.is_empty() => name.replace(SEPARATOR, "_"),
        _ => format!("#{nth}"),
    };
    match parent.name.as_deref() {
        // Its own name is no part of any.
        Some(parent) if !in_outermost => format!("{parent}{SEPARATOR}{own}"),
        _ => own,
    }
}
