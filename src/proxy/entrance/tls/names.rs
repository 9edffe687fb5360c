//! Which certificate is for this name? Chosen by the name that a client asks for (RFC 6066 §3).
//!
//! The whole name first, then a wildcard for its first label (RFC 6125 §6.4.3); the first certificate for whoever asks
//! for no name of ours. Of several for one name, the first whose key the client can verify.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use rustls::SignatureScheme;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::files::Pair;

/// Every certificate, by name.
#[derive(Default)]
pub(super) struct Names {
    whole: HashMap<String, Vec<Arc<CertifiedKey>>>,
    /// By what follows `*.`.
    wildcard: HashMap<String, Vec<Arc<CertifiedKey>>>,
    first: Vec<Arc<CertifiedKey>>,
}

impl Names {
    /// Puts them in order.
    pub(super) fn new(pairs: &[Pair]) -> Self {
        let mut all = Self {
            first: pairs.iter().take(1).map(|pair| Arc::clone(&pair.key)).collect(),
            ..Self::default()
        };
        for pair in pairs {
            for name in &pair.names {
                let place = match name.strip_prefix("*.") {
                    Some(domain) => all.wildcard.entry(domain.to_owned()),
                    None => all.whole.entry(name.clone()),
                };
                place.or_default().push(Arc::clone(&pair.key));
            }
        }
        all
    }

    fn choose(&self, name: Option<&str>, schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let name = name.map(str::to_ascii_lowercase).unwrap_or_default();
        let domain = name.split_once('.').map(|(_, domain)| domain);
        let named = self.whole.get(&name).or_else(|| self.wildcard.get(domain?));
        let named = named.unwrap_or(&self.first);
        let fits = named.iter().find(|key| key.key.choose_scheme(schemes).is_some());
        fits.or(named.first()).cloned()
    }
}

impl ResolvesServerCert for Names {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.choose(hello.server_name(), hello.signature_schemes())
    }
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set()
            .entries(self.whole.keys())
            .entries(self.wildcard.keys().map(|name| format!("*.{name}")))
            .finish()
    }
}
