//! `dunlin key`: a pair of keys to sign compiled programs with.

use std::ffi::OsString;
use std::fs::File;
use std::io::Write;
use std::path::Path;

use dunlin::SigningKey;

use crate::Exit;
use crate::flags::KeyFlags;
use crate::report::{Failure, io_reason, quoted, write_stdout};

pub(crate) fn run(flags: &KeyFlags) -> Result<Exit, Failure> {
    let key = SigningKey::generate().map_err(|error| {
        Failure::new(Exit::Unreached, format!("cannot make a key: {}", io_reason(&error)))
    })?;
    let mut public = OsString::from(&flags.file);
    public.push(".pub");
    // First, so that a private key is never left without its public one.
    write_new(Path::new(&public), key.public().pem().as_bytes())?;
    key.save_new(&flags.file).map_err(|error| {
        // Made a moment ago, and of no use.
        drop(std::fs::remove_file(&public));
        unwritable(&flags.file, &error.reason())
    })?;
    let (private, public) = (flags.file.to_string_lossy(), public.to_string_lossy());
    write_stdout(format!(
        "private key: {}, to sign with (`dunlin compile --sign`); keep it secret\n\
         public key: {}, for those who trust you (`dunlin run --trust`)\n\
         name: {}\n",
        quoted(&private),
        quoted(&public),
        key.public(),
    ))?;
    Ok(Exit::DONE)
}

fn write_new(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let write = || File::create_new(path)?.write_all(bytes);
    write().map_err(|error| unwritable(path, &io_reason(&error)))
}

fn unwritable(path: &Path, why: &str) -> Failure {
    let name = quoted(&path.to_string_lossy());
    Failure::new(Exit::Unreached, format!("cannot write {name}: {why}"))
}
