//! What is in force for a request, from its header to its end? The settings, and what is made of them once instead of for
//! every request.

use std::sync::Arc;

use super::entrance::door::Door;
use super::entrance::tls::Prepared;
use super::settings::Settings;
use super::setup_error::SetupError;
use super::streams::registry::Registry;
use super::upstreams::{self, Upstreams};
use super::way::Public;
use crate::auth::Auth;
use crate::gate::Origin;
use crate::ops::access_log::AccessLog;
use crate::ops::{Remarks, RequestIds};

/// Settings, and all that is made of them once.
pub(super) struct Service {
    pub(super) auth: Arc<Auth>,
    pub(super) settings: Settings,
    pub(super) upstreams: Upstreams,
    /// TLS towards clients, if it is spoken.
    pub(super) tls: Option<Prepared>,
    /// What connections come in by.
    pub(super) door: Arc<Door>,
    pub(super) request_ids: Arc<RequestIds>,
    /// What is under way.
    pub(super) streams: Arc<Registry>,
    /// The apps as the upstream hears of them, by [`OriginId::place`]; the central one first.
    pub(super) public: Vec<Public>,
    pub(super) access_log: Arc<dyn AccessLog>,
    pub(super) remarks: Remarks,
}

impl Service {
    /// Puts the parts together.
    pub(super) fn new(
        settings: Settings,
        auth: Arc<Auth>,
        access_log: Arc<dyn AccessLog>,
        request_ids: Arc<RequestIds>,
        streams: Arc<Registry>,
    ) -> Result<Self, SetupError> {
        let upstreams = Upstreams::new(&settings.upstreams, auth.layout())?;
        let tls = settings.entrance.tls.as_ref();
        let tls = tls.map(|tls| Prepared::new(tls, settings.entrance.http2)).transpose()?;
        let door = Door::new(&settings, tls.as_ref().map(|tls| tls.asked.clone()));
        let side = |origin: &Origin| Public::new(origin, settings.public_scheme_https);
        let public = auth.origins().iter().map(side).collect();
        let remarks = Remarks::default();
        Ok(Self { auth, access_log, settings, upstreams, tls, door, request_ids, streams, public, remarks })
    }
}

/// Reads all files that the settings name, as [`Proxy::new`](super::Proxy::new) and [`Replacer::replace`](super::Replacer::replace) do.
///
/// # Errors
/// The first one that does not do.
pub fn try_files(settings: &Settings) -> Result<(), SetupError> {
    if let Some(tls) = &settings.entrance.tls {
        let _they_do = Prepared::new(tls, settings.entrance.http2)?;
    }
    upstreams::try_files(&settings.upstreams)
}
