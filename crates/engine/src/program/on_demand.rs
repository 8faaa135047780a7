//! Compiled programs in files, of which code is read when it is first called.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, PoisonError};

use dunlin_code::artifact::{Artifact, Index};
use dunlin_module::{DefinedFuncIndex, Module as Decoded};
use dunlin_seal::blocks::{Blocks, Origin};
use dunlin_seal::envelope::{self, HEADER_BYTES, Purpose};
use dunlin_vm::{Batch, NativeSource};

use super::opened::{Payload, changed};
use super::{Mismatch, decode, malformed, mismatch, refused};
use crate::cache;
use crate::engine::Engine;
use crate::error::Result;
use crate::module::Module;

/// So little code is read at once: then all calls in it are direct.
const WHOLE_BYTES: usize = 1 << 20;

/// The code of a program, in a file.
#[derive(Debug)]
pub(super) struct OnDemand {
    engine: Engine,
    blocks: Blocks<'static>,
    /// Where the artifact begins in the body.
    artifact_at: usize,
    index: Index,
    /// Which groups of functions were asked for.
    asked: Mutex<Box<[bool]>>,
}

impl OnDemand {
    pub(super) fn open(engine: &Engine, file: File) -> Result<(Module, Option<Mismatch>)> {
        let length = file.metadata()?.len();
        let front = read_front(&file, length)?;
        let opened = envelope::open_front(&front, Purpose::Program, &engine.storage().trust());
        let (payload, body_bytes) = opened.map_err(refused)?;
        let payload = Payload::read(payload)?;
        let behind = length - front.len() as u64;
        let body_bytes = usize::try_from(body_bytes).ok().filter(|bytes| *bytes as u64 == behind);
        let fits = body_bytes.filter(|bytes| payload.binary_bytes <= *bytes);
        let body_bytes = fits.ok_or_else(|| malformed("it is cut off, or too long"))?;
        let origin = Origin::File(file, front.len() as u64);
        let blocks = Blocks::new(origin, body_bytes, payload.table);
        let blocks = blocks.ok_or_else(|| malformed("a hash is missing, or one too many"))?;

        let artifact_at = payload.binary_bytes;
        let mut binary: Arc<[u8]> = std::iter::repeat_n(0, artifact_at).collect();
        if let Some(binary) = Arc::get_mut(&mut binary) {
            blocks.read_into(0, binary).map_err(changed)?;
        }
        let artifact_bytes = body_bytes - artifact_at;
        let read = |count: usize| {
            let end = count.min(artifact_bytes) + artifact_at;
            blocks.read(artifact_at..end).map_err(changed)
        };
        let front_bytes = Index::front_bytes(&read(Index::FIRST_BYTES)?).map_err(malformed)?;
        let front = read(front_bytes)?;
        let key = Artifact::parse_key(&front).map_err(malformed)?;
        let mismatch = mismatch(engine, &key);
        // Decoding looks at the same bytes, and only believes them once they are hashed.
        let hashing = || dunlin_seal::digest(&binary);
        let (decoded, digest) = cache::beside(hashing, |digest| {
            let decode = || decode(engine, binary.clone(), payload.verdict);
            (mismatch.is_none().then(decode), digest())
        });
        if key.module != digest {
            return Err(malformed("its code is for another module"));
        }
        let Some(decoded) = decoded.transpose()? else {
            return Ok((Module::from_shared(engine, binary)?, mismatch));
        };
        if artifact_bytes <= WHOLE_BYTES {
            let whole = read(artifact_bytes)?;
            let artifact = Artifact::parse_for(&whole, &decoded).map_err(malformed)?;
            let module = Module::from_decoded(engine, decoded);
            cache::install_artifact(engine.storage(), module.code(), &artifact);
            return Ok((module, None));
        }
        let index = Index::read(&front, artifact_bytes, &decoded).map_err(malformed)?;
        let asked = Mutex::new(vec![false; index.groups()].into());
        let module = Module::from_decoded(engine, decoded);
        let engine = engine.clone();
        module.code().set_source(Box::new(OnDemand { engine, blocks, artifact_at, index, asked }));
        Ok((module, None))
    }

    fn install(
        &self,
        module: &Decoded,
        group: usize,
        install: &mut dyn FnMut(Batch<'_>),
    ) -> Result<()> {
        let (meta, code) = self.index.parts(group);
        let read = |part: std::ops::Range<usize>| {
            self.blocks.read(self.artifact_at + part.start..self.artifact_at + part.end)
        };
        let (meta, code) = (read(meta).map_err(changed)?, read(code).map_err(changed)?);
        let functions = self.index.functions(group, &meta, &code, module).map_err(malformed)?;
        install(&functions);
        Ok(())
    }
}

impl NativeSource for OnDemand {
    fn load(&self, module: &Decoded, func: DefinedFuncIndex, install: &mut dyn FnMut(Batch<'_>)) {
        let Some(group) = self.index.group_of(func) else { return };
        // Held until it is installed: whoever wants the same waits. Nothing panics meanwhile.
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        match asked.get_mut(group) {
            Some(asked) if !*asked => *asked = true,
            _ => return,
        }
        if let Err(error) = self.install(module, group, install) {
            self.engine.storage().note(format_args!("code is not used: {error}"));
        }
    }
}

/// The header and what is sealed behind it.
fn read_front(file: &File, length: u64) -> Result<Vec<u8>> {
    let read = |bytes: u64| -> Result<Vec<u8>> {
        // What a header says of a file that is shorter is refused by whoever reads it.
        let mut front = vec![0; usize::try_from(bytes.min(length)).unwrap_or_default()];
        file.read_exact_at(&mut front, 0)?;
        Ok(front)
    };
    read(envelope::front_bytes(&read(HEADER_BYTES as u64)?).map_err(refused)?)
}
