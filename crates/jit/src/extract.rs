//! What the code generator made, in the form that the contract asks for.

use cranelift_codegen::binemit::{CodeOffset, Reloc as Kind};
use cranelift_codegen::entity::EntityRef;
use cranelift_codegen::ir::{ExternalName, UserExternalName, UserStackMap, types};
use cranelift_codegen::{CompiledCode, Context, FinalizedMachExceptionHandler, FinalizedMachReloc};
use cranelift_codegen::{ExceptionContextLoc, FinalizedRelocTarget};
use dunlin_code::native::{
    CallSite, CompileError, FRAME_BYTES_MAX, NativeCode, NativeHandler, Position, Reloc,
    RelocTarget, TrapSite,
};
use dunlin_module::DefinedFuncIndex;

use crate::translate::Translated;
use crate::traps;

type Result<T = (), E = CompileError> = std::result::Result<T, E>;

/// Reads all of the function just compiled in `context`.
pub(crate) fn extract(context: &Context, translated: &Translated) -> Result<NativeCode> {
    let Some(code) = context.compiled_code() else {
        return Err(failed("no code"));
    };
    let frame = code.buffer.frame_layout().map_or(0, |layout| layout.frame_to_fp_offset);
    if frame > FRAME_BYTES_MAX {
        return Err(CompileError::TooLarge("bytes of a frame", frame.into()));
    }
    let names = &context.func.params;
    let reloc = |reloc: &FinalizedMachReloc| match &reloc.target {
        FinalizedRelocTarget::ExternalName(ExternalName::User(name)) => {
            relocation(reloc, &names.user_named_funcs()[*name])
        }
        other => Err(CompileError::Unsupported(format!("{other:?}"))),
    };
    Ok(NativeCode {
        bytes: code.buffer.data().to_vec(),
        align: code.buffer.alignment.clamp(16, 64),
        relocs: code.buffer.relocs().iter().map(reloc).collect::<Result<_>>()?,
        calls: calls(code, frame)?,
        traps: trap_sites(code)?,
        positions: positions(code, &translated.positions),
        inlined: translated.inlined.clone(),
    })
}

fn failed(why: &str) -> CompileError {
    CompileError::Failed(why.to_owned())
}

fn relocation(reloc: &FinalizedMachReloc, name: &UserExternalName) -> Result<Reloc> {
    match (reloc.kind, reloc.addend) {
        (Kind::X86CallPCRel4, -4) => {
            let target = RelocTarget::Func(DefinedFuncIndex(name.index));
            Ok(Reloc { offset: reloc.offset, target })
        }
        (kind, addend) => Err(failed(&format!("relocation {kind} with addend {addend}"))),
    }
}

fn trap_sites(code: &CompiledCode) -> Result<Vec<TrapSite>> {
    let site = |trap: &cranelift_codegen::MachTrap| {
        let cause = traps::cause(trap.code).ok_or_else(|| failed("unknown trap"))?;
        Ok(TrapSite { offset: trap.offset, cause })
    };
    let mut sites: Vec<_> = code.buffer.traps().iter().map(site).collect::<Result<_>>()?;
    sites.sort_by_key(|site| site.offset);
    Ok(sites)
}

/// The calls with their roots and handlers.
fn calls(code: &CompiledCode, frame: u32) -> Result<Vec<CallSite>> {
    let mut maps = code.buffer.user_stack_maps().iter().peekable();
    let mut calls = Vec::new();
    for site in code.buffer.call_sites() {
        if maps.peek().is_some_and(|(at, ..)| *at < site.ret_addr) {
            return Err(failed("a stack map without a call"));
        }
        let map = maps.next_if(|(at, ..)| *at == site.ret_addr).map(|(.., map)| map);
        calls.push(CallSite {
            ret: site.ret_addr,
            frame: site.frame_offset.unwrap_or(frame),
            roots: map.map(roots).transpose()?.unwrap_or_default(),
            handlers: handlers(site.exception_handlers)?,
        });
    }
    match maps.next() {
        None => Ok(calls),
        Some(_) => Err(failed("a stack map without a call")),
    }
}

fn roots(map: &UserStackMap) -> Result<Box<[u32]>> {
    let root = |(ty, offset)| {
        if ty == types::I64 { Ok(offset) } else { Err(failed("a root of another type")) }
    };
    map.entries().map(root).collect()
}

fn handlers(all: &[FinalizedMachExceptionHandler]) -> Result<Box<[NativeHandler]>> {
    let mut context = None;
    let mut handlers = Vec::new();
    for handler in all {
        let (tag, landing): (_, CodeOffset) = match *handler {
            FinalizedMachExceptionHandler::Context(ExceptionContextLoc::SPOffset(at)) => {
                context = Some(at);
                continue;
            }
            FinalizedMachExceptionHandler::Context(ExceptionContextLoc::GPR(_)) => {
                return Err(failed("the context of a handler is in a register"));
            }
            FinalizedMachExceptionHandler::Tag(tag, at) => (Some(tag.index() as u32), at),
            FinalizedMachExceptionHandler::Default(at) => (None, at),
        };
        let context = context.ok_or_else(|| failed("a handler without a context"))?;
        handlers.push(NativeHandler { context, tag, landing });
    }
    Ok(handlers.into())
}

fn positions(code: &CompiledCode, table: &[Position]) -> Vec<(u32, Position)> {
    let mut positions: Vec<(u32, Position)> = Vec::new();
    for range in code.buffer.get_srclocs_sorted() {
        let Some(position) = table.get(range.loc.bits() as usize) else { continue };
        match positions.last() {
            Some((_, last)) if last == position => {}
            _ => positions.push((range.start, *position)),
        }
    }
    positions
}
