//! Why a request failed: the codes of `wasi:http`, and what they come from.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use dunlin_component::ComponentType;
use dunlin_wasi::host;

/// What is known of a failed look-up.
#[derive(ComponentType, Clone, PartialEq, Eq, Debug)]
pub struct DnsErrorPayload {
    /// The answer of the name server.
    pub rcode: Option<String>,
    /// A number for it.
    pub info_code: Option<u16>,
}

/// What the other side of a TLS connection said before it ended it.
#[derive(ComponentType, Clone, PartialEq, Eq, Debug)]
pub struct TlsAlertReceivedPayload {
    /// Its number.
    pub alert_id: Option<u8>,
    /// In words.
    pub alert_message: Option<String>,
}

/// Which field is too large.
#[derive(ComponentType, Clone, PartialEq, Eq, Debug)]
pub struct FieldSizePayload {
    /// Its name.
    pub field_name: Option<String>,
    /// How large it is.
    pub field_size: Option<u32>,
}

macro_rules! codes {
    ($($case:ident $(($ty:ty))? $text:literal,)*) => {
        /// Why a request failed. The names are those of RFC 9209.
        #[derive(ComponentType, Clone, PartialEq, Eq, Debug)]
        pub enum ErrorCode {
            $(#[doc = concat!("Reads: ", $text, ".")] $case $(($ty))?,)*
        }

        impl ErrorCode {
            fn text(&self) -> &'static str {
                match self { $(codes!(@pattern $case $($ty)?) => $text,)* }
            }
        }
    };
    (@pattern $case:ident) => { ErrorCode::$case };
    (@pattern $case:ident $ty:ty) => { ErrorCode::$case(_) };
}

codes! {
    DnsTimeout "the name was not looked up in time",
    DnsError(DnsErrorPayload) "the name could not be looked up",
    DestinationNotFound "the destination is not known",
    DestinationUnavailable "the destination is not available",
    DestinationIpProhibited "the address that the name leads to is not granted",
    DestinationIpUnroutable "the address cannot be reached",
    ConnectionRefused "the connection was refused",
    ConnectionTerminated "the connection was ended by the other side",
    ConnectionTimeout "no connection was made in time",
    ConnectionReadTimeout "nothing was received in time",
    ConnectionWriteTimeout "nothing could be sent in time",
    ConnectionLimitReached "too many requests at once",
    TlsProtocolError "the other side does not speak TLS as it should",
    TlsCertificateError "the certificate of the server is not trusted",
    TlsAlertReceived(TlsAlertReceivedPayload) "the other side ended the TLS connection",
    HttpRequestDenied "the request is not granted",
    HttpRequestLengthRequired "the length of the request has to be said",
    HttpRequestBodySize(Option<u64>) "the body of the request is not as long as announced",
    HttpRequestMethodInvalid "the method of the request is not possible",
    HttpRequestUriInvalid "the request has no valid target",
    HttpRequestUriTooLong "the target of the request is too long",
    HttpRequestHeaderSectionSize(Option<u32>) "the headers of the request are too large",
    HttpRequestHeaderSize(Option<FieldSizePayload>) "a header of the request is too large",
    HttpRequestTrailerSectionSize(Option<u32>) "the trailers of the request are too large",
    HttpRequestTrailerSize(FieldSizePayload) "a trailer of the request is too large",
    HttpResponseIncomplete "the response ended before its end",
    HttpResponseHeaderSectionSize(Option<u32>) "the headers of the response are too large",
    HttpResponseHeaderSize(FieldSizePayload) "a header of the response is too large",
    HttpResponseBodySize(Option<u64>) "the body of the response is too large",
    HttpResponseTrailerSectionSize(Option<u32>) "the trailers of the response are too large",
    HttpResponseTrailerSize(FieldSizePayload) "a trailer of the response is too large",
    HttpResponseTransferCoding(Option<String>) "the response is coded in a way that is not known",
    HttpResponseContentCoding(Option<String>) "the contents are coded in a way that is not known",
    HttpResponseTimeout "there was no response in time",
    HttpUpgradeFailed "the protocol was not changed",
    HttpProtocolError "the other side does not speak HTTP as it should",
    LoopDetected "the request goes in circles",
    ConfigurationError "the host is not set up for this request",
    InternalError(Option<String>) "the host failed",
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())?;
        match self {
            ErrorCode::InternalError(Some(detail)) => write!(f, ": {detail}"),
            ErrorCode::TlsAlertReceived(TlsAlertReceivedPayload {
                alert_message: Some(alert),
                ..
            }) => {
                write!(f, ": {alert}")
            }
            _ => Ok(()),
        }
    }
}

impl StdError for ErrorCode {}

impl ErrorCode {
    /// Something of the host's own that went wrong.
    pub(crate) fn internal(detail: impl fmt::Display) -> ErrorCode {
        ErrorCode::InternalError(Some(detail.to_string()))
    }
}

/// What an error comes from, from the outside in.
fn chain<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error| {
        let error: &'a (dyn StdError + 'static) = *error;
        match error.downcast_ref::<io::Error>() {
            // What is inside of one of these is not what it calls its source.
            Some(io) => io.get_ref().map(|inner| inner as &(dyn StdError + 'static)),
            None => error.source(),
        }
    })
}

impl From<hyper::Error> for ErrorCode {
    fn from(error: hyper::Error) -> ErrorCode {
        for inner in chain(&error) {
            if let Some(code) = inner.downcast_ref::<ErrorCode>() {
                return code.clone();
            }
            if let Some(tls) = inner.downcast_ref::<rustls::Error>() {
                return ErrorCode::from(tls);
            }
        }
        if error.is_parse_too_large() {
            return ErrorCode::HttpResponseHeaderSectionSize(None);
        }
        if error.is_parse() {
            return ErrorCode::HttpProtocolError;
        }
        if error.is_incomplete_message() {
            return ErrorCode::HttpResponseIncomplete;
        }
        if error.is_body_write_aborted() {
            return ErrorCode::HttpRequestBodySize(None);
        }
        match chain(&error).find_map(|inner| inner.downcast_ref::<io::Error>()) {
            Some(io) => ErrorCode::from(io),
            None if error.is_canceled() || error.is_closed() => ErrorCode::ConnectionTerminated,
            None => ErrorCode::HttpProtocolError,
        }
    }
}

impl From<&io::Error> for ErrorCode {
    fn from(error: &io::Error) -> ErrorCode {
        use io::ErrorKind as Kind;
        if let Some(tls) = chain(error).find_map(|inner| inner.downcast_ref::<rustls::Error>()) {
            return ErrorCode::from(tls);
        }
        match error.kind() {
            Kind::ConnectionRefused => ErrorCode::ConnectionRefused,
            Kind::ConnectionReset
            | Kind::ConnectionAborted
            | Kind::BrokenPipe
            | Kind::NotConnected => ErrorCode::ConnectionTerminated,
            Kind::UnexpectedEof => ErrorCode::HttpResponseIncomplete,
            Kind::HostUnreachable | Kind::NetworkUnreachable | Kind::NetworkDown => {
                ErrorCode::DestinationIpUnroutable
            }
            Kind::AddrNotAvailable | Kind::Unsupported => ErrorCode::DestinationIpUnroutable,
            Kind::TimedOut => ErrorCode::ConnectionTimeout,
            Kind::InvalidInput | Kind::InvalidData => ErrorCode::HttpProtocolError,
            _ => ErrorCode::internal(error),
        }
    }
}

impl From<&rustls::Error> for ErrorCode {
    fn from(error: &rustls::Error) -> ErrorCode {
        match error {
            rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented => {
                ErrorCode::TlsCertificateError
            }
            rustls::Error::AlertReceived(alert) => {
                ErrorCode::TlsAlertReceived(TlsAlertReceivedPayload {
                    alert_id: Some(u8::from(*alert)),
                    alert_message: Some(format!("{alert:?}")),
                })
            }
            _ => ErrorCode::TlsProtocolError,
        }
    }
}

/// What a look-up or the gate says.
impl From<host::Error> for ErrorCode {
    fn from(error: host::Error) -> ErrorCode {
        match error {
            host::Error::Access => ErrorCode::DestinationIpProhibited,
            host::Error::NameUnknown => {
                let rcode = Some("NXDOMAIN".to_owned());
                ErrorCode::DnsError(DnsErrorPayload { rcode, info_code: None })
            }
            host::Error::ResolverBusy => ErrorCode::DnsTimeout,
            host::Error::ResolverFailed => {
                ErrorCode::DnsError(DnsErrorPayload { rcode: None, info_code: None })
            }
            host::Error::TableFull => ErrorCode::ConnectionLimitReached,
            error => ErrorCode::internal(error),
        }
    }
}
