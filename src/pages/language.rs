//! In which language does the page speak? The browser's `Accept-Language` chooses among the message files.
//!
//! RFC 9110 §12.5.4 for the header, RFC 4647 §3.4 (lookup) for the match: `de-CH` finds German, `q=0` rules a language
//! out, ties go to the range named first, no match means English. Never fails; work is bounded whatever is sent.

/// Ranges read from one header; browsers send fewer than ten.
const MAX_RANGES: usize = 32;

/// A language that there is a message file for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Language {
    /// English, the default.
    #[default]
    English,
    /// German.
    German,
    /// Arabic, written right to left.
    Arabic,
}

impl Language {
    /// Every language, the default first.
    pub const ALL: [Self; 3] = [Self::English, Self::German, Self::Arabic];

    /// The best language for an `Accept-Language` header field.
    pub fn negotiate(accept_language: Option<&str>) -> Self {
        let ranges: Vec<(&str, u16)> =
            accept_language.unwrap_or_default().split(',').take(MAX_RANGES).filter_map(range).collect();
        let mut best = (Self::default(), 0);
        for &(tag, quality) in &ranges {
            let found = match tag {
                "*" => Self::ALL
                    .into_iter()
                    .find(|language| !ranges.iter().any(|(named, _)| language.matches(named))),
                _ => Self::ALL.into_iter().find(|language| language.matches(tag)),
            };
            match found {
                Some(language) if quality > best.1 => best = (language, quality),
                _ => {}
            }
        }
        best.0
    }

    /// The BCP 47 tag, as in `<html lang>` and `Content-Language`.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
            Self::Arabic => "ar",
        }
    }

    /// Whether its script runs from right to left.
    pub const fn is_rtl(self) -> bool {
        match self {
            Self::English | Self::German => false,
            Self::Arabic => true,
        }
    }

    /// Regions and scripts do not matter here: there is one file per language.
    fn matches(self, range: &str) -> bool {
        range.split('-').next().is_some_and(|primary| primary.eq_ignore_ascii_case(self.tag()))
    }
}

/// One `de-CH;q=0.8`, its quality in thousandths. What does not parse is skipped.
fn range(item: &str) -> Option<(&str, u16)> {
    let (tag, weight) = match item.split_once(';') {
        None => (item, 1000),
        Some((tag, parameter)) => (tag, quality(parameter)?),
    };
    let tag = tag.trim();
    (!tag.is_empty()).then_some((tag, weight))
}

/// `q=0.875` → 875 (RFC 9110 §12.4.2: at most three decimals).
fn quality(parameter: &str) -> Option<u16> {
    let (name, value) = parameter.split_once('=')?;
    let value: f32 = value.trim().parse().ok()?;
    let in_range = name.trim().eq_ignore_ascii_case("q") && (0.0..=1.0).contains(&value);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1000 after the check")]
    in_range.then(|| (value * 1000.0).round() as u16)
}

#[cfg(test)]
mod tests {
    use super::Language::{self, Arabic, English, German};

    #[test]
    fn negotiation() {
        let table: [(Option<&str>, Language); 17] = [
            (None, English),
            (Some(""), English),
            (Some("de"), German),
            (Some("DE-ch"), German),
            (Some("fr-FR, ar-EG;q=0.4, de;q=0.3"), Arabic),
            (Some("en;q=0.5, de;q=0.9"), German),
            (Some("ar;q=0.8,de;q=0.8"), Arabic),
            (Some("de;q=0, ar;q=0.1"), Arabic),
            (Some("de;q=0"), English),
            (Some("fr, *;q=0.5"), English),
            (Some("en;q=0, *"), German),
            (Some("en-US,en;q=0.9,de;q=0.8"), English),
            (Some("deu, den"), English),
            (Some("de;q=NaN, ar;q=0.2"), Arabic),
            (Some("de;q=2, ar;q=-1"), English),
            (Some(";;;,,=,de;level=1"), English),
            (Some(" de ; q = 0.7 , en ; q=0.6"), German),
        ];
        for (header, expected) in table {
            assert_eq!(Language::negotiate(header), expected, "{header:?}");
        }
    }

    #[test]
    fn an_endless_header_is_cut() {
        let header = format!("{}de", "fr,".repeat(100_000));
        assert_eq!(Language::negotiate(Some(&header)), English);
    }
}
