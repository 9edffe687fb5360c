//! `session.cookie_domain`, checked: below which name may one cookie be shared?
//!
//! Guarantees: the name is above every app's host and is nobody's registry, such as `co.uk` or `fly.dev`
//! (<https://publicsuffix.org>). Browsers drop a cookie for anything else (RFC 6265 §5.3, steps 5 and 6).

use url::Host;

use super::public_url::PublicUrl;
use super::sites::Sites;
use crate::config::check::Check;
use crate::config::finding::Mistake;
use crate::config::key::KeyPath;

const KEY: &str = "session.cookie_domain";

/// The domain in lower case, without a leading dot. `sites` is `None` when they are wrong themselves.
pub(super) fn check(
    text: Option<&str>,
    sites: Option<&Sites>,
    check: &mut Check<'_>,
) -> Option<Option<String>> {
    let Some(text) = text else { return Some(None) };
    let on_loopback = sites.is_some_and(|sites| !sites.iter().all(PublicUrl::secure));
    let mut refuse = |reason: String, remedy: &str| {
        let meaning = "Browsers would not keep the cookie, or would show it to strangers";
        let mistake = Mistake::new(
            "config.cookie-domain",
            format!("`{KEY}` cannot be used: {reason}"),
            meaning,
            remedy,
        );
        check.wrong(&KeyPath::of(KEY), mistake.showing_the_value())
    };
    let domain = match parse(text, on_loopback) {
        Ok(domain) => domain,
        Err(reason) => {
            return refuse(
                reason.into(),
                "write the domain that your apps share, for example \"example.com\", or remove it",
            );
        }
    };
    let outside = sites.and_then(|sites| sites.iter().find(|site| !is_below(site.host(), &domain)));
    if let Some(site) = outside {
        let reason = format!("{} is not below {domain}", site.host());
        return refuse(reason, "choose a domain above all hosts of public_url and app_urls, or remove it");
    }
    if domain == LOCALHOST {
        let mistake = Mistake::new(
            "config.cookie-domain-localhost",
            "browsers keep no cookie for all of `localhost`",
            "They treat it as a registry: only some command-line clients would share the cookie",
            "name the apps a.NAME.localhost and b.NAME.localhost, and write cookie_domain = \"NAME.localhost\"",
        );
        check.warn(&KeyPath::of(KEY), mistake.showing_the_value());
    }
    Some(Some(domain))
}

const LOCALHOST: &str = "localhost";

fn parse(text: &str, on_loopback: bool) -> Result<String, &'static str> {
    let bare = text.strip_prefix('.').unwrap_or(text);
    let domain = match Host::parse(bare) {
        Ok(Host::Domain(domain)) => domain,
        Ok(Host::Ipv4(_) | Host::Ipv6(_)) => return Err("it is an address, and only names have hosts below"),
        Err(_) => return Err("it is not a domain; a scheme, a port or a path do not belong to one"),
    };
    if domain.split('.').any(str::is_empty) {
        return Err("it has a dot too many");
    }
    // The URL standard lets more through, but this becomes an attribute of a cookie.
    if !domain.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_')) {
        return Err("it holds something that no name has");
    }
    if domain == LOCALHOST && on_loopback {
        return Ok(domain);
    }
    if !domain.contains('.') {
        return Err("it is a single word, which browsers take for a registry");
    }
    if psl::suffix_str(&domain) == Some(&domain) {
        return Err("it is a public suffix: names below it belong to different people");
    }
    Ok(domain)
}

/// Whether `host` is `domain` or below it. Both are in lower case.
fn is_below(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_browsers_would_keep() {
        for (text, want) in [
            ("example.com", "example.com"),
            (".Example.COM", "example.com"),
            ("apps.example.co.uk", "apps.example.co.uk"),
            ("example.co.uk", "example.co.uk"),
            ("mine.fly.dev", "mine.fly.dev"),
            ("corp.internal", "corp.internal"),
            ("Bücher.example", "xn--bcher-kva.example"),
            ("anteroom.localhost", "anteroom.localhost"),
        ] {
            assert_eq!(parse(text, false).as_deref(), Ok(want), "{text}");
        }
        for text in [
            "com",
            "co.uk",
            ".co.uk",
            "CO.UK",
            "fly.dev",
            "github.io",
            "internal",
            "公司.cn",
            "xn--55qx5d.cn",
            "x.ck",
            "",
            ".",
            "..",
            "..example.com",
            "example.com.",
            "example..com",
            "*.example.com",
            "a;b.example.com",
            "example.com:443",
            "https://example.com",
            "example.com/",
            "127.0.0.1",
            "[::1]",
            "127.1",
            "localhost",
            "a b.com",
        ] {
            assert!(parse(text, false).is_err(), "{text}");
        }
        assert_eq!(parse("localhost", true).as_deref(), Ok("localhost"));
    }

    #[test]
    fn below() {
        for (host, domain, want) in [
            ("example.com", "example.com", true),
            ("a.b.example.com", "example.com", true),
            ("badexample.com", "example.com", false),
            ("example.com", "a.example.com", false),
            ("example.com.evil.example", "example.com", false),
        ] {
            assert_eq!(is_below(host, domain), want, "{host} {domain}");
        }
    }
}
