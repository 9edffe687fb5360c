//! What did people's gateways ask oauth2-proxy? The same paths, for those who move over: off unless configured.
//!
//! | path | answer |
//! |---|---|
//! | `/oauth2/auth` | the decision: 200 with the identity headers, or 401; read in the dialect that the operator chose |
//! | `/oauth2/start`, `/oauth2/sign_in` | on to Anteroom's own; `rd` becomes the way back if it leads to an app of ours |
//! | `/oauth2/sign_out` | on to Anteroom's own, which asks first: a link in another site's page must not end a session |
//! | `/oauth2/userinfo` | who is signed in, in oauth2-proxy's words |
//!
//! Where it differs on purpose: a question with `allowed_groups` and the like is refused, since rules stand in the
//! configuration; 200 instead of 202, which Envoy and the Gateway API take for a no; and a decision needs to
//! know the original request, since rules are about paths. <https://oauth2-proxy.github.io/oauth2-proxy/features/endpoints>

use crate::gate::{OriginId, Origins, ReturnTo};
use crate::reply::Reply;

/// One of oauth2-proxy's endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    /// May this pass?
    Auth,
    /// Away to sign in.
    Start,
    /// The page before that.
    SignIn,
    /// The end of a session.
    SignOut,
    /// Who is it?
    UserInfo,
}

impl Endpoint {
    /// The endpoint of a path.
    pub(super) fn of(path: &str) -> Option<Self> {
        match path.strip_prefix("/oauth2/")? {
            "auth" => Some(Self::Auth),
            "start" => Some(Self::Start),
            "sign_in" => Some(Self::SignIn),
            "sign_out" => Some(Self::SignOut),
            "userinfo" => Some(Self::UserInfo),
            _ => None,
        }
    }
}

/// Whether a question to `/oauth2/auth` narrows who may pass, which oauth2-proxy does by its query. Anteroom's rules stand
/// in its configuration: a narrowing that nobody heeds would let everybody through.
pub(super) fn narrows(endpoint: Endpoint, query: Option<&str>) -> bool {
    let parameters = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    endpoint == Endpoint::Auth && parameters.into_iter().any(|(name, _)| name.starts_with("allowed_"))
}

/// Where Anteroom has what oauth2-proxy had here; `None` for the endpoints that answer themselves.
pub(super) fn moved(
    endpoint: Endpoint,
    query: Option<&str>,
    here: OriginId,
    origins: &Origins,
) -> Option<Reply> {
    let name = match endpoint {
        Endpoint::Start => "start",
        Endpoint::SignIn => "sign-in",
        Endpoint::SignOut => return Some(Reply::redirect("/_anteroom/sign-out")),
        Endpoint::Auth | Endpoint::UserInfo => return None,
    };
    let (app, back) = way_back(query.unwrap_or_default(), here, origins);
    let origin = if app == here { "" } else { origins.get(app).as_str() };
    let to = match back {
        Some(back) => format!("{origin}/_anteroom/{name}?return_to={}", back.encoded()),
        None => format!("{origin}/_anteroom/{name}"),
    };
    Some(Reply::redirect(&to))
}

/// The `rd` of a query: a path of this host, or a URL of an app of ours. Anything else is no way back.
fn way_back(query: &str, here: OriginId, origins: &Origins) -> (OriginId, Option<ReturnTo>) {
    let mut values = url::form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == "rd");
    let (Some((_, rd)), None) = (values.next(), values.next()) else { return (here, None) };
    let Some((scheme, rest)) = rd.split_once("://") else { return (here, ReturnTo::parse(&rd)) };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    match origins.of_host(authority) {
        Some(app) if origins.get(app).as_str().starts_with(&format!("{scheme}://")) => {
            (app, ReturnTo::parse(path))
        }
        _ => (here, None),
    }
}

#[cfg(test)]
mod tests {
    use http::header::LOCATION;

    use super::*;
    use crate::gate::Origin;

    #[test]
    fn what_narrows_is_noticed_in_any_spelling() {
        for (query, want) in [
            (None, false),
            (Some("rd=/x"), false),
            (Some("allowed_groups=admins"), true),
            (Some("allowed_groups="), true),
            (Some("a=1&allowed_email_domains=x"), true),
            (Some("allowed%5Femails=a@b"), true),
        ] {
            assert_eq!(narrows(Endpoint::Auth, query), want, "{query:?}");
        }
    }

    #[test]
    fn a_way_back_stays_with_our_apps() {
        let origin = |text| Origin::parse(text).unwrap();
        let origins = Origins::new(origin("https://auth.example"), vec![origin("https://wiki.example")]);
        let here = origins.of_host("wiki.example").unwrap();
        for (query, want) in [
            ("rd=/a%3Fb%3D1%26c", "/_anteroom/start?return_to=%2Fa%3Fb%3D1%26c"),
            ("rd=https://wiki.example/a", "/_anteroom/start?return_to=%2Fa"),
            ("rd=https://auth.example/a", "https://auth.example/_anteroom/start?return_to=%2Fa"),
            ("", "/_anteroom/start"),
            ("rd=/a&rd=/b", "/_anteroom/start"),
            ("rd=https://wiki.example", "/_anteroom/start"),
            ("rd=http://wiki.example/a", "/_anteroom/start"),
            ("rd=https://evil.example/a", "/_anteroom/start"),
            ("rd=https://wiki.example.evil.example/", "/_anteroom/start"),
            ("rd=https://wiki.example@evil.example/", "/_anteroom/start"),
            ("rd=https://wiki.example%5C@evil.example/", "/_anteroom/start"),
            ("rd=//evil.example/", "/_anteroom/start"),
            ("rd=/%5Cevil.example", "/_anteroom/start"),
            ("rd=/%09/evil.example", "/_anteroom/start"),
            ("rd=javascript://wiki.example/%0Aalert(1)", "/_anteroom/start"),
            ("rd=https://wiki.example//evil.example", "/_anteroom/start"),
        ] {
            let reply = moved(Endpoint::Start, Some(query), here, &origins).unwrap();
            assert_eq!(reply.headers.get(LOCATION).unwrap(), want, "{query}");
        }
    }
}
