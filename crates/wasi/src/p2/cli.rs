//! `wasi:cli`: arguments, environment, standard streams, and the end.

use std::result;

use dunlin_component::Resource;
use dunlin_engine::{Error, Result};

use super::streams::{InputStream, OutputStream};
use super::{Get, Wasi};
use crate::host::{FileKind, Output, Reader, Writer};
use crate::{Exit, WasiCtx};

/// A `terminal-input`. There is nothing to be done with it.
#[derive(Debug)]
struct TerminalInput;

/// A `terminal-output`. There is nothing to be done with it.
#[derive(Debug)]
struct TerminalOutput;

pub(super) fn add<T: 'static, G: Get<T>>(wasi: &mut Wasi<'_, T, G>) -> Result<()> {
    wasi.interface("cli", "environment")?
        .func("get-environment", get_environment)?
        .func("get-arguments", get_arguments)?
        .func("initial-cwd", |_, ()| Ok(None::<String>))?;
    wasi.interface("cli", "exit")?
        .func("exit", |_, (status,): (result::Result<(), ()>,)| exit(status.is_err().into()))?
        .func("exit-with-code", |_, (code,): (u8,)| exit(code.into()))?;

    wasi.interface("cli", "stdin")?.func("get-stdin", |ctx, ()| {
        let stream = InputStream::new(Reader::Input(ctx.stdin.clone()));
        ctx.p2.table.push(stream, 0)
    })?;
    wasi.interface("cli", "stdout")?
        .func("get-stdout", |ctx, ()| output(ctx, |ctx| &ctx.stdout))?;
    wasi.interface("cli", "stderr")?
        .func("get-stderr", |ctx, ()| output(ctx, |ctx| &ctx.stderr))?;

    wasi.interface("cli", "terminal-input")?.resource::<TerminalInput>("terminal-input")?;
    wasi.interface("cli", "terminal-output")?.resource::<TerminalOutput>("terminal-output")?;
    wasi.interface("cli", "terminal-stdin")?.func("get-terminal-stdin", |ctx, ()| {
        let is_terminal = ctx.stdin.kind() == FileKind::CharacterDevice;
        is_terminal.then(|| ctx.p2.table.push(TerminalInput, 0)).transpose()
    })?;
    wasi.interface("cli", "terminal-stdout")?
        .func("get-terminal-stdout", |ctx, ()| terminal(ctx, |ctx| &ctx.stdout))?;
    wasi.interface("cli", "terminal-stderr")?
        .func("get-terminal-stderr", |ctx, ()| terminal(ctx, |ctx| &ctx.stderr))?;
    Ok(())
}

fn get_environment(ctx: &mut WasiCtx, (): ()) -> Result<Vec<(String, String)>> {
    ctx.p2.table.afford(size_of_strings(&ctx.realm.env))?;
    let split = |text: &String| {
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        (name.to_owned(), value.to_owned())
    };
    Ok(ctx.realm.read_env().iter().map(split).collect())
}

fn get_arguments(ctx: &mut WasiCtx, (): ()) -> Result<Vec<String>> {
    ctx.p2.table.afford(size_of_strings(&ctx.args))?;
    Ok(ctx.args.clone())
}

fn size_of_strings(strings: &[String]) -> u64 {
    let sizes = strings.iter().map(|text| text.len().saturating_add(2 * size_of::<String>()));
    sizes.fold(0, |sum: u64, size| sum.saturating_add(size as u64))
}

fn exit(code: u32) -> Result<()> {
    Err(Error::host(Exit(code)))
}

fn output(ctx: &mut WasiCtx, which: fn(&WasiCtx) -> &Output) -> Result<Resource<OutputStream>> {
    let stream = OutputStream::new(Writer::Output(which(ctx).clone()));
    ctx.p2.table.push(stream, 0)
}

fn terminal(
    ctx: &mut WasiCtx,
    which: fn(&WasiCtx) -> &Output,
) -> Result<Option<Resource<TerminalOutput>>> {
    let is_terminal = which(ctx).kind() == FileKind::CharacterDevice;
    is_terminal.then(|| ctx.p2.table.push(TerminalOutput, 0)).transpose()
}
