//! What is kept of a guest: what it has open, and whom it trusts.

use std::sync::Arc;

use dunlin_engine::raw::{Budget, Resource as Charge};
use dunlin_engine::{Error, Result, Trap};
use dunlin_wasi::WasiCtx;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;

use crate::client::Tls;
use crate::limits::{OPEN_MAX, Open, Place};

/// What is kept of a guest.
#[derive(Debug, Default)]
pub(crate) struct Guest {
    pub(crate) open: Open,
    pub(crate) tls: Tls,
}

/// A share of the guest's store, taken until this is dropped. None for a guest that is not charged.
#[derive(Debug, Default)]
pub(crate) struct Share {
    _taken: Option<Budget>,
}

impl Share {
    /// Takes so many bytes.
    pub(crate) fn take(ctx: &mut WasiCtx, bytes: u64) -> Result<Share> {
        let Some(mut budget) = ctx.table().budget() else { return Ok(Share::default()) };
        budget.charge(Charge::Bytes, bytes)?;
        Ok(Share { _taken: Some(budget) })
    }
}

/// A place among what the guest has open, or its end.
pub(crate) fn place(ctx: &mut WasiCtx) -> Result<Place> {
    ctx.extension::<Guest>()?.open.take().ok_or_else(|| {
        let detail =
            format!("the guest has {OPEN_MAX} requests and bodies open, and may not have more");
        Error::trap_because(Trap::Component, detail)
    })
}

/// Makes a guest trust servers by these certificates (DER), rather than by those of the system.
///
/// # Errors
///
/// If one of them is none.
pub fn trust(ctx: &mut WasiCtx, certificates: &[Vec<u8>]) -> Result<()> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots.add(CertificateDer::from_slice(certificate).into_owned()).map_err(Error::host)?;
    }
    ctx.extension::<Guest>()?.tls = Tls::trusting(Arc::new(roots));
    Ok(())
}
