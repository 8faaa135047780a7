//! Branch hints: which way a module expects its branches to go. Nothing depends on them.

use crate::error::{Error, ErrorKind};
use crate::index::{DefinedFuncIndex, FuncIndex};
use crate::module::Module;
use crate::op::{BinaryReader, Operator, ReadError};

/// The custom section that holds them.
const SECTION: &str = "metadata.code.branch_hint";

/// What a module expects of one branch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BranchHint {
    /// The function the branch is in.
    pub func: FuncIndex,
    /// Where in the body of the function, locals included, the branch begins, in bytes.
    pub offset: u32,
    /// Whether it is likely to be taken.
    pub taken: bool,
}

impl Module {
    /// The branch hints of the module, in order.
    ///
    /// # Errors
    ///
    /// Where the section that holds them does not follow its format, or where a hint is for
    /// something that is no conditional branch. The module is valid all the same.
    pub fn branch_hints(&self) -> Result<Vec<BranchHint>, Error> {
        let mut sections = self.customs.iter().filter(|section| &*section.name == SECTION);
        let Some(section) = sections.next() else {
            return Ok(Vec::new());
        };
        if let Some(second) = sections.next() {
            return Err(malformed("second section of branch hints", second.range.start.into()));
        }
        if self.bodies.first().is_some_and(|body| body.start < section.range.start) {
            return Err(malformed("branch hints behind the code", section.range.start.into()));
        }
        let reader = BinaryReader::new(self.custom_bytes(section), section.range.start.into());
        let hints = read(reader)?;
        for hints in hints.chunk_by(|a, b| a.func == b.func) {
            self.check_targets(hints)?;
        }
        Ok(hints)
    }

    /// Checks hints for one function.
    fn check_targets(&self, hints: &[BranchHint]) -> Result<(), Error> {
        let Some(func) = hints.first().map(|hint| hint.func) else {
            return Ok(());
        };
        let invalid = |what: &str, at| Error::new(ErrorKind::Invalid, what, at);
        let defined = func.0.checked_sub(self.imported.funcs).map(DefinedFuncIndex);
        let Some(defined) = defined.filter(|defined| defined.index() < self.bodies.len()) else {
            return Err(invalid("branch hint for a function that has no body", None));
        };
        let start = u64::from(self.bodies[defined.index()].start);
        let mut wanted = hints.iter().map(|hint| start + u64::from(hint.offset)).peekable();
        let mut operators = self.body(defined).get_operators_reader().map_err(unreadable)?;
        while let Some(&at) = wanted.peek() {
            let found = operators.original_position();
            let is_branch = !operators.eof() && is_branch(&operators.read().map_err(unreadable)?);
            if found == at && is_branch {
                wanted.next();
            } else if found >= at || operators.eof() {
                return Err(invalid("branch hint for no conditional branch", Some(at)));
            }
        }
        Ok(())
    }
}

fn is_branch(operator: &Operator<'_>) -> bool {
    matches!(
        operator,
        Operator::If { .. }
            | Operator::BrIf { .. }
            | Operator::BrOnNull { .. }
            | Operator::BrOnNonNull { .. }
            | Operator::BrOnCast { .. }
            | Operator::BrOnCastFail { .. }
    )
}

fn malformed(what: &str, at: u64) -> Error {
    Error::new(ErrorKind::Malformed, what, Some(at))
}

fn unreadable(error: ReadError) -> Error {
    malformed(error.message(), error.offset())
}

/// Reads the contents of the section; functions and offsets in them only grow.
fn read(mut reader: BinaryReader<'_>) -> Result<Vec<BranchHint>, Error> {
    let mut hints = Vec::new();
    let mut last_func = None;
    for _ in 0..reader.read_var_u32().map_err(unreadable)? {
        let func = reader.read_var_u32().map_err(unreadable)?;
        if last_func.replace(func).is_some_and(|last| last >= func) {
            return Err(malformed("branch hints out of order", reader.original_position()));
        }
        let mut last_offset = None;
        for _ in 0..reader.read_var_u32().map_err(unreadable)? {
            let offset = reader.read_var_u32().map_err(unreadable)?;
            let at = reader.original_position();
            if last_offset.replace(offset).is_some_and(|last| last >= offset) {
                return Err(malformed("branch hints out of order", at));
            }
            let size = reader.read_u8().map_err(unreadable)?;
            let taken = match (size, reader.read_u8().map_err(unreadable)?) {
                (1, 0) => false,
                (1, 1) => true,
                _ => return Err(malformed("branch hint is neither 0 nor 1", at)),
            };
            hints.push(BranchHint { func: FuncIndex(func), offset, taken });
        }
    }
    match reader.eof() {
        true => Ok(hints),
        false => Err(malformed("more than branch hints", reader.original_position())),
    }
}
