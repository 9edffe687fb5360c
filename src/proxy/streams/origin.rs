//! May this page open a WebSocket here? Browsers send cookies along with a handshake, whichever page begins it, and let
//! it read the answer: only `Origin` says who asks (RFC 6455 §10.2).

use http::HeaderMap;
use http::header::ORIGIN;
use pingora::http::RequestHeader;

use crate::gate::Origins;
use crate::metrics::{Decision, Mode};
use crate::proxy::context::Request;
use crate::proxy::service::Service;
use crate::proxy::settings::WebSocketOrigins;

/// Whether the page that asks may open a WebSocket here, signed in or not. If not, that is the decision.
pub(in crate::proxy) fn may_open(service: &Service, header: &RequestHeader, request: &mut Request) -> bool {
    let may = allows(&service.settings.websocket_origins, service.auth.origins(), &header.headers);
    if !may {
        request.decision = Some(Decision::Denied);
        service.auth.metrics().decision(Decision::Denied, Mode::Proxy);
        if service.remarks.due("origin") {
            tracing::warn!(
                request_id = request.id.as_str(),
                setting = "proxy.websocket_origins",
                "a page of another site may not open a WebSocket here"
            );
        }
    }
    may
}

/// Whether a handshake may pass. One without `Origin` is from no browser; `null`, or more than one, is from nobody.
fn allows(allowed: &WebSocketOrigins, own: &Origins, headers: &HeaderMap) -> bool {
    if *allowed == WebSocketOrigins::Any {
        return true;
    }
    let mut lines = headers.get_all(ORIGIN).iter();
    let origin = match (lines.next(), lines.next()) {
        (None, _) => return true,
        (Some(origin), None) => origin.as_bytes(),
        (Some(_), Some(_)) => return false,
    };
    let listed = match allowed {
        WebSocketOrigins::OwnAnd(list) => list.iter().any(|one| one.as_bytes() == origin),
        WebSocketOrigins::Own | WebSocketOrigins::Any => false,
    };
    listed || own.iter().any(|one| one.as_str().as_bytes() == origin)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::Origin;

    #[test]
    fn table() {
        let own = Origins::new(
            Origin::parse("https://a.example").unwrap(),
            vec![Origin::parse("https://b.example:8443").unwrap()],
        );
        let listed = WebSocketOrigins::OwnAnd(vec!["https://c.example".into()]);
        for (lines, by_own, by_list) in [
            (&[][..], true, true),
            (&["https://a.example"], true, true),
            (&["https://b.example:8443"], true, true),
            (&["https://c.example"], false, true),
            (&["http://a.example"], false, false),
            (&["https://a.example:8443"], false, false),
            (&["https://b.example"], false, false),
            (&["https://a.example.evil.example"], false, false),
            (&["https://evil.a.example"], false, false),
            (&["https://a.example/"], false, false),
            (&["a.example"], false, false),
            (&["null"], false, false),
            (&[""], false, false),
            (&["https://a.example", "https://evil.example"], false, false),
            (&["https://a.example", "https://a.example"], false, false),
        ] {
            let headers: HeaderMap = lines.iter().map(|line| (ORIGIN, line.parse().unwrap())).fold(
                HeaderMap::new(),
                |mut all, (name, value)| {
                    all.append(name, value);
                    all
                },
            );
            let judge = |allowed: &WebSocketOrigins| allows(allowed, &own, &headers);
            assert_eq!((judge(&WebSocketOrigins::Own), judge(&listed)), (by_own, by_list), "{lines:?}");
            assert!(judge(&WebSocketOrigins::Any));
        }
    }
}
