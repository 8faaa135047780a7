"""Modules that grow with n in one direction each, for measuring how load time grows."""

I32, I64, F32, F64, V128 = 0x7F, 0x7E, 0x7D, 0x7C, 0x7B
VOID = b"\x40"
END = b"\x0b"
BLOCK, LOOP, IF = b"\x02" + VOID, b"\x03" + VOID, b"\x04" + VOID
DROP, SELECT = b"\x1a", b"\x1b"


def unsigned(value):
    """LEB128."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def vector(items):
    return unsigned(len(items)) + b"".join(items)


def section(number, payload):
    return bytes([number]) + unsigned(len(payload)) + payload


def const(value):
    """`i32.const` of a small non-negative number."""
    return b"\x41" + (bytes([value]) if value < 64 else bytes([value & 0x7F | 0x80, value >> 7]))


def local_get(index):
    return b"\x20" + unsigned(index)


def local_set(index):
    return b"\x21" + unsigned(index)


def name(text):
    return unsigned(len(text)) + text.encode()


def function_type(params=(), results=()):
    return b"\x60" + unsigned(len(params)) + bytes(params) + unsigned(len(results)) + bytes(results)


def body(code, groups=()):
    """A function body; groups are (count, type) of locals."""
    declared = vector([unsigned(count) + bytes([kind]) for count, kind in groups])
    inner = declared + code + END
    return unsigned(len(inner)) + inner


def module(bodies, *, types=(), before_code=(), after_code=(), exports=(), custom=b""):
    """Function 0 has type 0, `[] -> []`, and is exported as `f`; further sections as (number, payload)."""
    sections = {
        1: vector([function_type(), *types]),
        3: vector([b"\0"] * len(bodies)),
        7: vector([name("f") + b"\0\0", *exports]),
        10: vector(bodies),
    }
    for number, payload in [*before_code, *after_code]:
        sections[number] = payload
    order = [1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 10, 11]
    return b"\0asm\1\0\0\0" + custom + b"".join(
        section(number, sections[number]) for number in order if number in sections
    )


def one(code, groups=((1, I32), (2, I64))):
    return module([body(code, groups)])


def distinct_type(index):
    """Spells the index in four value types, so that no two are equal."""
    params = []
    for _ in range(10):
        params.append((I32, I64, F32, F64)[index & 3])
        index >>= 2
    return function_type(params, [I32])


def blocks_left_by_branch(n):
    """Every block is left by a branch to the outermost one."""
    return b"".join(BLOCK + local_get(0) + b"\x0d" + unsigned(depth) for depth in range(n)) + END * n


# name: (smallest n, bytes of the module for n)
SHAPES = {
    "nested blocks": (200_000, lambda n: one(BLOCK * n + END * n)),
    "nested loops": (200_000, lambda n: one(LOOP * n + END * n)),
    "nested ifs": (150_000, lambda n: one((local_get(0) + IF) * n + END * n)),
    "branches to the outermost block": (100_000, lambda n: one(blocks_left_by_branch(n))),
    "flat loops": (300_000, lambda n: one((LOOP + END) * n)),
    "blocks that set a local": (
        150_000,
        lambda n: one((BLOCK + local_get(0) + const(1) + b"\x6a" + local_set(0) + END) * n),
    ),
    "if chain": (200_000, lambda n: one((local_get(0) + IF + b"\x05" + END) * n)),
    "select chain": (
        250_000,
        lambda n: one(local_get(0) + (local_get(0) + local_get(0) + SELECT) * n + DROP),
    ),
    "add chain": (400_000, lambda n: one(local_get(1) + (local_get(2) + b"\x7c") * n + DROP)),
    "deep operand stack": (200_000, lambda n: one(const(0) * n + DROP * n)),
    "br_table targets": (
        500_000,
        lambda n: one(BLOCK + local_get(0) + b"\x0e" + unsigned(n) + b"\0" * (n + 1) + END),
    ),
    "br_tables": (
        60_000,
        lambda n: one((BLOCK + local_get(0) + b"\x0e" + unsigned(8) + b"\0" * 9 + END) * n),
    ),
    "code after unreachable": (
        1_000_000,
        lambda n: one(BLOCK + b"\x0c\0" + b"\x6a" * n + DROP + END),
    ),
    "groups of locals": (12_000, lambda n: one(b"", [(1, (I32, I64)[i & 1]) for i in range(n)])),
    "empty functions": (100_000, lambda n: module([body(b"")] * n)),
    "small functions": (
        50_000,
        lambda n: module([body(local_get(0) + const(7) + b"\x6a" + DROP, [(1, I32)])] * n),
    ),
    "large frames": (20_000, lambda n: module([body(b"", [(50_000, V128)])] * n)),
    "distinct types": (
        50_000,
        lambda n: module([body(b"")], types=[distinct_type(i) for i in range(n)]),
    ),
    "equal types": (100_000, lambda n: module([body(b"")], types=[function_type([I32])] * n)),
    "globals": (
        200_000,
        lambda n: module([body(b"")], before_code=[(6, vector([bytes([I64, 1]) + b"\x42\0\x0b"] * n))]),
    ),
    "exports": (
        50_000,
        lambda n: module([body(b"")], exports=[name(f"e{i}") + b"\0\0" for i in range(n)]),
    ),
    "data segments": (
        20_000,
        lambda n: module(
            [body(b"")],
            before_code=[(5, vector([b"\0\1"]))],
            after_code=[(11, vector([b"\0" + const(0) + END + b"\1A"] * n))],
        ),
    ),
    "element items": (
        500_000,
        lambda n: module(
            [body(b"")],
            before_code=[
                (4, vector([b"\x70\0" + unsigned(n)])),
                (9, vector([b"\0" + const(0) + END + unsigned(n) + b"\0" * n])),
            ],
        ),
    ),
    "element expressions": (
        100_000,
        lambda n: module(
            [body(b"")],
            before_code=[
                (4, vector([b"\x70\0" + unsigned(n)])),
                (9, vector([b"\4" + const(0) + END + unsigned(n) + b"\xd0\x70\x0b" * n])),
            ],
        ),
    ),
    "custom sections": (
        200_000,
        lambda n: module([body(b"")], custom=section(0, name("")) * n),
    ),
}
