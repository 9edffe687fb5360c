//! Who may sign in? Rules over a verified identity, as data, and the rule that decided.
//!
//! Fails closed: no rule admits nobody; an email rule needs an email that Atlassian says is verified unless the
//! operator said otherwise. Only [`AccessPolicy::admit`] makes an [`Admission`].

use crate::identity::{AccountId, Email, EmailDomain, EmailVerified, Person};
use crate::sign_in::VerifiedIdentity;

/// The rules of `[access]`. Somebody who matches any of them may sign in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessPolicy {
    /// Everybody with an Atlassian account.
    pub any_account: bool,
    /// Exactly these domains; a subdomain needs an entry of its own.
    pub email_domains: Vec<EmailDomain>,
    /// These mailboxes, letter case aside.
    pub emails: Vec<Email>,
    /// These accounts.
    pub account_ids: Vec<AccountId>,
    /// Whether email rules also match an address that Atlassian does not say is verified.
    pub unverified_emails: bool,
    /// Account types admitted besides `atlassian`.
    pub other_account_types: Vec<String>,
    /// Account statuses admitted besides `active`.
    pub other_account_statuses: Vec<String>,
}

/// The rule that let somebody in, for the audit log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// `allow_any_atlassian_account`
    AnyAccount,
    /// `email_domains`
    EmailDomain,
    /// `emails`
    Email,
    /// `account_ids`
    AccountId,
}

impl Rule {
    /// The configuration key.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AnyAccount => "allow_any_atlassian_account",
            Self::EmailDomain => "email_domains",
            Self::Email => "emails",
            Self::AccountId => "account_ids",
        }
    }
}

/// Why somebody was not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DenyReason {
    /// No rule names this person.
    NoRuleMatches,
    /// A rule would match, but Atlassian does not say that the email address is verified.
    EmailUnverified,
    /// A customer-portal or app account.
    AccountType,
    /// Deactivated or closed.
    AccountStatus,
}

impl DenyReason {
    /// A stable word for logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoRuleMatches => "no_rule_matches",
            Self::EmailUnverified => "email_unverified",
            Self::AccountType => "account_type",
            Self::AccountStatus => "account_status",
        }
    }
}

/// Proof that somebody signed in at Atlassian and may come in. Not `Clone`: it begins exactly one session.
#[derive(Debug)]
pub struct Admission {
    person: Person,
    rule: Rule,
}

impl Admission {
    /// Who.
    pub fn person(&self) -> &Person {
        &self.person
    }

    /// By which rule.
    pub fn rule(&self) -> Rule {
        self.rule
    }

    /// The person, once the admission is used up.
    pub(crate) fn into_person(self) -> Person {
        self.person
    }
}

/// Somebody who signed in at Atlassian and may not come in.
#[derive(Debug)]
pub struct Refusal {
    /// Who.
    pub person: Person,
    /// Why.
    pub reason: DenyReason,
}

impl AccessPolicy {
    /// Whether the policy names anybody at all; one that does not must not start.
    pub fn names_somebody(&self) -> bool {
        self.any_account
            || !self.email_domains.is_empty()
            || !self.emails.is_empty()
            || !self.account_ids.is_empty()
    }

    /// Decides on a fresh sign-in.
    pub fn admit(&self, identity: VerifiedIdentity) -> Result<Admission, Box<Refusal>> {
        let profile = identity.into_profile();
        let allowed = |value: Option<&str>, normal: &str, others: &[String]| {
            // Absent means that Atlassian did not say: old answers lack the field for ordinary accounts.
            value.is_none_or(|v| v == normal || others.iter().any(|o| o == v))
        };
        let refuse = |person, reason| Err(Box::new(Refusal { person, reason }));
        if !allowed(profile.account_type.as_deref(), "atlassian", &self.other_account_types) {
            return refuse(profile.person, DenyReason::AccountType);
        }
        if !allowed(profile.account_status.as_deref(), "active", &self.other_account_statuses) {
            return refuse(profile.person, DenyReason::AccountStatus);
        }
        match self.rule_for(&profile.person) {
            Ok(rule) => Ok(Admission { person: profile.person, rule }),
            Err(reason) => refuse(profile.person, reason),
        }
    }

    /// Which rule admits this person: asked again whenever a session cookie is opened, so that a rule taken out of
    /// the configuration ends the sessions it had let in.
    pub fn rule_for(&self, person: &Person) -> Result<Rule, DenyReason> {
        if self.any_account {
            return Ok(Rule::AnyAccount);
        }
        if self.account_ids.contains(&person.account_id) {
            return Ok(Rule::AccountId);
        }
        let Some(email) = &person.email else { return Err(DenyReason::NoRuleMatches) };
        let rule = if self.emails.iter().any(|e| e.same_mailbox(email)) {
            Rule::Email
        } else if self.email_domains.iter().any(|d| d.as_str() == email.domain()) {
            Rule::EmailDomain
        } else {
            return Err(DenyReason::NoRuleMatches);
        };
        match person.email_verified {
            EmailVerified::True => Ok(rule),
            EmailVerified::False | EmailVerified::Unknown if self.unverified_emails => Ok(rule),
            EmailVerified::False | EmailVerified::Unknown => Err(DenyReason::EmailUnverified),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(id: &str, email: Option<&str>, email_verified: EmailVerified) -> Person {
        let email = email.map(|e| Email::parse(e).unwrap());
        Person { account_id: AccountId::parse(id).unwrap(), email, email_verified, name: None, picture: None }
    }

    fn domains(list: &[&str]) -> AccessPolicy {
        AccessPolicy {
            email_domains: list.iter().map(|d| EmailDomain::parse(d).unwrap()).collect(),
            ..Default::default()
        }
    }

    #[test]
    fn an_empty_policy_admits_nobody() {
        let nobody = AccessPolicy::default();
        assert!(!nobody.names_somebody());
        assert_eq!(
            nobody.rule_for(&person("a", Some("a@b.com"), EmailVerified::True)),
            Err(DenyReason::NoRuleMatches)
        );
    }

    #[test]
    fn domain_rules_match_whole_domains() {
        let policy = domains(&["Corp.com"]);
        for (email, want) in [
            ("a@corp.com", Ok(Rule::EmailDomain)),
            ("a@CORP.com", Ok(Rule::EmailDomain)),
            ("a@evilcorp.com", Err(DenyReason::NoRuleMatches)),
            ("a@corp.com.evil.com", Err(DenyReason::NoRuleMatches)),
            ("a@sub.corp.com", Err(DenyReason::NoRuleMatches)),
            ("a@corp.comc", Err(DenyReason::NoRuleMatches)),
        ] {
            assert_eq!(policy.rule_for(&person("x", Some(email), EmailVerified::True)), want, "{email}");
        }
    }

    #[test]
    fn email_rules_want_a_verified_email() {
        let mut policy = domains(&["corp.com"]);
        for verified in [EmailVerified::False, EmailVerified::Unknown] {
            let p = person("x", Some("a@corp.com"), verified);
            assert_eq!(policy.rule_for(&p), Err(DenyReason::EmailUnverified));
            policy.unverified_emails = true;
            assert_eq!(policy.rule_for(&p), Ok(Rule::EmailDomain));
            policy.unverified_emails = false;
        }
        assert_eq!(policy.rule_for(&person("x", None, EmailVerified::True)), Err(DenyReason::NoRuleMatches));
    }

    #[test]
    fn account_ids_need_no_email() {
        let policy =
            AccessPolicy { account_ids: vec![AccountId::parse("557058:x").unwrap()], ..Default::default() };
        assert_eq!(policy.rule_for(&person("557058:x", None, EmailVerified::Unknown)), Ok(Rule::AccountId));
        assert_eq!(
            policy.rule_for(&person("557058:X", None, EmailVerified::Unknown)),
            Err(DenyReason::NoRuleMatches)
        );
    }
}
