"""Runs modules with their probes in Wasmtime: see `external.rs` for both formats."""

import sys

import wasmtime

TRAPS = {
    "UNREACHABLE": "unreachable",
    "MEMORY_OUT_OF_BOUNDS": "memory",
    "TABLE_OUT_OF_BOUNDS": "table",
    "INDIRECT_CALL_TO_NULL": "element",
    "BAD_SIGNATURE": "signature",
    "INTEGER_DIVISION_BY_ZERO": "division",
    "INTEGER_OVERFLOW": "overflow",
    "BAD_CONVERSION_TO_INTEGER": "conversion",
    "NULL_REFERENCE": "null",
    "CAST_FAILURE": "cast",
    "ARRAY_OUT_OF_BOUNDS": "array",
    "STACK_OVERFLOW": "stack",
    "HEAP_MISALIGNED": "unaligned",
    "UNCAUGHT_EXCEPTION": "exception",
}


def trap(error):
    if isinstance(error, wasmtime.Trap):
        try:
            code = error.trap_code
        except Exception:
            code = None
        if code is not None:
            return TRAPS.get(code.name, f"other {code.name}")
    if "exception" in str(error):
        return "exception"
    return "other " + str(error).replace("\n", " ")


def engine():
    config = wasmtime.Config()
    for name in sys.argv[2:]:
        setattr(config, name, True)
    config.cranelift_opt_level = "none"
    config.parallel_compilation = False
    return wasmtime.Engine(config)


def run(engine, binary, probe_binary, say):
    try:
        module = wasmtime.Module(engine, binary)
        probe = wasmtime.Module(engine, probe_binary)
    except wasmtime.WasmtimeError as error:
        return say("refused " + str(error).replace("\n", " "))
    store = wasmtime.Store(engine)
    try:
        instance = wasmtime.Instance(store, module, [])
    except (wasmtime.WasmtimeError, wasmtime.Trap) as error:
        return say("trap " + trap(error))
    linker = wasmtime.Linker(engine)
    linker.define_instance(store, "m", instance)
    try:
        calls = linker.instantiate(store, probe).exports(store)
    except (wasmtime.WasmtimeError, wasmtime.Trap) as error:
        return say("refused " + str(error).replace("\n", " "))
    say("instantiated")
    for call in calls.values():
        try:
            result = call(store)
            values = [] if result is None else result if isinstance(result, list) else [result]
            say(" ".join(["values"] + [format(x & (2**64 - 1), "x") for x in values]))
        except (wasmtime.WasmtimeError, wasmtime.Trap) as error:
            say("trap " + trap(error))


def main():
    with open(sys.argv[1], "rb") as file:
        data = file.read()
    at = 0

    def part():
        nonlocal at
        size = int.from_bytes(data[at : at + 4], "little")
        at += 4 + size
        return data[at - size : at]

    the_engine = engine()
    while at < len(data):
        lines = []
        run(the_engine, part(), part(), lines.append)
        print("\n".join(lines + ["end"]), flush=True)


main()
