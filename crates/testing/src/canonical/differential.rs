//! An engine and the model side by side: random types, values, images of memory, and a `realloc` that
//! strikes.

use crate::random::Random;

use super::generate::{self, Allowed};
use super::guest::{self, STRIKES};
use super::model::{Event, Model};
use super::text::{Options, component_text};
use super::types::{FuncType, Pointer};
use super::value::{Encoding, Nans, Value};

/// An engine.
pub trait Engine {
    /// Loads a component of [`component_text`].
    fn load(&mut self, text: &str, ty: &FuncType) -> Result<Box<dyn Loaded>, String>;
}

/// A component that an engine has loaded.
pub trait Loaded {
    /// A new instance in a store of its own.
    fn instantiate(&mut self) -> Result<Box<dyn Machine>, String>;
}

/// An instance; what it says when it traps is not compared.
pub trait Machine {
    /// Calls the export `call`.
    fn call(&mut self, args: &[Value]) -> Result<Option<Value>, String>;
    /// Calls the export `forward`.
    fn forward(&mut self) -> Result<(), String>;
    /// Calls the export `poke` of the first side, `inner-poke` of the second.
    fn poke(&mut self, side: usize, image: &[u8]) -> Result<(), String>;
    /// Calls the export `dump` of the first side, `inner-dump` of the second.
    fn dump(&mut self, side: usize, from: u32, length: u32) -> Result<Vec<u8>, String>;
    /// What the host's `target` is to answer from now on.
    fn set_answer(&mut self, answer: Option<Value>);
    /// What reached the host since this was asked last.
    fn take_events(&mut self) -> Vec<Event>;
}

/// What is to be compared.
#[derive(Clone, Copy, Debug)]
pub struct Comparison {
    /// The seed of the first type.
    pub seed: u64,
    /// How many types.
    pub types: u64,
    /// How many values of each.
    pub values: u64,
    /// What types may be made of.
    pub allowed: Allowed,
    /// What the engine makes of NaNs.
    pub nans: Nans,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Types compared.
    pub types: u64,
    /// Calls compared, with all their values.
    pub calls: u64,
    /// How many of them trapped, in both.
    pub traps: u64,
    /// What differs, with its seed.
    pub differences: Vec<String>,
}

impl Comparison {
    /// Runs it.
    pub fn run(&self, engine: &mut dyn Engine) -> Tally {
        let mut tally = Tally::default();
        for seed in self.seed..self.seed + self.types {
            tally.types += 1;
            if let Err(message) = self.one(seed, engine, &mut tally) {
                tally.differences.push(format!("seed {seed}: {message}"));
            }
        }
        tally
    }

    fn one(&self, seed: u64, engine: &mut dyn Engine, tally: &mut Tally) -> Result<(), String> {
        let mut random = Random::new(seed);
        let ty = generate::func_type(&mut random, self.allowed);
        let encodings = [Encoding::Utf8, Encoding::Utf16, Encoding::Latin1OrUtf16];
        let options = Options {
            encoding: random.pick(&encodings),
            inner: (random.below(2) == 0).then(|| random.pick(&encodings)),
            post_return: random.below(2) == 0,
        };
        let text = component_text(&ty, options);
        let context = |message: String| format!("{message}\n{ty:?}\n{options:?}");
        let mut loaded = engine.load(&text, &ty).map_err(context)?;
        let mut pair: Option<Pair> = None;
        for _ in 0..self.values {
            let mut now = match pair.take() {
                Some(pair) => pair,
                None => Pair {
                    model: Model::new(&ty, options, self.nans),
                    machine: loaded.instantiate().map_err(context)?,
                },
            };
            let mut goes_on = now.call(&mut random, &ty).map_err(context)?;
            tally.calls += 1;
            if goes_on && random.below(2) == 0 {
                goes_on = now.forward(&mut random, &ty).map_err(context)?;
                tally.calls += 1;
            }
            if goes_on {
                pair = Some(now);
            } else {
                tally.traps += 1;
            }
        }
        Ok(())
    }
}

/// The model and an instance that have been told the same things.
struct Pair {
    model: Model,
    machine: Box<dyn Machine>,
}

impl Pair {
    /// Calls with random values. Whether both can be called again; an error if they differ.
    fn call(&mut self, random: &mut Random, ty: &FuncType) -> Result<bool, String> {
        let args = generate::values(random, &ty.params);
        self.answer(random, ty);
        for side in 0..self.model.sides.len() {
            let forwards = u32::from(random.below(4) != 0);
            self.control(random, side, |image| set(image, guest::FORWARDS, forwards))?;
        }
        // What a call is lent is known once it was made; the model makes it twice.
        let mut rehearsal = self.model.clone();
        let _ = rehearsal.call(&args);
        for side in 0..self.model.sides.len() {
            let mut lent = rehearsal.lent[side].clone();
            if random.below(16) == 0 {
                lent.pop();
            }
            if random.below(8) == 0 {
                lent.push((random.below(2) as u32, random.below(6) as u32));
            }
            lent.truncate(guest::DROPS_MAX);
            let mut image = self.model.sides[side].memory.bytes[..guest::PARAMS as usize].to_vec();
            set(&mut image, guest::DROP_COUNT, lent.len() as u32);
            for (number, word) in Model::drops(&lent).into_iter().enumerate() {
                set(&mut image, guest::DROPS + 4 * number as u64, word);
            }
            self.poke(side, &image)?;
        }
        let ours = self.model.call(&args);
        let theirs = self.machine.call(&args);
        let same = match (&ours, &theirs) {
            (Ok(ours), Ok(theirs)) => ours == theirs,
            (Err(_), Err(_)) => true,
            _ => false,
        };
        if !same {
            return Err(format!("call({args:?})\n model: {ours:?}\nengine: {theirs:?}"));
        }
        self.compare(random, ours.is_ok()).map_err(|m| format!("call({args:?}): {m}"))
    }

    /// Changes something in the memory that the next call is to read, and forwards it.
    fn forward(&mut self, random: &mut Random, ty: &FuncType) -> Result<bool, String> {
        self.answer(random, ty);
        let top = self.model.sides[0].memory.read_int(guest::TOP, 4);
        let length = top.clamp(guest::HEAP, self.model.sides[0].memory.bytes.len() as u64);
        let mut image = self.model.sides[0].memory.bytes[..length as usize].to_vec();
        let params = ty.lifted(Pointer::I32).0.len();
        let mut changes = Vec::new();
        for _ in 0..random.below(3) {
            let heap = length - guest::HEAP;
            let at = if heap < 8 || random.below(2) == 0 {
                guest::PARAMS + 8 * random.below(params.max(1)) as u64
            } else {
                guest::HEAP + (random.below(heap as usize - 4) as u64)
            };
            let now = u32::from_le_bytes(image[at as usize..][..4].try_into().unwrap_or_default());
            let near = now.wrapping_add(random.pick(&[1, 2, 4, u32::MAX, 0x8000_0000]));
            let any = random.next() as u32 >> random.below(32);
            let word = random.pick(&[near, any, length as u32, 0xd800, 0x11_0000, 0xffff_ffff]);
            match random.below(3) {
                0 => image[at as usize] = word as u8,
                _ => set(&mut image, at, word),
            }
            changes.push((at, word));
        }
        self.poke(0, &image)?;
        let ours = self.model.forward();
        let theirs = self.machine.forward();
        if ours.is_ok() != theirs.is_ok() {
            return Err(format!(
                "forward after {changes:x?}\n model: {ours:?}\nengine: {theirs:?}"
            ));
        }
        self.compare(random, ours.is_ok()).map_err(|m| format!("forward after {changes:x?}: {m}"))
    }

    fn answer(&mut self, random: &mut Random, ty: &FuncType) {
        let answer = generate::values(random, ty.results()).pop();
        self.model.answer.clone_from(&answer);
        self.machine.set_answer(answer);
    }

    /// Tells a side how to behave in the next call.
    fn control(
        &mut self,
        random: &mut Random,
        side: usize,
        more: impl Fn(&mut [u8]),
    ) -> Result<(), String> {
        let memory = &self.model.sides[side].memory;
        let mut image = memory.bytes[..guest::PARAMS as usize].to_vec();
        let calls = memory.read_int(guest::REALLOC_COUNT, 4) as u32;
        let strikes = random.below(3) == 0;
        let strike = if strikes { random.pick(&STRIKES) } else { STRIKES[0] };
        set(&mut image, guest::STRIKE, strike as u32);
        set(&mut image, guest::STRIKE_AT, calls.wrapping_add(random.below(5) as u32));
        set(&mut image, guest::REALLOC_USUAL, random.below(2) as u32);
        set(&mut image, guest::DROP_COUNT, 0);
        more(&mut image);
        self.poke(side, &image)
    }

    fn poke(&mut self, side: usize, image: &[u8]) -> Result<(), String> {
        self.model.poke(side, image);
        self.machine.poke(side, image).map_err(|message| format!("poke: {message}"))
    }

    /// Compares what the host saw and, if the instances live, what is in their memories.
    fn compare(&mut self, random: &mut Random, lives: bool) -> Result<bool, String> {
        let ours = std::mem::take(&mut self.model.events);
        let theirs = self.machine.take_events();
        if ours != theirs {
            return Err(format!("the host\n model: {ours:?}\nengine: {theirs:?}"));
        }
        if !lives {
            return Ok(false);
        }
        for side in 0..self.model.sides.len() {
            let memory = &self.model.sides[side].memory;
            let all = memory.bytes.len() as u64;
            let top = memory.read_int(guest::TOP, 4).clamp(guest::HEAP, all);
            let length = if random.below(16) == 0 { all } else { top } as u32;
            let ours = self.model.dump(side, 0, length).map_err(|trap| format!("{trap:?}"))?;
            let theirs = self.machine.dump(side, 0, length).map_err(|m| format!("dump: {m}"))?;
            if ours != theirs {
                let calls = guest::reallocs(&self.model.sides[side].memory);
                return Err(format!("{}\nrealloc: {calls:x?}", difference(side, &ours, &theirs)));
            }
        }
        Ok(true)
    }
}

fn difference(side: usize, ours: &[u8], theirs: &[u8]) -> String {
    let at = ours.iter().zip(theirs).position(|(ours, theirs)| ours != theirs).unwrap_or(0);
    let from = at & !15;
    let line =
        |bytes: &[u8]| format!("{:02x?}", bytes.iter().skip(from).take(32).collect::<Vec<_>>());
    format!(
        "memory of side {side} at {at:#x} (lines from {from:#x})\n model: {}\nengine: {}",
        line(ours),
        line(theirs)
    )
}

fn set(image: &mut [u8], at: u64, word: u32) {
    image[at as usize..][..4].copy_from_slice(&word.to_le_bytes());
}
