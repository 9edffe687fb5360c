//! Which limit did a client run into? The names of all, as metrics and logs say them and as the operator sets them.

/// A limit of what a client may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// The time for a request's header.
    HeaderRead,
    /// The size of a request's header.
    HeaderBytes,
    /// The number of its lines.
    HeaderCount,
    /// The length of its target.
    TargetBytes,
    /// The size of its body.
    BodyBytes,
    /// The time for its body.
    BodyRead,
    /// Silence in the middle of its body.
    Read,
    /// Sign-ins begun by one client address.
    SignInRate,
    /// Sign-ins completed at the same time; not to be set.
    Exchanges,
}

impl Limit {
    /// Every limit, in the order in which they count from zero.
    pub const ALL: [Self; 9] = [
        Self::HeaderRead,
        Self::HeaderBytes,
        Self::HeaderCount,
        Self::TargetBytes,
        Self::BodyBytes,
        Self::BodyRead,
        Self::Read,
        Self::SignInRate,
        Self::Exchanges,
    ];

    /// The label's value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HeaderRead => "header_read",
            Self::HeaderBytes => "header_bytes",
            Self::HeaderCount => "header_count",
            Self::TargetBytes => "target_bytes",
            Self::BodyBytes => "body_bytes",
            Self::BodyRead => "body_read",
            Self::Read => "read",
            Self::SignInRate => "sign_in_rate",
            Self::Exchanges => "exchanges",
        }
    }

    /// Where the operator sets it.
    pub const fn setting(self) -> &'static str {
        match self {
            Self::HeaderRead => "proxy.timeouts.header_read",
            Self::HeaderBytes => "proxy.limits.header_bytes",
            Self::HeaderCount => "proxy.limits.header_count",
            Self::TargetBytes => "proxy.limits.target_bytes",
            Self::BodyBytes => "proxy.limits.body_bytes",
            Self::BodyRead => "proxy.timeouts.body_read and proxy.limits.body_rate",
            Self::Read => "proxy.timeouts.read",
            Self::SignInRate => "access.sign_in_rate",
            Self::Exchanges => "none",
        }
    }
}
