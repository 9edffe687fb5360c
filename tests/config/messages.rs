//! How mistakes and warnings are said.

use super::{Case, GOOD, broken};

#[test]
fn a_message_shows_the_place_and_names_the_remedy() {
    let errors =
        Case::new(&broken("client_id", "clientid = \"x\" # comment")).load().map(|_| ()).unwrap_err();
    assert_eq!(
        errors.to_string(),
        "error[config.unknown-key]: there is no setting `atlassian.clientid`
 --> anteroom.toml:3:1
  |
3 | clientid = …
  | ^^^^^^^^
  = Unknown settings are refused: a misspelt rule would silently not count
  = help: did you mean `client_id`?"
    );
    let errors = Case::new(&broken("", "idle_timeout = \"soon\"")).load().map(|_| ()).unwrap_err();
    let shown = errors.to_string();
    assert!(shown.contains("11 | idle_timeout = \"soon\"\n   |                ^^^^^^\n"), "{shown}");
}

#[test]
fn what_may_not_be_meant_is_a_warning() {
    for (line, with, want) in [
        ("client_id", "client_id = \"short\"", "config.client-id-unusual"),
        ("client_secret", "client_secret = \"hunter2-password\"", "config.client-secret-unusual"),
        ("email_domains", "email_domains = [\"Gmail.com\"]", "config.access-free-mail"),
        (
            "email_domains",
            "email_domains = [\"a.com\"]\nallow_any_atlassian_account = true",
            "config.access-any",
        ),
        (
            "email_domains",
            "email_domains = [\"a.com\"]\nallow_unverified_emails = true",
            "config.access-unverified",
        ),
        ("", "[store]\nurl = \"memory:\"", "config.store-memory"),
        ("", "[[routes]]\nprefix = \"/\"\naccess = \"public\"", "config.route-everything-public"),
        ("", "[[routes]]\nprefix = \"/_anteroom/me\"\naccess = \"public\"", "config.route-own"),
    ] {
        let (_, warnings) = Case::new(&broken(line, with)).load().unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(warnings.iter().map(|w| w.code).collect::<Vec<_>>(), [want], "{with}");
    }
    assert_eq!(Case::new(GOOD).load().unwrap().1, []);
}
