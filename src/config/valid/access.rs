//! `[access]`, checked: somebody is named, and nobody by accident.

use std::fmt::Display;
use std::num::NonZeroU32;

use crate::config::check::Check;
use crate::config::finding::Mistake;
use crate::config::key::KeyPath;
use crate::config::raw::RawAccess;
use crate::identity::{AccountId, Email, EmailDomain};
use crate::policy::AccessPolicy;

/// Domains at which anybody can get an address.
const FREE_MAIL: [&str; 14] = [
    "gmail.com",
    "googlemail.com",
    "outlook.com",
    "hotmail.com",
    "live.com",
    "msn.com",
    "yahoo.com",
    "icloud.com",
    "me.com",
    "aol.com",
    "proton.me",
    "protonmail.com",
    "gmx.net",
    "mail.com",
];

pub(super) fn check(raw: &RawAccess, check: &mut Check<'_>) -> Option<AccessPolicy> {
    let domains = each("access.email_domains", &raw.email_domains, check, domain);
    let emails = each("access.emails", &raw.emails, check, |text, _, _| Email::parse(text).map_err(not_one));
    let accounts = each("access.account_ids", &raw.account_ids, check, |text, _, _| {
        AccountId::parse(text).map_err(not_one)
    });
    let types = each("access.allow_account_types", &raw.allow_account_types, check, word);
    let statuses = each("access.allow_account_statuses", &raw.allow_account_statuses, check, word);
    let policy = AccessPolicy {
        any_account: raw.allow_any_atlassian_account,
        email_domains: domains?,
        emails: emails?,
        account_ids: accounts?,
        unverified_emails: raw.allow_unverified_emails,
        other_account_types: types?,
        other_account_statuses: statuses?,
    };
    let names_emails = !policy.email_domains.is_empty() || !policy.emails.is_empty();
    if !policy.names_somebody() {
        let mistake = Mistake::new(
            "config.access-empty",
            "nobody may sign in: [access] has no rule",
            "Anteroom does not guess who should come in",
            "add email_domains = [\"example.com\"], emails or account_ids, or write out \
             allow_any_atlassian_account = true",
        );
        return check.wrong(&KeyPath::of("access"), mistake);
    }
    if policy.any_account && (names_emails || !policy.account_ids.is_empty()) {
        let mistake = Mistake::new(
            "config.access-any",
            "`access.allow_any_atlassian_account` lets everybody in, whatever the other rules say",
            "Anybody on the internet can make an Atlassian account",
            "remove it if the other rules were meant to restrict",
        );
        check.warn(&KeyPath::of("access.allow_any_atlassian_account"), mistake);
    }
    if policy.unverified_emails && names_emails {
        let mistake = Mistake::new(
            "config.access-unverified",
            "`access.allow_unverified_emails` trusts addresses that nobody has confirmed",
            "Who opens an account with somebody else's address comes in as them",
            "remove it unless Atlassian leaves `email_verified` out for your people",
        );
        check.warn(&KeyPath::of("access.allow_unverified_emails"), mistake);
    }
    Some(policy)
}

/// How often one client address may begin to sign in within a minute; `None` for no limit.
pub(super) fn sign_in_rate(raw: &RawAccess, check: &mut Check<'_>) -> Option<Option<NonZeroU32>> {
    let rate = check.count(&KeyPath::of("access.sign_in_rate"), raw.sign_in_rate, 0, 1_000_000)?;
    Some(u32::try_from(rate).ok().and_then(NonZeroU32::new))
}

/// Parses each element and reports each that is wrong.
fn each<T>(
    key: &str,
    texts: &[String],
    check: &mut Check<'_>,
    parse: impl Fn(&str, &KeyPath, &mut Check<'_>) -> Result<T, Mistake>,
) -> Option<Vec<T>> {
    let key = KeyPath::of(key);
    let mut one = |(index, text): (usize, &String)| {
        let key = key.at(index);
        parse(text, &key, check).map_or_else(|mistake| check.wrong(&key, mistake), Some)
    };
    let parsed: Vec<Option<T>> = texts.iter().enumerate().map(&mut one).collect();
    parsed.into_iter().collect()
}

fn not_one(reason: impl Display) -> Mistake {
    let meaning = "The rule could never match";
    Mistake::new("config.access-rule", reason.to_string(), meaning, "correct or remove it")
        .showing_the_value()
}

fn domain(text: &str, key: &KeyPath, check: &mut Check<'_>) -> Result<EmailDomain, Mistake> {
    let wrong = |what: &str, meaning: &str, remedy: String| {
        Err(Mistake::new("config.access-domain", what, meaning, remedy).showing_the_value())
    };
    if text.trim() == "*" {
        return wrong(
            "`*` is not a domain",
            "It would let in everybody with an Atlassian account",
            "if that is meant, write allow_any_atlassian_account = true instead".into(),
        );
    }
    if text.contains('*') || text.starts_with('.') {
        return wrong(
            "a domain cannot have a wildcard",
            "Anybody who can get any subdomain would come in",
            "write each domain out, for example [\"example.com\", \"eu.example.com\"]".into(),
        );
    }
    if let Some((_, domain)) = text.split_once('@') {
        return wrong(
            "this is an address, not a domain",
            "The rule could never match",
            format!("write \"{domain}\", or move it to `emails`"),
        );
    }
    let domain = EmailDomain::parse(text).map_err(not_one)?;
    if FREE_MAIL.contains(&domain.as_str()) {
        let mistake = Mistake::new(
            "config.access-free-mail",
            "anybody can get an address at this domain",
            "The rule lets in everybody who does",
            "list people under `emails` instead",
        );
        check.warn(key, mistake.showing_the_value());
    }
    Ok(domain)
}

fn word(text: &str, _: &KeyPath, _: &mut Check<'_>) -> Result<String, Mistake> {
    let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    plain
        .then(|| text.to_owned())
        .ok_or_else(|| not_one("not a word in lower case, as Atlassian writes them"))
}
