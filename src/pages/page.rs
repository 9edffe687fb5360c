//! Which pages are there, and what must the caller know to show one?
//!
//! Borrowed values only: everything here is text for one answer. Nothing in it may be a token or a secret; whatever is
//! put in is escaped and isolated on the page, so names, addresses and ids may be hostile.

use http::StatusCode;

use super::problem::{NotAllowedReason, Problem};

/// Who the page talks to. Pictures are not shown: they would be a request to another origin.
#[derive(Clone, Copy, Debug)]
pub struct Who<'a> {
    /// Display name, if Atlassian gave one.
    pub name: Option<&'a str>,
    /// Email address, if Atlassian gave one.
    pub email: Option<&'a str>,
    /// Atlassian account ID; shown when there is neither name nor email.
    pub account_id: &'a str,
}

/// What only the operator of the app can use; shown folded away. Never a token, never a secret.
#[derive(Clone, Copy, Debug, Default)]
pub struct OperatorHint<'a> {
    /// The callback URL exactly as it must be registered in the developer console.
    pub callback_url: Option<&'a str>,
    /// The scopes asked for, separated by spaces.
    pub requested_scopes: Option<&'a str>,
    /// The scope that the Atlassian app lacks.
    pub missing_scope: Option<&'a str>,
}

/// Which service behind Anteroom is away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// The store of accounts and sessions.
    Store,
    /// Atlassian's sign-in.
    Atlassian,
}

/// One page. URLs are paths on this origin, or absolute `https:`/`http:`; anything else becomes `/`.
/// `time` is shown as given (RFC 3339 reads well).
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "the fields are named after what they are; the variants say when to use them")]
pub enum Page<'a> {
    /// 200: Asks to sign in. `start_url` is our own start endpoint with its return-to already encoded;
    /// `switched_account` says they came to use another account, so tell how.
    SignIn { start_url: &'a str, switched_account: bool },
    /// 200: Asks before ending the session: a form that POSTs `csrf` to `action`.
    SignOutAsk { who: &'a Who<'a>, csrf: &'a str, action: &'a str },
    /// 200: The session is over; the one at Atlassian is not.
    SignedOut { sign_in_url: &'a str },
    /// 200: First sign-in of this account.
    Welcome { who: &'a Who<'a>, continue_url: &'a str },
    /// 403: Signed in at Atlassian, but not admitted here.
    NotAllowed {
        who: &'a Who<'a>,
        reason: NotAllowedReason,
        another_account_url: &'a str,
        request_id: &'a str,
        time: &'a str,
    },
    /// A sign-in went wrong; the status is [`Problem::status`].
    Error {
        problem: Problem,
        retry_url: Option<&'a str>,
        operator_hint: Option<&'a OperatorHint<'a>>,
        request_id: &'a str,
        time: &'a str,
    },
    /// 400: Sent to sign in again and again without arriving.
    TooManyRedirects { retry_url: &'a str, request_id: &'a str, time: &'a str },
    /// 502: The app behind Anteroom did not answer.
    UpstreamDown { retry_url: Option<&'a str>, request_id: &'a str, time: &'a str },
    /// 400: A request that could be read in two ways.
    BadRequest { request_id: &'a str, time: &'a str },
    /// 403: A route rule closes this page, to this account or to everyone.
    Denied { who: Option<&'a Who<'a>>, request_id: &'a str, time: &'a str },
    /// 401: Inside a frame: offers a tab of its own. The one page that may itself be framed.
    FrameBlocked { open_url: &'a str },
    /// 503: Something we need is away.
    Unavailable { service: Service, retry_url: Option<&'a str>, request_id: &'a str, time: &'a str },
}

impl Page<'_> {
    /// The HTTP status this page is served with.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::SignIn { .. } | Self::SignOutAsk { .. } | Self::SignedOut { .. } | Self::Welcome { .. } => {
                StatusCode::OK
            }
            Self::NotAllowed { .. } | Self::Denied { .. } => StatusCode::FORBIDDEN,
            Self::Error { problem, .. } => problem.status(),
            Self::TooManyRedirects { .. } | Self::BadRequest { .. } => StatusCode::BAD_REQUEST,
            Self::UpstreamDown { .. } => StatusCode::BAD_GATEWAY,
            Self::FrameBlocked { .. } => StatusCode::UNAUTHORIZED,
            Self::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The stable code shown on the page; `None` where nothing went wrong.
    pub fn code(&self) -> Option<&'static str> {
        match self {
            Self::SignIn { .. } | Self::SignOutAsk { .. } | Self::SignedOut { .. } | Self::Welcome { .. } => {
                None
            }
            Self::NotAllowed { reason, .. } => Some(reason.code()),
            Self::Error { problem, .. } => Some(problem.code()),
            Self::TooManyRedirects { .. } => Some("signin.too_many_redirects"),
            Self::UpstreamDown { .. } => Some("upstream.unavailable"),
            Self::BadRequest { .. } => Some("request.ambiguous"),
            Self::Denied { .. } => Some("access.route_denied"),
            Self::FrameBlocked { .. } => Some("signin.framed"),
            Self::Unavailable { service: Service::Store, .. } => Some(Problem::StoreUnavailable.code()),
            Self::Unavailable { service: Service::Atlassian, .. } => {
                Some(Problem::AtlassianUnavailable.code())
            }
        }
    }
}
