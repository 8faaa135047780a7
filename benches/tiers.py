"""Dunlin's tiers beside engines that compile: peak speed, warm-up, cold starts, compiling ahead of time."""

import bisect
import dataclasses
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile

import chart
from harness import (
    CACHE, DUNLIN, HERE, KERNELS, ROOT, Unusable, coremark, geomean, medians, native_coremark, run_weighed, table,
)  # fmt: skip

WASMTIME = os.environ.get("WASMTIME", "wasmtime")
WASMER = os.environ.get("WASMER", "wasmer")
NODE = os.environ.get("NODE", "node")
CC = os.environ.get("CC", "clang-19")
V8 = str(ROOT / "scripts/real-programs/v8.mjs")

# Programs that spend their time in calls, beside those in KERNELS that do.
CALLS = ["fib", "tak", "ackermann", "queens", "vm_calls", "vtables", "tree_eval"]


@dataclasses.dataclass
class Engine:
    """How one engine runs a program: `run`, grants, file, arguments."""

    run: list
    # Makes of a `.wasm` what is run instead: these words, the file, `-o`, the result.
    compile: list | None = None
    suffix: str = ""

    def tool(self):
        return (self.compile or self.run or [CC])[0]

    def prepare(self, wasm, folder):
        """What is run for `wasm`, made in `folder` if need be."""
        if self.compile is None:
            return str(wasm)
        made = f"{folder}/{pathlib.Path(wasm).stem}{self.suffix}"
        done = subprocess.run([*self.compile, wasm, "-o", made], capture_output=True, text=True)
        if done.returncode != 0:
            raise Unusable(f"cannot compile: {done.stderr.strip()[:300]}")
        return made


class Native(Engine):
    """The C source, compiled for this machine."""

    def prepare(self, wasm, folder):
        name = pathlib.Path(wasm).stem
        if name.startswith("coremark"):
            return str(native_coremark())
        made = f"{folder}/{name}"
        flags = ["-O3", "-ffp-contract=off", "-Wall", "-Wextra"]
        subprocess.run([CC, *flags, "-o", made, HERE / f"kernels/{name}.c", "-lm"], check=True)
        return made


def dunlin(tier):
    return Engine([DUNLIN, "run", "--tier", tier])


def precompiled(tool, compile, run, suffix):
    return Engine([tool, "run", *run], [tool, "compile", *compile], suffix)


INTERP, AUTO, OPT = dunlin("interp"), dunlin("auto"), dunlin("opt")
AOT = precompiled(DUNLIN, [], [], ".dunlin")
WASMTIME_AOT = precompiled(WASMTIME, [], ["--allow-precompiled"], ".cwasm")
V8_TIERS = Engine([NODE, "--no-warnings", "--stack-size=4000", V8])
V8_OPT = Engine([NODE, "--no-warnings", "--stack-size=4000", "--no-liftoff", "--no-wasm-lazy-compilation", V8])

PEAK = {
    "native": Native([]),
    "interp": INTERP,
    "auto": AUTO,
    "opt": OPT,
    "aot": AOT,
    "wasmtime": WASMTIME_AOT,
    "wasmer-llvm": precompiled(WASMER, ["--llvm"], [], ".llvm.wasmu"),
    "wasmer-cranelift": precompiled(WASMER, ["--cranelift"], [], ".cranelift.wasmu"),
    "v8": V8_TIERS,
    "v8-turbofan": V8_OPT,
}
OURS = ["interp", "auto", "opt", "aot"]


def present(known, asked):
    """The engines that are installed, or those asked for by name."""
    names = asked.split(",") if asked else list(known)
    unknown = [name for name in names if name not in known]
    if unknown:
        sys.exit(f"benches/run: no engine {', '.join(unknown)} here; there are {', '.join(known)}")
    found = {name: known[name] for name in names if shutil.which(known[name].tool())}
    missing = [name for name in names if name not in found]
    if missing:
        print(f"not installed, left out: {', '.join(missing)}\n")
    if not found:
        sys.exit("benches/run: no engine found")
    return found


def without_cache(command, **options):
    """Runs a command that finds no caches of earlier runs."""
    with tempfile.TemporaryDirectory() as empty:
        return run_weighed(command, env={**os.environ, "XDG_CACHE_HOME": empty}, **options)


def in_turns(engines, runs, run):
    """Medians of the figures of `run(engine)`; engines take turns, and one that fails drops out."""
    samples = {name: [] for name in engines}
    for _ in range(runs):
        for name in engines:
            if samples[name] is None:
                continue
            try:
                samples[name].append(run(name))
            except Unusable as why:
                print(f"{name}: {why}", file=sys.stderr)
                samples[name] = None
    return {name: medians(figures) for name, figures in samples.items() if figures}


# ---- peak --------------------------------------------------------------------------------------


def peak(options, results):
    """CPU seconds of the kernels without those of starting, as multiples of native code's."""
    engines = present(PEAK, options.engines)
    expected = dict(line.split(" ", 1) for line in (HERE / "kernels/expected.txt").read_text().splitlines())
    wanted = options.kernels.split(",") if options.kernels else [*KERNELS, *(c for c in CALLS if c not in KERNELS)]
    measured = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in ["empty", *wanted]:
            try:
                wasm = coremark() if name == "coremark" else HERE / f"kernels/{name}.wasm"
            except Unusable as why:
                print(f"coremark: {why}; left out\n")
                continue
            files = {}

            def run(engine):
                if engine not in files:
                    files[engine] = engines[engine].prepare(wasm, folder)
                figures, printed = without_cache([*engines[engine].run, files[engine]])
                if printed.decode().strip() != expected[name]:
                    raise Unusable(f"{name} printed {printed[:80]!r}, expected {expected[name]!r}")
                return figures

            runs = options.runs * 3 if name == "empty" else options.runs
            seconds = {e: figures["cpu"] for e, figures in in_turns(engines, runs, run).items()}
            measured[name] = seconds
            if name == "empty":
                engines = {e: engine for e, engine in engines.items() if e in seconds}
            shown = ", ".join(f"{e} {s:.3f}" for e, s in seconds.items())
            print(f"{name}: {shown}", file=sys.stderr)
    empty = measured.pop("empty")
    # Less than a millisecond above nothing is noise.
    above = {
        name: {e: max(s - empty[e], 0.001) for e, s in seconds.items()} for name, seconds in measured.items()
    }
    results["peak"] = {"start": empty, "seconds": above}
    print("## Peak: CPU seconds, those of an empty program taken off\n")
    table([["program", *engines], *([n, *(f"{s[e]:.3f}" if e in s else "–" for e in engines)] for n, s in above.items())])
    for base in ["native", "wasmtime"]:
        if base in engines:
            peak_ratios(base, engines, above)


def peak_ratios(base, engines, above):
    """Every engine's seconds as multiples of those of `base`, and their means over the lists."""
    others = [e for e in engines if e != base]
    print(f"## Peak: as a multiple of {base}'s time\n")
    ratios = {
        name: {e: s[e] / s[base] for e in others if e in s} for name, s in above.items() if base in s
    }
    rows = [["program", *others]]
    rows += [[n, *(f"{r[e]:.2f}" if e in r else "–" for e in others)] for n, r in ratios.items()]
    for title, names in [("geometric mean of the list", KERNELS), ("geometric mean of calls", CALLS)]:
        means = []
        for engine in others:
            known = [ratios[n][engine] for n in names if engine in ratios.get(n, ())]
            complete = len(known) == len([n for n in names if n in ratios])
            means.append(f"{geomean(known):.3f}" if known and complete else "–")
        rows.append([title, *means])
    table(rows)


# ---- warm-up -----------------------------------------------------------------------------------

WARMUP = {"interpreter only": INTERP, "tiered": AUTO, "ahead of time": AOT, "Wasmtime": Engine([WASMTIME, "run", "-C", "cache=n"]), "V8": V8_TIERS}
WARMUP_SECONDS = {"units in C": 4, "units in CPython": 25}
# Where a second is cut: eight parts to a decade.
EDGES = [10 ** (e / 8) for e in range(-24, 13)]


def real_program(name):
    """Where the `.wasm` of a real program lies."""
    command = [ROOT / "scripts/real-programs/run", "--path", name]
    found = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if found.returncode != 0 or not found.stdout.strip():
        raise Unusable(f"{name}: cannot be fetched")
    return pathlib.Path(found.stdout.strip())


def warmup_guests():
    yield "units in C", HERE / "warmup/units.wasm", [], []
    try:
        python = real_program("cpython")
    except Unusable as why:
        print(f"{why}, left out\n")
    else:
        yield "units in CPython", python, ["--dir", f"{HERE}/warmup::/work"], ["/work/units.py"]


def rates(started, times):
    """Units per second in each part of the time since `started`, seconds since 1970."""
    moments = [t / 1e6 - started for t in times]

    def done(until):
        """Units done until then, the one that is going on in part."""
        at = bisect.bisect_right(moments, until)
        if at == 0:
            return 0.0
        if at == len(moments):
            return at - 1.0
        return at - 1 + (until - moments[at - 1]) / (moments[at] - moments[at - 1])

    parts = [(a, b) for a, b in zip(EDGES, EDGES[1:]) if b <= moments[-1]]
    return {round((a * b) ** 0.5, 6): (done(b) - done(a)) / (b - a) for a, b in parts}


def warmup(options, results):
    """Throughput over time, as a table and as a picture in docs/."""
    panels = []
    for title, wasm, grants, arguments in warmup_guests():
        engines = present(WARMUP, options.engines)
        seconds = options.seconds or WARMUP_SECONDS[title]
        curves = {name: [] for name in engines}
        with tempfile.TemporaryDirectory() as folder:
            files = {}

            def run(name):
                if name not in files:
                    files[name] = engines[name].prepare(wasm, folder)
                words = [*engines[name].run, *grants, files[name], *arguments, str(seconds)]
                figures, printed = without_cache(words)
                curves[name].append(rates(figures["started"], list(map(int, printed.split()))))
                return figures

            in_turns(engines, max(options.runs // 2, 1), run)
        middle = {name: middle_curve(several) for name, several in curves.items() if several}
        results.setdefault("warmup", {})[title] = middle
        panels.append((title, middle))
        print(f"## Warm-up, {title}: units per second, so long after the start\n")
        shown = EDGES[::4]
        rows = [["engine", *(f"{at:.3g} s" for at in shown[1:]), "at last"]]
        for name, curve in middle.items():
            points = sorted(curve.items())
            cells = []
            for until in shown[1:]:
                before = [rate for at, rate in points if at < until]
                cells.append(f"{before[-1]:.4g}" if before and points[-1][0] >= until * 0.8 else "")
            rows.append([name, *cells, f"{settled(points):.4g}"])
        table(rows)
    picture = options.picture or ROOT / "docs/warm-up.svg"
    pathlib.Path(picture).write_text(
        chart.lines(panels, "seconds since the process was started", "units of work per second")
    )
    print(f"Picture: {picture}\n")


def middle_curve(several):
    moments = sorted(set.intersection(*(set(curve) for curve in several)))
    return {at: statistics.median(curve[at] for curve in several) for at in moments}


def settled(points):
    """The rate in the last third of the measured parts."""
    tail = [rate for _, rate in points[-max(len(points) // 6, 1) :]]
    return statistics.median(tail)


# ---- cold --------------------------------------------------------------------------------------


@dataclasses.dataclass
class Job:
    """One run of a real program that does some work."""

    title: str
    program: str
    args: list
    inputs: list = ()
    stdin: str | None = None
    grants: list = ()
    env: dict = dataclasses.field(default_factory=dict)


JOBS = [
    Job(
        "synthesis (Yosys)", "yosys", ["-q", "-p", "read_verilog blink.v; synth_ice40 -top blink; stat"],
        ["blink.v"], grants=[".", "tmp::/tmp", "{program}/share::/share"],
    ),
    Job("a script (CPython)", "cpython", ["/work/census.py", "one", "two"], ["census.py"], grants=[".::/work"]),
    Job(
        "compiling (Go's compiler)", "gc", ["-p", "tide", "-trimpath", "/", "-S", "-o", "tide.o", "tide.go"],
        ["tide.go"], grants=[".::/"], env={"GOOS": "linux", "GOARCH": "amd64", "PWD": "/"},
    ),
    Job("Markdown to HTML (pandoc)", "pandoc", ["-f", "markdown", "-t", "html5", "--toc", "-s"], stdin="waders.md"),
]  # fmt: skip

COLD_WASMTIME = Engine([WASMTIME, "run", "-C", "cache=n"])
COLD = {
    "interp": INTERP,
    "auto": AUTO,
    "auto, again": AUTO,
    "aot": AOT,
    "wasmtime": COLD_WASMTIME,
    "wasmtime, again": Engine([WASMTIME, "run", "-C", "cache=y"]),
    "v8": V8_TIERS,
}


def cold(options, results):
    """Large programs that do some work, from nothing: no cache of compiled code but where it says so."""
    inputs = ROOT / "scripts/real-programs/inputs"
    engines = present(COLD, options.engines)
    for job in JOBS:
        try:
            wasm = real_program(job.program)
        except Unusable as why:
            print(f"{why}, left out\n")
            continue
        stdin = inputs / job.stdin if job.stdin else None
        printed_first = []
        with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as work:
            os.mkdir(f"{work}/tmp")
            for name in job.inputs:
                shutil.copy(inputs / name, work)
            files, caches = {}, {}

            def run(name):
                engine = engines[name]
                if name not in files:
                    files[name] = engine.prepare(wasm, folder)
                grants = [word for g in job.grants for word in ("--dir", g.format(program=wasm.parent))]
                env = [word for pair in job.env.items() for word in ("--env", "=".join(pair))]
                words = [*engine.run, *grants, *env, files[name], *job.args]
                if not name.endswith("again"):
                    figures, printed = without_cache(words, cwd=work, stdin=stdin)
                else:
                    kept = {**os.environ, "XDG_CACHE_HOME": f"{folder}/cache of {name}"}
                    if name not in caches:
                        caches[name] = kept["XDG_CACHE_HOME"]
                        os.mkdir(caches[name])
                        run_weighed(words, env=kept, cwd=work, stdin=stdin)
                    figures, printed = run_weighed(words, env=kept, cwd=work, stdin=stdin)
                printed_first.append(printed)
                if printed != printed_first[0]:
                    raise Unusable(f"printed {printed[:200]!r}, expected {printed_first[0][:200]!r}")
                return figures

            measured = in_turns(engines, options.runs, run)
        results.setdefault("cold", {})[job.title] = measured
        print(f"## Cold: {job.title}, {os.path.getsize(wasm) / 1e6:.1f} MB\n")
        rows = [["engine", "wall ms", "CPU ms", "peak RSS MB", "wall, of wasmtime's"]]
        base = measured.get("wasmtime")
        for name, f in measured.items():
            ratio = f"{f['wall'] / base['wall']:.3f}" if base else "–"
            rss = f"{f['rss']:.0f}" if f["rss"] else "–"
            rows.append([name, f"{f['wall'] * 1000:.0f}", f"{f['cpu'] * 1000:.0f}", rss, ratio])
        table(rows)


# ---- compiling ---------------------------------------------------------------------------------

COMPILE = {
    "dunlin": AOT,
    "wasmtime": WASMTIME_AOT,
    "wasmer-cranelift": PEAK["wasmer-cranelift"],
    "wasmer-llvm": PEAK["wasmer-llvm"],
}
COMPILED = ["yosys", "cpython", "pandoc", "gc", "sqlite"]


def code_bytes(wasm):
    """Bytes of the code section of a module."""
    data = pathlib.Path(wasm).read_bytes()
    at = 8
    while at < len(data):
        section, at = data[at], at + 1
        size = shift = 0
        while True:
            byte, at = data[at], at + 1
            size |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        if section == 10:
            return size
        at += size
    return 0


def compile_all(options, results):
    """Compiling whole programs ahead of time: code per CPU second, wall time, memory."""
    engines = present(COMPILE, options.engines)
    print("## Compiling ahead of time\n")
    rows = [["program", "code MB", "engine", "CPU s", "wall s", "MB per CPU s", "peak RSS MB", "result MB"]]
    for program in options.kernels.split(",") if options.kernels else COMPILED:
        try:
            wasm = real_program(program)
        except Unusable as why:
            print(f"{why}, left out\n")
            continue
        megabytes = code_bytes(wasm) / 1e6
        with tempfile.TemporaryDirectory() as folder:

            def run(name):
                made = f"{folder}/{name}{engines[name].suffix}"
                figures, _ = without_cache([*engines[name].compile, str(wasm), "-o", made])
                return {**figures, "made": os.path.getsize(made)}

            measured = in_turns(engines, max(options.runs // 2, 1), run)
        results.setdefault("compile", {})[program] = {"code_mb": megabytes, **measured}
        for name, f in measured.items():
            rss = f"{f['rss']:.0f}" if f["rss"] else "–"
            rows.append([
                program, f"{megabytes:.1f}", name, f"{f['cpu']:.2f}", f"{f['wall']:.2f}",
                f"{megabytes / f['cpu']:.2f}", rss, f"{f['made'] / 1e6:.1f}",
            ])  # fmt: skip
    table(rows)
