//! What does a browser carry while it signs in? One sealed cookie per flow, the sealed `state`, the ticket and the code of
//! a hand-off, and the loop breaker's memory. Each has a purpose of its own, so that none passes for another. Sealing and opening only; what follows from them is decided elsewhere.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::clock::Timestamp;
use crate::entropy::Entropy;
use crate::session::cookie::{CookieNames, OwnCookies};
use crate::session::hand_off::{Awaiting, Code, Ticket};
use crate::session::seal::{KeyRing, Purpose, Sealer};
use crate::sign_in::{MAX_AGE, MAX_ALIVE, Pending, StateToken};

/// Signing in this often within [`LOOP_WINDOW`] without ever arriving is a loop.
const LOOP_LIMIT: usize = 3;
const LOOP_WINDOW: Duration = Duration::from_secs(60);
/// The names that `state` and the ticket are sealed under.
const STATE: &str = "state";
const TICKET: &str = "ticket";

/// Seals and opens what a flow leaves in the browser.
pub(super) struct FlowCookies {
    names: CookieNames,
    flow: Sealer,
    state: Sealer,
    loops: Sealer,
    awaiting: Sealer,
    ticket: Sealer,
    code: Sealer,
}

impl FlowCookies {
    pub(super) fn new(names: CookieNames, keys: &KeyRing) -> Self {
        Self {
            names,
            flow: keys.sealer(Purpose::Flow),
            state: keys.sealer(Purpose::State),
            loops: keys.sealer(Purpose::Loop),
            awaiting: keys.sealer(Purpose::Awaiting),
            ticket: keys.sealer(Purpose::Ticket),
            code: keys.sealer(Purpose::Code),
        }
    }

    /// The sealed `state` and the `Set-Cookie` line of a new flow.
    pub(super) fn seal(&self, pending: &Pending, entropy: &dyn Entropy) -> Option<(String, String)> {
        let state = seal(&self.state, STATE, &pending.state(), entropy)?;
        let name = self.names.flow(&pending.tag());
        let value = seal(&self.flow, &name, pending, entropy)?;
        Some((state, self.names.set(&name, &value, MAX_AGE.as_secs())))
    }

    /// Opens a `state` that came back.
    pub(super) fn open_state(&self, state: &str) -> Option<StateToken> {
        open(&self.state, STATE, state.as_bytes())
    }

    /// The flow that belongs to a state, if this browser carries it.
    pub(super) fn find(&self, own: &OwnCookies<'_>, state: &StateToken) -> Option<Pending> {
        let name = self.names.flow(&state.tag());
        let (_, value) = own.flows.iter().find(|(n, _)| *n == name)?;
        open(&self.flow, &name, value)
    }

    /// The line that removes the cookie of a flow or a hand-off.
    pub(super) fn delete(&self, tag: &str) -> String {
        self.names.delete(&self.names.flow(tag))
    }

    /// The `Set-Cookie` line of a browser that waits at `host`.
    pub(super) fn seal_awaiting(
        &self,
        awaiting: &Awaiting,
        host: &str,
        entropy: &dyn Entropy,
    ) -> Option<String> {
        let name = self.names.flow(&awaiting.tag());
        let value = seal(&self.awaiting, &at_host(&name, host), awaiting, entropy)?;
        Some(self.names.set(&name, &value, MAX_AGE.as_secs()))
    }

    /// What waits at `host` for a code, if this browser carries it.
    pub(super) fn find_awaiting(&self, own: &OwnCookies<'_>, code: &Code, host: &str) -> Option<Awaiting> {
        let name = self.names.flow(&code.tag());
        let (_, value) = own.flows.iter().find(|(n, _)| *n == name)?;
        open(&self.awaiting, &at_host(&name, host), value)
    }

    /// A ticket for a URL of the central host.
    pub(super) fn seal_ticket(&self, ticket: &Ticket, entropy: &dyn Entropy) -> Option<String> {
        seal(&self.ticket, TICKET, ticket, entropy)
    }

    /// Opens a ticket.
    pub(super) fn open_ticket(&self, ticket: &str) -> Option<Ticket> {
        open(&self.ticket, TICKET, ticket.as_bytes())
    }

    /// A code for a URL of `host`, worth nothing at another one.
    pub(super) fn seal_code(&self, code: &Code, host: &str, entropy: &dyn Entropy) -> Option<String> {
        seal(&self.code, &at_host("code", host), code, entropy)
    }

    /// Opens a code that was made for `host`.
    pub(super) fn open_code(&self, code: &str, host: &str) -> Option<Code> {
        open(&self.code, &at_host("code", host), code.as_bytes())
    }

    /// Lines that remove what must go before one more flow begins: whatever does not open or is too old, then the
    /// oldest, until there is room.
    pub(super) fn make_room(&self, own: &OwnCookies<'_>, host: &str, now: Timestamp) -> Vec<String> {
        let mut alive: Vec<(Timestamp, &str)> = Vec::new();
        let mut gone: Vec<&str> = Vec::new();
        for (name, value) in &own.flows {
            match self.alive_since(name, value, host, now) {
                Some(started) => alive.push((started, name)),
                None => gone.push(name),
            }
        }
        alive.sort_unstable();
        let surplus = (alive.len() + 1).saturating_sub(MAX_ALIVE);
        gone.extend(alive.iter().take(surplus).map(|(_, name)| *name));
        gone.iter().map(|name| self.names.delete(name)).collect()
    }

    fn alive_since(&self, name: &str, value: &[u8], host: &str, now: Timestamp) -> Option<Timestamp> {
        if let Some(pending) = open::<Pending>(&self.flow, name, value) {
            return (!pending.expired(now)).then(|| pending.started());
        }
        let awaiting: Awaiting = open(&self.awaiting, &at_host(name, host), value)?;
        (!awaiting.expired(now)).then(|| awaiting.started())
    }

    /// Whether this browser has just signed in again and again.
    pub(super) fn looping(&self, own: &OwnCookies<'_>, now: Timestamp) -> bool {
        self.recent(own, now).len() >= LOOP_LIMIT
    }

    /// The line that remembers one more sign-in.
    pub(super) fn remember_sign_in(
        &self,
        own: &OwnCookies<'_>,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Option<String> {
        let mut recent = self.recent(own, now);
        recent.push(now);
        let newest = recent.len().saturating_sub(LOOP_LIMIT);
        let value = seal(&self.loops, self.names.loop_guard(), &recent.split_off(newest), entropy)?;
        Some(self.names.set(self.names.loop_guard(), &value, LOOP_WINDOW.as_secs()))
    }

    /// The line that forgets them.
    pub(super) fn forget_sign_ins(&self) -> String {
        self.names.delete(self.names.loop_guard())
    }

    fn recent(&self, own: &OwnCookies<'_>, now: Timestamp) -> Vec<Timestamp> {
        let opened = own.loop_guard.and_then(|value| open(&self.loops, self.names.loop_guard(), value));
        let mut recent: Vec<Timestamp> = opened.unwrap_or_default();
        recent.retain(|at| now.since(*at) < LOOP_WINDOW);
        recent
    }
}

fn at_host(name: &str, host: &str) -> String {
    format!("{name}@{host}")
}

fn seal<T: Serialize>(sealer: &Sealer, name: &str, value: &T, entropy: &dyn Entropy) -> Option<String> {
    sealer.seal(name, &postcard::to_allocvec(value).ok()?, entropy.bytes())
}

fn open<T: DeserializeOwned>(sealer: &Sealer, name: &str, value: &[u8]) -> Option<T> {
    postcard::from_bytes(&sealer.open(name, value)?).ok()
}
