//! On which hosts are the apps? `public_url` and `app_urls`, checked against each other, and found again by host.
//!
//! Guarantees: no two are the same, all are https or none is. The order is that of the file, `public_url` first: a host is
//! known elsewhere by its place in it.

use super::public_url::PublicUrl;
use crate::config::check::Check;
use crate::config::convert::did_you_mean;
use crate::config::finding::Mistake;
use crate::config::key::KeyPath;

/// Every address at which people reach an app, `public_url` first.
#[derive(Clone, Debug)]
pub(super) struct Sites(Vec<PublicUrl>);

/// Both settings; `None` for the one or the other that is wrong.
pub(super) fn check(
    public_url: Option<&PublicUrl>,
    app_urls: &[String],
    check: &mut Check<'_>,
) -> Option<Sites> {
    let mut sites: Vec<PublicUrl> = public_url.cloned().into_iter().collect();
    let mut all_good = public_url.is_some();
    for (index, text) in app_urls.iter().enumerate() {
        let reason = match PublicUrl::parse(text) {
            Ok(url) => match misfit(&url, public_url, &sites) {
                None => {
                    sites.push(url);
                    continue;
                }
                Some(reason) => reason,
            },
            Err(reason) => reason,
        };
        all_good = false;
        let mistake = Mistake::new(
            "config.app-url",
            format!("this entry of `app_urls` cannot be used: {reason}"),
            "Each app has an address of its own, and all are reached in the same way as `public_url`",
            "write scheme and host alone, as browsers show them: app_urls = [\"https://wiki.example.com\"]",
        );
        check.wrong::<()>(&KeyPath::of("app_urls").at(index), mistake.showing_the_url(text));
    }
    all_good.then_some(Sites(sites))
}

fn misfit(url: &PublicUrl, public_url: Option<&PublicUrl>, before: &[PublicUrl]) -> Option<&'static str> {
    if public_url.is_some_and(|public| public.origin() == url.origin()) {
        return Some("it is `public_url`, which counts anyway");
    }
    if before.iter().any(|other| other.origin() == url.origin()) {
        return Some("it is listed twice");
    }
    // RFC 6265 §8.5: cookies do not know ports, so two sessions would take turns overwriting each other.
    if before.iter().any(|other| other.host() == url.host()) {
        return Some(
            "another app has this host, and browsers keep one jar of cookies for all ports of a host",
        );
    }
    match public_url {
        Some(public) if public.secure() && !url.secure() => Some("it is http while `public_url` is https"),
        Some(public) if !public.secure() && url.secure() => Some("it is https while `public_url` is http"),
        _ => None,
    }
}

impl Sites {
    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &PublicUrl> {
        self.0.iter()
    }

    /// Those of `app_urls`.
    pub(super) fn apps(&self) -> Vec<PublicUrl> {
        self.0.iter().skip(1).cloned().collect()
    }

    /// The place of the site with this host, which may leave out an unusual port.
    pub(super) fn find(&self, host: &str) -> Option<usize> {
        let scheme = if self.0.first().is_none_or(PublicUrl::secure) { "https" } else { "http" };
        let with_port = host.rsplit(']').next().is_some_and(|behind| behind.contains(':'));
        // The URL parser knows letter case, IDNA and the usual port.
        let url = url::Url::parse(&format!("{scheme}://{host}")).ok()?;
        let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        if !bare || !url.username().is_empty() || url.password().is_some() || host.ends_with('/') {
            return None;
        }
        let same =
            |site: &PublicUrl| site.same_origin(&url) || (!with_port && Some(site.host()) == url.host_str());
        self.0.iter().position(same)
    }

    /// What to write instead of a host that is none of these.
    pub(super) fn remedy(&self, host: &str) -> String {
        let hosts: Vec<&str> = self.0.iter().map(PublicUrl::authority).collect();
        let guess = did_you_mean(host, hosts.iter().copied());
        format!("{guess}There are: {}. Add others to app_urls first", hosts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sites(urls: &[&str]) -> Sites {
        Sites(urls.iter().map(|url| PublicUrl::parse(url).unwrap()).collect())
    }

    #[test]
    fn hosts_are_found_by_what_browsers_send() {
        let sites = sites(&[
            "https://auth.example.com",
            "https://wiki.example.com",
            "https://ci.example.com:8443",
            "https://a.example.com:8443",
            "https://bücher.example",
        ]);
        for (host, want) in [
            ("auth.example.com", Some(0)),
            ("WIKI.Example.com", Some(1)),
            ("wiki.example.com:443", Some(1)),
            ("wiki.example.com:80", None),
            ("ci.example.com:8443", Some(2)),
            ("ci.example.com:9443", None),
            ("ci.example.com", Some(2)),
            ("ci.example.com:443", None),
            ("a.example.com", Some(3)),
            ("a.example.com:443", None),
            ("BÜCHER.example", Some(4)),
            ("xn--bcher-kva.example", Some(4)),
            ("example.com", None),
            ("x.wiki.example.com", None),
            ("https://wiki.example.com", None),
            ("wiki.example.com/", None),
            ("wiki.example.com/x", None),
            ("u@wiki.example.com", None),
            ("*.example.com", None),
            ("", None),
        ] {
            assert_eq!(sites.find(host), want, "{host}");
        }
    }

    #[test]
    fn addresses_and_development() {
        let sites = sites(&["http://localhost:4180", "http://[::1]:4180", "http://wiki.localhost:4180"]);
        for (host, want) in [
            ("localhost", Some(0)),
            ("localhost:4180", Some(0)),
            ("localhost:80", None),
            ("[::1]", Some(1)),
            ("[::1]:4180", Some(1)),
            ("[::1]:80", None),
            ("wiki.localhost", Some(2)),
        ] {
            assert_eq!(sites.find(host), want, "{host}");
        }
    }
}
