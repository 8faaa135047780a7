//! WASI 0.1: `wasi_snapshot_preview1` and, by other names and numbers, `wasi_unstable`.
//!
//! This module translates arguments and results, and does nothing itself. Every function takes
//! the guest's [`WasiCtx`](crate::WasiCtx), its memory, and the numbers it passed; [`call`] and
//! [`call_unstable`] hold them by name, made from one table of all functions.

mod abi;
mod args;
mod clock;
mod descriptor;
mod fd;
mod io;
mod iovec;
mod memory;
mod outcome;
mod path;
mod poll;
mod proc;
mod random;
mod sock;
mod unstable;

pub use crate::{Exit, Interrupted};
pub use abi::{Errno, FdFlags, FstFlags, LookupFlags, OFlags, Revision, RiFlags, Rights, SdFlags};
pub(crate) use memory::CallerMemory;
pub use memory::{Fault, GuestMemory};
pub use outcome::Stop;
pub use proc::proc_exit;

pub(crate) use descriptor::{Descriptor, Descriptors, Object};

/// The module name of WASI 0.1.
pub const MODULE: &str = "wasi_snapshot_preview1";

/// The module name of the revision before.
pub const MODULE_UNSTABLE: &str = "wasi_unstable";

/// Hands every function but `proc_exit` to a macro, as
/// `name(parameters) home [home in wasi_unstable];`.
///
/// `proc_exit` alone gives the guest nothing back.
macro_rules! for_each_function {
    ($macro:ident) => {
        $macro! {
            args_get(argv: u32, argv_buf: u32) args [args];
            args_sizes_get(count: u32, size: u32) args [args];
            environ_get(environ: u32, environ_buf: u32) args [args];
            environ_sizes_get(count: u32, size: u32) args [args];
            clock_res_get(id: u32, resolution: u32) clock [clock];
            clock_time_get(id: u32, precision: u64, time: u32) clock [clock];
            fd_advise(fd: u32, offset: u64, len: u64, advice: u32) fd [fd];
            fd_allocate(fd: u32, offset: u64, len: u64) fd [fd];
            fd_close(fd: u32) fd [fd];
            fd_datasync(fd: u32) fd [fd];
            fd_fdstat_get(fd: u32, stat: u32) fd [fd];
            fd_fdstat_set_flags(fd: u32, flags: u32) fd [fd];
            fd_fdstat_set_rights(fd: u32, base: u64, inheriting: u64) fd [fd];
            fd_filestat_get(fd: u32, stat: u32) fd [unstable];
            fd_filestat_set_size(fd: u32, size: u64) fd [fd];
            fd_filestat_set_times(fd: u32, atim: u64, mtim: u64, fst_flags: u32) fd [fd];
            fd_pread(fd: u32, iovs: u32, iovs_len: u32, offset: u64, nread: u32) io [io];
            fd_prestat_get(fd: u32, prestat: u32) fd [fd];
            fd_prestat_dir_name(fd: u32, path: u32, path_len: u32) fd [fd];
            fd_pwrite(fd: u32, iovs: u32, iovs_len: u32, offset: u64, nwritten: u32) io [io];
            fd_read(fd: u32, iovs: u32, iovs_len: u32, nread: u32) io [io];
            fd_readdir(fd: u32, buf: u32, buf_len: u32, cookie: u64, bufused: u32) io [io];
            fd_renumber(fd: u32, to: u32) fd [fd];
            fd_seek(fd: u32, offset: i64, whence: u32, new_offset: u32) fd [unstable];
            fd_sync(fd: u32) fd [fd];
            fd_tell(fd: u32, offset: u32) fd [fd];
            fd_write(fd: u32, iovs: u32, iovs_len: u32, nwritten: u32) io [io];
            path_create_directory(fd: u32, path: u32, path_len: u32) path [path];
            path_filestat_get(
                fd: u32, flags: u32, path: u32, path_len: u32, stat: u32
            ) path [unstable];
            path_filestat_set_times(
                fd: u32, flags: u32, path: u32, path_len: u32, atim: u64, mtim: u64, fst_flags: u32
            ) path [path];
            path_link(
                old_fd: u32, old_flags: u32, old_path: u32, old_path_len: u32,
                new_fd: u32, new_path: u32, new_path_len: u32
            ) path [path];
            path_open(
                fd: u32, dirflags: u32, path: u32, path_len: u32, oflags: u32,
                base: u64, inheriting: u64, fdflags: u32, opened: u32
            ) path [path];
            path_readlink(
                fd: u32, path: u32, path_len: u32, buf: u32, buf_len: u32, bufused: u32
            ) path [path];
            path_remove_directory(fd: u32, path: u32, path_len: u32) path [path];
            path_rename(
                old_fd: u32, old_path: u32, old_path_len: u32,
                new_fd: u32, new_path: u32, new_path_len: u32
            ) path [path];
            path_symlink(
                old_path: u32, old_path_len: u32, fd: u32, new_path: u32, new_path_len: u32
            ) path [path];
            path_unlink_file(fd: u32, path: u32, path_len: u32) path [path];
            poll_oneoff(
                subscriptions: u32, events: u32, count: u32, nevents: u32
            ) poll [unstable];
            proc_raise(signal: u32) proc [proc];
            sched_yield() proc [proc];
            random_get(buf: u32, buf_len: u32) random [random];
            sock_accept(fd: u32, flags: u32, accepted: u32) sock [];
            sock_recv(
                fd: u32, ri_data: u32, ri_data_len: u32, ri_flags: u32,
                ro_datalen: u32, ro_flags: u32
            ) sock [sock];
            sock_send(
                fd: u32, si_data: u32, si_data_len: u32, si_flags: u32, so_datalen: u32
            ) sock [sock];
            sock_shutdown(fd: u32, how: u32) sock [sock];
        }
    };
}

macro_rules! calls {
    ($($name:ident $params:tt $home:ident [$($old:ident)?];)*) => {
        /// The functions of `wasi_snapshot_preview1`, over any guest memory.
        pub mod call {
            $(calls!(@one $name $params $home);)*
        }

        /// The functions of `wasi_unstable`, over any guest memory.
        pub mod call_unstable {
            $($(calls!(@one $name $params $old);)?)*
        }

        /// The names of the functions of `wasi_snapshot_preview1`.
        pub const FUNCTIONS: &[&str] = &[$(stringify!($name),)* "proc_exit"];
    };
    (@one $name:ident($($arg:ident: $ty:ty),*) $home:ident) => {
        #[doc = concat!("`", stringify!($name), "`: the error code for the guest, or its end.")]
        #[allow(clippy::too_many_arguments, reason = "the interface has that many")]
        pub fn $name<M: crate::p1::GuestMemory + ?Sized>(
            ctx: &mut crate::WasiCtx,
            mem: &mut M,
            $($arg: $ty,)*
        ) -> Result<crate::p1::Errno, crate::p1::Stop> {
            ctx.realm.witness.enter(stringify!($name));
            crate::p1::outcome::errno(crate::p1::$home::$name(ctx, mem, $($arg),*))
        }
    };
}

for_each_function!(calls);

mod linker;

pub use linker::add_to_linker;
pub(crate) use linker::{Outcome, World, define};
