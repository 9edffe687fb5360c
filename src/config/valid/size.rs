//! A number of bytes, checked: `65536`, `"64KiB"`, `"10 MB"`. Units are those of IEC 80000-13: `k` is 1000, `Ki` 1024.

use crate::config::check::Check;
use crate::config::finding::Mistake;
use crate::config::key::KeyPath;
use crate::config::raw::RawSize;

const UNITS: [(&str, u64); 9] = [
    ("", 1),
    ("b", 1),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("tib", 1 << 40),
];

/// From `least` to `most` bytes.
pub(super) fn check(
    key: &KeyPath,
    raw: &RawSize,
    least: u64,
    most: u64,
    check: &mut Check<'_>,
) -> Option<u64> {
    let bytes = match raw {
        RawSize::Bytes(bytes) => Some(*bytes),
        RawSize::Text(text) => parse(text),
    };
    match bytes {
        Some(bytes) => check.count(key, bytes, least, most),
        None => {
            let mistake = Mistake::new(
                "config.size",
                format!("`{key}` is not a number of bytes"),
                "The limit would be a guess",
                "write a whole number, alone or with a unit: 65536, \"64KiB\", \"10MB\"",
            );
            check.wrong(key, mistake.showing_the_value())
        }
    }
}

fn parse(text: &str) -> Option<u64> {
    let text = text.trim();
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let count: u64 = text.strip_suffix(unit)?.parse().ok()?;
    let unit = unit.trim_start().to_ascii_lowercase();
    let (_, times) = UNITS.iter().find(|(name, _)| *name == unit)?;
    count.checked_mul(*times)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, want) in [
            ("0", Some(0)),
            ("65536", Some(65536)),
            ("64KiB", Some(65536)),
            ("64 kib", Some(65536)),
            ("10MB", Some(10_000_000)),
            ("1GiB", Some(1 << 30)),
            ("2TiB", Some(2 << 40)),
            ("5B", Some(5)),
            ("", None),
            ("KiB", None),
            ("64K", None),
            ("1.5MB", None),
            ("-1", None),
            ("99999999999999999999", None),
            ("99999999999999TiB", None),
        ] {
            assert_eq!(parse(text), want, "{text}");
        }
    }
}
