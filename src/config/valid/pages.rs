//! `[pages]`, checked: where people land, on this site or on another one that the operator wrote out.

use std::path::PathBuf;

use http::Method;
use url::Url;

use super::public_url::PublicUrl;
use crate::config::check::Check;
use crate::config::finding::Mistake;
use crate::config::key::KeyPath;
use crate::config::raw::RawPages;
use crate::gate::{Access, CanonicalPath, OriginId, ReturnTo, Routes};

/// Where people land, and what they see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pages {
    /// After a sign-in that asked for no page in particular.
    pub success: Option<Landing>,
    /// After a sign-in that failed.
    pub error: Option<Landing>,
    /// After an account's first sign-in.
    pub new_user: Option<Landing>,
    /// Whether Anteroom welcomes new people itself when `new_user` is not set.
    pub welcome: bool,
    /// Whether people see a sign-in page before they leave for Atlassian.
    pub sign_in: bool,
    /// Whose app it is.
    pub branding: Branding,
}

/// A page to land on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Landing {
    /// A path of this site.
    Path(ReturnTo),
    /// An `https` URL of another origin.
    Url(Url),
}

impl Landing {
    /// Fit for a `Location`.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Path(path) => path.as_str(),
            Self::Url(url) => url.as_str(),
        }
    }
}

/// Whose app it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Branding {
    /// The app's name.
    pub name: Option<String>,
    /// A readable image file.
    pub logo_file: Option<PathBuf>,
    /// `#rrggbb`.
    pub colour: Option<String>,
    /// A URL, an address or a line of text.
    pub support: Option<String>,
}

/// What pages have to fit to.
pub(super) struct Site<'a> {
    /// Unless that is wrong itself.
    pub(super) public_url: Option<&'a PublicUrl>,
    /// The one path that is never a page.
    pub(super) callback_path: &'a str,
    /// Unless they are wrong themselves.
    pub(super) routes: Option<&'a Routes>,
}

pub(super) fn check(raw: &RawPages, site: &Site<'_>, check: &mut Check<'_>) -> Option<Pages> {
    let mut page = |name: &str, text: &Option<String>| match text {
        Some(text) => landing(&format!("pages.{name}"), text, site, check).map(Some),
        None => Some(None),
    };
    let (success, error, new_user) =
        (page("success", &raw.success), page("error", &raw.error), page("new_user", &raw.new_user));
    if let (Some(Some(Landing::Path(path))), Some(routes)) = (&error, site.routes) {
        reachable_without_session(path, routes, check);
    }
    let name = line("pages.branding.name", raw.branding.name.as_deref(), 60, check);
    let support = line("pages.branding.support", raw.branding.support.as_deref(), 200, check);
    let logo_file = check.readable("pages.branding.logo_file", raw.branding.logo_file.as_deref());
    let colour = colour(raw.branding.colour.as_deref(), check);
    let branding = Branding { name: name?, logo_file: logo_file?, colour: colour?, support: support? };
    let (welcome, sign_in) = (raw.welcome, raw.sign_in);
    Some(Pages { success: success?, error: error?, new_user: new_user?, welcome, sign_in, branding })
}

fn landing(key: &str, text: &str, site: &Site<'_>, check: &mut Check<'_>) -> Option<Landing> {
    let path = ReturnTo::parse(text);
    if let Some(path) = path.filter(|path| path.as_str().split('?').next() != Some(site.callback_path)) {
        return Some(Landing::Path(path));
    }
    let url = Url::parse(text).ok().filter(|url| url.scheme() == "https" && url.username().is_empty());
    let remedy = match &url {
        Some(url) if site.public_url.is_none_or(|own| !own.same_origin(url)) => {
            return Some(Landing::Url(url.clone()));
        }
        Some(url) => format!("write the path alone: \"{}\"", url.path()),
        None => "write a path such as \"/welcome\", or an https URL of another site".into(),
    };
    let mistake = Mistake::new(
        "config.landing",
        format!("`{key}` is neither a path of the app nor an https URL of another site"),
        "People would land nowhere, or in a loop; paths below /_anteroom and callbacks are not pages",
        remedy,
    );
    check.wrong(&KeyPath::of(key), mistake.showing_the_url(text))
}

/// An error page that needs a session sends people who have none to sign in, which fails, which sends them there.
fn reachable_without_session(page: &ReturnTo, routes: &Routes, check: &mut Check<'_>) {
    let path = page.as_str().split('?').next().unwrap_or_default();
    let access = CanonicalPath::parse(path)
        .and_then(|path| routes.access(&Method::GET, Some(OriginId::CENTRAL), &path));
    if access != Ok(Access::Public) {
        let mistake = Mistake::new(
            "config.error-page-loop",
            "`pages.error` is a page that people without a session cannot see",
            "Who fails to sign in would be asked to sign in, over and over",
            format!("add a route: [[routes]] path = \"{path}\", access = \"public\""),
        );
        check.wrong::<()>(&KeyPath::of("pages.error"), mistake.showing_the_value());
    }
}

fn line(key: &str, text: Option<&str>, most: usize, check: &mut Check<'_>) -> Option<Option<String>> {
    let Some(text) = text else { return Some(None) };
    let fits = !text.trim().is_empty() && text.chars().count() <= most && !text.chars().any(char::is_control);
    if fits {
        return Some(Some(text.trim().to_owned()));
    }
    let mistake = Mistake::new(
        "config.text",
        format!("`{key}` is not one line of up to {most} characters"),
        "It is shown on pages as it stands",
        "shorten it, or remove it",
    );
    check.wrong(&KeyPath::of(key), mistake.showing_the_value())
}

fn colour(text: Option<&str>, check: &mut Check<'_>) -> Option<Option<String>> {
    let Some(text) = text else { return Some(None) };
    let digits = text.strip_prefix('#').unwrap_or_default();
    if digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Some(Some(text.to_ascii_lowercase()));
    }
    let mistake = Mistake::new(
        "config.colour",
        "`pages.branding.colour` is not a colour",
        "Buttons and links could not be shown in it",
        "write six hexadecimal digits after a #, for example \"#1d6b57\"",
    );
    check.wrong(&KeyPath::of("pages.branding.colour"), mistake.showing_the_value())
}
