//! May this request pass? The one decision of every mode, pure: no I/O, no clock, no randomness.
//!
//! [`decide`] is the only place that makes a [`Permit`], and a permit is the only thing that lets a request through.

mod asker;
mod destination;
mod origins;
mod path;
mod return_to;
mod routes;

pub use asker::Asker;
pub use destination::Destination;
pub use origins::{NotAnOrigin, Origin, OriginId, Origins};
pub use path::{BadTarget, CanonicalPath};
pub use return_to::ReturnTo;
pub use routes::{Access, Hosts, Methods, PathPattern, PatternError, Route, Routes};

/// Leave to pass, for one request. Made by [`decide`] alone; holds the session that the leave rests on, if any.
#[derive(Debug)]
pub struct Permit<S> {
    session: Option<S>,
}

impl<S> Permit<S> {
    /// The session whose identity the upstream may be told; `None` on a public route without a session.
    pub fn session(&self) -> Option<&S> {
        self.session.as_ref()
    }
}

/// The decision.
#[derive(Debug)]
pub enum Verdict<S> {
    /// Let it through.
    Forward(Permit<S>),
    /// A person navigates without a session: show them the way in.
    SignIn,
    /// Somebody else asks without a session, in the shape that the asker understands.
    Unauthenticated(Asker),
    /// A rule says no, whoever asks.
    Denied(Asker),
}

/// Decides, from what the route demands, the session that is alive (if any) and who is asking: that is worked out only
/// for those who are not let through.
pub fn decide<S>(access: Access, session: Option<S>, asker: impl FnOnce() -> Asker) -> Verdict<S> {
    match (access, session) {
        (Access::Deny, _) => Verdict::Denied(asker()),
        (Access::Public, session) => Verdict::Forward(Permit { session }),
        (Access::SignedIn, Some(session)) => Verdict::Forward(Permit { session: Some(session) }),
        (Access::SignedIn, None) => match asker() {
            Asker::Navigation => Verdict::SignIn,
            other => Verdict::Unauthenticated(other),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_combination() {
        let ask = |access, session: Option<u8>, asker| match decide(access, session, || asker) {
            Verdict::Forward(permit) => permit.session().map_or("forward", |_| "forward as"),
            Verdict::SignIn => "sign in",
            Verdict::Unauthenticated(_) => "401",
            Verdict::Denied(_) => "denied",
        };
        for (access, session, asker, want) in [
            (Access::Deny, Some(1), Asker::Navigation, "denied"),
            (Access::Deny, None, Asker::Program, "denied"),
            (Access::Public, None, Asker::Program, "forward"),
            (Access::Public, Some(1), Asker::Program, "forward as"),
            (Access::SignedIn, Some(1), Asker::Program, "forward as"),
            (Access::SignedIn, None, Asker::Navigation, "sign in"),
            (Access::SignedIn, None, Asker::Frame, "401"),
            (Access::SignedIn, None, Asker::Program, "401"),
            (Access::SignedIn, None, Asker::Grpc, "401"),
        ] {
            assert_eq!(ask(access, session, asker), want, "{access:?} {session:?} {asker:?}");
        }
    }
}
