//! Writing modules byte by byte, so that they can be as odd as the format allows and odder.

/// Value types in binary.
#[expect(missing_docs, reason = "the names are the types'")]
pub mod ty {
    pub const I32: u8 = 0x7f;
    pub const I64: u8 = 0x7e;
    pub const V128: u8 = 0x7b;
    pub const FUNCREF: u8 = 0x70;
    pub const EXTERNREF: u8 = 0x6f;
}

/// The first eight bytes of a module.
pub const HEADER: [u8; 8] = *b"\0asm\x01\0\0\0";

/// An unsigned number in LEB128.
pub fn unsigned(mut n: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (n & 0x7f) as u8;
        n >>= 7;
        if n == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

/// A signed number in LEB128.
pub fn signed(mut n: i64) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (n & 0x7f) as u8;
        n >>= 7;
        if (n == 0 && low & 0x40 == 0) || (n == -1 && low & 0x40 != 0) {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

/// A name: its length and its bytes, which need not be text.
pub fn name(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let bytes = bytes.as_ref();
    [unsigned(bytes.len() as u64), bytes.to_vec()].concat()
}

/// `i32.const`
pub fn i32_const(value: i32) -> Vec<u8> {
    [vec![0x41], signed(value.into())].concat()
}

/// `local.get`
pub fn local_get(index: u32) -> Vec<u8> {
    [vec![0x20], unsigned(index.into())].concat()
}

/// A function type.
pub fn func_type(params: &[u8], results: &[u8]) -> Vec<u8> {
    [&[0x60], &name(params)[..], &name(results)].concat()
}

/// A function body: groups of locals, and instructions without the last `end`.
pub fn body(locals: &[(u64, u8)], instructions: &[u8]) -> Vec<u8> {
    let mut bytes = unsigned(locals.len() as u64);
    for (count, ty) in locals {
        bytes.extend(unsigned(*count));
        bytes.push(*ty);
    }
    bytes.extend_from_slice(instructions);
    bytes.push(0x0b);
    name(bytes)
}

/// An export of function `index`.
pub fn export(field: &str, index: u32) -> Vec<u8> {
    [name(field), vec![0], unsigned(index.into())].concat()
}

/// A module under construction.
#[derive(Clone, Debug)]
pub struct Binary(Vec<u8>);

impl Binary {
    /// A module without sections.
    #[expect(clippy::new_without_default, reason = "not the default of anything")]
    pub fn new() -> Binary {
        Binary(HEADER.to_vec())
    }

    /// Appends anything.
    #[must_use]
    pub fn raw(mut self, bytes: &[u8]) -> Binary {
        self.0.extend_from_slice(bytes);
        self
    }

    /// Appends a section with these contents.
    #[must_use]
    pub fn contents(self, id: u8, contents: &[u8]) -> Binary {
        let length = unsigned(contents.len() as u64);
        self.raw(&[id]).raw(&length).raw(contents)
    }

    /// Appends a section that is a list.
    #[must_use]
    pub fn list(self, id: u8, items: &[Vec<u8>]) -> Binary {
        let mut contents = unsigned(items.len() as u64);
        items.iter().for_each(|item| contents.extend_from_slice(item));
        self.contents(id, &contents)
    }

    /// Appends a section that is a list of the same item again and again.
    #[must_use]
    pub fn repeated(self, id: u8, count: usize, item: &[u8]) -> Binary {
        let contents = [unsigned(count as u64), item.repeat(count)].concat();
        self.contents(id, &contents)
    }

    /// The bytes.
    pub fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// A module of one function, exported as `f`.
pub fn one_function(
    params: &[u8],
    results: &[u8],
    locals: &[(u64, u8)],
    instructions: &[u8],
) -> Vec<u8> {
    Binary::new()
        .list(1, &[func_type(params, results)])
        .list(3, &[vec![0]])
        .list(7, &[export("f", 0)])
        .list(10, &[body(locals, instructions)])
        .finish()
}

/// Where the sections of a module end, the header included: the only lengths at which what is
/// left of it may be a module again.
pub fn section_ends(module: &[u8]) -> Vec<usize> {
    let mut at = HEADER.len();
    let mut ends = vec![at];
    while at < module.len() {
        let (mut length, mut shift) = (0usize, 0);
        at += 1;
        loop {
            let byte = module[at];
            at += 1;
            length |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        at += length;
        ends.push(at);
    }
    ends
}
