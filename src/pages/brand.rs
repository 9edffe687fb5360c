//! Whose app is this? The name, logo, colour and help line that an operator sets.
//!
//! A [`Logo`] that exists is an image of a known kind; its kind is read from its first bytes, never from a file name.

use bytes::Bytes;

use super::colour::Colour;

/// What operators set. Text is shown as text, never as HTML.
#[derive(Clone, Debug, Default)]
pub struct Branding {
    /// The app's name; people read it in every title. Empty is shown as "Anteroom".
    pub name: String,
    /// Shown instead of the doorway symbol.
    pub logo: Option<Logo>,
    /// Buttons, links and focus rings; adjusted where it would be hard to read.
    pub colour: Option<Colour>,
    /// Where people find help: an `https:` or `mailto:` URL, an email address, or a line of text.
    pub support: Option<String>,
    /// Whether every page says that this is a demo.
    pub demo: bool,
}

/// An image of at most [`Logo::MAX_BYTES`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logo {
    bytes: Bytes,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Svg,
    Png,
    Webp,
    Jpeg,
}

/// Why a logo is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogoError {
    /// Larger than [`Logo::MAX_BYTES`].
    #[error(
        "the logo is larger than 256 KB: every visitor would wait for it; scale it to 128 pixels or use SVG"
    )]
    TooLarge,
    /// None of the known kinds.
    #[error("the logo is not an SVG, PNG, WebP or JPEG image")]
    UnknownKind,
}

impl Logo {
    /// The largest logo taken.
    pub const MAX_BYTES: usize = 256 * 1024;

    /// Reads the kind from the content.
    pub fn parse(bytes: Bytes) -> Result<Self, LogoError> {
        if bytes.len() > Self::MAX_BYTES {
            return Err(LogoError::TooLarge);
        }
        let kind = Kind::of(&bytes).ok_or(LogoError::UnknownKind)?;
        Ok(Self { bytes, kind })
    }

    /// The image as it is sent.
    pub(super) fn into_bytes(self) -> Bytes {
        self.bytes
    }

    /// Its media type and the ending of its file name.
    pub(super) const fn media_type(&self) -> (&'static str, &'static str) {
        match self.kind {
            Kind::Svg => ("image/svg+xml", "svg"),
            Kind::Png => ("image/png", "png"),
            Kind::Webp => ("image/webp", "webp"),
            Kind::Jpeg => ("image/jpeg", "jpg"),
        }
    }
}

impl Kind {
    /// WHATWG MIME Sniffing §6.1 for the bitmaps; an SVG is text that has an `<svg` start tag.
    fn of(bytes: &[u8]) -> Option<Self> {
        if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
            return Some(Self::Png);
        }
        if bytes.starts_with(b"\xff\xd8\xff") {
            return Some(Self::Jpeg);
        }
        if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
            return Some(Self::Webp);
        }
        let text = std::str::from_utf8(bytes).ok()?.trim_start_matches('\u{feff}').trim_start();
        (text.starts_with('<') && text.contains("<svg")).then_some(Self::Svg)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_by_content() {
        let kind =
            |bytes: &'static [u8]| Logo::parse(Bytes::from_static(bytes)).map(|logo| logo.media_type().1);
        assert_eq!(kind(b"\x89PNG\r\n\x1a\n...."), Ok("png"));
        assert_eq!(kind(b"\xff\xd8\xff\xe0"), Ok("jpg"));
        assert_eq!(kind(b"RIFF\0\0\0\0WEBPVP8 "), Ok("webp"));
        assert_eq!(kind(b"<?xml version='1.0'?>\n<svg xmlns=''/>"), Ok("svg"));
        for bad in [b"".as_slice(), b"RIFF", b"<html>", b"GIF89a", b"svg <svg", b"\xff<svg"] {
            assert_eq!(kind(bad), Err(LogoError::UnknownKind), "{bad:?}");
        }
    }

    #[test]
    fn a_huge_logo_is_refused() {
        assert_eq!(Logo::parse(Bytes::from(vec![b'<'; Logo::MAX_BYTES + 1])), Err(LogoError::TooLarge));
    }
}
