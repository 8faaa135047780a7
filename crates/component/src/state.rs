//! What components keep in a store: their instances, each with its handles, and the resource types.
//!
//! Nothing here knows guests' memories, or how values travel: see `abi`.

use std::any::TypeId;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use dunlin_engine::raw::{RawStore, SlotFunc};
use dunlin_engine::{Error, Result, Trap};
use dunlin_module::component::ResourceIndex;

use crate::component::Component;
use crate::flags::Flags;
use crate::handles::HandleTable;

/// What a destructor of the host does with the representation of a resource.
pub(crate) type HostDestructor = Arc<dyn Fn(RawStore<'_>, u32) -> Result<()> + Send + Sync>;

/// A component instance in a store: one for each of [`ComponentInstance`]
/// (dunlin_module::component::ComponentInstance) that an instance of a component consists of.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct InstanceId(pub(crate) u32);

/// A component with all its parts, brought to life in a store.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct RootId(pub(crate) u32);

/// A resource type in a store: of a component instance, or of the host.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct ResourceTypeId(pub(crate) u32);

/// The component instances of a store, and everything between them.
#[derive(Debug, Default)]
pub(crate) struct State {
    instances: Vec<InstanceState>,
    roots: Vec<Root>,
    types: Vec<ResourceType>,
    host_types: HashMap<HostType, ResourceTypeId>,
    /// What the task that runs keeps for itself (`context.get`, `context.set`); no task of a component
    /// without these builtins ever sees it.
    pub(crate) context: [u64; 2],
    /// Calls that are going on and that lend or borrow, innermost last.
    pub(crate) scopes: Vec<Scope>,
    /// Handles that the host has of resources that guests define.
    pub(crate) held: Held,
}

/// What tells resource types of the host apart.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum HostType {
    /// A Rust type stands for it.
    Rust(TypeId),
    /// A number stands for it, which whoever defined it made unique.
    Number(u64),
}

#[derive(Debug)]
struct InstanceState {
    handles: HandleTable,
    flags: Flags,
    /// What it is nested in.
    parent: Option<InstanceId>,
    /// How often it asked that no asynchronous call begins, without taking it back.
    backpressure: u16,
}

#[derive(Debug)]
struct Root {
    first: InstanceId,
    /// Which type each of its resources is, once that is known.
    resources: Vec<Option<ResourceTypeId>>,
}

struct ResourceType {
    /// Whose it is; `None` for the host's.
    definer: Option<InstanceId>,
    destructor: Destructor,
    name: Option<Arc<str>>,
}

/// What happens when the last handle of a resource is dropped.
#[derive(Clone)]
pub(crate) enum Destructor {
    /// Nothing.
    None,
    /// A core function of the instance that defines the type is called.
    Guest(SlotFunc),
    /// The host is called.
    Host(HostDestructor),
}

/// A call between component instances as far as it concerns handles.
#[derive(Debug, Default)]
pub(crate) struct Scope {
    /// How many borrowed handles the callee still has.
    pub(crate) borrowed: u32,
    /// What the caller has lent, as often as it has.
    pub(crate) lent: Vec<(InstanceId, u32)>,
    /// Bytes that the store was charged for that.
    pub(crate) charged: u64,
}

impl Scope {
    /// Bytes that are charged for something lent.
    pub(crate) const LENT_BYTES: u64 = 16;
}

impl fmt::Debug for ResourceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResourceType")
            .field("definer", &self.definer)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

#[cold]
pub(crate) fn trap(detail: impl Into<String>) -> Error {
    Error::trap_because(Trap::Component, detail)
}

#[cold]
pub(crate) fn bug() -> Error {
    Error::bug("a component instance names something it does not have")
}

impl State {
    /// Makes room for a component and all its instances, which are usable from now on.
    pub(crate) fn add_root(&mut self, component: &Component, flags: Vec<Flags>) -> RootId {
        let first = InstanceId(self.instances.len() as u32);
        let instances = &component.description().instances;
        self.instances.extend(instances.iter().zip(flags).map(|(instance, flags)| InstanceState {
            handles: HandleTable::default(),
            flags,
            parent: instance.parent.map(|parent| InstanceId(first.0 + parent.0)),
            backpressure: 0,
        }));
        let resources = vec![None; component.description().resources.len()];
        let root = RootId(self.roots.len() as u32);
        self.roots.push(Root { first, resources });
        root
    }

    fn root(&self, root: RootId) -> Result<&Root> {
        self.roots.get(root.0 as usize).ok_or_else(bug)
    }

    /// The first instance of a root, which is the component itself.
    pub(crate) fn first_instance(&self, root: RootId) -> Result<InstanceId> {
        Ok(self.root(root)?.first)
    }

    /// Says which type a resource of a root is.
    pub(crate) fn set_resource(
        &mut self,
        root: RootId,
        resource: ResourceIndex,
        ty: ResourceTypeId,
    ) -> Result<()> {
        let root = self.roots.get_mut(root.0 as usize).ok_or_else(bug)?;
        *root.resources.get_mut(resource.index()).ok_or_else(bug)? = Some(ty);
        Ok(())
    }

    /// Which type a resource of a root is.
    #[inline]
    pub(crate) fn resource(&self, root: RootId, resource: ResourceIndex) -> Result<ResourceTypeId> {
        let root = self.roots.get(root.0 as usize);
        let ty = root.and_then(|root| *root.resources.get(resource.index())?);
        ty.ok_or_else(bug)
    }

    /// Adds a type that a component instance defines.
    pub(crate) fn define_resource(
        &mut self,
        definer: InstanceId,
        destructor: Destructor,
        name: Option<Arc<str>>,
    ) -> ResourceTypeId {
        self.add_type(ResourceType { definer: Some(definer), destructor, name })
    }

    /// The type of the host that `key` stands for. It is the same whenever it is asked for, with the
    /// destructor it was first asked for with.
    pub(crate) fn host_resource(
        &mut self,
        key: HostType,
        destructor: impl FnOnce() -> Destructor,
        name: &str,
    ) -> ResourceTypeId {
        if let Some(&known) = self.host_types.get(&key) {
            return known;
        }
        let name = Some(name.into());
        let id = self.add_type(ResourceType { definer: None, destructor: destructor(), name });
        self.host_types.insert(key, id);
        id
    }

    /// The type of the host that `key` stands for, if any component of this store was given it.
    pub(crate) fn find_host_resource(&self, key: HostType) -> Option<ResourceTypeId> {
        self.host_types.get(&key).copied()
    }

    fn add_type(&mut self, ty: ResourceType) -> ResourceTypeId {
        self.types.push(ty);
        ResourceTypeId(self.types.len() as u32 - 1)
    }

    fn ty(&self, ty: ResourceTypeId) -> Result<&ResourceType> {
        self.types.get(ty.0 as usize).ok_or_else(bug)
    }

    /// Whose type it is; `None` for the host's.
    #[inline]
    pub(crate) fn definer(&self, ty: ResourceTypeId) -> Option<InstanceId> {
        self.types.get(ty.0 as usize)?.definer
    }

    /// What happens when a resource of this type is dropped.
    pub(crate) fn destructor(&self, ty: ResourceTypeId) -> Result<Destructor> {
        Ok(self.ty(ty)?.destructor.clone())
    }

    #[inline]
    fn instance(&mut self, id: InstanceId) -> Result<&mut InstanceState> {
        self.instances.get_mut(id.0 as usize).ok_or_else(bug)
    }

    /// The handles of an instance.
    #[inline]
    pub(crate) fn handles(&mut self, id: InstanceId) -> Result<&mut HandleTable> {
        Ok(&mut self.instance(id)?.handles)
    }

    /// What is going on in an instance.
    pub(crate) fn flags(&mut self, id: InstanceId) -> Result<Flags> {
        Ok(self.instance(id)?.flags)
    }

    /// Counts up or down how often an instance asked for peace.
    pub(crate) fn backpressure(&mut self, id: InstanceId, more: bool) -> Result<()> {
        let instance = self.instance(id)?;
        let count = instance.backpressure;
        let changed = if more { count.checked_add(1) } else { count.checked_sub(1) };
        instance.backpressure = changed.ok_or_else(|| trap("backpressure counter overflow"))?;
        Ok(())
    }

    /// What a destructor enters that `caller`, or the host, calls: the instance that defines the type, and
    /// what it is nested in and the caller is not; nothing if an instance drops what is its own.
    pub(crate) fn entered_by_drop(
        &self,
        caller: Option<InstanceId>,
        definer: InstanceId,
    ) -> Vec<Flags> {
        if caller == Some(definer) {
            return Vec::new();
        }
        let instance = |id: InstanceId| self.instances.get(id.0 as usize);
        let around = |id: Option<InstanceId>| std::iter::successors(id, |id| instance(*id)?.parent);
        let outer = instance(definer).and_then(|definer| definer.parent);
        let entered = around(outer).filter(|id| around(caller).all(|other| other != *id));
        let entered = std::iter::once(definer).chain(entered);
        entered.filter_map(|id| Some(instance(id)?.flags)).collect()
    }

    /// Ends the innermost scope: what was lent is back, and nothing may be borrowed any more.
    pub(crate) fn end_scope(&mut self) -> Result<()> {
        let Some(scope) = self.scopes.pop() else { return Err(bug()) };
        if scope.borrowed > 0 {
            return Err(trap("borrow handles still remain at the end of the call"));
        }
        for (instance, index) in scope.lent {
            self.handles(instance)?.give_back(index)?;
        }
        Ok(())
    }
}

/// Handles that the host has of resources that guests define: each can be used up only once.
#[derive(Debug, Default)]
pub(crate) struct Held {
    next: u64,
    /// Type, representation, and how often it is lent.
    handles: HashMap<u64, (ResourceTypeId, u32)>,
}

impl Held {
    /// Takes a resource into the host's care.
    pub(crate) fn add(&mut self, ty: ResourceTypeId, rep: u32) -> u64 {
        let id = self.next;
        self.next += 1;
        self.handles.insert(id, (ty, rep));
        id
    }

    /// What a handle is of.
    pub(crate) fn get(&self, id: u64) -> Option<(ResourceTypeId, u32)> {
        self.handles.get(&id).copied()
    }

    /// Takes it out of the host's care.
    pub(crate) fn take(&mut self, id: u64) -> Option<(ResourceTypeId, u32)> {
        self.handles.remove(&id)
    }
}
