//! Which request is an example of a bucket's? The latest one, by its trace where it is recorded, otherwise by its name in
//! the logs (OpenMetrics 1.0, "Exemplars": at most 128 characters of labels).
//! <https://prometheus.io/docs/specs/om/open_metrics_spec/#exemplars>

use std::fmt;

use prometheus_client::encoding::{EncodeLabelSet, LabelSetEncoder};

/// Bytes that a name may have: ours have 32, those of most proxies 32 or 36.
const LONGEST: usize = 40;

/// What an example is found by. Holds no memory of its own: it is made for every request.
#[derive(Clone, Copy, Debug)]
pub enum Exemplar {
    /// A trace that is recorded.
    Trace([u8; 16]),
    /// A request's name.
    Request([u8; LONGEST]),
}

impl Exemplar {
    /// By its trace.
    pub const fn trace(id: [u8; 16]) -> Self {
        Self::Trace(id)
    }

    /// By its name; none when that is empty or longer than 40 bytes.
    pub fn request(id: &str) -> Option<Self> {
        let mut bytes = [0; LONGEST];
        bytes.get_mut(..id.len()).filter(|to| !to.is_empty())?.copy_from_slice(id.as_bytes());
        Some(Self::Request(bytes))
    }
}

impl fmt::Display for Exemplar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Trace(id) => id.iter().try_for_each(|byte| write!(f, "{byte:02x}")),
            Self::Request(id) => {
                let end = id.iter().position(|b| *b == 0).unwrap_or(LONGEST);
                f.write_str(id.get(..end).and_then(|id| std::str::from_utf8(id).ok()).unwrap_or_default())
            }
        }
    }
}

impl EncodeLabelSet for Exemplar {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> fmt::Result {
        let name = match self {
            Self::Trace(_) => "trace_id",
            Self::Request(_) => "request_id",
        };
        [(name, self.to_string())].encode(encoder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_does_not_fit_is_no_example() {
        let (longest, too_long) = ("x".repeat(LONGEST), "x".repeat(LONGEST + 1));
        for (id, want) in
            [("", None), ("r1", Some("r1")), (&longest, Some(longest.as_str())), (&too_long, None)]
        {
            assert_eq!(Exemplar::request(id).map(|e| e.to_string()).as_deref(), want, "{id}");
        }
    }
}
