//! What running a script says about each directive.

use std::fmt;

/// What became of one directive.
#[derive(Clone, Debug)]
pub struct Report {
    /// The line the directive begins on, counted from 1.
    pub line: usize,
    /// The column it begins at in characters, counted from 1.
    pub column: usize,
    /// The word it begins with, such as `assert_return`.
    pub directive: String,
    /// How it ended.
    pub outcome: Outcome,
}

/// How one directive ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// As the script says.
    Pass,
    /// Otherwise.
    Fail {
        /// What the script wants.
        expected: String,
        /// What happened.
        found: String,
    },
    /// It could not be tried, for want of a feature.
    Unsupported {
        /// Which one, by the name that switches it on.
        feature: String,
    },
}

/// How many directives of a script ended how.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Summary {
    /// As the script says.
    pub passed: usize,
    /// Otherwise.
    pub failed: usize,
    /// Could not be tried.
    pub unsupported: usize,
}

impl Summary {
    /// Counts one more.
    pub fn add(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Pass => self.passed += 1,
            Outcome::Fail { .. } => self.failed += 1,
            Outcome::Unsupported { .. } => self.unsupported += 1,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Pass => f.write_str("passed"),
            Outcome::Fail { expected, found } => write!(f, "expected {expected}, found {found}"),
            Outcome::Unsupported { feature } => write!(f, "needs `{feature}`"),
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Summary { passed, failed, unsupported } = self;
        write!(f, "{passed} passed, {failed} failed, {unsupported} unsupported")
    }
}
