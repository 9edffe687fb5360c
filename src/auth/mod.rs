//! The one decision of every mode, and the endpoints behind it.
//!
//! [`Auth::check`] is called for every request and never waits: it opens the session cookie, asks [`gate::decide`] and
//! either hands out a [`Permit`] or says what to answer. Everything that waits (the store, Atlassian) happens in
//! [`Auth::serve`], on Anteroom's own paths.

pub mod live;

use std::net::IpAddr;
use std::sync::Arc;

use http::{HeaderMap, Method};

use crate::gate::Permit;
use crate::reply::Reply;

pub use live::LiveSession;

/// What a shell knows of a request.
#[derive(Clone, Copy, Debug)]
pub struct RequestFacts<'a> {
    /// The method.
    pub method: &'a Method,
    /// The path as the client wrote it and as the upstream would get it: no query.
    pub path: &'a str,
    /// The query, without `?`.
    pub query: Option<&'a str>,
    /// All headers, as received.
    pub headers: &'a HeaderMap,
    /// Who is on the other end of the connection.
    pub client: IpAddr,
    /// Names the request in logs and on error pages.
    pub request_id: &'a str,
}

/// Leave to pass, resting on a live session if there is one.
pub type SessionPermit = Permit<Arc<LiveSession>>;

/// What to do with a request.
#[derive(Debug)]
pub enum Check {
    /// Forward it, with the permit's identity.
    Forward(SessionPermit),
    /// It is for Anteroom itself: call [`Auth::serve`].
    Own(Endpoint),
    /// Answer this.
    Answer(Reply),
}

/// Anteroom's own paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// `/_anteroom/sign-in`
    SignIn,
    /// `/_anteroom/start`
    Start,
    /// The OAuth callback.
    Callback,
    /// `/_anteroom/welcome`
    Welcome,
    /// `/_anteroom/sign-out`
    SignOut,
    /// `/_anteroom/signed-out`
    SignedOut,
    /// `/_anteroom/me`
    Me,
    /// `/_anteroom/jwks.json`
    Jwks,
    /// `/.well-known/anteroom`
    Discovery,
    /// `/_anteroom/assets/…`
    Asset,
    /// Anything else below `/_anteroom/`.
    Unknown,
}
