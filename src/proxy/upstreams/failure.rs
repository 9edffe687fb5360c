//! Why could an app not be spoken to? In words that say what to do about it.
//!
//! pingora hands the reason of a failed TLS handshake on as text inside its own, and puts the local address where a cause
//! would be, so what rustls says is recognised by its words; what is not recognised is passed on as it is. The alerts are
//! those of RFC 8446 §6.2. What an app sent is never quoted, nor taken for rustls's words.

use std::borrow::Cow;
use std::io;

use pingora::{Error, ErrorType};

/// What rustls says, and what it means. The first that fits counts.
const KNOWN: &[(&str, &str)] = &[
    (
        "invalid peer certificate: UnknownIssuer",
        "its certificate is from an authority that is not trusted: name that authority's file as ca_file (upstream_ca_file)",
    ),
    (
        "invalid peer certificate: certificate expired",
        "its certificate has expired: renew it on the server, and look whether the clock here is right",
    ),
    (
        "invalid peer certificate: certificate not valid yet",
        "its certificate is not valid yet: look whether the clocks here and on the server are right",
    ),
    (
        "CaUsedAsEndEntity",
        "its certificate is that of an authority, which can vouch for servers and be none: issue one for the server",
    ),
    (
        "received fatal alert: CertificateRequired",
        "it demands a certificate of ours: set cert_file and key_file",
    ),
    (
        "received fatal alert: UnrecognisedName",
        "it knows no server by the name that we ask for: set server_name (upstream_server_name)",
    ),
    (
        "received fatal alert: NoApplicationProtocol",
        "it does not speak the HTTP that is asked for: look at protocol",
    ),
    ("received fatal alert: ProtocolVersion", "it speaks neither TLS 1.2 nor TLS 1.3"),
    (
        "received fatal alert: HandshakeFailure",
        "it breaks the TLS handshake off: it may demand a certificate of ours (cert_file and key_file), or have no cipher in \
         common with us",
    ),
    ("received corrupt message", NO_TLS),
    ("handshake eof", "it ends the connection in the middle of the TLS handshake"),
];
const NO_TLS: &str = "it does not speak TLS there: it may want http:// instead of https://";
/// Alerts by which a server says that it does not like the certificate that it was shown.
const REFUSING: &[&str] = &[
    "BadCertificate",
    "UnsupportedCertificate",
    "CertificateRevoked",
    "CertificateExpired",
    "CertificateUnknown",
    "UnknownCA",
    "AccessDenied",
    "DecryptError",
];
const WRONG_NAME: &str = "invalid peer certificate: certificate not valid for name ";
const ALERT: &str = "received fatal alert: ";

/// Why a connection could not be made.
pub(crate) fn of_connection(error: &Error) -> Cow<'static, str> {
    if let Some(known) = of_exchange(error) {
        return known;
    }
    let text = error.to_string();
    if *error.root_etype() == ErrorType::TLSHandshakeFailure {
        let said = said_by_tls(&text);
        return match said.split_once(WRONG_NAME) {
            Some((_, names)) => {
                let (wanted, has) = names.split_once("; certificate ").unwrap_or((names, "is for others"));
                format!(
                    "its certificate is not for the name {wanted}, it {has}: set server_name (upstream_server_name) to a name \
                     that it has"
                )
                .into()
            }
            None => format!("the TLS handshake failed: {said}").into(),
        };
    }
    match error.root_etype() {
        ErrorType::ConnectRefused => "nothing listens there".into(),
        ErrorType::ConnectTimedout | ErrorType::ReadTimedout => "it does not answer in time".into(),
        ErrorType::ConnectionClosed => "it ends the connection instead of answering".into(),
        ErrorType::InvalidHTTPHeader => "it answers with something that is not HTTP".into(),
        // These may quote what was sent.
        kind @ (ErrorType::ReadError | ErrorType::WriteError | ErrorType::H2Error) => {
            kind.as_str().to_owned().into()
        }
        _ => innermost(&text).to_owned().into(),
    }
}

/// Why an app broke off what was begun, if that is its TLS. With TLS 1.3 a server looks at our certificate after the
/// handshake has ended for us.
pub(crate) fn of_exchange(error: &Error) -> Option<Cow<'static, str>> {
    let text = said_by_the_transport(error)?;
    if text.contains(WRONG_NAME) {
        return None; // It goes on with the names in the certificate, which may be any words.
    }
    if let Some((_, meaning)) = KNOWN.iter().find(|(said, _)| text.contains(said)) {
        return Some((*meaning).into());
    }
    let (_, alert) = text.split_once(ALERT)?;
    let alert = REFUSING.iter().find(|name| alert.starts_with(**name))?;
    Some(format!("it refuses the certificate that we show (cert_file): {alert}").into())
}

/// What was said below HTTP, where an app's own words do not get: errors of HTTP may quote them.
fn said_by_the_transport(error: &Error) -> Option<String> {
    if *error.root_etype() == ErrorType::TLSHandshakeFailure {
        return Some(error.to_string());
    }
    let root = error.root_cause();
    let io = root.downcast_ref::<io::Error>().or_else(|| root.downcast_ref::<h2::Error>()?.get_io())?;
    Some(io.to_string())
}

/// rustls's words within pingora's.
fn said_by_tls(text: &str) -> &str {
    let own = text.rsplit_once(" cause: local address").map_or(text, |(before, _)| before);
    innermost(own.rsplit_once(", SNI: ").map_or(own, |(before, _)| before))
}

/// What stands at the end of a chain of causes.
fn innermost(text: &str) -> &str {
    text.rsplit_once("cause: ").map_or(text, |(_, after)| after).trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_recognised_is_passed_on() {
        let context = "TLS connect() failed:  TLSHandshakeFailure context: tls connect error cause: something new, SNI: a.test";
        let error = Error::explain(ErrorType::TLSHandshakeFailure, context);
        assert_eq!(of_connection(&error), "the TLS handshake failed: something new");
        let error = Error::explain(ErrorType::BindError, "no such address");
        assert!(of_connection(&error).contains("no such address"));
        assert_eq!(of_exchange(&error), None);
    }

    #[test]
    fn nobody_forges_what_tls_says() {
        let words = "received fatal alert: CertificateRequired";
        let by_the_app = |kind| Error::explain(kind, format!("buf: {words:?}"));
        for kind in [ErrorType::InvalidHTTPHeader, ErrorType::ReadError, ErrorType::H2Error] {
            let error = by_the_app(kind);
            assert_eq!(of_exchange(&error), None, "{error}");
            let said = of_connection(&error);
            assert!(!said.contains("alert") && !said.contains("certificate"), "{said}");
        }
        let names = format!(
            "{WRONG_NAME}\"app.test\"; certificate is only valid for DnsName(\"{}.test\")",
            KNOWN[0].0
        );
        let by_a_name = Error::explain(ErrorType::TLSHandshakeFailure, names);
        assert!(of_connection(&by_a_name).contains("not for the name"), "{}", of_connection(&by_a_name));
        let by_tls = io::Error::new(io::ErrorKind::InvalidData, words);
        let error = Error::because(ErrorType::ReadError, "while reading response headers", by_tls);
        assert!(of_exchange(&error.more_context("upstream")).unwrap().contains("cert_file"));
    }
}
