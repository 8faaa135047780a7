//! Compiled code as files, whole and tampered with: a generator, and what must hold for any bytes.

use arbitrary::{Result, Unstructured};
use dunlin_code::artifact::{Artifact, ArtifactError, Builder, Key, Packed};
use dunlin_code::native::{
    CallSite, Entry, Inlined, NativeCode, NativeHandler, Position, Reloc, RelocTarget, TrapCause,
    TrapSite,
};
use dunlin_code::{MemoryKind, Settings, Trap};
use dunlin_module::DefinedFuncIndex;
use dunlin_seal::envelope::{self, HEADER_BYTES};
use dunlin_seal::{MachineKey, Purpose, Seal, Trust};

/// What native code may refer to.
#[derive(Clone, Copy, Debug)]
pub struct World {
    /// Defined functions.
    pub funcs: u32,
    /// Tags.
    pub tags: u32,
    /// Bytes of the module.
    pub bytes: u32,
}

/// Ascending offsets, each less than `below`, with room for `size` bytes between.
fn ascending(u: &mut Unstructured<'_>, below: u32, size: u32) -> Result<Vec<u32>> {
    let (mut offsets, mut next) = (Vec::new(), 0);
    while next < below && u.ratio(7u8, 8u8)? {
        let at = u.int_in_range(next..=below.min(next.saturating_add(64)) - 1)?;
        offsets.push(at);
        next = at + size;
    }
    Ok(offsets)
}

/// Native code that keeps its contract; its instructions are random.
///
/// # Errors
///
/// If the bytes run out.
pub fn native_code(u: &mut Unstructured<'_>, world: World) -> Result<NativeCode> {
    let len = u.int_in_range(1..=300u32)?;
    let mut bytes = u.bytes(u.len().min(len as usize))?.to_vec();
    bytes.resize(len as usize, 0x90);
    let mut code =
        NativeCode { bytes, align: 1 << u.int_in_range(0..=6u32)?, ..NativeCode::default() };
    for offset in ascending(u, len.saturating_sub(3), 4)? {
        let target = RelocTarget::Func(DefinedFuncIndex(u.int_in_range(0..=world.funcs - 1)?));
        code.bytes[offset as usize..][..4].fill(0);
        code.relocs.push(Reloc { offset, target });
    }
    for at in 0..u.int_in_range(0..=4u32)? {
        let func = DefinedFuncIndex(u.int_in_range(0..=world.funcs - 1)?);
        let inlined = u.int_in_range(0..=at)?;
        let call = Position { offset: u.int_in_range(0..=world.bytes)?, inlined };
        code.inlined.push(Inlined { func, call });
    }
    for ret in ascending(u, len + 1, 1)? {
        let call = call_site(u, world, ret, len)?;
        code.calls.push(call);
    }
    for offset in ascending(u, len, 1)? {
        let cause = match u.int_in_range(0..=Trap::ALL.len())? {
            0 => TrapCause::Raised,
            trap => TrapCause::Trap(Trap::ALL[trap - 1]),
        };
        code.traps.push(TrapSite { offset, cause });
    }
    for at in ascending(u, len, 1)? {
        let inlined = u.int_in_range(0..=code.inlined.len() as u32)?;
        let offset = u.int_in_range(0..=world.bytes)?;
        code.positions.push((at, Position { offset, inlined }));
    }
    Ok(code)
}

fn call_site(u: &mut Unstructured<'_>, world: World, ret: u32, len: u32) -> Result<CallSite> {
    let frame = 8 * u.int_in_range(0..=64u32)?;
    let (mut roots, mut handlers) = (Vec::new(), Vec::new());
    if frame > 0 {
        let place = |u: &mut Unstructured<'_>| Ok(8 * u.int_in_range(0..=frame / 8 - 1)?);
        for _ in 0..u.int_in_range(0..=3)? {
            roots.push(place(u)?);
        }
        for _ in 0..u.int_in_range(0..=2)? {
            let context = place(u)?;
            let tag = if u.arbitrary()? { Some(u.int_in_range(0..=world.tags - 1)?) } else { None };
            let landing = u.int_in_range(0..=len - 1)?;
            handlers.push(NativeHandler { context, tag, landing });
        }
    }
    Ok(CallSite { ret, frame, roots: roots.into(), handlers: handlers.into() })
}

/// What an artifact is made of.
pub type Functions = Vec<(DefinedFuncIndex, Entry, NativeCode)>;

/// A few functions, and the artifact of them.
///
/// # Errors
///
/// If the bytes run out.
pub fn artifact(u: &mut Unstructured<'_>, world: World) -> Result<(Functions, Vec<u8>)> {
    let mut builder = Builder::default();
    let mut functions = Functions::new();
    for func in (0..world.funcs).map(DefinedFuncIndex) {
        for entry in [Entry::Function, Entry::Loop(u.int_in_range(0..=world.bytes)?)] {
            if u.arbitrary()? {
                builder.heat(func, entry, u.arbitrary()?);
            }
            if u.arbitrary()? {
                let code = native_code(u, world)?;
                let packed = Packed::new(&code).expect("it keeps the contract");
                builder.insert(func, entry, packed);
                functions.push((func, entry, code));
            }
        }
    }
    let settings = Settings {
        memory_kind: *u.choose(&[MemoryKind::Guard, MemoryKind::Compact])?,
        fuel: u.arbitrary()?,
        interruptible: u.arbitrary()?,
        deterministic: u.arbitrary()?,
    };
    let key = Key { fingerprint: "test 1 x86-64".into(), settings, module: u.arbitrary()? };
    let mut bytes = Vec::new();
    builder.finish(&key, &mut bytes);
    Ok((functions, bytes))
}

/// Changes something in `bytes`, as somebody might who knows the format.
///
/// # Errors
///
/// If the random bytes run out.
pub fn tamper(u: &mut Unstructured<'_>, bytes: &mut Vec<u8>) -> Result<()> {
    let Some(last) = bytes.len().checked_sub(1) else {
        bytes.push(u.arbitrary()?);
        return Ok(());
    };
    let at = u.int_in_range(0..=last)?;
    match u.int_in_range(0..=7u8)? {
        0 => bytes.truncate(at),
        1 => bytes.extend_from_slice(&[0; 3]),
        2 => drop(bytes.remove(at)),
        3 => bytes.insert(at, u.arbitrary()?),
        4 => {
            let extreme = *u.choose(&[0, 1, 0x7f, 0x80, 0xff, 0xffff, 0x7fff_ffff, u32::MAX])?;
            let field = at & !3;
            for (to, from) in bytes.iter_mut().skip(field).zip(u32::to_le_bytes(extreme)) {
                *to = from;
            }
        }
        5 => {
            let from = u.int_in_range(0..=last)?;
            let len = u.int_in_range(1..=32usize)?.min(last + 1 - from.max(at));
            bytes.copy_within(from..from + len, at);
        }
        6 => bytes[at] = u.arbitrary()?,
        _ => bytes[at] ^= 1 << u.int_in_range(0..=7u8)?,
    }
    Ok(())
}

/// Reads any bytes as an artifact. What is accepted is in order: writing it again gives the bytes.
///
/// # Errors
///
/// If they are refused.
///
/// # Panics
///
/// If accepted bytes are not what writing them again gives.
pub fn read_any(bytes: &[u8]) -> std::result::Result<usize, ArtifactError> {
    let artifact = Artifact::parse(bytes)?;
    let mut builder = Builder::default();
    for heat in artifact.profile() {
        builder.heat(heat.func, heat.entry, heat.weight);
    }
    for function in artifact.functions() {
        let code = function.unpack();
        for reloc in &code.relocs {
            let field = reloc.offset as usize..reloc.offset as usize + 4;
            assert!(code.bytes.get(field).is_some(), "a relocation outside the code");
        }
        builder.insert(function.func, function.entry, function.packed());
    }
    let mut again = Vec::new();
    builder.finish(artifact.key(), &mut again);
    assert!(again == bytes, "accepted bytes that would be written otherwise");
    Ok(artifact.functions().len())
}

/// What the fuzzer does with its bytes: reads them as an artifact and as a sealed file, and makes an
/// artifact with them that is read whole, tampered with, and tampered with under a good seal.
///
/// # Panics
///
/// If something is accepted that must not be.
pub fn fuzz(data: &[u8]) {
    drop(read_any(data));
    let key = MachineKey::new([7; 32]);
    let trust = Trust { machine: Some(key.clone()), signers: Vec::new() };
    assert!(envelope::open(data, Purpose::Code, &trust).is_err(), "somebody guessed a seal");
    let world = World { funcs: 5, tags: 3, bytes: 1000 };
    let mut u = Unstructured::new(data);
    let Ok((functions, bytes)) = artifact(&mut u, world) else { return };
    assert_eq!(read_any(&bytes), Ok(functions.len()));
    let seal = |payload: &[u8]| {
        let mut sealed = envelope::start();
        sealed.extend_from_slice(payload);
        envelope::close(&mut sealed, Purpose::Code, Seal::Machine(&key));
        sealed
    };
    let whole = seal(&bytes);
    let mut sealed = whole.clone();
    while !u.is_empty() {
        if tamper(&mut u, &mut sealed).is_err() {
            return;
        }
        let opened = envelope::open(&sealed, Purpose::Code, &trust);
        assert!(sealed == whole || opened.is_err(), "a broken seal was accepted");
        if let Some(payload) = sealed.get(HEADER_BYTES..) {
            let forged = seal(payload);
            let payload = envelope::open(&forged, Purpose::Code, &trust).expect("a good seal");
            drop(read_any(payload));
        }
    }
}
