//! Loads and stores of every width at the edges of every kind of memory, against a formula.

use std::fmt::Write;

use dunlin_engine::{Config, Engine, Instance, Memory, Module, Store, Trap, Val};
use dunlin_script::wat_to_wasm;
use dunlin_testing::matrix::configurations;

/// One kind of memory.
struct Kind {
    /// Its declaration, after the name.
    ty: &'static str,
    bytes: u64,
    index64: bool,
    /// Whether it is the memory of index 0.
    first: bool,
}

const KINDS: [Kind; 7] = [
    Kind { ty: "1", bytes: 1 << 16, index64: false, first: true },
    Kind { ty: "1 1", bytes: 1 << 16, index64: false, first: false },
    Kind { ty: "i64 2 3", bytes: 2 << 16, index64: true, first: true },
    Kind { ty: "i64 1", bytes: 1 << 16, index64: true, first: false },
    Kind { ty: "40 50 (pagesize 1)", bytes: 40, index64: false, first: true },
    Kind { ty: "i64 33 (pagesize 1)", bytes: 33, index64: true, first: false },
    Kind { ty: "0", bytes: 0, index64: false, first: true },
];

/// How a loaded value becomes an `i64` that can be compared, or how one becomes what is stored.
const LOADS: [(&str, u64, &str); 26] = [
    ("i32.load", 4, "(i64.extend_i32_u {})"),
    ("i32.load8_s", 1, "(i64.extend_i32_u {})"),
    ("i32.load8_u", 1, "(i64.extend_i32_u {})"),
    ("i32.load16_s", 2, "(i64.extend_i32_u {})"),
    ("i32.load16_u", 2, "(i64.extend_i32_u {})"),
    ("i64.load", 8, "{}"),
    ("i64.load8_s", 1, "{}"),
    ("i64.load8_u", 1, "{}"),
    ("i64.load16_s", 2, "{}"),
    ("i64.load16_u", 2, "{}"),
    ("i64.load32_s", 4, "{}"),
    ("i64.load32_u", 4, "{}"),
    ("f32.load", 4, "(i64.extend_i32_u (i32.reinterpret_f32 {}))"),
    ("f64.load", 8, "(i64.reinterpret_f64 {})"),
    ("v128.load", 16, "(i64x2.extract_lane 1 {})"),
    ("v128.load8x8_u", 8, "(i64x2.extract_lane 1 {})"),
    ("v128.load16x4_s", 8, "(i64x2.extract_lane 1 {})"),
    ("v128.load32x2_u", 8, "(i64x2.extract_lane 1 {})"),
    ("v128.load8_splat", 1, "(i64x2.extract_lane 1 {})"),
    ("v128.load16_splat", 2, "(i64x2.extract_lane 1 {})"),
    ("v128.load32_splat", 4, "(i64x2.extract_lane 1 {})"),
    ("v128.load64_splat", 8, "(i64x2.extract_lane 1 {})"),
    ("v128.load32_zero", 4, "(i64x2.extract_lane 0 {})"),
    ("v128.load64_zero", 8, "(i64x2.extract_lane 0 {})"),
    // The load is the operand of an instruction that works on more bytes than were loaded.
    ("f32.load", 4, "(i64.extend_i32_u (i32.reinterpret_f32 (f32.copysign {} (f32.const 1))))"),
    ("f64.load", 8, "(i64.reinterpret_f64 (f64.abs {}))"),
];

const STORES: [(&str, u64, &str); 14] = [
    ("i32.store", 4, "(i32.const 0xd4c3b2a1)"),
    ("i32.store", 4, "(i32.wrap_i64 (local.get $value))"),
    ("i32.store8", 1, "(i32.wrap_i64 (local.get $value))"),
    ("i32.store16", 2, "(i32.const 0xd4c3b2a1)"),
    ("i64.store", 8, "(i64.const 0x18f7e6d5d4c3b2a1)"),
    ("i64.store", 8, "(local.get $value)"),
    ("i64.store8", 1, "(local.get $value)"),
    ("i64.store16", 2, "(i64.const 0x18f7e6d5d4c3b2a1)"),
    ("i64.store32", 4, "(local.get $value)"),
    ("f32.store", 4, "(f32.reinterpret_i32 (i32.wrap_i64 (local.get $value)))"),
    ("f64.store", 8, "(f64.reinterpret_i64 (local.get $value))"),
    ("v128.store", 16, "(i64x2.splat (local.get $value))"),
    ("v128.store8_lane", 1, "(i64x2.splat (local.get $value))"),
    ("v128.store64_lane", 8, "(i64x2.splat (local.get $value))"),
];

/// What the stores above store, low byte first.
const STORED: u64 = 0x18f7_e6d5_d4c3_b2a1;

impl Kind {
    fn index_max(&self) -> u64 {
        if self.index64 { u64::MAX } else { u32::MAX.into() }
    }

    fn offsets(&self) -> Vec<u64> {
        let mut offsets = vec![0, 1, 15, self.bytes, 0xffff, 1 << 16, 1 << 31, u32::MAX.into()];
        if self.index64 {
            offsets.extend([1 << 32, 1 << 33, 1 << 63, u64::MAX - 7, u64::MAX]);
        }
        offsets
    }

    /// Every index at which something begins or ends to be inside, and those around the places
    /// where arithmetic wraps.
    fn indices(&self, width: u64, offset: u64) -> Vec<u64> {
        let max = self.index_max();
        let mut indices = vec![0, 1, 1 << 31, (1 << 31) - 1];
        for edge in [self.bytes, self.bytes.wrapping_sub(offset)] {
            indices.extend((0..=width + 2).map(|back| edge.wrapping_add(1).wrapping_sub(back)));
        }
        indices.extend((0..=8).map(|back| max - back));
        indices.extend((0..=8).map(|near| offset.wrapping_neg().wrapping_add(near)));
        indices.iter_mut().for_each(|index| *index &= max);
        indices.sort_unstable();
        indices.dedup();
        indices
    }

    /// Where an access of `width` bytes begins, if it is inside.
    fn inside(&self, index: u64, offset: u64, width: u64) -> Option<usize> {
        let start = u128::from(index) + u128::from(offset);
        let fits = start + u128::from(width) <= u128::from(self.bytes);
        fits.then(|| usize::try_from(start).expect("it is inside"))
    }

    fn module(&self, functions: &str) -> String {
        let memory = match self.first {
            true => format!("(memory $m (export \"memory\") {})(memory 1)", self.ty),
            false => format!("(memory 1)(memory $m (export \"memory\") {})", self.ty),
        };
        format!("(module {memory}\n{functions})")
    }

    /// The shapes of an address: in a local, just computed, in a local that is overwritten.
    fn addresses(&self) -> [String; 3] {
        let (ty, zero) = match self.index64 {
            true => ("i64", "(local.get $zero64)"),
            false => ("i32", "(local.get $zero32)"),
        };
        [
            "(local.get 0)".to_string(),
            format!("({ty}.xor (local.get 0) {zero})"),
            format!("(local.get 0) (local.set 0 ({ty}.const 0))"),
        ]
    }

    fn index_type(&self) -> &'static str {
        if self.index64 { "i64" } else { "i32" }
    }

    fn index(&self, index: u64) -> Val {
        match self.index64 {
            true => Val::I64(index as i64),
            false => Val::I32(index as u32 as i32),
        }
    }
}

/// The byte that memories hold at an address at first: the high bit differs often, for signs.
fn initial(address: usize) -> u8 {
    (address.wrapping_mul(151) ^ 0xa7) as u8
}

struct Running {
    store: Store<()>,
    instance: Instance,
    memory: Memory,
}

impl Running {
    fn new(config: &Config, text: &str) -> Running {
        let wasm = wat_to_wasm(text, None).expect("the text is well-formed");
        let engine = Engine::new(config).expect("the configuration works");
        let module = Module::new(&engine, wasm).expect("the module is valid");
        let mut store = Store::new(&engine, ());
        if config.execution.fuel {
            store.set_fuel(u64::MAX).expect("fuel is counted");
        }
        let instance = Instance::new(&mut store, &module, &[]).expect("nothing is imported");
        let memory = instance.get_memory(&mut store, "memory").expect("it is exported");
        let mut running = Running { store, instance, memory };
        running.reset();
        running
    }

    fn reset(&mut self) {
        let data = self.memory.data_mut(&mut self.store);
        data.iter_mut().enumerate().for_each(|(address, byte)| *byte = initial(address));
    }

    /// The result of a call, or `None` if it trapped for an access outside.
    fn call(&mut self, function: &str, index: Val, results: &mut [Val]) -> Option<()> {
        let function = self.instance.get_func(&mut self.store, function).expect("it is exported");
        match function.call(&mut self.store, &[index], results) {
            Ok(()) => Some(()),
            Err(error) if error.trap() == Some(Trap::MemoryOutOfBounds) => None,
            Err(error) => panic!("{error}"),
        }
    }
}

/// What the load `name` reads at `start`, as the functions return it.
fn loaded(name: &str, width: u64, wrapper: &str, start: usize) -> i64 {
    let bytes: Vec<u8> = (0..16).map(|i| initial(start + i)).collect();
    let low = |from: usize, width: u64| {
        let bytes = bytes[from..from + width as usize].iter().rev();
        bytes.fold(0u64, |value, &byte| value << 8 | u64::from(byte))
    };
    let signed = |value: u64, width: u64| {
        let unused = 64 - 8 * width;
        ((value << unused) as i64) >> unused
    };
    let value = match name {
        "v128.load" => low(8, 8) as i64,
        "v128.load8x8_u" => {
            (4..8).fold(0, |value, i| value | i64::from(bytes[i]) << (16 * (i - 4)))
        }
        "v128.load16x4_s" => (signed(low(4, 2), 2) & 0xffff_ffff) | signed(low(6, 2), 2) << 32,
        "v128.load32x2_u" => low(4, 4) as i64,
        "v128.load8_splat" => (low(0, 1) * 0x0101_0101_0101_0101) as i64,
        "v128.load16_splat" => (low(0, 2) * 0x0001_0001_0001_0001) as i64,
        "v128.load32_splat" => (low(0, 4) * 0x0000_0001_0000_0001) as i64,
        _ if name.ends_with("_s") => signed(low(0, width), width),
        _ => low(0, width) as i64,
    };
    let value = if name.starts_with("i32") { value & 0xffff_ffff } else { value };
    match wrapper {
        _ if wrapper.contains("copysign") => value & 0x7fff_ffff,
        _ if wrapper.contains("abs") => value & i64::MAX,
        _ => value,
    }
}

#[test]
fn loads() {
    for kind in &KINDS {
        let mut functions = String::new();
        let mut cases = Vec::new();
        let ty = kind.index_type();
        for (name, width, wrapper) in LOADS {
            for offset in kind.offsets() {
                for (shape, address) in kind.addresses().iter().enumerate() {
                    let export = cases.len();
                    let load = format!("({name} $m offset={offset} align=1 {address})");
                    let _ = writeln!(
                        functions,
                        "(func (export \"{export}\") (param {ty}) (result i64)
                         (local $zero32 i32) (local $zero64 i64) {})",
                        wrapper.replace("{}", &load)
                    );
                    cases.push((name, width, wrapper, offset, shape, None));
                }
                // Constant addresses: one function for each that is just inside or just outside.
                for index in kind.indices(width, offset) {
                    if kind.inside(index, offset, width).is_some()
                        == kind.inside(index.wrapping_add(1), offset, width).is_some()
                    {
                        continue;
                    }
                    let export = cases.len();
                    let load = format!("({name} $m offset={offset} align=1 ({ty}.const {index}))");
                    let _ = writeln!(
                        functions,
                        "(func (export \"{export}\") (param {ty}) (result i64) {})",
                        wrapper.replace("{}", &load)
                    );
                    cases.push((name, width, wrapper, offset, 3, Some(index)));
                }
            }
        }
        let text = kind.module(&functions);
        for configuration in configurations() {
            let mut running = Running::new(&configuration.config, &text);
            for (export, &(name, width, wrapper, offset, shape, constant)) in
                cases.iter().enumerate()
            {
                let indices = constant.map_or_else(|| kind.indices(width, offset), |i| vec![i]);
                for index in indices {
                    let mut results = [Val::I64(0)];
                    let found = running
                        .call(&export.to_string(), kind.index(index), &mut results)
                        .map(|()| results[0].unwrap_i64());
                    let start = kind.inside(index, offset, width);
                    let expected = start.map(|start| loaded(name, width, wrapper, start));
                    assert_eq!(
                        found, expected,
                        "{}: (memory {}) {wrapper} of {name} offset={offset:#x} at {index:#x}, \
                         address shape {shape}",
                        configuration.name, kind.ty
                    );
                }
            }
        }
    }
}

#[test]
fn stores() {
    for kind in &KINDS {
        let mut functions = String::new();
        let mut cases = Vec::new();
        let ty = kind.index_type();
        for (name, width, value) in STORES {
            let lane = if name.ends_with("_lane") { " 0" } else { "" };
            for offset in kind.offsets() {
                for address in kind.addresses() {
                    let _ = writeln!(
                        functions,
                        "(func (export \"{}\") (param {ty})
                         (local $zero32 i32) (local $zero64 i64) (local $value i64)
                         (local.set $value (i64.const {STORED}))
                         ({name} $m offset={offset} align=1{lane} {address} {value}))",
                        cases.len()
                    );
                    cases.push((name, width, offset));
                }
            }
        }
        let text = kind.module(&functions);
        for configuration in configurations() {
            let mut running = Running::new(&configuration.config, &text);
            for (export, &(name, width, offset)) in cases.iter().enumerate() {
                for index in kind.indices(width, offset) {
                    let stored = running.call(&export.to_string(), kind.index(index), &mut []);
                    let what = || {
                        format!(
                            "{}: (memory {}) {name} offset={offset:#x} at {index:#x}",
                            configuration.name, kind.ty
                        )
                    };
                    let start = kind.inside(index, offset, width);
                    assert_eq!(stored.is_some(), start.is_some(), "{}", what());
                    check_memory(running.memory.data(&running.store), start, width, &what);
                    if let Some(start) = start {
                        let data = running.memory.data_mut(&mut running.store);
                        let written = start..start + width as usize;
                        written.for_each(|address| data[address] = initial(address));
                    }
                }
            }
            let data = running.memory.data(&running.store);
            assert!(data.iter().enumerate().all(|(i, &byte)| byte == initial(i)));
        }
    }
}

/// Around `start` and at the end, the memory holds what was stored and nothing else changed.
fn check_memory(data: &[u8], start: Option<usize>, width: u64, what: &dyn Fn() -> String) {
    let tail = data.len().saturating_sub(32)..data.len();
    let around = start.map_or(0..0, |start| {
        start.saturating_sub(16)..(start + width as usize + 16).min(data.len())
    });
    for address in tail.chain(around) {
        let expected = match start {
            Some(start) if (start..start + width as usize).contains(&address) => {
                STORED.to_le_bytes()[(address - start) % 8]
            }
            _ => initial(address),
        };
        assert_eq!(data[address], expected, "{}, byte {address:#x}", what());
    }
}
