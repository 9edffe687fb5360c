//! What do people see? Sign-in, welcome, sign-out and everything that can go wrong, in their language.
//!
//! Pure: a [`Page`] and a [`Language`] in, bytes out; no I/O, no clock. Pages work without script, load nothing from
//! elsewhere and hold under [`CONTENT_SECURITY_POLICY`]. Whatever callers put into a page is escaped and isolated.
//! WCAG 2.2 AA is the aim: one heading, landmarks, 4.5:1 contrast with any operator's colour, 44 px targets, no motion
//! for those who want none, 320 px wide without scrolling sideways.
//!
//! Pages must not claim to be Atlassian's, nor show its logo or colours; they name it to say where people will sign in.

mod brand;
mod colour;
mod compose;
mod language;
mod link;
mod messages;
mod page;
mod problem;
pub mod samples;
mod text;
mod theme;
mod view;

use askama::Template;
use bytes::Bytes;
use http::StatusCode;

pub use brand::{Branding, Logo, LogoError};
pub use colour::{Colour, ColourError};
pub use language::Language;
pub use page::{OperatorHint, Page, Service, Who};
pub use problem::{NotAllowedReason, Problem};
pub use theme::{ASSETS, Asset};

/// `Content-Security-Policy` of every page but [`Page::FrameBlocked`] (CSP Level 3).
///
/// `form-action 'self'` also covers where a form's answer redirects to, so the ways to Atlassian are links.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self' data:; \
    form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// `Content-Security-Policy` of [`Page::FrameBlocked`], which is only of use inside a frame. It has one link and changes
/// nothing, so there is nothing to steal a click for. Send no `X-Frame-Options` with it.
pub const FRAMED_CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self' data:; \
    form-action 'none'; frame-ancestors *; base-uri 'none'";

/// `Content-Security-Policy` of assets: an SVG logo that is opened by itself runs nothing.
pub const ASSET_CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; sandbox";

/// The pages of one app.
pub struct Pages {
    theme: theme::Theme,
}

/// One page, ready to send as `text/html; charset=utf-8`, never to be stored by a cache.
#[derive(Clone, Debug)]
pub struct Rendered {
    /// The status to send it with.
    pub status: StatusCode,
    /// The whole document.
    pub body: Bytes,
    /// For `Content-Language`; the answer varies by `Accept-Language`.
    pub language: Language,
    /// For `Content-Security-Policy`.
    pub content_security_policy: &'static str,
}

impl Pages {
    /// Computes stylesheet, logo and their names once.
    pub fn new(branding: Branding) -> Self {
        Self { theme: theme::Theme::new(branding) }
    }

    /// The page in a language.
    pub fn render(&self, page: &Page<'_>, language: Language) -> Rendered {
        let view = compose::view(&self.theme, page, language);
        // The template prints strings into a String: there is nothing in it that can fail.
        let body = view.render().unwrap_or_default();
        Rendered {
            status: page.status(),
            body: body.into(),
            language,
            content_security_policy: match page {
                Page::FrameBlocked { .. } => FRAMED_CONTENT_SECURITY_POLICY,
                _ => CONTENT_SECURITY_POLICY,
            },
        }
    }

    /// The asset with this URL path (below [`ASSETS`]); `None` for any other path.
    pub fn asset(&self, path: &str) -> Option<Asset> {
        self.theme.asset(path)
    }
}

impl std::fmt::Debug for Pages {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pages").field("name", &self.theme.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
