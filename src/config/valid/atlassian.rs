//! `[atlassian]`, checked against what Atlassian is known to accept.
//! Source: <https://developer.atlassian.com/cloud/jira/platform/oauth-2-3lo-apps/>.

use std::collections::BTreeSet;
use std::time::Duration;

use url::Url;

use super::public_url::is_loopback;
use super::secrets;
use crate::config::check::Check;
use crate::config::finding::Mistake;
use crate::config::key::KeyPath;
use crate::config::raw::{RawAtlassian, RawPrompt};
use crate::gate::CanonicalPath;
use crate::secret::{ExposeSecret, SecretString};

/// The app registered at Atlassian.
#[derive(Debug)]
pub struct Atlassian {
    /// The client ID.
    pub client_id: String,
    /// The client secret.
    pub client_secret: SecretString,
    /// The scopes to ask for, `read:me` first; each without white space.
    pub scopes: Vec<String>,
    /// The `prompt` parameter, if any.
    pub prompt: Option<Prompt>,
    /// Whether to send a PKCE challenge.
    pub pkce: bool,
    /// Where people sign in; no path.
    pub auth_url: Url,
    /// Where profiles are read; no path.
    pub api_url: Url,
    /// The `audience` parameter.
    pub audience: String,
    /// The HTTP proxy on the way to Atlassian; no path, no credentials.
    pub https_proxy: Option<Url>,
    /// The path of the callback URL.
    pub callback_path: String,
    /// How long one call may take.
    pub timeout: Duration,
}

/// What Atlassian is to ask the person for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prompt {
    /// Consent, every time.
    Consent,
    /// Nothing.
    None,
    /// The password, again.
    Login,
    /// Which account.
    SelectAccount,
}

impl Prompt {
    /// The value of the parameter.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Consent => "consent",
            Self::None => "none",
            Self::Login => "login",
            Self::SelectAccount => "select_account",
        }
    }
}

impl From<RawPrompt> for Prompt {
    fn from(raw: RawPrompt) -> Self {
        match raw {
            RawPrompt::Consent => Self::Consent,
            RawPrompt::None => Self::None,
            RawPrompt::Login => Self::Login,
            RawPrompt::SelectAccount => Self::SelectAccount,
        }
    }
}

/// What Atlassian's client secrets begin with.
const SECRET_PREFIX: &str = "ATOA";

pub(super) fn check(raw: &RawAtlassian, check: &mut Check<'_>) -> Option<Atlassian> {
    let client_id = client_id(raw.client_id.as_deref(), check);
    let client_secret = client_secret(raw, check);
    let scopes = scopes(&raw.scopes, check);
    let auth_url = base_url("atlassian.auth_url", &raw.auth_url, check);
    let api_url = base_url("atlassian.api_url", &raw.api_url, check);
    let audience = audience(&raw.audience, check);
    let https_proxy = https_proxy(raw.https_proxy.as_deref(), check);
    let callback_path = callback_path(&raw.callback_path, check);
    let timeout = check.span("atlassian.timeout", &raw.timeout, Duration::from_secs(120));
    Some(Atlassian {
        client_id: client_id?,
        client_secret: client_secret?,
        scopes: scopes?,
        prompt: raw.prompt.map(Prompt::from),
        pkce: raw.pkce,
        auth_url: auth_url?,
        api_url: api_url?,
        audience: audience?,
        https_proxy: https_proxy?,
        callback_path: callback_path?,
        timeout: timeout?,
    })
}

fn client_id(text: Option<&str>, check: &mut Check<'_>) -> Option<String> {
    let key = KeyPath::of("atlassian.client_id");
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return check.missing(
            "atlassian.client_id",
            "Atlassian would not know which app asks",
            "copy it from the app's settings at https://developer.atlassian.com/console/myapps/",
        );
    };
    if text.starts_with(SECRET_PREFIX) {
        let mistake = Mistake::new(
            "config.client-id-swapped",
            "`atlassian.client_id` holds a client secret",
            "The client ID is public, it is part of every sign-in URL: the secret would be too",
            "put the ID here and the secret into client_secret; if this ran before, make a new secret",
        );
        return check.wrong(&key, mistake);
    }
    if !text.bytes().all(|b| b.is_ascii_graphic()) {
        let mistake = Mistake::new(
            "config.client-id",
            "`atlassian.client_id` holds white space or something beyond ASCII",
            "Atlassian would not know the app",
            "copy it again, without anything around it",
        );
        return check.wrong(&key, mistake);
    }
    if text.len() != 32 || !text.bytes().all(|b| b.is_ascii_alphanumeric()) {
        let mistake = Mistake::new(
            "config.client-id-unusual",
            "`atlassian.client_id` is not 32 letters and digits, as Atlassian's client IDs are",
            "If it is cut short, Atlassian does not know the app",
            "compare it with the app's settings at https://developer.atlassian.com/console/myapps/",
        );
        check.warn(&key, mistake);
    }
    Some(text.to_owned())
}

fn client_secret(raw: &RawAtlassian, check: &mut Check<'_>) -> Option<SecretString> {
    let (inline, file) = (raw.client_secret.as_ref(), raw.client_secret_file.as_deref());
    secrets::given_once("atlassian.client_secret", inline.is_some(), file.is_some(), check)?;
    let (key, secret) = match (inline, file) {
        (Some(secret), _) => (KeyPath::of("atlassian.client_secret"), secret.0.clone()),
        (None, Some(file)) => {
            let key = KeyPath::of("atlassian.client_secret_file");
            let secret = secrets::read(&key, &check.path(file), check)?;
            (key, secret)
        }
        (None, None) => {
            return check.missing(
                "atlassian.client_secret",
                "Atlassian would refuse to tell who signed in",
                "copy it from the app's settings at https://developer.atlassian.com/console/myapps/ into a file named \
                 by client_secret_file, or set client_secret",
            );
        }
    };
    let secret = secrets::one_line(&key, secret, check)?;
    if !secret.expose_secret().starts_with(SECRET_PREFIX) {
        let mistake = Mistake::new(
            "config.client-secret-unusual",
            format!("`{key}` does not begin with {SECRET_PREFIX}, as Atlassian's client secrets do"),
            "If it is something else, every sign-in will fail when the code is exchanged",
            "compare it with the app's settings at https://developer.atlassian.com/console/myapps/",
        );
        check.warn(&key, mistake);
    }
    Some(secret)
}

fn scopes(given: &[String], check: &mut Check<'_>) -> Option<Vec<String>> {
    let mut scopes = vec!["read:me".to_owned()];
    let mut seen: BTreeSet<&str> = BTreeSet::from(["read:me"]);
    let mut all_good = true;
    for (index, scope) in given.iter().enumerate() {
        let refused = |what: &str, meaning: &str, remedy: &str| {
            Mistake::new("config.scope", what, meaning, remedy).showing_the_value()
        };
        let mistake = match scope.as_str() {
            "openid" | "profile" | "email" | "profile:me" => refused(
                "this scope cannot be asked for",
                "Atlassian has no OpenID Connect for third-party apps: sign-in would end on an error page",
                "remove it; `read:me`, which is always asked for, brings name and email",
            ),
            "offline_access" => refused(
                "`offline_access` is of no use",
                "Anteroom keeps no tokens, so that a refresh token would only be a risk",
                "remove it",
            ),
            text if text.is_empty() || text.contains(|c: char| c == ',' || c.is_whitespace()) => refused(
                "this is not one scope",
                "Atlassian separates scopes by spaces, and this list does it for you",
                "write each scope as an element of its own: scopes = [\"read:jira-work\", \"read:jira-user\"]",
            ),
            text if !text.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\') => refused(
                "this is not a scope",
                "RFC 6749 allows visible ASCII only",
                "copy it from the app's permissions in the developer console",
            ),
            text => {
                if seen.insert(text) {
                    scopes.push(text.to_owned());
                }
                continue;
            }
        };
        all_good = false;
        check.wrong::<()>(&KeyPath::of("atlassian.scopes").at(index), mistake);
    }
    all_good.then_some(scopes)
}

fn base_url(key: &str, text: &str, check: &mut Check<'_>) -> Option<Url> {
    let safe = |url: &Url| url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url));
    let url = Url::parse(text).ok().filter(|url| safe(url) && is_bare(url));
    url.or_else(|| {
        let mistake = Mistake::new(
            "config.atlassian-url",
            format!("`{key}` is not a plain https origin"),
            "The client secret is sent there; http is allowed on loopback only, for the emulator",
            "remove it to use Atlassian's own, or write \"https://host\" without a path",
        );
        check.wrong(&KeyPath::of(key), mistake.showing_the_url(text))
    })
}

/// The inner `None`: there is none.
fn https_proxy(text: Option<&str>, check: &mut Check<'_>) -> Option<Option<Url>> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Some(None) };
    // What a reader of URLs would put right in silence is a slip here.
    let as_written = text.starts_with("http://") && !text.contains(|c: char| c == '\\' || c.is_whitespace());
    let plain = |url: &Url| as_written && url.port() != Some(0);
    let url = Url::parse(text).ok().filter(|url| url.scheme() == "http" && is_bare(url) && plain(url));
    url.map(Some).or_else(|| {
        let mistake = Mistake::new(
            "config.https-proxy",
            "`atlassian.https_proxy` is not the address of an HTTP proxy",
            "Nobody could sign in. The connection to the proxy is plain; what goes through it to Atlassian is encrypted",
            "write \"http://host:port\", without a path. User and password are not supported: let the proxy know Anteroom by \
             its address",
        );
        check.wrong(&KeyPath::of("atlassian.https_proxy"), mistake.showing_the_url(text))
    })
}

/// Nothing but scheme, host and port.
fn is_bare(url: &Url) -> bool {
    let origin = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    origin && url.has_host() && url.username().is_empty() && url.password().is_none()
}

fn audience(text: &str, check: &mut Check<'_>) -> Option<String> {
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic()) {
        return Some(text.to_owned());
    }
    let mistake = Mistake::new(
        "config.audience",
        "`atlassian.audience` is empty or holds white space",
        "Atlassian would refuse to sign anybody in",
        "remove it to use \"api.atlassian.com\"",
    );
    check.wrong(&KeyPath::of("atlassian.audience"), mistake.showing_the_value())
}

fn callback_path(text: &str, check: &mut Check<'_>) -> Option<String> {
    let canonical = CanonicalPath::parse(text).is_ok_and(|path| path.as_str() == text);
    let own = text == "/_anteroom" || text.starts_with("/_anteroom/") || text == "/.well-known/anteroom";
    if canonical && !own && text != "/" && text.is_ascii() && !text.contains(';') {
        return Some(text.to_owned());
    }
    let mistake = Mistake::new(
        "config.callback-path",
        "`atlassian.callback_path` is not a path that the callback can have",
        "Atlassian compares the callback URL letter by letter, and /_anteroom/ is taken",
        "remove it to use \"/api/auth/callback/atlassian\", or write a plain path without query or encodings",
    );
    check.wrong(&KeyPath::of("atlassian.callback_path"), mistake.showing_the_value())
}
