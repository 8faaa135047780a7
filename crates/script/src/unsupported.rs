//! Which feature something needs that the engine does not execute yet.

use dunlin_engine::{Error, Trap};

/// The feature for want of which the engine refuses something, if that is why it does.
pub(crate) fn feature(error: &Error) -> Option<String> {
    if let Some(invalid) = error.downcast_ref::<dunlin_module::Error>() {
        return match invalid.kind() {
            dunlin_module::ErrorKind::Unsupported(Some(proposal)) => {
                Some(proposal.name().to_string())
            }
            _ => None,
        };
    }
    let text = error.to_string();
    let unsupported = error.trap() == Some(Trap::Unsupported)
        || text.contains("not supported yet")
        // Of a defined type, the host sees only that it is none of a function.
        || text.contains("cannot pass a value between host and guest");
    unsupported.then(|| match text.rsplit_once("the instruction `") {
        Some((_, name)) => of_instruction(name.split('`').next().unwrap_or(name)).to_string(),
        None => "gc".to_string(),
    })
}

/// The feature that an instruction belongs to, by the parser's name for it.
fn of_instruction(name: &str) -> &'static str {
    if name.contains("Atomic") {
        "threads"
    } else if name.contains("Relaxed") {
        "relaxed-simd"
    } else if ["CallRef", "ReturnCallRef", "RefAsNonNull", "BrOnNull", "BrOnNonNull"]
        .contains(&name)
    {
        "function-references"
    } else {
        "gc"
    }
}
