//! Values of `wasi:http/types`, and what they are to the client.

use dunlin_component::ComponentType;
use hyper::http;

use crate::limits::TOKEN_MAX;

/// The method of a request.
#[derive(ComponentType, Clone, PartialEq, Eq, Debug)]
pub enum Method {
    /// `GET`
    Get,
    /// `HEAD`
    Head,
    /// `POST`
    Post,
    /// `PUT`
    Put,
    /// `DELETE`
    Delete,
    /// `CONNECT`
    Connect,
    /// `OPTIONS`
    Options,
    /// `TRACE`
    Trace,
    /// `PATCH`
    Patch,
    /// Any other.
    Other(String),
}

/// The scheme of a request.
#[derive(ComponentType, Clone, PartialEq, Eq, Debug)]
pub enum Scheme {
    /// In the clear.
    Http,
    /// Over TLS.
    Https,
    /// Any other.
    Other(String),
}

impl Method {
    /// As it is sent, if it is one.
    pub(super) fn sent(&self) -> Option<http::Method> {
        Some(match self {
            Method::Get => http::Method::GET,
            Method::Head => http::Method::HEAD,
            Method::Post => http::Method::POST,
            Method::Put => http::Method::PUT,
            Method::Delete => http::Method::DELETE,
            Method::Connect => http::Method::CONNECT,
            Method::Options => http::Method::OPTIONS,
            Method::Trace => http::Method::TRACE,
            Method::Patch => http::Method::PATCH,
            Method::Other(name) if name.len() <= TOKEN_MAX => {
                http::Method::from_bytes(name.as_bytes()).ok()?
            }
            Method::Other(_) => return None,
        })
    }
}

impl Scheme {
    pub(super) fn as_str(&self) -> &str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
            Scheme::Other(name) => name,
        }
    }

    /// Whether it is one.
    pub(super) fn is_valid(&self) -> bool {
        let name = self.as_str();
        let begins = name.starts_with(|c: char| c.is_ascii_alphabetic());
        let rest = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
        begins && name.len() <= TOKEN_MAX && name.chars().all(rest)
    }
}
