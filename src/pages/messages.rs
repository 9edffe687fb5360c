//! Where do the sentences come from? One TOML file per language in `messages/`, built in, parsed once.
//!
//! The shape is typed, so a template cannot name a sentence that is not there. All files have the same keys, as many
//! steps under each and the same placeholders; the test below holds it. To add a language: a file, a variant of
//! [`Language`], a line in [`source`].

use std::sync::LazyLock;

use serde::Deserialize;

use super::language::Language;
use super::problem::{NotAllowedReason, Problem};

/// Everything the pages say in one language.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the message files say it")]
pub(super) struct Messages {
    pub(super) common: Common,
    pub(super) sign_in: SignIn,
    pub(super) sign_out: SignOut,
    pub(super) signed_out: SignedOut,
    pub(super) welcome: Notice,
    pub(super) not_allowed: NotAllowed,
    pub(super) denied: Notice,
    pub(super) upstream_down: Notice,
    pub(super) bad_request: Notice,
    pub(super) too_many_redirects: Notice,
    pub(super) frame_blocked: Notice,
    unavailable: Unavailable,
    problem: Problems,
}

/// Labels that several pages share.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Common {
    pub(super) continue_with_atlassian: String,
    pub(super) continue_to_app: String,
    pub(super) another_account: String,
    pub(super) another_account_note: String,
    pub(super) try_again: String,
    pub(super) start_over: String,
    pub(super) front_page: String,
    pub(super) new_tab: String,
    pub(super) at_atlassian: String,
    pub(super) signed_in_as: String,
    pub(super) help: String,
    pub(super) demo: String,
    pub(super) demo_label: String,
    pub(super) details: String,
    pub(super) code: String,
    pub(super) request_id: String,
    pub(super) time: String,
    pub(super) operator: String,
    pub(super) callback_url: String,
    pub(super) requested_scopes: String,
    pub(super) missing_scope: String,
}

/// The sign-in page.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SignIn {
    pub(super) title: String,
    pub(super) text: String,
    pub(super) note: String,
}

/// The question before signing out.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SignOut {
    pub(super) title: String,
    pub(super) text: String,
    pub(super) confirm: String,
    pub(super) cancel: String,
}

/// The page after signing out.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SignedOut {
    pub(super) title: String,
    pub(super) text: String,
    pub(super) note: String,
    pub(super) again: String,
}

/// What happened (title), what it means (text), what to do (next); a remedy for the operator where there is one.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Notice {
    pub(super) title: String,
    pub(super) text: String,
    #[serde(default)]
    pub(super) next: Vec<String>,
    pub(super) operator: Option<String>,
}

/// The account is known, but not admitted.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NotAllowed {
    rule_denied: Notice,
    email_unverified: Notice,
    account_type: Notice,
    account_status: Notice,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Unavailable {
    store: Notice,
    atlassian: Notice,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Problems {
    declined: Notice,
    flow_lost: Notice,
    flow_expired: Notice,
    state_mismatch: Notice,
    state_replayed: Notice,
    hand_off_refused: Notice,
    malformed_callback: Notice,
    refused_client: Notice,
    refused_code: Notice,
    scope_missing: Notice,
    unavailable: Notice,
    unintelligible: Notice,
    reported: Notice,
    store_unavailable: Notice,
    cookies_blocked: Notice,
    too_many: Notice,
    internal: Notice,
}

impl Messages {
    /// The messages of a language.
    pub(super) fn of(language: Language) -> &'static Self {
        static ENGLISH: LazyLock<Messages> = LazyLock::new(|| parse(Language::English));
        static GERMAN: LazyLock<Messages> = LazyLock::new(|| parse(Language::German));
        static ARABIC: LazyLock<Messages> = LazyLock::new(|| parse(Language::Arabic));
        match language {
            Language::English => &ENGLISH,
            Language::German => &GERMAN,
            Language::Arabic => &ARABIC,
        }
    }

    /// What to say about a problem.
    pub(super) const fn problem(&self, problem: Problem) -> &Notice {
        let all = &self.problem;
        match problem {
            Problem::Declined => &all.declined,
            Problem::FlowLost => &all.flow_lost,
            Problem::FlowExpired => &all.flow_expired,
            Problem::StateMismatch => &all.state_mismatch,
            Problem::StateReplayed => &all.state_replayed,
            Problem::HandOffRefused => &all.hand_off_refused,
            Problem::MalformedCallback => &all.malformed_callback,
            Problem::AtlassianRefusedClient => &all.refused_client,
            Problem::AtlassianRefusedCode => &all.refused_code,
            Problem::AtlassianScopeMissing => &all.scope_missing,
            Problem::AtlassianUnavailable => &all.unavailable,
            Problem::AtlassianUnintelligible => &all.unintelligible,
            Problem::AtlassianReported => &all.reported,
            Problem::StoreUnavailable => &all.store_unavailable,
            Problem::CookiesBlocked => &all.cookies_blocked,
            Problem::TooManySignIns => &all.too_many,
            Problem::Internal => &all.internal,
        }
    }

    /// What to say to someone who is not admitted.
    pub(super) const fn not_allowed(&self, reason: NotAllowedReason) -> &Notice {
        match reason {
            NotAllowedReason::RuleDenied => &self.not_allowed.rule_denied,
            NotAllowedReason::EmailUnverified => &self.not_allowed.email_unverified,
            NotAllowedReason::AccountType => &self.not_allowed.account_type,
            NotAllowedReason::AccountStatus => &self.not_allowed.account_status,
        }
    }

    /// What to say while a service is away.
    pub(super) const fn unavailable(&self, service: super::page::Service) -> &Notice {
        match service {
            super::page::Service::Store => &self.unavailable.store,
            super::page::Service::Atlassian => &self.unavailable.atlassian,
        }
    }
}

const fn source(language: Language) -> &'static str {
    match language {
        Language::English => include_str!("messages/en.toml"),
        Language::German => include_str!("messages/de.toml"),
        Language::Arabic => include_str!("messages/ar.toml"),
    }
}

/// The files are part of the program and the tests parse each, so the empty fallback is never seen.
fn parse(language: Language) -> Messages {
    toml::from_str(source(language)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::pages::text::APP;

    #[test]
    fn every_file_parses() {
        for language in Language::ALL {
            toml::from_str::<Messages>(source(language))
                .unwrap_or_else(|error| panic!("{language:?}: {error}"));
        }
    }

    #[test]
    fn every_file_says_the_same_things() {
        let english = shape(Language::English);
        for language in Language::ALL {
            let other = shape(language);
            for key in english.keys().chain(other.keys()) {
                assert_eq!(other.get(key), english.get(key), "{language:?}: {key}");
            }
        }
    }

    #[test]
    fn every_sentence_is_there_and_has_no_markup() {
        for language in Language::ALL {
            for (key, text) in sentences(language) {
                assert!(!text.trim().is_empty() && text.trim() == text, "{language:?}: {key}");
                let rest = text.replace(APP, "");
                assert!(!rest.contains(['{', '}', '<', '>', '&']), "{language:?}: {key}: {text}");
            }
        }
    }

    /// Key → how often the placeholder occurs at all (a translation may need it twice, never zero times).
    fn shape(language: Language) -> BTreeMap<String, bool> {
        sentences(language).into_iter().map(|(key, text)| (key, text.contains(APP))).collect()
    }

    fn sentences(language: Language) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        collect("", &toml::from_str(source(language)).unwrap(), &mut found);
        found
    }

    fn collect(key: &str, value: &toml::Value, found: &mut BTreeMap<String, String>) {
        match value {
            toml::Value::Table(table) => {
                table.iter().for_each(|(name, value)| collect(&format!("{key}.{name}"), value, found));
            }
            toml::Value::Array(items) => {
                items.iter().enumerate().for_each(|(i, value)| collect(&format!("{key}[{i}]"), value, found));
            }
            toml::Value::String(text) => assert!(found.insert(key.to_owned(), text.clone()).is_none()),
            other => panic!("{key}: only text here, not {other}"),
        }
    }
}
