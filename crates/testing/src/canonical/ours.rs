//! Our engine for the comparison with the model.

use dunlin_component as component;
use dunlin_component::{Component, Linker, Resource, ResourceAny, TypedFunc, Val};
use dunlin_engine::{AsContextMut, Store};
use dunlin_script::wat_to_wasm;

use super::differential::{Engine, Loaded, Machine};
use super::model::Event;
use super::text::HOST;
use super::types::{FuncType, Type};
use super::value::{Text, Value};

/// An engine of ours, with the configuration it was made with.
pub struct Ours(pub dunlin_engine::Engine);

/// What the host's resource types are to Rust.
enum R0 {}
enum R1 {}

#[derive(Default)]
struct Host {
    events: Vec<Event>,
    answer: Option<Value>,
}

struct Ready {
    component: Component,
    linker: Linker<Host>,
    ty: FuncType,
}

struct Running {
    store: Store<Host>,
    ty: FuncType,
    call: component::Func,
    forward: TypedFunc<(), ()>,
    poke: Vec<TypedFunc<(Vec<u8>,), ()>>,
    dump: Vec<TypedFunc<(u32, u32), Vec<u8>>>,
}

impl Engine for Ours {
    fn load(&mut self, text: &str, ty: &FuncType) -> Result<Box<dyn Loaded>, String> {
        let wasm = wat_to_wasm(text, None).map_err(|error| error.to_string())?;
        let component = Component::new(&self.0, wasm).map_err(|error| error.to_string())?;
        let linker = linker(&self.0, ty).map_err(|error| error.to_string())?;
        Ok(Box::new(Ready { component, linker, ty: ty.clone() }))
    }
}

fn linker(engine: &dunlin_engine::Engine, ty: &FuncType) -> dunlin_engine::Result<Linker<Host>> {
    let mut linker = Linker::<Host>::new(engine);
    let mut host = linker.instance(HOST)?;
    host.resource::<R0>("r0", |mut store, rep| {
        store.data_mut().events.push(Event::Dropped(0, rep));
        Ok(())
    })?;
    host.resource::<R1>("r1", |mut store, rep| {
        store.data_mut().events.push(Event::Dropped(1, rep));
        Ok(())
    })?;
    let ty = ty.clone();
    host.func_new("target", move |mut caller, args| {
        let pairs = args.iter().zip(&ty.params);
        let values = pairs.map(|(val, ty)| from_val(&mut caller, val, ty)).collect();
        caller.data_mut().events.push(Event::Called(values));
        let answer = caller.data().answer.clone();
        Ok(ty.result.as_ref().zip(answer).map(|(ty, value)| to_val(&mut caller, &value, ty)))
    })?;
    Ok(linker)
}

impl Loaded for Ready {
    fn instantiate(&mut self) -> Result<Box<dyn Machine>, String> {
        let mut store = Store::new(self.linker.engine(), Host::default());
        // An error only where fuel is not counted.
        let _ = store.set_fuel(u64::MAX);
        let instance = self.linker.instantiate(&mut store, &self.component);
        let instance = instance.map_err(|error| error.to_string())?;
        let inner = instance.get_func("inner-poke").is_some();
        let (mut poke, mut dump) = (Vec::new(), Vec::new());
        for side in ["", "inner-"].iter().take(1 + usize::from(inner)) {
            let typed = instance.get_typed_func(&format!("{side}poke"));
            poke.push(typed.map_err(|error| error.to_string())?);
            let typed = instance.get_typed_func(&format!("{side}dump"));
            dump.push(typed.map_err(|error| error.to_string())?);
        }
        let forward = instance.get_typed_func("forward").map_err(|error| error.to_string())?;
        let call = instance.get_func("call").ok_or("no export `call`")?;
        Ok(Box::new(Running { store, ty: self.ty.clone(), call, forward, poke, dump }))
    }
}

impl Machine for Running {
    fn call(&mut self, args: &[Value]) -> Result<Option<Value>, String> {
        let pairs = args.iter().zip(&self.ty.params);
        let args: Vec<Val> = pairs.map(|(arg, ty)| to_val(&mut self.store, arg, ty)).collect();
        let result = self.call.call(&mut self.store, &args).map_err(|error| error.to_string())?;
        let pair = self.ty.result.as_ref().zip(result);
        Ok(pair.map(|(ty, val)| from_val(&mut self.store, &val, ty)))
    }

    fn forward(&mut self) -> Result<(), String> {
        self.forward.call(&mut self.store, ()).map_err(|error| error.to_string())
    }

    fn poke(&mut self, side: usize, image: &[u8]) -> Result<(), String> {
        let poke = self.poke[side].clone();
        poke.call(&mut self.store, (image.to_vec(),)).map_err(|error| error.to_string())
    }

    fn dump(&mut self, side: usize, from: u32, length: u32) -> Result<Vec<u8>, String> {
        let dump = self.dump[side].clone();
        dump.call(&mut self.store, (from, length)).map_err(|error| error.to_string())
    }

    fn set_answer(&mut self, answer: Option<Value>) {
        self.store.data_mut().answer = answer;
    }

    fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.store.data_mut().events)
    }
}

fn resource(store: &mut impl AsContextMut, ty: &Type, rep: u32) -> ResourceAny {
    let made = match ty {
        Type::Own(0) => ResourceAny::from_host(store, Resource::<R0>::new_own(rep)),
        Type::Own(_) => ResourceAny::from_host(store, Resource::<R1>::new_own(rep)),
        Type::Borrow(0) => ResourceAny::from_host(store, Resource::<R0>::new_borrow(rep)),
        _ => ResourceAny::from_host(store, Resource::<R1>::new_borrow(rep)),
    };
    made.unwrap_or_else(|error| panic!("both types are known: {error}"))
}

fn rep(store: &mut impl AsContextMut, ty: &Type, resource: ResourceAny) -> u32 {
    let found = match ty {
        Type::Own(0) | Type::Borrow(0) => resource.to_host::<R0>(store).map(|r| r.rep()),
        _ => resource.to_host::<R1>(store).map(|r| r.rep()),
    };
    found.unwrap_or_else(|error| panic!("{ty:?} was passed as another type: {error}"))
}

fn to_val(store: &mut impl AsContextMut, value: &Value, ty: &Type) -> Val {
    match (ty, value) {
        (Type::Bool, Value::Bool(yes)) => Val::Bool(*yes),
        (_, Value::Integer(number)) => integer(*number, ty),
        (_, Value::F32(bits)) => Val::F32(f32::from_bits(*bits)),
        (_, Value::F64(bits)) => Val::F64(f64::from_bits(*bits)),
        (_, Value::Char(character)) => Val::Char(*character),
        (_, Value::String(text)) => Val::String(text.characters.clone()),
        (Type::List(element) | Type::FixedList(element, _), Value::List(values)) => {
            Val::List(values.iter().map(|value| to_val(store, value, element)).collect())
        }
        (Type::Map(key, of), Value::List(pairs)) => {
            let pair = |pair: &Value| match pair {
                Value::Record(pair) => (to_val(store, &pair[0], key), to_val(store, &pair[1], of)),
                other => panic!("{other:?} is no pair"),
            };
            Val::Map(pairs.iter().map(pair).collect())
        }
        (Type::Record(fields), Value::Record(values)) => {
            let pairs = fields.iter().zip(values);
            Val::Record(
                pairs.map(|((l, ty), v)| (l.as_str().into(), to_val(store, v, ty))).collect(),
            )
        }
        (Type::Tuple(types), Value::Record(values)) => {
            Val::Tuple(values.iter().zip(types).map(|(v, ty)| to_val(store, v, ty)).collect())
        }
        (Type::Enum(labels), Value::Variant(case, _)) => Val::Enum(labels[*case].as_str().into()),
        (Type::Variant(cases), Value::Variant(case, payload)) => {
            let (label, ty) = &cases[*case];
            Val::Variant(label.as_str().into(), to_payload(store, payload, ty.as_ref()))
        }
        (Type::Option(some), Value::Variant(_, payload)) => {
            Val::Option(to_payload(store, payload, Some(some)))
        }
        (Type::Result(ok, _), Value::Variant(0, payload)) => {
            Val::Result(Ok(to_payload(store, payload, ok.as_deref())))
        }
        (Type::Result(_, error), Value::Variant(_, payload)) => {
            Val::Result(Err(to_payload(store, payload, error.as_deref())))
        }
        (Type::Flags(labels), Value::Flags(bits)) => {
            let set = labels.iter().enumerate().filter(|(bit, _)| bits >> bit & 1 == 1);
            Val::Flags(set.map(|(_, label)| label.as_str().into()).collect())
        }
        (ty, Value::Handle(rep)) => Val::Resource(resource(store, ty, *rep)),
        (ty, value) => panic!("{value:?} is no {ty:?}"),
    }
}

fn to_payload(
    store: &mut impl AsContextMut,
    payload: &Option<Box<Value>>,
    ty: Option<&Type>,
) -> Option<Box<Val>> {
    payload.as_ref().zip(ty).map(|(value, ty)| Box::new(to_val(store, value, ty)))
}

fn integer(number: i128, ty: &Type) -> Val {
    match ty {
        Type::S8 => Val::S8(number as i8),
        Type::U8 => Val::U8(number as u8),
        Type::S16 => Val::S16(number as i16),
        Type::U16 => Val::U16(number as u16),
        Type::S32 => Val::S32(number as i32),
        Type::U32 => Val::U32(number as u32),
        Type::S64 => Val::S64(number as i64),
        Type::U64 => Val::U64(number as u64),
        other => panic!("{number} is no {other:?}"),
    }
}

fn from_val(store: &mut impl AsContextMut, val: &Val, ty: &Type) -> Value {
    match (ty, val) {
        (_, Val::Bool(yes)) => Value::Bool(*yes),
        (Type::S8, Val::S8(number)) => Value::Integer(i128::from(*number)),
        (Type::U8, Val::U8(number)) => Value::Integer(i128::from(*number)),
        (Type::S16, Val::S16(number)) => Value::Integer(i128::from(*number)),
        (Type::U16, Val::U16(number)) => Value::Integer(i128::from(*number)),
        (Type::S32, Val::S32(number)) => Value::Integer(i128::from(*number)),
        (Type::U32, Val::U32(number)) => Value::Integer(i128::from(*number)),
        (Type::S64, Val::S64(number)) => Value::Integer(i128::from(*number)),
        (Type::U64, Val::U64(number)) => Value::Integer(i128::from(*number)),
        (_, Val::F32(float)) => Value::F32(float.to_bits()),
        (_, Val::F64(float)) => Value::F64(float.to_bits()),
        (_, Val::Char(character)) => Value::Char(*character),
        (_, Val::String(text)) => Value::String(Text::from(text.as_str())),
        (Type::List(element) | Type::FixedList(element, _), Val::List(vals)) => {
            Value::List(vals.iter().map(|val| from_val(store, val, element)).collect())
        }
        (Type::Map(key, of), Val::Map(pairs)) => {
            let pair = |(k, v): &(Val, Val)| {
                Value::Record(vec![from_val(store, k, key), from_val(store, v, of)])
            };
            Value::List(pairs.iter().map(pair).collect())
        }
        (Type::Record(fields), Val::Record(vals)) => {
            let pairs = fields.iter().zip(vals);
            Value::Record(pairs.map(|((_, ty), (_, val))| from_val(store, val, ty)).collect())
        }
        (Type::Tuple(types), Val::Tuple(vals)) => {
            Value::Record(vals.iter().zip(types).map(|(v, ty)| from_val(store, v, ty)).collect())
        }
        (Type::Variant(cases), Val::Variant(name, payload)) => {
            let case = place(cases.iter().map(|case| &case.0), name);
            from_payload(store, case, payload, cases[case].1.as_ref())
        }
        (Type::Enum(labels), Val::Enum(name)) => Value::Variant(place(labels.iter(), name), None),
        (Type::Option(some), Val::Option(payload)) => {
            from_payload(store, usize::from(payload.is_some()), payload, Some(some))
        }
        (Type::Result(ok, _), Val::Result(Ok(payload))) => {
            from_payload(store, 0, payload, ok.as_deref())
        }
        (Type::Result(_, error), Val::Result(Err(payload))) => {
            from_payload(store, 1, payload, error.as_deref())
        }
        (Type::Flags(labels), Val::Flags(set)) => {
            Value::Flags(set.iter().map(|name| 1u32 << place(labels.iter(), name)).sum())
        }
        (ty, Val::Resource(resource)) => Value::Handle(rep(store, ty, *resource)),
        (ty, val) => panic!("{val:?} is no {ty:?}"),
    }
}

fn place<'a>(mut labels: impl Iterator<Item = &'a String>, name: &str) -> usize {
    labels.position(|label| label == name).unwrap_or_else(|| panic!("no `{name}` in the type"))
}

fn from_payload(
    store: &mut impl AsContextMut,
    case: usize,
    payload: &Option<Box<Val>>,
    ty: Option<&Type>,
) -> Value {
    let payload = payload.as_ref().zip(ty);
    Value::Variant(case, payload.map(|(val, ty)| Box::new(from_val(store, val, ty))))
}
