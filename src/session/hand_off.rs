//! How does a session get to another host? Browsers keep cookies apart by host, so the host with a session hands it over
//! in two sealed pieces of a URL, and only the browser that asked for it can take it.
//!
//! ```text
//! Awaiting ──seal──▶ cookie of the app's host ┐  a random secret
//!     └──▶ Ticket ──▶ central host            │  its SHA-256, as the binding
//!             └──▶ Code ──▶ app's host ◀──────┘  taken if secret and binding agree
//! ```
//! The idea is PKCE's (RFC 7636): what travels through the URL is worth nothing without what stayed in the browser. A
//! code is for one host and one browser, works once, and for [`CODE_LIFE`].

use std::time::Duration;

use aws_lc_rs::digest;
use serde::{Deserialize, Serialize};

use super::Session;
use crate::clock::Timestamp;
use crate::gate::{Destination, ReturnTo};
use crate::secret;
use crate::sign_in::{MAX_AGE, flow_tag};

/// How long a code may be on its way: two redirects.
pub const CODE_LIFE: Duration = Duration::from_secs(60);
/// Longer ways back stay in the cookie only: the code is part of a URL, beside the session.
const MAX_PATH_IN_CODE: usize = 512;

/// A browser that waits for a session at an app's host, as its cookie holds it.
#[derive(Serialize, Deserialize)]
pub struct Awaiting {
    id: [u8; 16],
    secret: [u8; 32],
    path: Option<ReturnTo>,
    started: Timestamp,
}

/// The app's wish for a session, as the browser carries it to the central host.
#[derive(Serialize, Deserialize)]
pub struct Ticket {
    id: [u8; 16],
    binding: [u8; 32],
    destination: Destination,
    started: Timestamp,
    restarts: u8,
    switch: bool,
}

/// The session on its way to the app's host.
#[derive(Serialize, Deserialize)]
pub struct Code {
    id: [u8; 16],
    binding: [u8; 32],
    session: Session,
    path: Option<ReturnTo>,
    minted: Timestamp,
    restarts: u8,
}

impl Awaiting {
    /// Begins to wait. `id` and `secret` are fresh random bytes.
    pub fn begin(path: Option<ReturnTo>, id: [u8; 16], secret: [u8; 32], now: Timestamp) -> Self {
        Self { id, secret, path, started: now }
    }

    /// What goes to the central host. `restarts` says how often this has been tried already, `switch` that the person
    /// wants another account.
    pub fn ticket(&self, destination: Destination, restarts: u8, switch: bool) -> Ticket {
        let (binding, started) = (binding(&self.secret), self.started);
        Ticket { id: self.id, binding, destination, started, restarts, switch }
    }

    /// Eight hex digits that name the cookie.
    pub fn tag(&self) -> String {
        flow_tag(&self.id)
    }

    /// When it began.
    pub fn started(&self) -> Timestamp {
        self.started
    }

    /// Whether it has waited too long to be worth keeping.
    pub fn expired(&self, now: Timestamp) -> bool {
        now.since(self.started) >= MAX_AGE
    }

    /// The page asked for.
    pub fn path(&self) -> Option<&ReturnTo> {
        self.path.as_ref()
    }

    /// Whether the code answers the ticket of this browser.
    pub fn bound_to(&self, code: &Code) -> bool {
        secret::equal(&binding(&self.secret), &code.binding)
    }
}

impl Ticket {
    /// Where the session is wanted.
    pub fn destination(&self) -> &Destination {
        &self.destination
    }

    /// Whether the person wants another account.
    pub fn switch(&self) -> bool {
        self.switch
    }

    /// Whether it is too old to count.
    pub fn expired(&self, now: Timestamp) -> bool {
        now.since(self.started) >= MAX_AGE
    }

    /// Answers the ticket with a session.
    pub fn code(self, session: Session, now: Timestamp) -> Code {
        let path = self.destination.shorter_than(MAX_PATH_IN_CODE).path().cloned();
        Code { id: self.id, binding: self.binding, session, path, minted: now, restarts: self.restarts }
    }
}

impl Code {
    /// What is used up.
    pub fn id(&self) -> [u8; 16] {
        self.id
    }

    /// The tag of the cookie that waits for it.
    pub fn tag(&self) -> String {
        flow_tag(&self.id)
    }

    /// Whether it was on its way for too long.
    pub fn expired(&self, now: Timestamp) -> bool {
        now.since(self.minted) > CODE_LIFE
    }

    /// How often this has been tried already.
    pub fn restarts(&self) -> u8 {
        self.restarts
    }

    /// The page asked for, if it was short enough to travel.
    pub fn path(&self) -> Option<&ReturnTo> {
        self.path.as_ref()
    }

    /// The session.
    pub fn session(&self) -> &Session {
        &self.session
    }
}

fn binding(secret: &[u8; 32]) -> [u8; 32] {
    let hash = digest::digest(&digest::SHA256, secret);
    let mut out = [0; 32];
    out.iter_mut().zip(hash.as_ref()).for_each(|(to, from)| *to = *from);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::tests::ada;

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    #[test]
    fn a_code_belongs_to_the_browser_that_asked_and_ages() {
        let ours = Awaiting::begin(ReturnTo::parse("/page"), [1; 16], [2; 32], at(1000));
        let theirs = Awaiting::begin(None, [1; 16], [3; 32], at(1000));
        let ticket = ours.ticket(Destination::default(), 0, false);
        assert!(!ticket.expired(at(1899)) && ticket.expired(at(1900)));
        let code = ticket.code(ada(0), at(1100));
        assert!(ours.bound_to(&code) && !theirs.bound_to(&code));
        assert!(!code.expired(at(1160)) && code.expired(at(1161)));
        assert_eq!(code.tag(), ours.tag());
    }

    #[test]
    fn the_secret_does_not_travel_and_a_long_way_back_neither() {
        let long = ReturnTo::parse(&format!("/{}", "x".repeat(600)));
        let awaiting = Awaiting::begin(long.clone(), [1; 16], [2; 32], at(0));
        let ticket = awaiting.ticket(Destination::default().at(long), 0, false);
        let sent = postcard::to_allocvec(&ticket).unwrap();
        assert!(!sent.windows(32).any(|window| window == [2; 32]));
        assert!(ticket.code(ada(0), at(0)).path().is_none() && awaiting.path().is_some());
    }
}
