//! What looks the same on every page, and the files that make it so? Stylesheet and logo, named by their content.
//!
//! Computed once. A name changes with the content (SHA-256), so browsers may keep what they have for good and never show
//! an old style with a new page. The operator's colour is in the stylesheet: no page needs an inline style.

use std::fmt::Write as _;

use aws_lc_rs::digest;
use bytes::Bytes;

use super::brand::{Branding, Logo};
use super::colour::{Colour, Palette};
use super::link::Link;

/// The folder of our assets, under the prefix of all our endpoints.
pub const ASSETS: &str = "/_anteroom/assets/";

/// A file that pages refer to. Its name changes with its content: cache it for good (`immutable`).
#[derive(Clone, Debug)]
pub struct Asset {
    /// For `Content-Type`; send `X-Content-Type-Options: nosniff` with it.
    pub content_type: &'static str,
    /// The whole file.
    pub body: Bytes,
}

/// The frame of every page.
pub(super) struct Theme {
    pub(super) name: String,
    pub(super) demo: bool,
    /// URL path of the logo, ours or the operator's.
    pub(super) logo: String,
    /// URL path of the stylesheet.
    pub(super) stylesheet: String,
    pub(super) support: Option<Support>,
    logo_asset: Asset,
    stylesheet_asset: Asset,
}

/// "Need help?"
pub(super) struct Support {
    pub(super) text: String,
    pub(super) href: Option<String>,
}

impl Theme {
    pub(super) fn new(branding: Branding) -> Self {
        let Branding { name, logo, colour, support, demo } = branding;
        let colour = colour.unwrap_or(Colour::DEFAULT);
        let css = Bytes::from(Palette::css(colour) + include_str!("stylesheet.css"));
        let (media_type, ending) = logo.as_ref().map_or(("image/svg+xml", "svg"), Logo::media_type);
        let logo = logo.map_or_else(|| Bytes::from(doorway(colour)), Logo::into_bytes);
        let name = name.trim();
        let support = support.as_deref().map(str::trim).filter(|line| !line.is_empty()).map(Support::new);
        Self {
            name: if name.is_empty() { "Anteroom" } else { name }.to_owned(),
            demo,
            logo: path("logo", &logo, ending),
            stylesheet: path("anteroom", &css, "css"),
            support,
            logo_asset: Asset { content_type: media_type, body: logo },
            stylesheet_asset: Asset { content_type: "text/css; charset=utf-8", body: css },
        }
    }

    /// The asset with this URL path.
    pub(super) fn asset(&self, path: &str) -> Option<Asset> {
        match path {
            _ if path == self.stylesheet => Some(self.stylesheet_asset.clone()),
            _ if path == self.logo => Some(self.logo_asset.clone()),
            _ => None,
        }
    }
}

impl Support {
    fn new(line: &str) -> Self {
        let shown = line.trim_start_matches("mailto:").trim_start_matches("https://").trim_end_matches('/');
        Self { text: shown.to_owned(), href: Link::support(line) }
    }
}

/// `/_anteroom/assets/stem-0123456789abcdef.ending`
fn path(stem: &str, content: &[u8], ending: &str) -> String {
    let mut path = format!("{ASSETS}{stem}-");
    for byte in digest::digest(&digest::SHA256, content).as_ref().iter().take(8) {
        // Writing to a String cannot fail.
        let _ = write!(path, "{byte:02x}");
    }
    path + "." + ending
}

/// The symbol of an app without a logo: an open doorway in the app's colour.
fn doorway(colour: Colour) -> String {
    let [Palette { accent, on_accent, .. }, _] = Palette::pair(colour);
    format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 56 56"><rect width="56" height="56" rx="15" fill="{accent}"/><path d="M17 43V26a11 11 0 0 1 22 0v17" fill="none" stroke="{on_accent}" stroke-width="3.2" stroke-linecap="round" stroke-linejoin="round"/><path d="M23.5 43V26.5a4.5 4.5 0 0 1 9 0V43z" fill="{on_accent}"/><path d="M12.5 43h31" stroke="{on_accent}" stroke-width="3.2" stroke-linecap="round"/></svg>"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_content() {
        let theme = |colour| Theme::new(Branding { colour, ..Branding::default() });
        let (plain, red) = (theme(None), theme(Some(Colour::rgb(200, 0, 0))));
        assert_ne!(plain.stylesheet, red.stylesheet);
        assert_ne!(plain.logo, red.logo);
        assert_eq!(plain.stylesheet, theme(None).stylesheet);
        assert!(plain.asset(&plain.stylesheet).is_some_and(|css| css.content_type.starts_with("text/css")));
        assert!(plain.asset(&red.stylesheet).is_none() && plain.asset("/_anteroom/assets/").is_none());
    }

    #[test]
    fn the_operators_logo_is_served_as_it_is() {
        let bytes = Bytes::from_static(b"\x89PNG\r\n\x1a\n....");
        let theme = Theme::new(Branding { logo: Logo::parse(bytes.clone()).ok(), ..Branding::default() });
        assert!(theme.logo.ends_with(".png"));
        assert!(
            theme
                .asset(&theme.logo)
                .is_some_and(|logo| logo.content_type == "image/png" && logo.body == bytes)
        );
    }

    #[test]
    fn the_grounds_of_the_stylesheet_are_the_ones_the_palette_is_made_for() {
        let css = include_str!("stylesheet.css");
        for ground in super::super::colour::LIGHT_GROUNDS.iter().chain(&super::super::colour::DARK_GROUNDS) {
            assert!(css.contains(&ground.to_string()), "{ground}");
        }
    }
}
