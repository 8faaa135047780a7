//! What is measured of every engine, and how: batches in turn, the least of their times per call, as
//! what others took besides is of the machine.

use std::time::Instant;

/// The guest. `pass` and `add` are called by the host; `call_*` call the host so many times, and
/// `loop` does the same without calling.
pub const GUEST: &str = r#"
(module
  (import "host" "nothing" (func $nothing))
  (import "host" "add" (func $add_host (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 64) "some data to begin with")
  (func (export "nothing"))
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "loop") (param $n i32) (result i32)
    (local $sum i32)
    (loop $again
      (local.set $sum (i32.add (local.get $sum) (local.get $n)))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $sum))
  (func (export "call_nothing") (param $n i32) (result i32)
    (local $sum i32)
    (loop $again
      (local.set $sum (i32.add (local.get $sum) (local.get $n)))
      (call $nothing)
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $sum))
  (func (export "call_add") (param $n i32) (result i32)
    (local $sum i32)
    (loop $again
      (local.set $sum (call $add_host (local.get $sum) (local.get $n)))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $sum)))
"#;

/// Calls in a batch.
pub const BATCH: u32 = 100_000;

/// Instances in a batch.
pub const INSTANCES: u32 = 500;

const BATCHES: usize = 60;

/// One thing to measure: its name, how many there are in a batch, and a batch.
pub type Case<'a> = (&'static str, u32, Box<dyn FnMut() + 'a>);

/// Measures all cases in turn, or those whose names hold the program's argument: nanoseconds of each.
pub fn nanoseconds(mut cases: Vec<Case<'_>>) -> Vec<(&'static str, f64)> {
    if let Some(wanted) = std::env::args().nth(1) {
        cases.retain(|(name, ..)| name.contains(&wanted));
    }
    let mut least = vec![f64::INFINITY; cases.len()];
    for _ in 0..BATCHES {
        for ((_, count, batch), least) in cases.iter_mut().zip(&mut least) {
            let start = Instant::now();
            batch();
            *least = least.min(start.elapsed().as_secs_f64() * 1e9 / f64::from(*count));
        }
    }
    cases.iter().zip(least).map(|((name, ..), least)| (*name, least)).collect()
}

/// Whether an engine is to be measured: all are, unless the program's second argument names one.
pub fn wanted(engine: &str) -> bool {
    std::env::args().nth(2).is_none_or(|wanted| wanted == engine)
}

/// Prints what was measured; calls of the host are what they take beyond the loop around them.
pub fn print(engine: &str, measured: &[(&'static str, f64)]) {
    let around = measured.iter().find(|(name, _)| *name == "loop").map_or(0.0, |(_, time)| *time);
    for (name, time) in measured {
        match *name {
            "loop" => {}
            name if name.starts_with("guest-to-host") => {
                println!("{engine} {name} {:.2}", time - around)
            }
            name => println!("{engine} {name} {time:.2}"),
        }
    }
}
