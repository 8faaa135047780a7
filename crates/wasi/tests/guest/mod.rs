//! A guest without a program: its memory, its world, and each call it could make.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use dunlin_wasi::host::Access;
use dunlin_wasi::p1::{Errno, Rights, Stop, call};
use dunlin_wasi::{WasiCtx, WasiCtxBuilder};

/// Where results go, where paths stand, and where data may.
pub const OUT: u32 = 64;
pub const PATH: u32 = 0x1000;
pub const PATH2: u32 = 0x4000;
pub const DATA: u32 = 0x8000;
pub const MEMORY: usize = 1 << 20;

/// The first descriptor after the three streams.
pub const ROOT: u32 = 3;

pub type Res<T> = Result<T, Errno>;

/// A directory of its own for one test, gone at its end.
pub struct TempTree(PathBuf);

impl TempTree {
    pub fn new() -> TempTree {
        TempTree::below(&std::env::temp_dir())
    }

    /// In memory if the system has a place for that: for tests that make thousands of files.
    pub fn in_memory() -> TempTree {
        let memory = Path::new("/dev/shm");
        if memory.is_dir() { TempTree::below(memory) } else { TempTree::new() }
    }

    fn below(dir: &Path) -> TempTree {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("dunlin-wasi-{}-{number}", std::process::id());
        let path = dir.join(name);
        std::fs::create_dir_all(&path).unwrap();
        TempTree(path.canonicalize().unwrap())
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for TempTree {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// How to open a path; see `path_open`.
#[derive(Clone, Copy, Debug)]
pub struct Open {
    pub follow: bool,
    pub oflags: u32,
    pub base: Rights,
    pub inheriting: Rights,
    pub fdflags: u32,
}

pub const CREAT: u32 = 1;
pub const DIRECTORY: u32 = 2;
pub const EXCL: u32 = 4;
pub const TRUNC: u32 = 8;

pub const APPEND: u32 = 1;
pub const NONBLOCK: u32 = 4;

impl Open {
    /// For reading, with every right but to write.
    pub const READ: Open = Open {
        follow: true,
        oflags: 0,
        base: Rights::ALL
            .without(Rights::FD_WRITE)
            .without(Rights::SOCK_SHUTDOWN)
            .without(Rights::SOCK_ACCEPT),
        inheriting: Rights(Rights::FILE.0 | Rights::DIRECTORY.0),
        fdflags: 0,
    };

    /// For reading and writing.
    pub const WRITE: Open = Open { base: Open::READ.base.or(Rights::FD_WRITE), ..Open::READ };

    pub const fn with(self, oflags: u32) -> Open {
        Open { oflags, ..self }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    pub dev: u64,
    pub ino: u64,
    pub kind: u8,
    pub nlink: u64,
    pub size: u64,
    pub atim: u64,
    pub mtim: u64,
    pub ctim: u64,
}

pub struct Guest {
    pub ctx: WasiCtx,
    pub mem: Vec<u8>,
}

impl Guest {
    pub fn new(builder: WasiCtxBuilder) -> Guest {
        Guest { ctx: builder.build().unwrap(), mem: vec![0; MEMORY] }
    }

    /// With one directory, as `/`.
    pub fn at(dir: impl AsRef<Path>, access: Access) -> Guest {
        Guest::new(WasiCtx::builder().dir(dir, "/", access))
    }

    /// One call that must return to the guest.
    pub fn call(
        &mut self,
        call: impl FnOnce(&mut WasiCtx, &mut [u8]) -> Result<Errno, Stop>,
    ) -> Res<()> {
        match call(&mut self.ctx, &mut self.mem).unwrap() {
            Errno::SUCCESS => Ok(()),
            errno => Err(errno),
        }
    }

    pub fn put(&mut self, addr: u32, bytes: &[u8]) -> u32 {
        self.mem[addr as usize..][..bytes.len()].copy_from_slice(bytes);
        bytes.len() as u32
    }

    pub fn bytes(&self, addr: u32, len: u32) -> Vec<u8> {
        self.mem[addr as usize..][..len as usize].to_vec()
    }

    pub fn u16(&self, addr: u32) -> u16 {
        u16::from_le_bytes(self.mem[addr as usize..][..2].try_into().unwrap())
    }

    pub fn u32(&self, addr: u32) -> u32 {
        u32::from_le_bytes(self.mem[addr as usize..][..4].try_into().unwrap())
    }

    pub fn u64(&self, addr: u32) -> u64 {
        u64::from_le_bytes(self.mem[addr as usize..][..8].try_into().unwrap())
    }

    /// Writes a list of buffers at `addr`.
    pub fn iovs(&mut self, addr: u32, list: &[(u32, u32)]) -> u32 {
        for (index, (buf, len)) in list.iter().enumerate() {
            let at = addr + index as u32 * 8;
            self.put(at, &buf.to_le_bytes());
            self.put(at + 4, &len.to_le_bytes());
        }
        list.len() as u32
    }

    pub fn open(&mut self, fd: u32, path: impl AsRef<[u8]>, how: Open) -> Res<u32> {
        let len = self.put(PATH, path.as_ref());
        self.call(|ctx, mem| {
            let Open { follow, oflags, base, inheriting, fdflags } = how;
            let flags = u32::from(follow);
            let (base, inh) = (base.and(Open::WRITE.base).0, inheriting.0);
            call::path_open(ctx, mem, fd, flags, PATH, len, oflags, base, inh, fdflags, OUT)
        })?;
        Ok(self.u32(OUT))
    }

    pub fn close(&mut self, fd: u32) -> Res<()> {
        self.call(|ctx, mem| call::fd_close(ctx, mem, fd))
    }

    pub fn renumber(&mut self, fd: u32, to: u32) -> Res<()> {
        self.call(|ctx, mem| call::fd_renumber(ctx, mem, fd, to))
    }

    pub fn read(&mut self, fd: u32, most: u32) -> Res<Vec<u8>> {
        self.iovs(OUT + 8, &[(DATA, most)]);
        self.call(|ctx, mem| call::fd_read(ctx, mem, fd, OUT + 8, 1, OUT))?;
        Ok(self.bytes(DATA, self.u32(OUT)))
    }

    pub fn pread(&mut self, fd: u32, most: u32, offset: u64) -> Res<Vec<u8>> {
        self.iovs(OUT + 8, &[(DATA, most)]);
        self.call(|ctx, mem| call::fd_pread(ctx, mem, fd, OUT + 8, 1, offset, OUT))?;
        Ok(self.bytes(DATA, self.u32(OUT)))
    }

    pub fn write(&mut self, fd: u32, bytes: &[u8]) -> Res<u32> {
        let len = self.put(DATA, bytes);
        self.iovs(OUT + 8, &[(DATA, len)]);
        self.call(|ctx, mem| call::fd_write(ctx, mem, fd, OUT + 8, 1, OUT))?;
        Ok(self.u32(OUT))
    }

    pub fn pwrite(&mut self, fd: u32, bytes: &[u8], offset: u64) -> Res<u32> {
        let len = self.put(DATA, bytes);
        self.iovs(OUT + 8, &[(DATA, len)]);
        self.call(|ctx, mem| call::fd_pwrite(ctx, mem, fd, OUT + 8, 1, offset, OUT))?;
        Ok(self.u32(OUT))
    }

    pub fn seek(&mut self, fd: u32, offset: i64, whence: u32) -> Res<u64> {
        self.call(|ctx, mem| call::fd_seek(ctx, mem, fd, offset, whence, OUT))?;
        Ok(self.u64(OUT))
    }

    fn stat_at_out(&self) -> Stat {
        Stat {
            dev: self.u64(OUT),
            ino: self.u64(OUT + 8),
            kind: self.mem[OUT as usize + 16],
            nlink: self.u64(OUT + 24),
            size: self.u64(OUT + 32),
            atim: self.u64(OUT + 40),
            mtim: self.u64(OUT + 48),
            ctim: self.u64(OUT + 56),
        }
    }

    pub fn stat(&mut self, fd: u32) -> Res<Stat> {
        self.call(|ctx, mem| call::fd_filestat_get(ctx, mem, fd, OUT))?;
        Ok(self.stat_at_out())
    }

    pub fn stat_at(&mut self, fd: u32, path: impl AsRef<[u8]>, follow: bool) -> Res<Stat> {
        let len = self.put(PATH, path.as_ref());
        let flags = u32::from(follow);
        self.call(|ctx, mem| call::path_filestat_get(ctx, mem, fd, flags, PATH, len, OUT))?;
        Ok(self.stat_at_out())
    }

    pub fn set_times(&mut self, fd: u32, atim: u64, mtim: u64, flags: u32) -> Res<()> {
        self.call(|ctx, mem| call::fd_filestat_set_times(ctx, mem, fd, atim, mtim, flags))
    }

    pub fn set_times_at(
        &mut self,
        fd: u32,
        path: impl AsRef<[u8]>,
        follow: bool,
        (atim, mtim, flags): (u64, u64, u32),
    ) -> Res<()> {
        let len = self.put(PATH, path.as_ref());
        let follow = u32::from(follow);
        self.call(|ctx, mem| {
            call::path_filestat_set_times(ctx, mem, fd, follow, PATH, len, atim, mtim, flags)
        })
    }

    pub fn set_size(&mut self, fd: u32, size: u64) -> Res<()> {
        self.call(|ctx, mem| call::fd_filestat_set_size(ctx, mem, fd, size))
    }

    pub fn allocate(&mut self, fd: u32, offset: u64, len: u64) -> Res<()> {
        self.call(|ctx, mem| call::fd_allocate(ctx, mem, fd, offset, len))
    }

    pub fn mkdir(&mut self, fd: u32, path: impl AsRef<[u8]>) -> Res<()> {
        let len = self.put(PATH, path.as_ref());
        self.call(|ctx, mem| call::path_create_directory(ctx, mem, fd, PATH, len))
    }

    pub fn rmdir(&mut self, fd: u32, path: impl AsRef<[u8]>) -> Res<()> {
        let len = self.put(PATH, path.as_ref());
        self.call(|ctx, mem| call::path_remove_directory(ctx, mem, fd, PATH, len))
    }

    pub fn unlink(&mut self, fd: u32, path: impl AsRef<[u8]>) -> Res<()> {
        let len = self.put(PATH, path.as_ref());
        self.call(|ctx, mem| call::path_unlink_file(ctx, mem, fd, PATH, len))
    }

    pub fn readlink(&mut self, fd: u32, path: impl AsRef<[u8]>, most: u32) -> Res<Vec<u8>> {
        let len = self.put(PATH, path.as_ref());
        self.call(|ctx, mem| call::path_readlink(ctx, mem, fd, PATH, len, DATA, most, OUT))?;
        Ok(self.bytes(DATA, self.u32(OUT)))
    }

    pub fn symlink(&mut self, old: impl AsRef<[u8]>, fd: u32, new: impl AsRef<[u8]>) -> Res<()> {
        let old = self.put(PATH, old.as_ref());
        let new = self.put(PATH2, new.as_ref());
        self.call(|ctx, mem| call::path_symlink(ctx, mem, PATH, old, fd, PATH2, new))
    }

    pub fn link(
        &mut self,
        (fd, old): (u32, impl AsRef<[u8]>),
        follow: bool,
        (to, new): (u32, impl AsRef<[u8]>),
    ) -> Res<()> {
        let old = self.put(PATH, old.as_ref());
        let new = self.put(PATH2, new.as_ref());
        let flags = u32::from(follow);
        self.call(|ctx, mem| call::path_link(ctx, mem, fd, flags, PATH, old, to, PATH2, new))
    }

    pub fn rename(
        &mut self,
        (fd, old): (u32, impl AsRef<[u8]>),
        (to, new): (u32, impl AsRef<[u8]>),
    ) -> Res<()> {
        let old = self.put(PATH, old.as_ref());
        let new = self.put(PATH2, new.as_ref());
        self.call(|ctx, mem| call::path_rename(ctx, mem, fd, PATH, old, to, PATH2, new))
    }

    /// The raw bytes of one `fd_readdir`.
    pub fn readdir(&mut self, fd: u32, len: u32, cookie: u64) -> Res<Vec<u8>> {
        self.call(|ctx, mem| call::fd_readdir(ctx, mem, fd, DATA, len, cookie, OUT))?;
        Ok(self.bytes(DATA, self.u32(OUT)))
    }
}

/// Does one step of a table or a script: a verb and its paths.
pub fn step(guest: &mut Guest, names: &[String], step: &str) -> Res<()> {
    // A path goes to the directory with the longest name it begins with, as in every C library.
    let find = |path: &str| {
        let below = |name: &str| match path.strip_prefix(name.trim_end_matches('/'))? {
            "" => Some(".".to_owned()),
            rest => rest.strip_prefix('/').map(str::to_owned),
        };
        let found = names.iter().enumerate().filter_map(|(n, name)| Some((n, name, below(name)?)));
        let found = found.max_by_key(|(_, name, _)| name.len());
        found.map(|(n, _, rest)| (ROOT + n as u32, rest)).ok_or(Errno::NOTCAPABLE)
    };
    let words: Vec<&str> = step.split(' ').collect();
    let (fd, path) = find(if words[0] == "symlink" { words[2] } else { words[1] })?;
    let opened = |guest: &mut Guest, how: Open| guest.open(fd, &path, how);
    let write = |guest: &mut Guest, how: Open| {
        let fd = guest.open(fd, &path, how)?;
        guest.write(fd, b"changed")?;
        guest.close(fd)
    };
    match words[0] {
        "read" => {
            let fd = opened(guest, Open::READ)?;
            guest.read(fd, 64)?;
            guest.close(fd)
        }
        "write" => write(guest, Open::WRITE),
        "append" => write(guest, Open { fdflags: APPEND, ..Open::WRITE }),
        "truncate" => opened(guest, Open::READ.with(TRUNC)).map(drop),
        "create" => write(guest, Open::WRITE.with(CREAT)),
        "cut" => {
            let fd = opened(guest, Open::READ)?;
            guest.set_size(fd, 0)
        }
        "list" => {
            let fd = opened(guest, Open::READ.with(DIRECTORY))?;
            guest.readdir(fd, 1024, 0).map(drop)
        }
        "stat" => guest.stat_at(fd, &path, true).map(drop),
        "lstat" => guest.stat_at(fd, &path, false).map(drop),
        "times" => guest.set_times_at(fd, &path, true, (1, 1, 5)),
        "mkdir" => guest.mkdir(fd, &path),
        "rmdir" => guest.rmdir(fd, &path),
        "unlink" => guest.unlink(fd, &path),
        "readlink" => guest.readlink(fd, &path, 64).map(drop),
        "symlink" => guest.symlink(words[1], fd, &path),
        "link" | "rename" => {
            let (to, new) = find(words[2])?;
            match words[0] {
                "link" => guest.link((fd, &path), false, (to, new)),
                _ => guest.rename((fd, &path), (to, new)),
            }
        }
        verb => panic!("no such step: {verb}"),
    }
}
