//! All code memory of the process: a list that the fault handler can read at any moment, and a map that
//! leads from addresses to functions.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use super::known::{Functions, NativeFunc};

/// A range of addresses, or none if `start` is 0. Nodes are never freed, only used again.
struct Node {
    start: AtomicUsize,
    end: AtomicUsize,
    next: *const Node,
}

static HEAD: AtomicPtr<Node> = AtomicPtr::new(std::ptr::null_mut());

static AREAS: RwLock<BTreeMap<usize, (usize, Arc<Functions>)>> = RwLock::new(BTreeMap::new());

/// Makes the code at `start..end` known; dropping this makes it unknown.
#[derive(Debug)]
pub(super) struct Registered {
    node: &'static Node,
    start: usize,
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node").field("start", &self.start).field("end", &self.end).finish()
    }
}

// SAFETY: `next` never changes once the node is in the list, and leads to a node that is never freed.
unsafe impl Sync for Node {}
// SAFETY: as above.
unsafe impl Send for Node {}

impl Registered {
    pub(super) fn new(start: usize, end: usize, functions: Arc<Functions>) -> Registered {
        // The map's lock makes changes of the list one after the other.
        let mut areas = AREAS.write().unwrap_or_else(PoisonError::into_inner);
        areas.insert(start, (end, functions));
        let node = match nodes().find(|node| node.start.load(Ordering::Relaxed) == 0) {
            Some(node) => node,
            None => {
                let node = Box::leak(Box::new(Node {
                    start: AtomicUsize::new(0),
                    end: AtomicUsize::new(0),
                    next: HEAD.load(Ordering::Relaxed),
                }));
                HEAD.store(node, Ordering::Release);
                node
            }
        };
        node.end.store(end, Ordering::Relaxed);
        node.start.store(start, Ordering::Release);
        Registered { node, start }
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        let mut areas = AREAS.write().unwrap_or_else(PoisonError::into_inner);
        self.node.start.store(0, Ordering::Release);
        areas.remove(&self.start);
    }
}

fn nodes() -> impl Iterator<Item = &'static Node> {
    // SAFETY: null, or a node that is never freed.
    let first = unsafe { HEAD.load(Ordering::Acquire).as_ref() };
    // SAFETY: as above.
    std::iter::successors(first, |node| unsafe { node.next.as_ref() })
}

/// Whether `pc` is in code memory. Async-signal-safe.
pub(crate) fn is_native(pc: usize) -> bool {
    nodes().any(|node| {
        let start = node.start.load(Ordering::Acquire);
        start != 0 && start <= pc && pc < node.end.load(Ordering::Relaxed)
    })
}

/// The function whose native code is at `pc`.
pub(crate) fn find(pc: usize) -> Option<Arc<NativeFunc>> {
    let areas = AREAS.read().unwrap_or_else(PoisonError::into_inner);
    let (_, (end, functions)) = areas.range(..=pc).next_back()?;
    (pc < *end).then(|| functions.find(pc))?
}
