//! A component in our engine, for a dialogue.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dunlin_component::{
    Component, Instance, Linker, LinkerInstance, Resource, ResourceAny, Type, TypeKind, Val,
};
use dunlin_engine::{AsContextMut, Error, Result, Store, StoreContextMut};
use dunlin_module::component::LeafKind;

use super::Speaker;
use super::host::Host;
use super::node::Node;
use super::script::Dialogue;

/// What a store needs to take part in dialogues. The store's data has one, and may have more beside.
#[derive(Debug, Default)]
pub struct Talk {
    host: Arc<Mutex<Host>>,
    /// Resource types of the host, as they are imported; which Rust type each is, is its number.
    kinds: Vec<String>,
    /// The types of the host's resources that were seen so far.
    types: BTreeMap<u32, usize>,
    /// Resources of the component.
    guests: Vec<ResourceAny>,
}

impl Talk {
    /// With a host.
    pub fn new(host: Arc<Mutex<Host>>) -> Talk {
        Talk { host, ..Talk::default() }
    }
}

/// Data of a store that has a [`Talk`].
pub trait Talks: 'static {
    /// It.
    fn talk(&mut self) -> &mut Talk;
}

/// A resource type of the host.
enum Kind<const NUMBER: usize> {}

/// Does something with the Rust type of a number.
macro_rules! with_kind {
    ($number:expr, $kind:ident => $do:expr) => {
        with_kind!(@ $number, $kind => $do, 0 1 2 3 4 5)
    };
    (@ $number:expr, $kind:ident => $do:expr, $($known:literal)*) => {
        match $number {
            $($known => { type $kind = Kind<$known>; $do })*
            other => panic!("there is no resource type {other}: add one"),
        }
    };
}

/// How many of them there are.
const KINDS: usize = 6;

/// An instance, its store, and where its output is found.
pub struct Ours<T: Talks> {
    store: Store<T>,
    instance: Instance,
    output: Box<dyn FnMut() -> String>,
}

impl<T: Talks> Ours<T> {
    /// Instantiates a component: what it imports from `wasi:` is in the linker already, the rest is the
    /// host of the dialogue.
    ///
    /// # Errors
    ///
    /// If it cannot be linked or its initialization fails.
    pub fn new(
        mut linker: Linker<T>,
        component: &Component,
        mut store: Store<T>,
        dialogue: &Dialogue,
        output: Box<dyn FnMut() -> String>,
    ) -> Result<Ours<T>> {
        let description = component.description();
        for leaf in &description.leaves {
            let import = &*description.imports[leaf.import as usize].name;
            if import.starts_with("wasi:") {
                continue;
            }
            let (mut at, name, path) = match leaf.path.last() {
                None => (linker.root(), import, import.to_string()),
                Some(name) => (linker.instance(import)?, &**name, format!("{import}#{name}")),
            };
            match leaf.kind {
                LeafKind::Func(ty) => {
                    function(&mut at, name, path, component.func_type(ty).result())?
                }
                LeafKind::Resource(_) => {
                    let kinds = &mut store.data_mut().talk().kinds;
                    kinds.push(path);
                    with_kind!(kinds.len() - 1, K => at.resource::<K>(name, dropped)?);
                }
                LeafKind::Module(_) => {}
            }
        }
        let talk = store.data_mut().talk();
        for (number, ty, _) in &dialogue.have {
            let kind = talk.kinds.iter().position(|kind| kind == ty);
            let kind = kind.ok_or_else(|| Error::misuse(format!("`{ty}` is not imported")))?;
            talk.types.insert(*number, kind);
        }
        // What WASI does not have is named in the message of whoever calls it.
        linker.define_unknown_imports_as_traps(component)?;
        let instance = linker.instantiate(&mut store, component)?;
        Ok(Ours { store, instance, output })
    }
}

fn lock(host: &Mutex<Host>) -> MutexGuard<'_, Host> {
    host.lock().unwrap_or_else(PoisonError::into_inner)
}

fn dropped<T: Talks>(mut store: StoreContextMut<'_, T>, rep: u32) -> Result<()> {
    lock(&store.data_mut().talk().host).dropped(rep);
    Ok(())
}

/// An import that the host of the dialogue answers.
fn function<T: Talks>(
    at: &mut LinkerInstance<'_, T>,
    name: &str,
    path: String,
    result: Option<Type>,
) -> Result<()> {
    let interface = path.rsplit_once('#').map(|(interface, _)| interface.to_string());
    at.func_new(name, move |mut caller, args| {
        let mut cx = caller.as_context_mut();
        let args: Vec<Node> = args.iter().map(|val| from_val(&mut cx, val)).collect();
        let host = Arc::clone(&cx.data_mut().talk().host);
        let answer = lock(&host).call(&path, &args).map_err(Error::misuse)?;
        match (&result, answer) {
            (None, _) => Ok(None),
            (Some(ty), Some(answer)) => {
                to_val(&mut cx, &answer, ty, interface.as_deref()).map(Some).map_err(Error::misuse)
            }
            (Some(ty), None) => {
                Err(Error::misuse(format!("`{path}` has no answer: it needs {ty}")))
            }
        }
    })?;
    Ok(())
}

impl<T: Talks> Speaker for Ours<T> {
    fn call(&mut self, export: &str, args: &[Node]) -> std::result::Result<Option<Node>, String> {
        let func = match export.rsplit_once('#') {
            Some((interface, name)) => self.instance.get_func_in(interface, name),
            None => self.instance.get_func(export),
        };
        let func = func.unwrap_or_else(|| panic!("no export `{export}`"));
        let mut cx = self.store.as_context_mut();
        let mut vals = Vec::new();
        let ty = func.ty();
        assert_eq!(ty.params().len(), args.len(), "arguments of `{export}`");
        for ((_, ty), arg) in ty.params().zip(args) {
            vals.push(to_val(&mut cx, arg, &ty, None)?);
        }
        let result = func.call(&mut cx, &vals).map_err(|error| error.to_string())?;
        Ok(result.map(|val| from_val(&mut cx, &val)))
    }

    fn drop_resource(&mut self, resource: &Node) -> std::result::Result<(), String> {
        match resource {
            Node::Guest(index) => {
                let resource = self.store.data_mut().talk().guests[*index as usize];
                resource.drop(&mut self.store).map_err(|error| error.to_string())
            }
            other => Err(format!("`{other}` is not the component's")),
        }
    }

    fn take_output(&mut self) -> String {
        (self.output)()
    }

    fn exports(&self) -> Vec<String> {
        let all = self.instance.funcs().into_iter();
        all.map(|(interface, name, _)| match interface {
            Some(interface) => format!("{interface}#{name}"),
            None => name.to_string(),
        })
        .collect()
    }
}

type Converted = std::result::Result<Val, String>;

/// A value of a type; `interface` is where resource types of the host are looked for first.
fn to_val<T: Talks>(
    cx: &mut StoreContextMut<'_, T>,
    node: &Node,
    ty: &Type,
    interface: Option<&str>,
) -> Converted {
    let wrong = || format!("`{node}` is no {ty}");
    let mut all = |nodes: &[Node], types: &mut dyn Iterator<Item = Type>| {
        let pairs = nodes.iter().zip(types);
        pairs
            .map(|(node, ty)| to_val(cx, node, &ty, interface))
            .collect::<std::result::Result<Vec<Val>, _>>()
    };
    let mut payload = |nodes: &[Node], ty: Option<Type>| match (nodes, ty) {
        ([], None) => Ok(None),
        ([node], Some(ty)) => Ok(all(std::slice::from_ref(node), &mut std::iter::once(ty))?.pop()),
        _ => Err(wrong()),
    };
    Ok(match (ty.kind(), node) {
        (TypeKind::Primitive(name), node) => primitive(name, node).ok_or_else(wrong)?,
        (TypeKind::List(element), Node::List(nodes)) => {
            Val::List(all(nodes, &mut std::iter::repeat(element))?)
        }
        (TypeKind::Tuple(types), Node::Tuple(nodes)) => {
            Val::Tuple(all(nodes, &mut types.into_iter())?)
        }
        (TypeKind::Record(fields), Node::Record(nodes)) => {
            let values: Vec<Node> = nodes.iter().map(|(_, node)| node.clone()).collect();
            let vals = all(&values, &mut fields.iter().map(|(_, ty)| ty.clone()))?;
            let names = nodes.iter().map(|(name, _)| name.as_str().into());
            Val::Record(names.zip(vals).collect())
        }
        (TypeKind::Variant(cases), Node::Case(label, nodes)) => {
            let case = cases.into_iter().find(|(name, _)| **name == **label).ok_or_else(wrong)?;
            Val::Variant(case.0, payload(nodes, case.1)?.map(Box::new))
        }
        (TypeKind::Enum(_), Node::Case(label, _)) => Val::Enum(label.as_str().into()),
        (TypeKind::Option(some), Node::Case(label, nodes)) => {
            let ty = (label == "some").then_some(some);
            Val::Option(payload(nodes, ty)?.map(Box::new))
        }
        (TypeKind::Result { ok, .. }, Node::Case(label, nodes)) if label == "ok" => {
            Val::Result(Ok(payload(nodes, ok)?.map(Box::new)))
        }
        (TypeKind::Result { err, .. }, Node::Case(_, nodes)) => {
            Val::Result(Err(payload(nodes, err)?.map(Box::new)))
        }
        (TypeKind::Flags(_), Node::Flags(labels)) => {
            Val::Flags(labels.iter().map(|label| label.as_str().into()).collect())
        }
        (TypeKind::Own(_) | TypeKind::Borrow(_), Node::Guest(index)) => {
            Val::Resource(cx.data_mut().talk().guests[*index as usize])
        }
        (TypeKind::Own(name), Node::Host(rep)) => {
            Val::Resource(ours(cx, *rep, &name, interface, true).map_err(|e| e.to_string())?)
        }
        (TypeKind::Borrow(name), Node::Host(rep)) => {
            Val::Resource(ours(cx, *rep, &name, interface, false).map_err(|e| e.to_string())?)
        }
        _ => return Err(wrong()),
    })
}

fn primitive(name: &str, node: &Node) -> Option<Val> {
    Some(match (name, node) {
        ("string", Node::Text(text)) => Val::String(text.clone()),
        ("char", Node::Char(character)) => Val::Char(*character),
        ("bool", Node::Plain(text)) => Val::Bool(text.parse().ok()?),
        ("u8", Node::Plain(text)) => Val::U8(text.parse().ok()?),
        ("s8", Node::Plain(text)) => Val::S8(text.parse().ok()?),
        ("u16", Node::Plain(text)) => Val::U16(text.parse().ok()?),
        ("s16", Node::Plain(text)) => Val::S16(text.parse().ok()?),
        ("u32", Node::Plain(text)) => Val::U32(text.parse().ok()?),
        ("s32", Node::Plain(text)) => Val::S32(text.parse().ok()?),
        ("u64", Node::Plain(text)) => Val::U64(text.parse().ok()?),
        ("s64", Node::Plain(text)) => Val::S64(text.parse().ok()?),
        ("f32", Node::Plain(text)) => Val::F32(text.parse().ok()?),
        ("f64", Node::Plain(text)) => Val::F64(text.parse().ok()?),
        _ => return None,
    })
}

/// A resource of the host, of the type it was seen with before, or the one of that name.
fn ours<T: Talks>(
    cx: &mut StoreContextMut<'_, T>,
    rep: u32,
    name: &str,
    interface: Option<&str>,
    owned: bool,
) -> Result<ResourceAny> {
    let talk = cx.data_mut().talk();
    let full = interface.map_or_else(|| name.to_string(), |from| format!("{from}#{name}"));
    let known = talk.types.get(&rep).copied();
    let kind = known
        .or_else(|| talk.kinds.iter().position(|kind| *kind == full))
        .or_else(|| talk.kinds.iter().position(|kind| kind.rsplit('#').next() == Some(name)));
    let kind = kind.ok_or_else(|| Error::misuse(format!("no resource type `{name}`")))?;
    talk.types.insert(rep, kind);
    with_kind!(kind, K => match owned {
        true => ResourceAny::from_host(cx, Resource::<K>::new_own(rep)),
        false => ResourceAny::from_host(cx, Resource::<K>::new_borrow(rep)),
    })
}

fn from_val<T: Talks>(cx: &mut StoreContextMut<'_, T>, val: &Val) -> Node {
    let maybe = |cx: &mut StoreContextMut<'_, T>, label: &str, val: &Option<Box<Val>>| {
        Node::Case(label.to_string(), val.iter().map(|val| from_val(cx, val)).collect())
    };
    match val {
        Val::Bool(yes) => Node::number(yes),
        Val::S8(number) => Node::number(number),
        Val::U8(number) => Node::number(number),
        Val::S16(number) => Node::number(number),
        Val::U16(number) => Node::number(number),
        Val::S32(number) => Node::number(number),
        Val::U32(number) => Node::number(number),
        Val::S64(number) => Node::number(number),
        Val::U64(number) => Node::number(number),
        Val::F32(float) => Node::float(float),
        Val::F64(float) => Node::float(float),
        Val::Char(character) => Node::Char(*character),
        Val::String(text) => Node::Text(text.clone()),
        Val::List(vals) => Node::List(vals.iter().map(|val| from_val(cx, val)).collect()),
        Val::Tuple(vals) => Node::Tuple(vals.iter().map(|val| from_val(cx, val)).collect()),
        Val::Map(pairs) => {
            let pair = |(k, v): &(Val, Val)| Node::Tuple(vec![from_val(cx, k), from_val(cx, v)]);
            Node::List(pairs.iter().map(pair).collect())
        }
        Val::Record(fields) => Node::Record(
            fields.iter().map(|(name, val)| (name.to_string(), from_val(cx, val))).collect(),
        ),
        Val::Variant(label, val) => maybe(cx, label, val),
        Val::Enum(label) => Node::Case(label.to_string(), Vec::new()),
        Val::Option(val) => maybe(cx, if val.is_some() { "some" } else { "none" }, val),
        Val::Result(Ok(val)) => maybe(cx, "ok", val),
        Val::Result(Err(val)) => maybe(cx, "err", val),
        Val::Flags(labels) => Node::Flags(labels.iter().map(|label| label.to_string()).collect()),
        Val::Resource(resource) => from_resource(cx, *resource),
    }
}

fn from_resource<T: Talks>(cx: &mut StoreContextMut<'_, T>, resource: ResourceAny) -> Node {
    for kind in 0..cx.data_mut().talk().kinds.len().min(KINDS) {
        let rep = with_kind!(kind, K => resource.to_host::<K>(&mut *cx).map(|found| found.rep()));
        if let Ok(rep) = rep {
            cx.data_mut().talk().types.insert(rep, kind);
            return Node::Host(rep);
        }
    }
    let guests = &mut cx.data_mut().talk().guests;
    guests.push(resource);
    Node::Guest(guests.len() as u32 - 1)
}
