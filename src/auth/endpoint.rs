//! Which paths does Anteroom answer itself? Decided on the canonical path, in every reading of it.

use crate::gate::CanonicalPath;

/// Anteroom's own paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// `/_anteroom/sign-in`: the page with the button.
    SignIn,
    /// `/_anteroom/start`: off to Atlassian.
    Start,
    /// `/_anteroom/hand-off`: from an app's host, for a session; central host only.
    HandOff,
    /// `/_anteroom/finish`: back at an app's host, with one.
    Finish,
    /// The OAuth callback, `/api/auth/callback/atlassian` unless configured otherwise.
    Callback,
    /// `/_anteroom/welcome`: greets a new user.
    Welcome,
    /// `/_anteroom/sign-out`: GET asks, POST ends the session.
    SignOut,
    /// `/_anteroom/signed-out`: says that it is over.
    SignedOut,
    /// `/_anteroom/me`: the identity as the upstream sees it, JSON.
    Me,
    /// `/_anteroom/jwks.json`: keys of the assertion.
    Jwks,
    /// `/.well-known/anteroom`: discovery.
    Discovery,
    /// `/_anteroom/assets/…`: stylesheet and logo.
    Asset,
    /// Anything else below `/_anteroom`: never the upstream's.
    Unknown,
}

/// The namespace that never reaches the upstream.
const NAMESPACE: &str = "/_anteroom";

impl Endpoint {
    /// The endpoint of a path, if it is one of ours.
    pub fn of(path: &CanonicalPath, callback_path: &str) -> Option<Self> {
        if path.as_str() == callback_path {
            return Some(Self::Callback);
        }
        let below = |p: &str| {
            p.strip_prefix(NAMESPACE).filter(|rest| rest.is_empty() || rest.starts_with('/')).is_some()
        };
        match path.as_str() {
            "/.well-known/anteroom" => Some(Self::Discovery),
            p if below(p) => Some(Self::named(p.get(NAMESPACE.len()..).unwrap_or_default())),
            // `/_anteroom;x/start`: ours to somebody who drops parameters, so nobody gets it.
            _ => path.other_readings().any(|p| below(p) || p == callback_path).then_some(Self::Unknown),
        }
    }

    /// The methods it answers, as `Allow` lists them. Where a HEAD would begin or use up something that nobody gets to
    /// see, it is not among them.
    pub fn methods(self) -> &'static str {
        match self {
            Self::Start | Self::HandOff | Self::Finish | Self::Callback => "GET",
            Self::SignOut => "GET, HEAD, POST",
            _ => "GET, HEAD",
        }
    }

    fn named(rest: &str) -> Self {
        match rest {
            "/sign-in" => Self::SignIn,
            "/start" => Self::Start,
            "/hand-off" => Self::HandOff,
            "/finish" => Self::Finish,
            "/welcome" => Self::Welcome,
            "/sign-out" => Self::SignOut,
            "/signed-out" => Self::SignedOut,
            "/me" => Self::Me,
            "/jwks.json" => Self::Jwks,
            _ if rest.starts_with("/assets/") => Self::Asset,
            _ => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table() {
        for (raw, want) in [
            ("/", None),
            ("/_anteroomish", None),
            ("/_anteroom", Some(Endpoint::Unknown)),
            ("/_anteroom/", Some(Endpoint::Unknown)),
            ("/_anteroom/start", Some(Endpoint::Start)),
            ("/%5Fanteroom/%73tart", Some(Endpoint::Start)),
            ("/_anteroom/start/x", Some(Endpoint::Unknown)),
            ("/_anteroom;x/start", Some(Endpoint::Unknown)),
            ("/_anteroom/start;x", Some(Endpoint::Unknown)),
            ("/_Anteroom/start", None),
            ("/api/auth/callback/atlassian", Some(Endpoint::Callback)),
            ("/api/auth/callback/atlassian;x", Some(Endpoint::Unknown)),
            ("/api/auth/callback/atlassian/", None),
            ("/.well-known/anteroom", Some(Endpoint::Discovery)),
            ("/.well-known/security.txt", None),
        ] {
            let path = CanonicalPath::parse(raw).unwrap();
            assert_eq!(Endpoint::of(&path, "/api/auth/callback/atlassian"), want, "{raw}");
        }
    }
}
