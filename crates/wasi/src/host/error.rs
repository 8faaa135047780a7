//! Why a host operation failed, in terms no ABI knows.

use std::fmt;

use rustix::io::Errno;

macro_rules! errors {
    ($($(#[$doc:meta])* $name:ident $text:literal $(= $($errno:ident)|+)?;)*) => {
        /// Why a host operation failed.
        ///
        /// The names follow POSIX where POSIX has one; each ABI maps them to its own codes.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Error {
            $(
                #[doc = concat!("Reads: ", $text, ".")]
                $(#[$doc])*
                $name,
            )*
        }

        impl Error {
            /// Every error there is, for tables and tests.
            pub const ALL: &[Error] = &[$(Error::$name),*];

            fn text(self) -> &'static str {
                match self { $(Error::$name => $text,)* }
            }
        }

        impl From<Errno> for Error {
            fn from(errno: Errno) -> Error {
                match errno {
                    $($($(Errno::$errno)|+ => Error::$name,)?)*
                    _ => Error::Io,
                }
            }
        }
    };
}

errors! {
    Access "permission denied" = ACCESS;
    AddressInUse "address in use" = ADDRINUSE;
    AddressUnavailable "address not available" = ADDRNOTAVAIL;
    Again "operation would block" = AGAIN;
    /// The descriptor is not open, or not open for this.
    BadDescriptor "bad file descriptor" = BADF;
    Busy "resource busy" = BUSY;
    ConnectionAborted "connection aborted" = CONNABORTED;
    ConnectionRefused "connection refused" = CONNREFUSED;
    ConnectionReset "connection reset" = CONNRESET;
    CrossDevice "cross-device link" = XDEV;
    Deadlock "resource deadlock would occur" = DEADLK;
    DirectoryNotEmpty "directory not empty" = NOTEMPTY;
    Exists "file exists" = EXIST;
    FileTooLarge "file too large" = FBIG;
    /// The embedder asked for the guest to stop while the operation was waiting.
    Interrupted "interrupted";
    Invalid "invalid argument" = INVAL;
    IllegalSequence "illegal byte sequence" = ILSEQ;
    Io "input/output error" = IO;
    IsDirectory "is a directory" = ISDIR;
    /// The operation does not fit what the socket is doing.
    InvalidState "invalid state";
    Loop "too many levels of symbolic links" = LOOP;
    MessageTooLarge "message too large" = MSGSIZE;
    NameTooLong "name too long" = NAMETOOLONG;
    NameUnknown "name does not exist or has no address";
    NoDevice "no such device" = NODEV;
    NoDeviceOrAddress "no such device or address" = NXIO;
    NoEntry "no such file or directory" = NOENT;
    NoMemory "not enough memory" = NOMEM;
    NoBuffers "no buffer space available" = NOBUFS;
    NoLock "no locks available" = NOLCK;
    NoSpace "no space left" = NOSPC;
    /// What the guest holds does not reach this far.
    NotCapable "capabilities insufficient";
    NotConnected "not connected" = NOTCONN;
    NotDirectory "not a directory" = NOTDIR;
    /// Nothing was begun that could be finished.
    NotInProgress "not in progress";
    NotPermitted "operation not permitted" = PERM;
    NotSocket "not a socket" = NOTSOCK;
    NotSupported "not supported" = OPNOTSUPP | NOSYS | PROTONOSUPPORT | AFNOSUPPORT;
    NotTerminal "inappropriate device operation" = NOTTY;
    Overflow "value too large" = OVERFLOW;
    Pipe "broken pipe" = PIPE;
    Quota "disk quota exceeded" = DQUOT;
    ReadOnly "read-only file system" = ROFS;
    ResolverBusy "temporary failure in name resolution";
    ResolverFailed "permanent failure in name resolution";
    Seek "invalid seek" = SPIPE;
    Stale "stale file handle" = STALE;
    /// The guest's own table of descriptors is full.
    TableFull "descriptor table full";
    TextBusy "text file busy" = TXTBSY;
    TimedOut "timed out" = TIMEDOUT;
    TooManyLinks "too many links" = MLINK;
    /// The host has no descriptor left for anyone.
    TooManyFiles "too many open files on the host" = MFILE | NFILE;
    Unreachable "host or network unreachable"
        = HOSTUNREACH | HOSTDOWN | NETUNREACH | NETDOWN | NETRESET | NONET;
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl std::error::Error for Error {}
