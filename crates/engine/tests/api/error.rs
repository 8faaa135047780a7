//! Errors: kinds, chains, and conversion from and to the standard ones.

use std::error::Error as StdError;
use std::fmt;

use dunlin_engine::{Engine, Error, ErrorKind, Func, Result, Store, Trap};

use crate::check_snapshot;

#[derive(Debug)]
struct Outer(std::num::ParseIntError);

impl fmt::Display for Outer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cannot read settings")
    }
}

impl StdError for Outer {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.0)
    }
}

fn outer() -> Outer {
    Outer("x".parse::<i32>().unwrap_err())
}

#[test]
fn the_report_follows_sources_and_context() {
    let error = Error::from(outer()).context("cannot start").with_help("read the manual");
    assert_eq!(error.to_string(), "cannot start: cannot read settings");
    check_snapshot("error_chain", error.report());
    assert_eq!(error.report().to_string(), format!("error: {error:?}"));
    assert!(error.is::<Outer>());
    assert!(error.source().unwrap().is::<std::num::ParseIntError>());
}

#[test]
fn kinds_follow_what_is_inside() {
    let cases = [
        (Error::msg("no"), ErrorKind::Host),
        (Error::host(outer()), ErrorKind::Host),
        (Error::host("text"), ErrorKind::Host),
        (Error::from(Trap::OutOfFuel), ErrorKind::Trap),
        (Error::from(Trap::LimitExceeded), ErrorKind::Limit),
        (Error::from(Trap::Bug), ErrorKind::Bug),
    ];
    for (error, kind) in cases {
        assert_eq!(error.kind(), kind, "{error}");
    }
}

#[test]
fn errors_fit_into_boxes_and_come_back() {
    fn fails() -> Result<(), Box<dyn StdError + Send + Sync>> {
        Err(Error::from(outer()))?;
        Ok(())
    }
    let boxed = fails().unwrap_err();
    assert_eq!(boxed.to_string(), "cannot read settings");
    assert!(boxed.source().unwrap().is::<std::num::ParseIntError>());
    let back = Error::from_boxed(boxed);
    assert!(back.is::<Outer>());
    let plain: Box<dyn StdError> = back.into();
    assert_eq!(plain.to_string(), "cannot read settings");
}

#[test]
fn a_trap_handed_on_by_a_host_function_is_the_same_trap() {
    let mut store = Store::new(&Engine::default(), ());
    let trap = Func::wrap(&mut store, || -> Result<()> {
        Err(Error::from(Trap::IntegerOverflow).context("deep inside"))
    });
    let error = trap.call(&mut store, &[], &mut []).unwrap_err();
    assert_eq!(error.trap(), Some(Trap::IntegerOverflow));
    assert_eq!(error.to_string(), "deep inside: trap: integer overflow");
    assert_eq!(error.downcast::<Trap>().unwrap(), Trap::IntegerOverflow);
}
