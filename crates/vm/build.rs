//! Chooses the interpreter's dispatch back-end, and how memory is accessed.
//!
//! Tail dispatch relies on the compiler turning a call in tail position into a jump, which it does
//! from optimization level 2 on, on targets whose calling convention passes all registers of the
//! machine in registers. Everything else, and `--cfg dunlin_loop_dispatch`, gets the loop.
//!
//! Memory is accessed by inline assembly where there is some for the target. Everything else, and
//! `--cfg dunlin_portable`, gets atomics; so does ThreadSanitizer, which does not look into assembly,
//! nor at system calls that are Linux's own.
//!
//! Native code needs faults that trap, and the assembly that enters it: x86-64 Linux.

use std::env;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-check-cfg=cfg(dunlin_tail_dispatch)");
    println!("cargo:rustc-check-cfg=cfg(dunlin_loop_dispatch)");
    println!("cargo:rustc-check-cfg=cfg(dunlin_portable)");
    println!("cargo:rustc-check-cfg=cfg(dunlin_native)");
    let arch = env::var("CARGO_CFG_TARGET_ARCH").unwrap_or_default();
    let level = env::var("OPT_LEVEL").unwrap_or_default();
    let forced = env::var_os("CARGO_CFG_DUNLIN_LOOP_DISPATCH").is_some();
    let keeps_tail_calls = matches!(level.as_str(), "2" | "3" | "s" | "z");
    if matches!(arch.as_str(), "x86_64" | "aarch64") && keeps_tail_calls && !forced {
        println!("cargo:rustc-cfg=dunlin_tail_dispatch");
    }
    let sanitizers = env::var("CARGO_CFG_SANITIZE").unwrap_or_default();
    let forced = env::var_os("CARGO_CFG_DUNLIN_PORTABLE").is_some();
    if arch != "x86_64" || sanitizers.contains("thread") || forced {
        println!("cargo:rustc-cfg=dunlin_portable");
    } else if env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux")
        && env::var_os("CARGO_FEATURE_GUARD").is_some()
    {
        println!("cargo:rustc-cfg=dunlin_native");
    }
}
