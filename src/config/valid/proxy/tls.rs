//! `[proxy.tls]`, checked: certificates that are there, and clients that can be told apart.

use std::path::PathBuf;

use crate::config::check::Check;
use crate::config::finding::Mistake;
use crate::config::key::KeyPath;
use crate::config::raw::{RawCertificate, RawClientCertificates, RawTls, RawTlsVersion};
use crate::config::valid::secrets;

/// TLS towards clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// Files that can be read; at least one. The first one is for clients that name none of them.
    pub certificates: Vec<CertificateFiles>,
    /// Whether TLS 1.2 is refused.
    pub only_tls13: bool,
    /// Whom a client's certificate must be from, if one is asked for.
    pub clients: Option<ClientCertificates>,
}

/// A certificate and its key, in PEM files that can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The chain.
    pub chain: PathBuf,
    /// The key.
    pub key: PathBuf,
}

/// Which certificates of clients count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificates {
    /// PEM: the authorities.
    pub ca_file: PathBuf,
    /// Whether a client without one is turned away.
    pub required: bool,
}

/// `Some(None)` when there is no such table.
pub(super) fn check(raw: Option<&RawTls>, check: &mut Check<'_>) -> Option<Option<Tls>> {
    let Some(raw) = raw else { return Some(None) };
    let key = KeyPath::of("proxy.tls.certificates");
    let each = raw.certificates.iter().enumerate();
    let certificates: Vec<Option<CertificateFiles>> =
        each.map(|(index, one)| certificate(one, &key.at(index), check)).collect();
    if certificates.is_empty() {
        check.missing::<()>(
            "proxy.tls.certificates",
            "TLS needs a certificate to show",
            "write certificates = [{ cert_file = \"fullchain.pem\", key_file = \"key.pem\" }]",
        );
    }
    let clients = clients(raw, check);
    let certificates: Vec<CertificateFiles> = certificates.into_iter().collect::<Option<_>>()?;
    let only_tls13 = raw.min_version == RawTlsVersion::Tls13;
    (!certificates.is_empty()).then_some(Some(Tls { certificates, only_tls13, clients: clients? }))
}

fn certificate(raw: &RawCertificate, key: &KeyPath, check: &mut Check<'_>) -> Option<CertificateFiles> {
    files(raw.cert_file.as_deref(), raw.key_file.as_deref(), key, check).and_then(|files| {
        files.or_else(|| {
            let mistake = Mistake::new(
                "config.certificate",
                "the certificate names no files",
                "There is nothing to show to clients",
                "write { cert_file = \"fullchain.pem\", key_file = \"key.pem\" }",
            );
            check.wrong(key, mistake)
        })
    })
}

/// A certificate and its key, or neither.
pub(super) fn files(
    cert: Option<&str>,
    private: Option<&str>,
    table: &KeyPath,
    check: &mut Check<'_>,
) -> Option<Option<CertificateFiles>> {
    let (cert_at, key_at) = (table.key("cert_file"), table.key("key_file"));
    let missing = match (cert, private) {
        (Some(_), None) => Some("key_file"),
        (None, Some(_)) => Some("cert_file"),
        _ => None,
    };
    if let Some(missing) = missing {
        let mistake = Mistake::new(
            "config.certificate",
            format!("`{table}.{missing}` is missing"),
            "A certificate is of no use without its key, nor a key without its certificate",
            format!("add {missing} = \"….pem\""),
        );
        return check.wrong(table, mistake);
    }
    let chain = check.readable_at(&cert_at, cert);
    let private = check.readable_at(&key_at, private);
    if let Some(Some(private)) = &private {
        secrets::warn_if_open(&key_at, private, "Whoever reads it can pass for this site", check);
    }
    match (chain?, private?) {
        (Some(chain), Some(key)) => Some(Some(CertificateFiles { chain, key })),
        _ => Some(None),
    }
}

fn clients(raw: &RawTls, check: &mut Check<'_>) -> Option<Option<ClientCertificates>> {
    let ca_file = check.readable("proxy.tls.client_ca_file", raw.client_ca_file.as_deref());
    let asked = raw.client_certificates != RawClientCertificates::Off;
    let (name, what, remedy) = match (asked, raw.client_ca_file.is_some()) {
        (true, false) => (
            "client_certificates",
            "clients are asked for certificates, and no authority is named",
            "add client_ca_file = \"….pem\", with the authorities that issue them",
        ),
        (false, true) => (
            "client_ca_file",
            "authorities for certificates of clients are named, and nobody is asked for one",
            "add client_certificates = \"required\" (or \"optional\"), or remove client_ca_file",
        ),
        _ => {
            let required = raw.client_certificates == RawClientCertificates::Required;
            return Some(ca_file?.map(|ca_file| ClientCertificates { ca_file, required }));
        }
    };
    let meaning = "Which clients may come in would be a guess";
    check.wrong(
        &KeyPath::of("proxy.tls").key(name),
        Mistake::new("config.client-certificates", what, meaning, remedy).showing_the_value(),
    )
}
