//! Expected text in files: compared, or rewritten with `BLESS=1`.

use std::fs;
use std::path::Path;

/// Compares `found` with the contents of the file at `path`.
///
/// # Panics
///
/// If they differ, showing where; and if a file cannot be read or written.
#[track_caller]
pub fn check(path: &Path, found: &str) {
    let expected = fs::read_to_string(path).unwrap_or_default();
    if expected == found {
        return;
    }
    if crate::bless() {
        fs::write(path, found).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        return;
    }
    panic!("{} differs (BLESS=1 rewrites it)\n{}", path.display(), difference(&expected, found));
}

/// The first lines that differ, with one line of context.
fn difference(expected: &str, found: &str) -> String {
    let (expected, found): (Vec<_>, Vec<_>) = (expected.lines().collect(), found.lines().collect());
    let same = expected.iter().zip(&found).take_while(|(e, f)| e == f).count();
    let mut shown = String::new();
    if same > 0 {
        shown += &format!("{same:4}   {}\n", expected[same - 1]);
    }
    for (mark, lines) in [('-', &expected), ('+', &found)] {
        for (i, line) in lines.iter().enumerate().skip(same).take(5) {
            shown += &format!("{:4} {mark} {line}\n", i + 1);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_the_first_difference() {
        let shown = difference("a\nb\nc", "a\nx\nc");
        assert_eq!(shown, "   1   a\n   2 - b\n   3 - c\n   2 + x\n   3 + c\n");
    }
}
