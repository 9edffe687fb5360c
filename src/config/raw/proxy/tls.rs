//! `[proxy.tls]` as typed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// TLS towards clients. On when the table is there.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawTls {
    /// Certificates, chosen by the name that a client asks for; the first one is for clients that ask for none of them.
    /// Required.
    pub(crate) certificates: Vec<RawCertificate>,
    /// The oldest TLS that is spoken.
    pub(crate) min_version: RawTlsVersion,
    /// A PEM file with the authorities that certificates of clients have to be from.
    pub(crate) client_ca_file: Option<String>,
    /// Whether clients are asked for a certificate.
    pub(crate) client_certificates: RawClientCertificates,
}

/// A certificate and its key.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawCertificate {
    /// A PEM file with the chain, the certificate itself first. Required.
    pub(crate) cert_file: Option<String>,
    /// A PEM file with the key. Required.
    pub(crate) key_file: Option<String>,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) enum RawTlsVersion {
    /// RFC 5246.
    #[default]
    #[serde(rename = "1.2")]
    Tls12,
    /// RFC 8446.
    #[serde(rename = "1.3")]
    Tls13,
}

/// Whether clients are asked for a certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RawClientCertificates {
    /// Not asked.
    #[default]
    Off,
    /// Asked; one that is shown has to be good.
    Optional,
    /// Turned away without one.
    Required,
}
