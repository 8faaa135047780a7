//! Continuations.

use super::exception::{land, mark_place};
use super::numeric::plain;
use crate::continuation;
use crate::interp::regs::{Exec, Flow, Regs};

plain! {
    ContNew(r) {
        mark_place(r);
        let done = continuation::new(r.rt, r.slot(r.a()), r.hi(1));
        r.next_or_trap(done, 2)
    }
    ContBind(r) {
        mark_place(r);
        let done = continuation::bind(r.rt);
        r.next_or_trap(done, 3)
    }
    Suspend(r) {
        mark_place(r);
        let done = continuation::suspend(r.rt);
        land(r, done)
    }
    Resume(r) {
        mark_place(r);
        let done = continuation::resume(r.rt);
        land(r, done)
    }
    ResumeThrow(r) {
        mark_place(r);
        let done = continuation::resume_throw(r.rt, false);
        land(r, done)
    }
    ResumeThrowRef(r) {
        mark_place(r);
        let done = continuation::resume_throw(r.rt, true);
        land(r, done)
    }
    Switch(r) {
        mark_place(r);
        let done = continuation::switch(r.rt);
        land(r, done)
    }
    ContReturn(r) {
        continuation::finish(r.rt);
        land(r, Ok(()))
    }
}
