//! Every limit in `limits` that modules can reach: at the limit accepted, one beyond refused with
//! `LimitExceeded`, both quickly and on a small stack.

use dunlin_module::{Error, ErrorKind, Features, Module, TypeRegistry, limits};

const I32: u8 = 0x7f;
const FUNC: [u8; 3] = [0x60, 0, 0];

fn leb(mut n: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    while n >= 0x80 {
        bytes.push(n as u8 | 0x80);
        n >>= 7;
    }
    bytes.push(n as u8);
    bytes
}

/// A vector of `count` times the same item.
fn vec_of(count: usize, item: &[u8]) -> Vec<u8> {
    [leb(count as u32), item.repeat(count)].concat()
}

fn one(item: &[u8]) -> Vec<u8> {
    vec_of(1, item)
}

fn name(len: usize) -> Vec<u8> {
    vec_of(len, b"n")
}

fn sized(contents: &[u8]) -> Vec<u8> {
    [&leb(contents.len() as u32), contents].concat()
}

fn module(sections: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = b"\0asm\x01\0\0\0".to_vec();
    for (id, contents) in sections {
        bytes.push(*id);
        bytes.extend(sized(contents));
    }
    bytes
}

/// One function with these locals and instructions.
fn function(ty: &[u8], locals: &[u8], code: &[u8]) -> Vec<u8> {
    let body = sized(&[locals, code, &[0x0b]].concat());
    module(&[(1, one(ty)), (3, one(&[0])), (10, one(&body))])
}

fn decode(bytes: Vec<u8>) -> Result<(), Error> {
    let thread = std::thread::Builder::new().stack_size(256 << 10);
    let run = || Module::decode(bytes, &Features::default(), &TypeRegistry::new()).map(drop);
    thread.spawn(run).unwrap().join().unwrap()
}

/// `make(limit)` must be accepted and `make(limit + 1)` refused, with `text` in the message.
fn check(limit: usize, text: &str, make: impl Fn(usize) -> Vec<u8>) {
    if let Err(error) = decode(make(limit)) {
        panic!("{text}: refused at the limit: {error}");
    }
    let error = decode(make(limit + 1)).expect_err(text);
    assert_eq!(error.kind(), ErrorKind::LimitExceeded, "{error}");
    assert!(error.message().contains(text), "`{text}` is not in: {error}");
}

#[test]
fn types() {
    check(limits::TYPES as usize, "types count exceeds limit of 1000000", |n| {
        module(&[(1, vec_of(n, &FUNC))])
    });
    check(limits::PARAMS, "function params size is out of bounds", |n| {
        module(&[(1, one(&[&[0x60][..], &vec_of(n, &[I32]), &[0]].concat()))])
    });
    check(limits::RESULTS, "function returns size is out of bounds", |n| {
        module(&[(1, one(&[&[0x60, 0][..], &vec_of(n, &[I32])].concat()))])
    });
    check(limits::STRUCT_FIELDS, "struct fields size is out of bounds", |n| {
        module(&[(1, one(&[&[0x5f][..], &vec_of(n, &[I32, 0])].concat()))])
    });
    check(limits::SUBTYPE_DEPTH, "sub type hierarchy too deep", |n| {
        let mut types = [leb(n as u32 + 1), vec![0x50, 0, 0x5f, 0]].concat();
        for parent in 0..n as u32 {
            types.extend([&[0x50, 1][..], &leb(parent), &[0x5f, 0]].concat());
        }
        module(&[(1, types)])
    });
}

#[test]
fn index_spaces() {
    check(limits::FUNCTIONS as usize, "functions count exceeds limit of 1000000", |n| {
        let code = vec_of(n, &[2, 0, 0x0b]);
        module(&[(1, one(&FUNC)), (3, vec_of(n, &[0])), (10, code)])
    });
    check(limits::TABLES as usize, "tables, expected at most 65536", |n| {
        module(&[(4, vec_of(n, &[0x70, 0, 0]))])
    });
    check(limits::MEMORIES as usize, "memories count exceeds limit of 100", |n| {
        module(&[(5, vec_of(n, &[0, 0]))])
    });
    check(limits::TAGS as usize, "tags count exceeds limit of 1000000", |n| {
        module(&[(1, one(&FUNC)), (13, vec_of(n, &[0, 0]))])
    });
    check(limits::GLOBALS as usize, "globals count exceeds limit of 1000000", |n| {
        module(&[(6, vec_of(n, &[I32, 0, 0x41, 0, 0x0b]))])
    });
}

#[test]
fn imports_and_exports() {
    // The types of all imports count together, each with one more for the import itself.
    let size = limits::EXTERN_TYPES_SIZE as usize - 2;
    check(size, "effective type size exceeds the limit of 1000000", |n| {
        module(&[(2, vec_of(n, &[0, 0, 3, I32, 0]))])
    });
    let error = decode(module(&[(2, vec_of(limits::IMPORTS as usize + 1, &[0, 0, 3, I32, 0]))]));
    assert!(error.unwrap_err().message().contains("imports count exceeds limit of 1000000"));
    let error = decode(module(&[(7, vec_of(limits::EXPORTS as usize + 1, &[0, 3, 0]))]));
    assert!(error.unwrap_err().message().contains("exports count exceeds limit of 1000000"));
}

/// Calls that give a thousand operands each, and single ones for the rest.
#[test]
fn operands() {
    check(limits::OPERANDS as usize, "has more than 1000000 operands at once", |n| {
        let many = [&[0x60, 0][..], &vec_of(limits::RESULTS, &[I32])].concat();
        let types = [&[2][..], &FUNC, &many].concat();
        let calls = [0x10, 0].repeat(n / limits::RESULTS);
        let ones = [0x41, 0].repeat(n % limits::RESULTS);
        // Shorter bodies are not counted to the last one.
        let nops = [0x01].repeat(8000);
        let body = sized(&[&[0][..], &nops, &calls, &ones, &[0x00, 0x0b]].concat());
        let code = [&[2][..], &sized(&[0, 0x00, 0x0b]), &body].concat();
        module(&[(1, types), (3, vec![2, 1, 0]), (10, code)])
    });
}

#[test]
fn segments() {
    check(limits::ELEMENT_SEGMENTS as usize, "element segments count exceeds limit", |n| {
        module(&[(9, vec_of(n, &[1, 0, 0]))])
    });
    check(limits::DATA_SEGMENTS as usize, "data segments count exceeds limit", |n| {
        module(&[(11, vec_of(n, &[1, 0]))])
    });
    check(limits::DATA_SEGMENTS as usize, "specifies too many data segments", |n| {
        module(&[(12, leb(n as u32)), (11, vec_of(n, &[1, 0]))])
    });
    check(limits::ELEMENTS as usize, "number of elements is out of bounds", |n| {
        let segment = [vec![1, 0], vec_of(n, &[0])].concat();
        let body = one(&[2, 0, 0x0b]);
        module(&[(1, one(&FUNC)), (3, one(&[0])), (9, one(&segment)), (10, body)])
    });
}

#[test]
fn bodies() {
    check(limits::LOCALS as usize, "function has more than 50000 locals", |n| {
        function(&FUNC, &one(&[&leb(n as u32)[..], &[I32]].concat()), &[])
    });
    let wrapping = [&[2][..], &leb(u32::MAX), &[I32], &leb(u32::MAX), &[I32]].concat();
    let error = decode(function(&FUNC, &wrapping, &[])).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LimitExceeded);
    // No locals and `end` take two bytes.
    let code = limits::FUNCTION_BYTES as usize - 2;
    check(code, "function body has more than 7654321 bytes", |n| {
        function(&FUNC, &[0], &vec![0x01; n])
    });
    check(limits::CATCHES, "size is out of bounds", |n| {
        let catches = vec_of(n, &[2, 0]);
        function(&FUNC, &[0], &[&[0x1f, 0x40][..], &catches, &[0x0b]].concat())
    });
}

#[test]
fn names() {
    let text = "name has more than 100000 bytes";
    check(limits::NAME_BYTES, text, |n| {
        module(&[(2, one(&[name(n), vec![0, 3, I32, 0]].concat()))])
    });
    check(limits::NAME_BYTES, text, |n| {
        module(&[(2, one(&[vec![0], name(n), vec![3, I32, 0]].concat()))])
    });
    check(limits::NAME_BYTES, text, |n| {
        let global = one(&[I32, 0, 0x41, 0, 0x0b]);
        module(&[(6, global), (7, one(&[name(n), vec![3, 0]].concat()))])
    });
    check(limits::NAME_BYTES, text, |n| module(&[(0, name(n))]));
}

#[test]
fn declared_counts_reserve_nothing() {
    let body = |code: &[u8]| function(&FUNC, &[0], code);
    let lies = [
        module(&[(1, leb(1_000_000))]),
        module(&[(1, [&[1, 0x4e][..], &leb(1_000_000)].concat())]),
        module(&[(2, leb(1_000_000))]),
        module(&[(2, [&[1, 0, 0, 0x7f][..], &leb(u32::MAX)].concat())]),
        module(&[(3, leb(1_000_000))]),
        module(&[(6, leb(1_000_000))]),
        module(&[(7, leb(1_000_000))]),
        module(&[(9, [&[1, 1, 0][..], &leb(10_000_000)].concat())]),
        module(&[(11, [&[1, 1][..], &leb(u32::MAX)].concat())]),
        body(&[&[0x0e][..], &leb(7_000_000)].concat()),
        body(&[&[0x1f, 0x40][..], &leb(10_000)].concat()),
        function(&FUNC, &leb(u32::MAX), &[]),
        [&b"\0asm\x01\0\0\0\x01"[..], &leb(u32::MAX)].concat(),
    ];
    for (at, bytes) in lies.into_iter().enumerate() {
        let error = decode(bytes).expect_err("a lie");
        let kind = error.kind();
        assert!(matches!(kind, ErrorKind::Malformed | ErrorKind::LimitExceeded), "{at}: {error}");
    }
}
