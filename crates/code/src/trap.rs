//! Why guest code stopped: one byte, and the text the spec suite expects beside each variant.

use std::fmt;

macro_rules! traps {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        /// A trap (core spec §4.2.4, appendix A.2), or one of our own reasons to stop a guest.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[repr(u8)]
        #[non_exhaustive]
        pub enum Trap {
            $($(#[$doc])* $name,)*
        }

        impl Trap {
            /// Every trap, in order of its encoding.
            pub const ALL: &'static [Trap] = &[$(Trap::$name),*];

            /// The text of the trap; for traps of the spec, the spec suite's.
            pub fn message(self) -> &'static str {
                match self {
                    $(Trap::$name => $text,)*
                }
            }
        }
    };
}

traps! {
    /// `unreachable` was executed.
    Unreachable = "unreachable";
    /// A memory access outside the memory, or a segment range outside the segment.
    MemoryOutOfBounds = "out of bounds memory access";
    /// A table access outside the table, or a segment range outside the segment.
    TableOutOfBounds = "out of bounds table access";
    /// `call_indirect` with an index beyond the table.
    UndefinedElement = "undefined element";
    /// `call_indirect` on a null element.
    UninitializedElement = "uninitialized element";
    /// `call_indirect` on a function of another type.
    BadSignature = "indirect call type mismatch";
    /// A null reference where a value was needed.
    NullReference = "null reference";
    /// A field of a null struct.
    NullStruct = "null structure reference";
    /// An element or the length of a null array.
    NullArray = "null array reference";
    /// The number of a null `i31`.
    NullI31 = "null i31 reference";
    /// `throw_ref` on null.
    NullException = "null exception reference";
    /// `resume` and its kin on null.
    NullContinuation = "null continuation reference";
    /// An element beyond the end of an array.
    ArrayOutOfBounds = "out of bounds array access";
    /// `ref.cast` to a type that the reference is not of.
    CastFailure = "cast failure";
    /// `call_ref` on null.
    NullFunction = "null function reference";
    /// A signed division or conversion that does not fit its result.
    IntegerOverflow = "integer overflow";
    /// Division or remainder by zero.
    IntegerDivisionByZero = "integer divide by zero";
    /// Conversion of NaN to an integer.
    BadConversionToInteger = "invalid conversion to integer";
    /// The value stack, or the native stack under nested host calls, is used up.
    StackOverflow = "call stack exhausted";
    /// An atomic access to an address that is no multiple of its size.
    UnalignedAtomic = "unaligned atomic";
    /// A wait on a memory that no other thread can ever touch.
    ExpectedSharedMemory = "expected shared memory";
    /// All fuel is spent.
    OutOfFuel = "all fuel consumed";
    /// Stopped from outside: deadline or interrupt.
    Interrupted = "interrupted";
    /// The garbage-collected heap has no room for an object, or the object is larger than any can be.
    HeapExhausted = "garbage-collected heap exhausted";
    /// A budget of the store is used up where the guest cannot be told otherwise.
    LimitExceeded = "resource limit exceeded";
    /// The instruction is valid but this version does not execute it.
    Unsupported = "instruction not supported";
    /// A host function returned an error, which travels beside this code.
    Host = "host function failed";
    /// Nothing caught an exception, which travels beside this code.
    Exception = "uncaught exception";
    /// A continuation was resumed, bound or switched to that was used before.
    ContinuationConsumed = "continuation already consumed";
    /// `suspend` or `switch` with a tag that nobody around handles.
    UnhandledTag = "unhandled tag";
    /// A host function panicked; the store is unusable from then on.
    HostPanic = "host function panicked";
    /// A broken invariant of the engine.
    Bug = "internal error";
    /// A rule of the component model or of the canonical ABI was broken; which one, travels beside this code.
    Component = "component call failed";
}

impl fmt::Display for Trap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl std::error::Error for Trap {}
