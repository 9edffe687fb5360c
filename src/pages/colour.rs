//! How does an operator's colour stay readable? From one colour, a palette for light and one for dark.
//!
//! WCAG 2.2: text on the button and links on their ground reach 4.5:1 (§1.4.3), the edge of the button 3:1 against its
//! ground (§1.4.11), whatever colour is given: each is darkened or lightened until it does, and left alone when it
//! already does. So a pale brand colour stays itself on the button, with a darker edge around it.

use std::fmt::{self, Write as _};
use std::str::FromStr;

/// An sRGB colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour {
    red: u8,
    green: u8,
    blue: u8,
}

/// Not a colour of the form `#rrggbb`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a colour: write six hexadecimal digits after a #, for example #1d6b57")]
pub struct ColourError;

const WHITE: Colour = Colour::rgb(0xff, 0xff, 0xff);
const INK: Colour = Colour::rgb(0x16, 0x15, 0x13);
const BLACK: Colour = Colour::rgb(0, 0, 0);
/// The darkest and lightest ground that text and buttons stand on; `stylesheet.css` has the same values.
pub(super) const LIGHT_GROUNDS: [Colour; 2] = [Colour::rgb(0xf4, 0xf2, 0xee), Colour::rgb(0xff, 0xff, 0xff)];
pub(super) const DARK_GROUNDS: [Colour; 2] = [Colour::rgb(0x12, 0x12, 0x11), Colour::rgb(0x1f, 0x1e, 0x1c)];
const TEXT_CONTRAST: f64 = 4.5;
const SHAPE_CONTRAST: f64 = 3.0;

impl Colour {
    /// Anteroom's own colour, an evergreen.
    pub const DEFAULT: Self = Self::rgb(0x1d, 0x6b, 0x57);

    /// From its three channels.
    pub const fn rgb(red: u8, green: u8, blue: u8) -> Self {
        Self { red, green, blue }
    }

    /// Relative luminance, 0 to 1 (WCAG 2.2, definition).
    fn luminance(self) -> f64 {
        let linear = |channel: u8| {
            let c = f64::from(channel) / 255.0;
            if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(self.red) + 0.7152 * linear(self.green) + 0.0722 * linear(self.blue)
    }

    /// Contrast ratio, 1 to 21 (WCAG 2.2, definition).
    pub(super) fn contrast(self, other: Self) -> f64 {
        let (a, b) = (self.luminance(), other.luminance());
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    /// `percent` of the way to another colour.
    fn towards(self, other: Self, percent: u16) -> Self {
        let mix = |from: u8, to: u8| {
            let sum = u16::from(from) * (100 - percent.min(100)) + u16::from(to) * percent.min(100);
            u8::try_from((sum + 50) / 100).unwrap_or(u8::MAX)
        };
        Self::rgb(mix(self.red, other.red), mix(self.green, other.green), mix(self.blue, other.blue))
    }

    /// The nearest colour on the way to `pole` that stands out enough from every ground.
    fn reaching(self, ratio: f64, grounds: &[Self], pole: Self) -> Self {
        (0..=100)
            .map(|percent| self.towards(pole, percent))
            .find(|colour| grounds.iter().all(|&ground| colour.contrast(ground) >= ratio))
            .unwrap_or(pole)
    }

    /// White or ink, whichever reads better on this colour.
    fn text_on(self) -> Self {
        if self.contrast(WHITE) >= TEXT_CONTRAST || self.contrast(WHITE) >= self.contrast(INK) {
            WHITE
        } else {
            INK
        }
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{:02x}{:02x}{:02x}", self.red, self.green, self.blue)
    }
}

impl FromStr for Colour {
    type Err = ColourError;

    fn from_str(text: &str) -> Result<Self, ColourError> {
        let digits = text.strip_prefix('#').ok_or(ColourError)?;
        if digits.len() != 6 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(ColourError);
        }
        let [_, red, green, blue] = u32::from_str_radix(digits, 16).map_err(|_| ColourError)?.to_be_bytes();
        Ok(Self::rgb(red, green, blue))
    }
}

/// The colours derived from one, for one scheme.
#[derive(Clone, Copy, Debug)]
pub(super) struct Palette {
    /// The button.
    pub(super) accent: Colour,
    /// The edge of the button, so that it stands out from the ground.
    pub(super) edge: Colour,
    /// The button under the pointer.
    pub(super) hover: Colour,
    /// Text on the button, readable on both.
    pub(super) on_accent: Colour,
    /// Links, focus ring and symbols on the ground.
    pub(super) link: Colour,
}

impl Palette {
    fn new(colour: Colour, grounds: &[Colour], pole: Colour) -> Self {
        let on_accent = colour.text_on();
        let away = if on_accent == WHITE { BLACK } else { WHITE };
        let accent = colour.reaching(TEXT_CONTRAST, &[on_accent], away);
        Self {
            accent,
            edge: accent.reaching(SHAPE_CONTRAST, grounds, pole),
            hover: accent.towards(away, 14),
            on_accent,
            link: colour.reaching(TEXT_CONTRAST, grounds, pole),
        }
    }

    /// For light and for dark.
    pub(super) fn pair(colour: Colour) -> [Self; 2] {
        [Self::new(colour, &LIGHT_GROUNDS, BLACK), Self::new(colour, &DARK_GROUNDS, WHITE)]
    }

    /// Both schemes as CSS custom properties.
    pub(super) fn css(colour: Colour) -> String {
        let [light, dark] = Self::pair(colour).map(|p| {
            format!(
                "--accent:{};--edge:{};--hover:{};--on-accent:{};--link:{}",
                p.accent, p.edge, p.hover, p.on_accent, p.link
            )
        });
        let mut css = String::new();
        // Writing to a String cannot fail.
        let _ = writeln!(css, ":root{{{light}}}\n@media (prefers-color-scheme:dark){{:root{{{dark}}}}}");
        css
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parsing() {
        assert_eq!("#1D6b57".parse(), Ok(Colour::DEFAULT));
        assert_eq!(Colour::DEFAULT.to_string(), "#1d6b57");
        for bad in ["", "1d6b57", "#fff", "#1d6b5", "#1d6b577", "#gggggg", "#+d6b57", "red", "#1d6b5é"] {
            assert_eq!(bad.parse::<Colour>(), Err(ColourError), "{bad}");
        }
    }

    #[test]
    fn known_ratios() {
        assert!((WHITE.contrast(BLACK) - 21.0).abs() < 1e-9);
        assert!((Colour::rgb(0x77, 0x77, 0x77).contrast(WHITE) - 4.48).abs() < 0.01);
    }

    #[test]
    fn every_colour_becomes_readable() {
        let steps = [0, 32, 64, 96, 118, 128, 160, 192, 224, 255];
        for (r, g, b) in steps.iter().flat_map(|&r| steps.iter().flat_map(move |&g| steps.map(|b| (r, g, b))))
        {
            let colour = Colour::rgb(r, g, b);
            for (palette, grounds) in Palette::pair(colour).into_iter().zip([LIGHT_GROUNDS, DARK_GROUNDS]) {
                assert!(palette.accent.contrast(palette.on_accent) >= TEXT_CONTRAST, "{colour} {palette:?}");
                assert!(palette.hover.contrast(palette.on_accent) >= TEXT_CONTRAST, "{colour} {palette:?}");
                for ground in grounds {
                    assert!(palette.link.contrast(ground) >= TEXT_CONTRAST, "{colour} {palette:?}");
                    assert!(palette.edge.contrast(ground) >= SHAPE_CONTRAST, "{colour} {palette:?}");
                }
            }
        }
    }

    #[test]
    fn a_good_colour_is_left_alone() {
        let [light, _] = Palette::pair(Colour::DEFAULT);
        assert_eq!(
            (light.accent, light.edge, light.link, light.on_accent),
            (Colour::DEFAULT, Colour::DEFAULT, Colour::DEFAULT, WHITE)
        );
        let yellow = Colour::rgb(0xff, 0xd4, 0);
        assert!(
            Palette::pair(yellow).iter().all(|palette| palette.accent == yellow && palette.on_accent == INK)
        );
    }
}
