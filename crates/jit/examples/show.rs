//! Shows what becomes of one function:
//! `show FILE FUNCTION [--loop OFFSET] [--fuel] [--compact] [--deterministic] [--uninterruptible] [--cheap]`.
//! FUNCTION is an index, imports first, or `all` for a summary of all functions.

#![expect(clippy::print_stdout, reason = "that is what it is for")]

use std::error::Error;
use std::time::Instant;

use dunlin_code::native::{Compiler, Effort, Entry, Request};
use dunlin_code::{MemoryKind, Settings};
use dunlin_jit::Jit;
use dunlin_module::{DefinedFuncIndex, Features, FuncIndex, Module, TypeRegistry};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let mut flag = |name: &str| {
        let at = args.iter().position(|arg| arg == name);
        at.map(|at| args.remove(at)).is_some()
    };
    let settings = Settings {
        memory_kind: if flag("--compact") { MemoryKind::Compact } else { MemoryKind::Guard },
        fuel: flag("--fuel"),
        interruptible: !flag("--uninterruptible"),
        deterministic: flag("--deterministic"),
    };
    let effort = if flag("--cheap") { Effort::Some } else { Effort::Most };
    let entry = match args.iter().position(|arg| arg == "--loop") {
        Some(at) => {
            let offset = args.get(at + 1).ok_or("--loop wants an offset")?.parse()?;
            args.drain(at..at + 2);
            Entry::Loop(offset)
        }
        None => Entry::Function,
    };
    let [file, function] = &*args else { return Err("usage: show FILE FUNCTION [flags]".into()) };
    let wasm = wat::parse_file(file)?;
    let module = Module::decode(wasm, &Features::all(), &TypeRegistry::new())?;
    let jit = Jit::new()?;
    if function == "all" {
        return summary(&jit, &module, &settings, effort);
    }
    let func = module.defined_func(FuncIndex(function.parse()?)).ok_or("that one is imported")?;
    let request = Request { module: &module, func, entry, settings: &settings, effort };
    // First what it was made from, which is all there is if that is wrong.
    println!("{}", jit.clif(&request)?);
    println!("{}", jit.assembly(&request)?);
    Ok(())
}

/// How long compiling everything takes, and what is refused.
fn summary(
    jit: &Jit,
    module: &Module,
    settings: &Settings,
    effort: Effort,
) -> Result<(), Box<dyn Error>> {
    let (mut bytes, mut done) = (0, 0);
    let begin = Instant::now();
    let mut slowest = Vec::new();
    for at in 0..module.bodies.len() as u32 {
        let func = DefinedFuncIndex(at);
        let begin = Instant::now();
        let entry = Entry::Function;
        match jit.compile(&Request { module, func, entry, settings, effort }) {
            Ok(code) => {
                done += 1;
                bytes += code.bytes.len();
                slowest.push((begin.elapsed(), at, module.bodies[at as usize].len()));
            }
            Err(e) => println!("function {}: {e}", module.func_index(func).0),
        }
    }
    let body_bytes: usize = module.bodies.iter().map(|body| body.len()).sum();
    println!(
        "{done} of {} functions: {body_bytes} bytes become {bytes} in {:?}",
        module.bodies.len(),
        begin.elapsed()
    );
    slowest.sort_unstable_by(|a, b| b.cmp(a));
    for (time, at, size) in slowest.iter().take(5) {
        println!("  {time:?} for function {at} of {size} bytes");
    }
    Ok(())
}
