//! **Anteroom** puts *Sign in with Atlassian* in front of any HTTP upstream.
//!
//! # The map
//! | layer | modules |
//! |---|---|
//! | root | [`app`] (composition root), [`cli`] |
//! | shells: framework code only | [`proxy`] (reverse proxy, pingora), [`forward_auth`] (asked by gateways, hyper), [`ops`] (health, metrics, logs), [`emulator`] (the offline Atlassian) |
//! | application: async, mode-independent | [`auth`] (the decision and the endpoints), [`reply`] (the single map from error to answer), [`pages`] |
//! | adapters | [`atlassian`] (the only code that talks to Atlassian), [`store`] (the only code that keeps state) |
//! | configuration | [`config`]: as typed → as valid |
//! | pure core: no await, clock, randomness, sockets, environment | [`gate`], [`policy`], [`identity`], [`session`], [`sign_in`], [`kube`] |
//! | leaves | [`secret`], [`clock`], [`entropy`], [`net`], [`metrics`], [`span`] |
//!
//! Imports point down only; `tests/layering.rs` fails on an upward arrow.
//!
//! # One request
//! `proxy` builds [`auth::RequestFacts`] (canonical path, who is asking) → [`auth::Auth::check`] opens the session
//! cookie → [`gate::decide`] → a [`gate::Permit`] → [`identity::headers`] strips the client's copies and sets ours from
//! the permit → upstream → the answer is cleaned → access log, metrics.
//!
//! # One sign-in
//! `auth::start` makes a [`sign_in::Pending`], seals it in the flow cookie, 302 → Atlassian → `auth::callback` opens it,
//! matches the state in constant time and uses it up → a [`sign_in::CodeGrant`] → [`atlassian`] exchanges it and reads
//! `/me` → a [`sign_in::VerifiedIdentity`] → [`policy`] → a [`policy::Admission`] → [`store`] records the account → a
//! fresh session, sealed → 302 to the page asked for. Each arrow consumes the value before it, so "identity headers
//! without authentication" does not compile.

pub mod app;
pub mod atlassian;
pub mod auth;
pub mod cli;
pub mod clock;
pub mod config;
pub mod emulator;
pub mod entropy;
pub mod forward_auth;
pub mod gate;
pub mod identity;
pub mod kube;
pub mod metrics;
pub mod net;
pub mod ops;
pub mod pages;
pub mod policy;
pub mod proxy;
pub mod reply;
pub mod secret;
pub mod session;
pub mod sign_in;
pub mod span;
pub mod store;
