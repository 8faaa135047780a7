//! Whole guests on the engine: imports by both names, memory, and how they end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use dunlin_engine::{Engine, Error, ErrorKind, Linker, Module, Store};
use dunlin_wasi::host::{Input, Output, OutputPipe};
use dunlin_wasi::p1::{self, Exit, Interrupted};
use dunlin_wasi::{WasiCtx, WasiCtxBuilder};

const I32: u8 = 0x7f;
const I64: u8 = 0x7e;

/// One section: everything in these tests is short enough for lengths of one or two bytes.
fn section(id: u8, items: &[Vec<u8>]) -> Vec<u8> {
    let mut body = leb(items.len());
    items.iter().for_each(|item| body.extend_from_slice(item));
    [vec![id], leb(body.len()), body].concat()
}

fn leb(value: usize) -> Vec<u8> {
    let value = u16::try_from(value).unwrap();
    if value < 128 { vec![value as u8] } else { vec![value as u8 | 0x80, (value >> 7) as u8] }
}

fn name(text: &str) -> Vec<u8> {
    [leb(text.len()), text.as_bytes().to_vec()].concat()
}

/// A module that imports functions and exports `_start`, which holds this code.
fn module(imports: &[(&str, &str, &[u8], &[u8])], memory: bool, code: &[u8]) -> Vec<u8> {
    let ty = |params: &[u8], results: &[u8]| {
        [vec![0x60], leb(params.len()), params.to_vec(), leb(results.len()), results.to_vec()]
            .concat()
    };
    let mut types: Vec<_> = imports.iter().map(|(_, _, p, r)| ty(p, r)).collect();
    types.push(ty(&[], &[]));
    let start = imports.len();
    let imported: Vec<_> = imports
        .iter()
        .enumerate()
        .map(|(index, (module, field, ..))| {
            [name(module), name(field), vec![0], leb(index)].concat()
        })
        .collect();
    let mut exports = vec![[name("_start"), vec![0], leb(start)].concat()];
    let mut memories = Vec::new();
    let mut data = Vec::new();
    if memory {
        exports.push([name("memory"), vec![2, 0]].concat());
        memories.push(vec![0, 1]);
        // A list of one buffer at 0, whose five bytes are at 16.
        let bytes = b"\x10\0\0\0\x05\0\0\0\0\0\0\0\0\0\0\0hello";
        data.push([vec![0, 0x41, 0, 0x0b], leb(bytes.len()), bytes.to_vec()].concat());
    }
    let body = [vec![0], code.to_vec(), vec![0x0b]].concat();
    let mut out = b"\0asm\x01\0\0\0".to_vec();
    out.extend(section(1, &types));
    out.extend(section(2, &imported));
    out.extend(section(3, &[leb(start)]));
    if memory {
        out.extend(section(5, &memories));
    }
    out.extend(section(7, &exports));
    out.extend(section(10, &[[leb(body.len()), body].concat()]));
    if memory {
        out.extend(section(11, &data));
    }
    out
}

/// `i32.const`, for numbers that fit seven bits with their sign.
fn const32(value: u8) -> [u8; 2] {
    [0x41, value]
}

fn run(builder: WasiCtxBuilder, bytes: &[u8]) -> Result<(), Error> {
    let engine = Engine::default();
    let module = Module::new(&engine, bytes)?;
    let mut linker = Linker::new(&engine);
    p1::add_to_linker(&mut linker, |ctx: &mut WasiCtx| ctx)?;
    let mut store = Store::new(&engine, builder.build()?);
    let instance = linker.instantiate(&mut store, &module)?;
    instance.get_typed_func::<(), ()>(&mut store, "_start")?.call(&mut store, ())
}

#[test]
fn hello_by_both_names() {
    for revision in [p1::MODULE, p1::MODULE_UNSTABLE] {
        let out = OutputPipe::new(100);
        // fd_write(1, 0, 1, 8), then proc_exit of the result: 0.
        let code = [&const32(1)[..], &const32(0), &const32(1), &const32(8), &[0x10, 0], &[0x10, 1]];
        let bytes = module(
            &[
                (revision, "fd_write", &[I32, I32, I32, I32], &[I32]),
                (revision, "proc_exit", &[I32], &[]),
            ],
            true,
            &code.concat(),
        );
        let builder = WasiCtx::builder().stdout(Output::pipe(out.clone()));
        let error = run(builder, &bytes).unwrap_err();
        assert_eq!(error.downcast_ref::<Exit>(), Some(&Exit(0)), "{error}");
        assert_eq!(error.kind(), ErrorKind::Host);
        assert_eq!(out.contents(), b"hello");
    }
}

#[test]
fn without_a_memory_every_pointer_is_a_fault() {
    let code = [&const32(1)[..], &const32(0), &const32(1), &const32(8), &[0x10, 0], &[0x10, 1]];
    let bytes = module(
        &[
            (p1::MODULE, "fd_write", &[I32, I32, I32, I32], &[I32]),
            (p1::MODULE, "proc_exit", &[I32], &[]),
        ],
        false,
        &code.concat(),
    );
    let error = run(WasiCtx::builder(), &bytes).unwrap_err();
    let fault = u32::from(p1::Errno::FAULT.0);
    assert_eq!(error.downcast_ref::<Exit>(), Some(&Exit(fault)), "{error}");
}

#[test]
fn a_stop_is_an_error_of_its_own() {
    let (reader, _writer) = std::io::pipe().unwrap();
    // fd_read(0, 0, 1, 8) of a pipe nobody writes to.
    let code = [&const32(0)[..], &const32(0), &const32(1), &const32(8), &[0x10, 0, 0x1a]];
    let bytes =
        module(&[(p1::MODULE, "fd_read", &[I32, I32, I32, I32], &[I32])], true, &code.concat());
    let end = Instant::now() + Duration::from_millis(20);
    let stop = Arc::new(move || Instant::now() >= end);
    let builder = WasiCtx::builder().stdin(Input::file(reader)).interrupt(stop);
    let error = run(builder, &bytes).unwrap_err();
    assert_eq!(error.downcast_ref::<Interrupted>(), Some(&Interrupted), "{error}");
}

#[test]
fn every_function_has_its_type() {
    // What the interface says, in the letters of its parameters; all but `proc_exit` give an i32.
    let table = "args_get ii, args_sizes_get ii, environ_get ii, environ_sizes_get ii, \
        clock_res_get ii, clock_time_get iIi, fd_advise iIIi, fd_allocate iII, fd_close i, \
        fd_datasync i, fd_fdstat_get ii, fd_fdstat_set_flags ii, fd_fdstat_set_rights iII, \
        fd_filestat_get ii, fd_filestat_set_size iI, fd_filestat_set_times iIIi, fd_pread iiiIi, \
        fd_prestat_get ii, fd_prestat_dir_name iii, fd_pwrite iiiIi, fd_read iiii, \
        fd_readdir iiiIi, fd_renumber ii, fd_seek iIii, fd_sync i, fd_tell ii, fd_write iiii, \
        path_create_directory iii, path_filestat_get iiiii, path_filestat_set_times iiiiIIi, \
        path_link iiiiiii, path_open iiiiiIIii, path_readlink iiiiii, path_remove_directory iii, \
        path_rename iiiiii, path_symlink iiiii, path_unlink_file iii, poll_oneoff iiii, \
        proc_raise i, sched_yield , random_get ii, sock_accept iii, sock_recv iiiiii, \
        sock_send iiiii, sock_shutdown ii";
    let rows: Vec<(&str, Vec<u8>)> = table
        .split(", ")
        .map(|row| {
            let (name, params) = row.split_once(' ').unwrap();
            let params = params.chars().map(|c| if c == 'i' { I32 } else { I64 }).collect();
            (name, params)
        })
        .collect();
    assert_eq!(rows.len() + 1, p1::FUNCTIONS.len());
    for (revision, absent) in [(p1::MODULE, None), (p1::MODULE_UNSTABLE, Some("sock_accept"))] {
        for (name, params) in &rows {
            let import: [(&str, &str, &[u8], &[u8]); 1] = [(revision, name, params, &[I32])];
            let result = run(WasiCtx::builder(), &module(&import, true, &[]));
            if absent == Some(*name) {
                assert_eq!(result.unwrap_err().kind(), ErrorKind::Link, "{revision} {name}");
            } else {
                assert!(result.is_ok(), "{revision} {name}: {result:?}");
            }
        }
        let exit = (revision, "proc_exit", &[I32][..], &[][..]);
        assert!(run(WasiCtx::builder(), &module(&[exit], true, &[])).is_ok());
    }
}
