//! Modules that are hostile by their structure: lies about sizes, and sizes at the limits.

use dunlin_engine::Val;

use super::binary::{
    Binary, HEADER, body, export, func_type, i32_const, local_get, name, one_function, ty, unsigned,
};
use super::{Case, Verdict};

const BLOCK: &[u8] = &[0x02, 0x40];
const END: u8 = 0x0b;

/// The cases. Those that grow with `scale` have their full size at 1, and `1 / scale` of it
/// otherwise.
pub fn structure(scale: usize) -> Vec<Case> {
    let mut cases = lies();
    cases.extend(edges());
    cases.extend(nesting(scale));
    cases.extend(counts(scale));
    cases
}

/// Sizes that are not what they say, and other bytes that are no module.
fn lies() -> Vec<Case> {
    let rejected = |name, wasm, text| Case::new(name, wasm, Verdict::Rejected(text));
    let raw = |bytes: &[u8]| Binary::new().raw(bytes).finish();
    let lie = |at: u8, count: u64| Binary::new().contents(at, &unsigned(count)).finish();
    let huge = [BLOCK, &local_get(0), &[0x0e], &unsigned(0xffff_fff0), &[0, END]].concat();
    let overflow = [(0xffff_ffff, ty::I32), (0xffff_ffff, ty::I32)];
    let twice = Binary::new()
        .list(1, &[func_type(&[], &[])])
        .list(3, &[vec![0]])
        .list(7, &[export("a", 0), export("a", 0)])
        .list(10, &[body(&[], &[])]);
    let named = |bytes: &[u8]| {
        Binary::new()
            .list(1, &[func_type(&[], &[])])
            .list(3, &[vec![0]])
            .list(7, &[[name(bytes), vec![0, 0]].concat()])
            .list(10, &[body(&[], &[])])
            .finish()
    };
    let valid = one_function(&[], &[], &[], &[]);
    vec![
        rejected("over-long section length", raw(b"\x01\x80\x80\x80\x80\x80\x00"), "invalid"),
        rejected("section of 4 GiB", raw(b"\x01\xff\xff\xff\xff\x0f\0"), "unexpected end"),
        rejected("268 million types", lie(1, 0x0fff_ffff), "declares"),
        rejected("4 billion functions", lie(3, 0xffff_ffff), ""),
        rejected("4 billion globals", lie(6, 0xffff_ffff), ""),
        rejected("4 billion exports", lie(7, 0xffff_ffff), ""),
        rejected("4 billion bodies", lie(10, 0xffff_ffff), ""),
        rejected("4 billion segments", lie(11, 0xffff_ffff), ""),
        rejected("4 billion targets", one_function(&[ty::I32], &[], &[], &huge), "br_table"),
        rejected("8 billion locals", one_function(&[], &[], &overflow, &[]), "locals"),
        rejected("export twice", twice.finish(), "duplicate export"),
        rejected("name that is no text", named(b"\xff\xfe"), "UTF-8"),
        rejected("name of 100 001 bytes", named(&[b'a'; 100_001]), "100000 bytes"),
        rejected("bytes after the end", [&valid[..], b"\xff\xff"].concat(), "section id"),
        rejected("nothing", Vec::new(), ""),
        rejected("half a header", HEADER[..5].to_vec(), ""),
        rejected("component", b"\0asm\x0d\0\x01\0".to_vec(), "component"),
        rejected("component of core sections", [b"\0asm\x0d\0\x01\0", &valid[8..]].concat(), ""),
        rejected("module of component sections", raw(b"\x04\x08\0asm\x0d\0\x01\0"), ""),
        rejected("memory of 65 537 pages", memory(65_537), "memory size"),
    ]
}

/// One memory of so many pages.
fn memory(pages: u64) -> Vec<u8> {
    Binary::new().list(5, &[[vec![0], unsigned(pages)].concat()]).finish()
}

/// Sizes at the limits, and one more.
fn edges() -> Vec<Case> {
    let returns = |name, wasm| Case::new(name, wasm, Verdict::Returns(Vec::new()));
    let rejected = |name, wasm, text| Case::new(name, wasm, Verdict::Rejected(text));
    let locals = |count| one_function(&[], &[], &[(count, ty::V128)], &[]);
    let many: Vec<u8> = (0..1000).flat_map(local_get).collect();
    let thousand = [ty::I32; 1000];
    let numbers = || (0..1000).map(Val::I32);
    let nops = |count| one_function(&[], &[], &[], &vec![1; count]);
    let all_locals = Binary::new()
        .list(1, &[func_type(&[], &[])])
        .repeated(3, 2000, &[0])
        .list(7, &[export("f", 1999)])
        .repeated(10, 2000, &body(&[(50_000, ty::V128)], &[]));
    let params = func_type(&[ty::I32; 1001], &[]);
    vec![
        returns("50 000 locals", locals(50_000)),
        rejected("50 001 locals", locals(50_001), "50000 locals"),
        returns("100 million locals", all_locals.finish()),
        Case::new(
            "1000 parameters and results",
            one_function(&thousand, &thousand, &[], &many),
            Verdict::Returns(numbers().collect()),
        )
        .with(numbers()),
        rejected("1001 parameters", Binary::new().list(1, &[params]).finish(), "params"),
        returns("a body of 7 654 319 bytes", nops(7_654_317)),
        rejected("a body of 7 654 322 bytes", nops(7_654_320), "7654321"),
    ]
}

/// Nesting, chains and operands.
fn nesting(scale: usize) -> Vec<Case> {
    let returns = |name, wasm| Case::new(name, wasm, Verdict::Returns(Vec::new()));
    let nested = |open: &[u8], count: usize| {
        let text = [open.repeat(count), vec![END; count]].concat();
        one_function(&[ty::I32], &[], &[], &text)
    };
    let chain = |first: &[u8], each: &[u8], count: usize, last: &[u8]| {
        let text = [first, &each.repeat(count), last].concat();
        one_function(&[ty::I32, ty::I64], &[], &[], &text)
    };
    let get = local_get(0);
    let count = 1_000_000 / scale;
    let add_one = [BLOCK, &get, &i32_const(1), &[0x6a, 0x21, 0, END]].concat();
    let select = [&get[..], &get, &[0x1b]].concat();
    let rem = [&local_get(1)[..], &[0x81]].concat();
    let if_else = [&get[..], &[0x04, 0x40, 0x05, END]].concat();
    let targets = |count: usize| {
        let table = [vec![0x0e], unsigned(count as u64), vec![0; count + 1]].concat();
        let text = [BLOCK, &get, &table, &[END]].concat();
        Case::new("targets", one_function(&[ty::I32], &[], &[], &text), Verdict::Returns(vec![]))
            .with([Val::I32(-1)])
    };
    let both = [Val::I32(7), Val::I64(0x7777)];
    let polymorphic = [&[0x00][..], &[0x6a; 50_000], &[0x1a]].concat();
    let unreachable = one_function(&[], &[], &[], &polymorphic);
    let vector = [&[0xfd, 0x0c][..], &[0x55; 16]].concat();
    let vectors = [vector.repeat(4000), vec![0x1a; 4000]].concat();
    vec![
        returns("blocks in blocks", nested(BLOCK, count)).with([Val::I32(1)]),
        returns("loops in loops", nested(&[0x03, 0x40], 11_000)).with([Val::I32(1)]),
        returns("ifs in ifs", nested(&[&get[..], &[0x04, 0x40]].concat(), count / 4))
            .with([Val::I32(1)]),
        returns("loops after loops", chain(&[], &[0x03, 0x40, END], 20_000, &[]))
            .with(both.clone()),
        returns("blocks after blocks", chain(&[], &add_one, 15_000, &[])).with(both.clone()),
        returns("ifs after ifs", chain(&[], &if_else, count / 10, &[])).with(both.clone()),
        returns("selects of selects", chain(&get, &select, count / 5, &[0x1a])).with(both.clone()),
        returns("remainders of remainders", chain(&local_get(1), &rem, 50_000, &[0x1a]))
            .with(both.clone()),
        targets(65_520),
        targets(count),
        returns(
            "operands on operands",
            chain(&[], &i32_const(0), count / 2, &vec![0x1a; count / 2]),
        )
        .with(both.clone()),
        returns("vectors on vectors", one_function(&[], &[], &[], &vectors)),
        Case::new(
            "after unreachable",
            unreachable,
            Verdict::Traps(dunlin_engine::Trap::Unreachable),
        ),
    ]
}

/// Very many of everything.
fn counts(scale: usize) -> Vec<Case> {
    let loads = |name, wasm: Binary| Case::new(name, wasm.finish(), Verdict::Loads);
    let count = 1_000_000 / scale;
    let empty = func_type(&[], &[]);
    let import = |i: usize| [name("m"), name(format!("f{i}")), vec![0, 0]].concat();
    let imports: Vec<Vec<u8>> = (0..count / 10).map(import).collect();
    let exports: Vec<Vec<u8>> = (0..count / 10).map(|i| export(&format!("e{i}"), 0)).collect();
    let one = || Binary::new().list(1, std::slice::from_ref(&empty)).list(3, &[vec![0]]);
    let nulls = [&[0x04][..], &i32_const(0), &[END], &unsigned(count as u64)].concat();
    let nulls = [nulls, [0xd0, 0x70, END].repeat(count)].concat();
    let segment = [&[0x00][..], &i32_const(0), &[END, 1, b'A']].concat();
    vec![
        loads("types", Binary::new().repeated(1, count, &empty)),
        loads(
            "functions",
            Binary::new().list(1, std::slice::from_ref(&empty)).repeated(3, count, &[0]).repeated(
                10,
                count,
                &body(&[], &[]),
            ),
        ),
        // What it imports is missing: it is enough that it loads.
        Case::new(
            "imports",
            Binary::new().list(1, std::slice::from_ref(&empty)).list(2, &imports).finish(),
            Verdict::Loads,
        ),
        loads("exports", one().list(7, &exports).list(10, &[body(&[], &[])])),
        loads("globals", Binary::new().repeated(6, count, &[ty::I64, 1, 0x42, 0, END])),
        loads(
            "data segments",
            Binary::new().list(5, &[vec![0, 1]]).repeated(11, count / 10, &segment),
        ),
        loads(
            "elements",
            Binary::new()
                .list(4, &[[vec![ty::FUNCREF, 0], unsigned(count as u64)].concat()])
                .list(9, &[nulls]),
        ),
        loads("custom sections", Binary::new().raw(&[0, 1, 0].repeat(count))),
        loads(
            "a large custom section",
            Binary::new().contents(0, &[vec![1, b'x'], vec![0; 64 * count]].concat()),
        ),
    ]
}
