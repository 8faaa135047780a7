//! A component whose interface is written in WIT, given a function of the host and called.
//!
//! `cargo run -p dunlin --example component`

use dunlin::component::{Component, Linker};
use dunlin::{Engine, Result, Store};

mod greet {
    //! What the WIT says, in Rust. It can also be in a file: `path: "wit"`.
    dunlin::bindgen!({
        inline: "
            package acme:greet@0.1.0;

            interface names {
                /// Whom to greet today.
                name: func() -> string;
            }

            world greeter {
                import names;
                export greeting: func() -> string;
            }",
    });
}

/// The host, which knows a name.
struct Host(String);

impl greet::acme::greet::names::Host for Host {
    fn name(&mut self) -> Result<String> {
        Ok(self.0.clone())
    }
}

/// Compilers make components, and `dunlin component new`; here is one by hand.
const GREETER: &str = r#"
(component
  (import "acme:greet/names@0.1.0" (instance $names (export "name" (func (result string)))))
  (core module $memory
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 23)))
  (core instance $memory (instantiate $memory))
  (core func $name
    (canon lower (func $names "name")
      (memory (core memory $memory "memory"))
      (realloc (core func $memory "realloc"))))
  (core module $greeter
    (import "memory" "memory" (memory 1))
    (import "names" "name" (func $name (param i32)))
    (data (i32.const 16) "hello, ")
    (func (export "greeting") (result i32)
      (call $name (i32.const 0))
      (i32.store (i32.const 0) (i32.const 16))
      (i32.store (i32.const 4) (i32.add (i32.load (i32.const 4)) (i32.const 7)))
      (i32.const 0)))
  (core instance $greeter (instantiate $greeter
    (with "memory" (instance $memory))
    (with "names" (instance (export "name" (func $name))))))
  (func (export "greeting") (result string)
    (canon lift (core func $greeter "greeting") (memory (core memory $memory "memory")))))"#;

fn main() -> Result<()> {
    let engine = Engine::default();
    let component = Component::new(&engine, wat::parse_str(GREETER)?)?;

    let mut linker = Linker::<Host>::new(&engine);
    greet::Greeter::add_to_linker(&mut linker, |host| host)?;
    let mut store = Store::new(&engine, Host("component".to_owned()));
    let greeter = greet::Greeter::instantiate(&mut store, &component, &linker)?;

    assert_eq!(greeter.greeting(&mut store)?, "hello, component");
    Ok(())
}
