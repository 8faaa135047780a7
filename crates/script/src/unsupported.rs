//! Which feature something needs that the engine does not execute yet.

use dunlin_engine::{Error, FuncType, HeapType, RefType, Trap, ValType};

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

/// The feature without which the host can neither give nor take values of this function's types.
pub(crate) fn by_signature(ty: &FuncType) -> Option<&'static str> {
    ty.params.iter().chain(&ty.results).find_map(|ty| by_type(*ty))
}

/// The feature without which the host cannot hold a value of this type.
pub(crate) fn by_type(ty: ValType) -> Option<&'static str> {
    let ValType::Ref(RefType { heap, .. }) = ty else {
        return None;
    };
    match heap {
        HeapType::Func | HeapType::NoFunc | HeapType::Extern | HeapType::NoExtern => None,
        HeapType::Exn | HeapType::NoExn | HeapType::Cont | HeapType::NoCont => None,
        HeapType::Any | HeapType::Eq | HeapType::I31 | HeapType::Struct | HeapType::Array => {
            Some("gc")
        }
        HeapType::None => Some("gc"),
        // Most defined types are types of functions, which the host can hold.
        HeapType::Concrete(_) => None,
    }
}
