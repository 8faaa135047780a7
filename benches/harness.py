"""What all benches share: running and weighing a process, tables, and where the programs come from."""

import hashlib
import math
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
DUNLIN = os.path.abspath(os.environ.get("DUNLIN", ROOT / "target/release/dunlin"))

# The list is fixed: it is not to be changed to fit an engine.
KERNELS = [
    "coremark", "gemm", "jacobi_2d", "seidel_2d", "lu", "floyd_warshall", "nussinov",
    "nbody", "fannkuch", "spectral_norm", "mandelbrot", "sieve", "quicksort", "sha256", "fib",
    "vm_calls", "vm_switch", "crc32", "base64", "binary_trees", "lz",
]  # fmt: skip

NODE = """
const {WASI} = require('node:wasi'), fs = require('node:fs');
const [file, ...args] = process.argv.slice(1);
const wasi = new WASI({version: 'preview1', args: [file, ...args], returnOnExit: true});
const module = new WebAssembly.Module(fs.readFileSync(file));
const instance = new WebAssembly.Instance(module, wasi.getImportObject());
process.exitCode = wasi.start(instance);
"""

COREMARK_VERSION = "1.0.0"
COREMARK_SHA256 = "d53e4b2bd78a36a0b0ccf1e94d68643201b131c712621f8855be6538f6206f48"
COREMARK_MAIN = """//! Runs CoreMark's 2K performance parameters a fixed number of times and prints its checksums.
fn main() {
    let config = coremark::Config { iterations: 4000, ..Default::default() };
    let r = coremark::run(&config);
    println!("{:04x} {:04x} {:04x} {:04x}", r.crclist, r.crcmatrix, r.crcstate, r.crcfinal);
}
"""
COREMARK_MANIFEST = f"""
[package]
name = "coremark-bench"
version = "0.0.0"
edition = "2024"
[dependencies]
coremark = {{ version = "={COREMARK_VERSION}", default-features = false }}
[profile.release]
opt-level = 3
lto = true
codegen-units = 1
panic = "abort"
strip = true
[workspace]
"""


class Unusable(Exception):
    """An engine or a program that cannot take part, and why."""


def run_once(command, env=None, stdin=None):
    """CPU seconds (user + system) and standard output of one process."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        actions = [
            (os.POSIX_SPAWN_OPEN, 0, stdin or os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, out.fileno(), 1),
            (os.POSIX_SPAWN_DUP2, err.fileno(), 2),
        ]
        pid = os.posix_spawnp(command[0], command, env or os.environ, file_actions=actions)
        _, status, usage = os.wait4(pid, 0)
        out.seek(0)
        printed = out.read()
        if status != 0:
            err.seek(0)
            why = err.read().decode(errors="replace").strip().splitlines()[:1]
            raise Unusable(f"exit code {os.waitstatus_to_exitcode(status)}: {' '.join(why)}")
    return usage.ru_utime + usage.ru_stime, printed


def run_weighed(command, env=None, cwd=None, stdin=None):
    """CPU and wall seconds, peak memory in MB, when it was started in seconds since 1970, and standard
    output of one process."""
    with tempfile.NamedTemporaryFile("r") as peak:
        # `time` is small, so that the peak is that of the command and not of this process before `exec`.
        watched = ["time", "-q", "-f", "%M", "-o", peak.name] if shutil.which("time") else []
        watched += ["env", "-C", str(cwd)] if cwd else []
        started, start = time.time(), time.perf_counter()
        cpu, printed = run_once([*watched, *command], env, stdin)
        wall = time.perf_counter() - start
        kib = peak.read().strip()
    return {"cpu": cpu, "wall": wall, "rss": int(kib) / 1024 if kib else None, "started": started}, printed


def medians(runs):
    """The median of each figure of several runs."""
    columns = {key: [run[key] for run in runs if run[key] is not None] for key in runs[0]}
    return {key: statistics.median(values) if values else None for key, values in columns.items()}


def geomean(values):
    return math.exp(statistics.fmean(map(math.log, values)))


def table(rows):
    """Prints rows of cells as a Markdown table, the first as its head."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for number, row in enumerate(rows):
        cells = [row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:]))]
        print("| " + " | ".join(cells) + " |")
        if number == 0:
            rule = ["-" * widths[0], *("-" * (w - 1) + ":" for w in widths[1:])]
            print("| " + " | ".join(rule) + " |")
    print()


def native_coremark():
    """CoreMark for this machine."""
    return coremark(native=True)


def coremark(native=False):
    """CoreMark's .wasm, built once from the pinned crate; needs the compilers of examples/README.md."""
    folder = CACHE / "dunlin/benches"
    key = hashlib.sha256((COREMARK_MAIN + COREMARK_MANIFEST + COREMARK_SHA256).encode()).hexdigest()
    made = folder / f"coremark-{key[:12]}{'' if native else '.wasm'}"
    if made.exists():
        return made
    rustc = os.environ.get("GUEST_RUSTC", "/usr/bin/rustc")
    for tool in ["cargo", "clang-19", rustc]:
        if not shutil.which(tool):
            raise Unusable(f"`{tool}` is not installed")
    print("building coremark", file=sys.stderr)
    project = folder / "coremark"
    (project / "src").mkdir(parents=True, exist_ok=True)
    (project / "Cargo.toml").write_text(COREMARK_MANIFEST)
    (project / "src/main.rs").write_text(COREMARK_MAIN)

    def cargo(*words, **env):
        done = subprocess.run(
            ["cargo", *words], cwd=project, env={**os.environ, **env}, capture_output=True, text=True
        )
        if done.returncode != 0:
            raise Unusable(done.stderr.strip()[-2000:])

    cargo("fetch", "--quiet")
    lock = (project / "Cargo.lock").read_text()
    pinned = re.search(r'name = "coremark"\nversion = "(.*)"\n.*\nchecksum = "(.*)"', lock)
    if pinned is None or pinned.groups() != (COREMARK_VERSION, COREMARK_SHA256):
        raise Unusable("the registry's crate is not the pinned one")
    flags = (
        f"-Zunstable-options -Clink-self-contained=no -Clinker={shutil.which('clang-19')} "
        "-Clinker-flavor=wasm-lld-cc -Clink-arg=--target=wasm32-wasi "
        "-Lnative=/usr/lib/wasm32-wasi"
    )
    target = str(project / "target")
    if native:
        cargo("build", "--quiet", "--release", "--target-dir", target)
        shutil.copy(project / "target/release/coremark-bench", made)
        return made
    cargo(
        "build", "--quiet", "--release", "-Zbuild-std=std,panic_abort",
        "--target", "wasm32-wasip1", "--target-dir", target,
        RUSTC=rustc, RUSTC_BOOTSTRAP="1", RUSTFLAGS=flags,
    )  # fmt: skip
    shutil.copy(project / "target/wasm32-wasip1/release/coremark-bench.wasm", made)
    return made
