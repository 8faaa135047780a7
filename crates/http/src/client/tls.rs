//! TLS: whom to trust, and what to speak.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};

use crate::error::ErrorCode;

/// The settings of one guest. What servers give to be known by again stays with it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tls {
    roots: Option<Arc<RootCertStore>>,
    config: Arc<OnceLock<Arc<ClientConfig>>>,
}

impl Tls {
    /// Trusts these, and not those of the system.
    pub(crate) fn trusting(roots: Arc<RootCertStore>) -> Tls {
        Tls { roots: Some(roots), config: Arc::default() }
    }

    /// The settings. The first call of the process reads files.
    pub(crate) fn config(&self) -> Result<Arc<ClientConfig>, ErrorCode> {
        if let Some(config) = self.config.get() {
            return Ok(Arc::clone(config));
        }
        let roots = match &self.roots {
            Some(roots) => Arc::clone(roots),
            None => system_roots()?,
        };
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(ErrorCode::internal)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::clone(self.config.get_or_init(|| Arc::new(config))))
    }
}

/// Whom the administrator of the system trusts. What is no certificate is passed over, as everybody does.
fn system_roots() -> Result<Arc<RootCertStore>, ErrorCode> {
    static ROOTS: Mutex<Option<Arc<RootCertStore>>> = Mutex::new(None);
    let mut known = ROOTS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(roots) = &*known {
        return Ok(Arc::clone(roots));
    }
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        return Err(ErrorCode::internal(
            "the system has no certificates to know servers by: install them, or name a file in `SSL_CERT_FILE`",
        ));
    }
    let roots = Arc::new(roots);
    *known = Some(Arc::clone(&roots));
    Ok(roots)
}
