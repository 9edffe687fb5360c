//! Which codes, grants and tokens are alive? Time and chance come in as arguments.
//!
//! Rules (developer.atlassian.com/cloud/confluence/oauth-2-3lo-apps, "Refresh tokens" and "Frequently asked"): one grant
//! per app and account; a new consent's scopes replace the old ones, its sites add to them; a refresh token rotates at
//! each use, its predecessor works for a leeway without any breach detection, and an unused one dies of inactivity.

use std::collections::{BTreeSet, HashMap};

use crate::clock::Timestamp;

use super::fixture::GrantKind;
use super::scopes::Scopes;
use super::switches::Switches;

/// What an account allowed an app.
#[derive(Clone, Debug)]
pub(super) struct Grant {
    id: u64,
    /// Scopes of the latest consent.
    pub(super) scopes: Scopes,
    /// Sites of all consents.
    pub(super) sites: BTreeSet<String>,
}

/// What a code or token stands for.
#[derive(Clone, Debug)]
pub(super) struct Ticket {
    grant: u64,
    /// The app.
    pub(super) client_id: String,
    /// The account.
    pub(super) account_id: String,
    /// Scopes asked for when it was made.
    pub(super) scopes: Scopes,
    /// Sites consented to when it was made.
    pub(super) sites: BTreeSet<String>,
    /// Whether tokens see all of the grant's sites or only their own.
    pub(super) kind: GrantKind,
    /// The account's password epoch when it was made.
    pub(super) epoch: u32,
}

/// An authorization code.
#[derive(Clone, Debug)]
pub(super) struct Code {
    /// What it stands for.
    pub(super) ticket: Ticket,
    /// `redirect_uri` it went to.
    pub(super) redirect_uri: String,
    /// S256 challenge, if one was sent.
    pub(super) challenge: Option<String>,
    /// When it was made.
    pub(super) issued: Timestamp,
    /// Exchanged already.
    pub(super) spent: bool,
}

#[derive(Clone, Debug)]
struct Access {
    ticket: Ticket,
    expires: Timestamp,
}

#[derive(Clone, Debug)]
struct Refresh {
    ticket: Ticket,
    family_born: Timestamp,
    issued: Timestamp,
    rotated: Option<Timestamp>,
}

/// Why a bearer token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BadToken {
    /// Never issued.
    Unknown,
    /// Its hour is over.
    Expired,
    /// Its grant was revoked.
    Revoked,
}

/// Everything issued.
#[derive(Debug, Default)]
pub(super) struct Book {
    grants: HashMap<(String, String), Grant>,
    codes: HashMap<String, Code>,
    access: HashMap<String, Access>,
    refresh: HashMap<String, Refresh>,
    last_id: u64,
}

impl Book {
    /// The grant of an account to an app.
    pub(super) fn grant(&self, client_id: &str, account_id: &str) -> Option<&Grant> {
        self.grants.get(&(client_id.to_owned(), account_id.to_owned()))
    }

    /// Records a consent: replaces the grant's scopes, adds to its sites.
    pub(super) fn consent(
        &mut self,
        (client_id, account_id): (&str, &str),
        scopes: &Scopes,
        sites: &BTreeSet<String>,
        (kind, epoch): (GrantKind, u32),
    ) -> Ticket {
        self.last_id = self.last_id.saturating_add(1);
        let fresh = Grant { id: self.last_id, scopes: Scopes::new(), sites: BTreeSet::new() };
        let grant = self.grants.entry((client_id.to_owned(), account_id.to_owned())).or_insert(fresh);
        grant.scopes.clone_from(scopes);
        grant.sites.extend(sites.iter().cloned());
        Ticket {
            grant: grant.id,
            client_id: client_id.to_owned(),
            account_id: account_id.to_owned(),
            scopes: scopes.clone(),
            sites: sites.clone(),
            kind,
            epoch,
        }
    }

    /// Forgets the grant; every code and token under it is dead, for good.
    pub(super) fn revoke(&mut self, client_id: &str, account_id: &str) -> bool {
        self.grants.remove(&(client_id.to_owned(), account_id.to_owned())).is_some()
    }

    /// Kills the refresh tokens that an account got before this password epoch.
    pub(super) fn password_changed(&mut self, account_id: &str, epoch: u32) {
        self.refresh
            .retain(|_, refresh| refresh.ticket.account_id != account_id || refresh.ticket.epoch >= epoch);
    }

    /// Keeps a code.
    pub(super) fn add_code(&mut self, text: String, code: Code) {
        let day_ago = code.issued.as_secs().saturating_sub(86_400);
        self.codes.retain(|_, old| old.issued.as_secs() >= day_ago);
        self.codes.insert(text, code);
    }

    /// The code, spent or not.
    pub(super) fn code(&self, text: &str) -> Option<&Code> {
        self.codes.get(text)
    }

    /// Marks a code as exchanged.
    pub(super) fn spend(&mut self, text: &str) {
        if let Some(code) = self.codes.get_mut(text) {
            code.spent = true;
        }
    }

    /// Whether the grant behind a ticket still stands.
    pub(super) fn stands(&self, ticket: &Ticket) -> bool {
        self.grant(&ticket.client_id, &ticket.account_id).is_some_and(|grant| grant.id == ticket.grant)
    }

    /// Keeps an access token.
    pub(super) fn add_access(&mut self, text: String, ticket: Ticket, now: Timestamp, expires: Timestamp) {
        if self.access.len() > 10_000 {
            self.access.retain(|_, access| access.expires > now);
        }
        self.access.insert(text, Access { ticket, expires });
    }

    /// Keeps a refresh token: the first of a family, or the successor of `of`.
    pub(super) fn add_refresh(&mut self, text: String, ticket: Ticket, now: Timestamp, of: Option<&str>) {
        let mut family_born = now;
        if let Some(old) = of.and_then(|of| self.refresh.get_mut(of)) {
            old.rotated.get_or_insert(now);
            family_born = old.family_born;
        }
        self.refresh.insert(text, Refresh { ticket, family_born, issued: now, rotated: None });
    }

    /// What a bearer token stands for.
    pub(super) fn bearer(&self, text: &str, now: Timestamp) -> Result<&Ticket, BadToken> {
        let access = self.access.get(text).ok_or(BadToken::Unknown)?;
        match () {
            () if !self.stands(&access.ticket) => Err(BadToken::Revoked),
            () if now >= access.expires => Err(BadToken::Expired),
            () => Ok(&access.ticket),
        }
    }

    /// What a refresh token stands for, or why it is dead.
    pub(super) fn refresh(
        &self,
        text: &str,
        now: Timestamp,
        switches: &Switches,
    ) -> Result<&Ticket, &'static str> {
        let refresh =
            self.refresh.get(text).ok_or("refresh token unknown, or dead since a password change")?;
        let older = |since: Timestamp, secs: u64| now.since(since).as_secs() >= secs;
        if switches.refresh_dead {
            Err("refresh tokens are switched dead")
        } else if !self.stands(&refresh.ticket) {
            Err("grant revoked")
        } else if refresh.rotated.is_some_and(|at| older(at, switches.refresh_leeway_secs)) {
            Err("refresh token rotated, leeway over")
        } else if older(refresh.issued, switches.refresh_inactivity_secs) {
            Err("refresh token unused for too long")
        } else if switches.refresh_absolute_secs.is_some_and(|secs| older(refresh.family_born, secs)) {
            Err("refresh token family too old")
        } else {
            Ok(&refresh.ticket)
        }
    }

    /// Who holds this token, access or refresh.
    pub(super) fn holder(&self, text: &str) -> Option<&Ticket> {
        let access = self.access.get(text).map(|access| &access.ticket);
        access.or_else(|| self.refresh.get(text).map(|refresh| &refresh.ticket))
    }

    /// Scopes a ticket has today: its own, as far as the grant still has them.
    pub(super) fn scopes(&self, ticket: &Ticket, switches: &Switches) -> Scopes {
        let held = self.grant(&ticket.client_id, &ticket.account_id).map(|grant| &grant.scopes);
        let narrow = |scope: &&String| {
            // `offline_access` is about the refresh token and is not narrowed.
            *scope == "offline_access"
                || switches.narrowed_scopes.as_ref().is_none_or(|only| only.contains(scope))
        };
        let in_grant = |scope: &&String| held.is_some_and(|held| held.contains(*scope));
        ticket.scopes.iter().filter(in_grant).filter(narrow).cloned().collect()
    }

    /// Sites a ticket reaches today.
    pub(super) fn sites(&self, ticket: &Ticket) -> BTreeSet<String> {
        let grant = self.grant(&ticket.client_id, &ticket.account_id);
        match (ticket.kind, grant) {
            (GrantKind::Account, Some(grant)) => grant.sites.clone(),
            _ => ticket.sites.clone(),
        }
    }
}
