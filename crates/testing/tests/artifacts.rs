//! Compiled code in files: what was written is read, and what was tampered with is not.

use std::time::{Duration, Instant};

use arbitrary::Unstructured;
use dunlin_code::artifact::{Artifact, ArtifactError, Index, Packed};
use dunlin_code::native::{Entry, NativeCode, Reloc, RelocTarget};
use dunlin_module::{DefinedFuncIndex, Features, Module, TypeRegistry};
use dunlin_testing::artifacts::{World, artifact, fuzz, read_any, tamper};
use dunlin_testing::generator;

const WORLD: World = World { funcs: 4, tags: 2, bytes: 500 };

fn random(seed: u64) -> Vec<u8> {
    (0..4).flat_map(|part| generator::bytes(seed * 4 + part)).collect()
}

#[test]
fn what_was_written_is_read() {
    for seed in 0..300 {
        let data = random(seed);
        let Ok((functions, bytes)) = artifact(&mut Unstructured::new(&data), WORLD) else {
            continue;
        };
        let read = Artifact::parse(&bytes).unwrap();
        let found: Vec<_> =
            read.functions().iter().map(|f| (f.func, f.entry, f.unpack())).collect();
        assert_eq!(found, functions);
        for (func, entry, code) in &functions {
            let function = read.get(*func, *entry).unwrap();
            assert_eq!(function.code, code.bytes);
            assert_eq!(
                read.image().get(function.offset..).unwrap()[..code.bytes.len()],
                code.bytes
            );
            assert_eq!(function.offset % function.align() as usize, 0);
            assert_eq!(function.relocs().collect::<Vec<_>>(), code.relocs);
            let mut linked = code.bytes.clone();
            for reloc in &code.relocs {
                linked[reloc.offset as usize..][..4].fill(0xff);
            }
            let unlinked = Packed::unlinked(function.align(), linked, function.meta());
            assert_eq!(unlinked, function.packed());
        }
        assert!(read.get(DefinedFuncIndex(WORLD.funcs), Entry::Function).is_none());
        assert_eq!(read_any(&bytes), Ok(functions.len()));
    }
}

#[test]
fn cut_off_anywhere_it_is_refused() {
    let (_, bytes) = artifact(&mut Unstructured::new(&random(3)), WORLD).unwrap();
    assert!(bytes.len() > 500);
    for len in 0..bytes.len() {
        assert!(Artifact::parse(&bytes[..len]).is_err(), "{len} bytes");
    }
}

/// Those that are accepted all the same differ in the code itself, or in numbers of which any will do.
#[test]
fn each_bit_is_looked_at() {
    let (_, bytes) = artifact(&mut Unstructured::new(&random(5)), WORLD).unwrap();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut wrong = bytes.clone();
            wrong[at] ^= 1 << bit;
            drop(read_any(&wrong));
        }
    }
}

#[test]
fn tampered_with_it_is_refused_or_in_order() {
    let (mut refused, mut count) = (0, 0);
    for seed in 0..200 {
        let data = random(seed);
        let mut u = Unstructured::new(&data);
        let Ok((_, mut bytes)) = artifact(&mut u, WORLD) else { continue };
        while !u.is_empty() && tamper(&mut u, &mut bytes).is_ok() {
            count += 1;
            refused += usize::from(read_any(&bytes).is_err());
        }
    }
    assert!(refused > 1000 && refused * 2 > count, "{refused} of {count} refused");
}

#[test]
fn sizes_that_are_made_up_take_no_memory() {
    let (_, bytes) = artifact(&mut Unstructured::new(&random(7)), WORLD).unwrap();
    // The counts of the header: 48 bytes in, three of four bytes, two of eight.
    for (at, size) in [(48, 4), (52, 4), (56, 4), (60, 8), (68, 8)] {
        for huge in [u64::MAX, 1 << 63, u64::from(u32::MAX), 1 << 31] {
            let mut wrong = bytes.clone();
            wrong[at..at + size].copy_from_slice(&huge.to_le_bytes()[..size]);
            assert!(wrong == bytes || Artifact::parse(&wrong).is_err());
        }
    }
}

#[test]
fn code_must_keep_its_contract() {
    let good = NativeCode { bytes: vec![0x90; 8], align: 16, ..NativeCode::default() };
    assert!(Packed::new(&good).is_ok());
    let target = RelocTarget::Func(DefinedFuncIndex(0));
    let wrong = [
        NativeCode { align: 0, ..good.clone() },
        NativeCode { align: 24, ..good.clone() },
        NativeCode { align: 128, ..good.clone() },
        NativeCode { bytes: Vec::new(), ..good.clone() },
        NativeCode { relocs: vec![Reloc { offset: 5, target }], ..good.clone() },
        NativeCode { relocs: vec![Reloc { offset: u32::MAX, target }], ..good.clone() },
        NativeCode { relocs: vec![Reloc { offset: 2, target }; 2], ..good.clone() },
    ];
    for code in wrong {
        assert!(matches!(Packed::new(&code), Err(ArtifactError::Malformed(..))), "{code:?}");
    }
}

/// All functions of an artifact, read group by group.
fn read_by_groups(bytes: &[u8], module: &Module) -> Result<Vec<Packed<'static>>, ArtifactError> {
    let first = &bytes[..bytes.len().min(Index::FIRST_BYTES)];
    let front = Index::front_bytes(first)?;
    let front = &bytes[..front.min(bytes.len())];
    let index = Index::read(front, bytes.len(), module)?;
    let mut found = Vec::new();
    for group in 0..index.groups() {
        let (meta, code) = index.parts(group);
        let functions = index.functions(group, &bytes[meta], &bytes[code], module)?;
        assert!(functions.iter().all(|f| match f.entry {
            Entry::Function => index.group_of(f.func) == Some(group),
            Entry::Loop(_) => true,
        }));
        found.extend(functions.iter().map(|function| function.packed().into_owned()));
    }
    assert_eq!(found.len(), index.len());
    Ok(found)
}

#[test]
fn single_groups_are_read_as_the_whole_is() {
    let text = format!("(module {})", "(func)".repeat(30));
    let binary = dunlin_script::wat_to_wasm(&text, None).expect("a module");
    let module = Module::decode(binary, &Features::default(), &TypeRegistry::default()).unwrap();
    let mut builder = dunlin_code::artifact::Builder::default();
    let target = RelocTarget::Func(DefinedFuncIndex(3));
    for func in (0..30).filter(|func| func % 7 != 2) {
        let bytes = vec![0x90; 1 + func as usize * 331];
        let relocs = if func > 4 { vec![Reloc { offset: 9, target }] } else { Vec::new() };
        let code = NativeCode { bytes, align: 1 << (func % 7), relocs, ..NativeCode::default() };
        let func = DefinedFuncIndex(func);
        builder.insert(func, Entry::Function, Packed::new(&code).unwrap());
        builder.heat(func, Entry::Function, 5);
    }
    let settings = dunlin_engine_settings();
    let key = dunlin_code::artifact::Key { fingerprint: "x".into(), settings, module: [0; 32] };
    let size = builder.bytes(&key);
    let mut bytes = Vec::new();
    builder.finish(&key, &mut bytes);
    assert_eq!(bytes.len(), size);
    let whole = Artifact::parse_for(&bytes, &module).unwrap();
    let whole: Vec<_> = whole.functions().iter().map(|f| f.packed().into_owned()).collect();
    let read = read_by_groups(&bytes, &module).unwrap();
    assert!(read == whole && read.len() == 26);
    // Whatever is wrong in front of the code: an error, or nothing that matters.
    let image = whole.iter().map(Packed::size).sum::<usize>();
    for at in 0..bytes.len() - image {
        for bits in [0x01, 0x80, 0xff] {
            let mut wrong = bytes.clone();
            wrong[at] ^= bits;
            let accepts = Artifact::parse_for(&wrong, &module).is_ok();
            assert!(read_by_groups(&wrong, &module).is_ok() || !accepts, "byte {at}");
        }
    }
    for len in (0..bytes.len()).step_by(7) {
        assert!(read_by_groups(&bytes[..len], &module).is_err(), "{len} bytes");
    }
}

#[test]
fn it_fits_its_module_only() {
    let module = |text: &str| {
        let types = TypeRegistry::default();
        let binary = dunlin_script::wat_to_wasm(text, None).expect("a module");
        Module::decode(binary, &Features::default(), &types).unwrap()
    };
    let one = module("(module (func))");
    let loops = module("(module (func) (func (loop)))");
    let at = loops.bodies[1].start + 1;
    let build = |entries: &[(u32, Entry)], relocs: Vec<Reloc>| {
        let mut builder = dunlin_code::artifact::Builder::default();
        let code = NativeCode { bytes: vec![0x90; 8], align: 1, relocs, ..NativeCode::default() };
        for (func, entry) in entries {
            let code = Packed::new(&code).unwrap();
            builder.insert(DefinedFuncIndex(*func), *entry, code);
        }
        let settings = dunlin_engine_settings();
        let key = dunlin_code::artifact::Key { fingerprint: "".into(), settings, module: [0; 32] };
        let mut bytes = Vec::new();
        builder.finish(&key, &mut bytes);
        bytes
    };
    let check = |bytes: &[u8], module| {
        let checked = Artifact::parse(bytes).unwrap().check(module);
        assert_eq!(Artifact::parse_for(bytes, module).map(drop), checked);
        checked
    };
    let plain = build(&[(0, Entry::Function)], Vec::new());
    assert_eq!(check(&plain, &one), Ok(()));
    let second = build(&[(0, Entry::Function), (1, Entry::Loop(at))], Vec::new());
    assert_eq!(check(&second, &loops), Ok(()));
    let refused = [
        (second, &one),
        (build(&[(0, Entry::Loop(at))], Vec::new()), &loops),
        (build(&[(1, Entry::Loop(at + 1))], Vec::new()), &loops),
        (build(&[(1, Entry::Loop(1 << 30))], Vec::new()), &loops),
    ];
    for (bytes, module) in refused {
        assert!(check(&bytes, module).is_err());
    }
    let target = RelocTarget::Func(DefinedFuncIndex(1));
    let refers = build(&[(0, Entry::Function)], vec![Reloc { offset: 0, target }]);
    assert_eq!(check(&refers, &loops), Ok(()));
    let error = check(&refers, &one).unwrap_err();
    assert_eq!(
        error.to_string(),
        "malformed compiled code: a function that the module does not have (in defined function #0)"
    );
}

fn dunlin_engine_settings() -> dunlin_code::Settings {
    dunlin_code::Settings {
        memory_kind: dunlin_code::MemoryKind::Compact,
        fuel: false,
        interruptible: true,
        deterministic: false,
    }
}

#[test]
fn messages() {
    let refused = |bytes: &[u8]| Artifact::parse(bytes).unwrap_err().to_string();
    let (_, bytes) = artifact(&mut Unstructured::new(&random(3)), WORLD).unwrap();
    assert_eq!(refused(b"\0asm"), "expected compiled code, found other bytes");
    let mut newer = bytes.clone();
    newer[8] = 9;
    assert_eq!(refused(&newer), "expected version 1 of the format of compiled code, found 9");
    assert_eq!(refused(&bytes[..60]), "malformed compiled code: it is cut off");
}

/// What the fuzz target does, for a second.
#[test]
fn any_bytes() {
    let seconds = std::env::var("DUNLIN_FUZZ_SECONDS").ok().and_then(|s| s.parse().ok());
    let start = Instant::now();
    let mut seed = 1000;
    while start.elapsed() < Duration::from_secs(seconds.unwrap_or(1)) {
        fuzz(&random(seed));
        seed += 1;
    }
    assert!(seed > 1010, "{seed}");
}
