//! Values of declared types go through a guest and come back.

use dunlin_component::{Component, ComponentType, Linker, Resource, Val};
use dunlin_engine::{Engine, Result, Store};

#[derive(ComponentType, Clone, PartialEq, Debug)]
struct Person {
    name: String,
    age: u8,
    tags: Vec<String>,
    place: Option<(f64, f64)>,
}

#[derive(ComponentType, Clone, PartialEq, Debug)]
enum Shape {
    Nothing,
    Circle(f64),
    ManyPoints(Vec<(f32, f32)>),
    Named(String),
}

#[derive(ComponentType, Clone, Copy, PartialEq, Debug)]
enum Color {
    Red,
    DarkGreen,
    Blue,
}

dunlin_component::flags! {
    struct Rights { READ, WRITE, RUN_IT }
}

/// A component that hands everything on to an import of the same type, whose result it returns.
const RELAY: &str = r#"
(component
  (type $person' (record (field "name" string) (field "age" u8) (field "tags" (list string))
    (field "place" (option (tuple f64 f64)))))
  (import "person" (type $person (eq $person')))
  (type $shape' (variant (case "nothing") (case "circle" f64)
    (case "many-points" (list (tuple f32 f32))) (case "named" string)))
  (import "shape" (type $shape (eq $shape')))
  (type $color' (enum "red" "dark-green" "blue"))
  (import "color" (type $color (eq $color')))
  (type $rights' (flags "read" "write" "run-it"))
  (import "rights" (type $rights (eq $rights')))
  (import "relay" (func $relay (param "p" $person) (param "s" (list $shape)) (param "c" $color)
    (param "r" $rights) (result (tuple $person (list $shape) $color $rights))))
  (core module $memory
    (memory (export "memory") 1)
    (global $top (mut i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (global.set $top (i32.and (i32.add (global.get $top) (i32.sub (local.get 2) (i32.const 1)))
        (i32.sub (i32.const 0) (local.get 2))))
      (global.get $top)
      (global.set $top (i32.add (global.get $top) (local.get 3)))))
  (core instance $m (instantiate $memory))
  (core func $relay (canon lower (func $relay) (memory (core memory $m "memory"))
    (realloc (core func $m "realloc"))))
  (core module $main
    (import "" "relay" (func $relay (param i32 i32 i32 i32 i32 i32 f64 f64 i32 i32 i32 i32 i32)))
    (func (export "relay") (param i32 i32 i32 i32 i32 i32 f64 f64 i32 i32 i32 i32) (result i32)
      (call $relay (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4) (local.get 5)
        (local.get 6) (local.get 7) (local.get 8) (local.get 9) (local.get 10) (local.get 11)
        (i32.const 64))
      (i32.const 64)))
  (core instance $i (instantiate $main (with "" (instance (export "relay" (func $relay))))))
  (func (export "relay") (param "p" $person) (param "s" (list $shape)) (param "c" $color)
    (param "r" $rights) (result (tuple $person (list $shape) $color $rights))
    (canon lift (core func $i "relay") (memory (core memory $m "memory"))
      (realloc (core func $m "realloc"))))
)"#;

type Everything = (Person, Vec<Shape>, Color, Rights);

#[test]
fn declared_types_travel_both_ways() -> Result<()> {
    let engine = Engine::default();
    let component = Component::new(&engine, wat::parse_str(RELAY).unwrap())?;
    let mut linker = Linker::<Vec<Everything>>::new(&engine);
    linker.root().func_wrap("relay", |mut caller, all: Everything| {
        caller.data_mut().push(all.clone());
        Ok(all)
    })?;
    let mut store = Store::new(&engine, Vec::new());
    let instance = linker.instantiate(&mut store, &component)?;
    let person = Person {
        name: "Zoë".into(),
        age: 200,
        tags: vec![String::new(), "日本".into()],
        place: Some((1.5, -2.5)),
    };
    let shapes = vec![
        Shape::Nothing,
        Shape::Circle(0.5),
        Shape::ManyPoints(vec![(1.0, 2.0), (3.0, 4.0)]),
        Shape::Named("x".into()),
    ];
    let all = (person, shapes, Color::DarkGreen, Rights::READ | Rights::RUN_IT);
    let relay = instance.get_typed_func::<Everything, Everything>("relay")?;
    assert_eq!(relay.call(&mut store, all.clone())?, all);
    assert_eq!(store.data(), std::slice::from_ref(&all));

    // The same as values of types known at run time only.
    let relay = instance.get_func("relay").unwrap();
    let vals = [
        Val::Record(vec![
            ("name".into(), Val::String("Zoë".into())),
            ("age".into(), Val::U8(200)),
            ("tags".into(), Val::List(vec![Val::String("".into()), Val::String("日本".into())])),
            ("place".into(), Val::Option(None)),
        ]),
        Val::List(vec![Val::Variant("circle".into(), Some(Box::new(Val::F64(0.5))))]),
        Val::Enum("blue".into()),
        Val::Flags(vec!["write".into()]),
    ];
    assert_eq!(relay.call(&mut store, &vals)?, Some(Val::Tuple(vals.to_vec())));

    let mut wrong = vals.clone();
    wrong[2] = Val::Enum("grey".into());
    let error = relay.call(&mut store, &wrong).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot call `relay`: parameter `c`: expected enum { red, dark-green, blue }, which has no \
         case `grey`"
    );
    // Nothing was entered, so that the instance is as it was.
    assert!(relay.call(&mut store, &vals).is_ok());
    Ok(())
}

#[test]
fn a_host_function_of_another_type_is_found_when_it_is_linked() {
    let engine = Engine::default();
    let component = Component::new(&engine, wat::parse_str(RELAY).unwrap()).unwrap();
    let mut linker = Linker::<()>::new(&engine);
    linker.root().func_wrap("relay", |_, _: (Person, Vec<Shape>, Rights, Rights)| Ok(())).unwrap();
    let mut store = Store::new(&engine, ());
    let error = linker.instantiate(&mut store, &component).unwrap_err();
    assert!(error.to_string().contains("parameter `c`: expected enum"), "{error}");
}

#[test]
fn resources_of_the_host_are_dropped_once() -> Result<()> {
    struct Thing;
    let text = r#"
    (component
      (import "thing" (type $thing (sub resource)))
      (import "make" (func $make (result (own $thing))))
      (import "look" (func $look (param "x" (borrow $thing)) (result u32)))
      (core func $make (canon lower (func $make)))
      (core func $look (canon lower (func $look)))
      (core func $drop (canon resource.drop $thing))
      (core module $m
        (import "" "make" (func $make (result i32)))
        (import "" "look" (func $look (param i32) (result i32)))
        (import "" "drop" (func $drop (param i32)))
        (func (export "run") (result i32) (local i32 i32)
          (local.set 0 (call $make))
          (local.set 1 (call $look (local.get 0)))
          (call $drop (local.get 0))
          (local.get 1))
        (func (export "twice") (local i32)
          (local.set 0 (call $make))
          (call $drop (local.get 0))
          (call $drop (local.get 0))))
      (core instance $i (instantiate $m (with "" (instance (export "make" (func $make))
        (export "look" (func $look)) (export "drop" (func $drop))))))
      (func (export "run") (result u32) (canon lift (core func $i "run")))
      (func (export "twice") (canon lift (core func $i "twice"))))"#;
    let engine = Engine::default();
    let component = Component::new(&engine, wat::parse_str(text).unwrap())?;
    let mut linker = Linker::<Vec<u32>>::new(&engine);
    linker.root().resource::<Thing>("thing", |mut store, rep| {
        store.data_mut().push(rep);
        Ok(())
    })?;
    linker.root().func_wrap("make", |_, (): ()| Ok(Resource::<Thing>::new_own(77)))?;
    linker.root().func_wrap("look", |_, (thing,): (Resource<Thing>,)| Ok(thing.rep() + 1))?;
    let mut store = Store::new(&engine, Vec::new());
    let instance = linker.instantiate(&mut store, &component)?;
    assert_eq!(instance.get_typed_func::<(), u32>("run")?.call(&mut store, ())?, 78);
    assert_eq!(store.data(), &[77]);
    let twice = instance.get_typed_func::<(), ()>("twice")?;
    let error = twice.call(&mut store, ()).unwrap_err();
    assert!(error.to_string().contains("unknown handle index 1"), "{error}");
    let error = twice.call(&mut store, ()).unwrap_err();
    assert!(error.to_string().contains("cannot enter component instance"), "{error}");
    Ok(())
}
