//! How does a decision show in the metrics? By its outcome, and by who asked for it.

/// How a request was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Forwarded under a session.
    SignedIn,
    /// Forwarded on a public route.
    Public,
    /// Sent to sign in.
    SignIn,
    /// 401.
    Unauthenticated,
    /// 403 by a rule.
    Denied,
    /// 400, a target with two readings.
    BadTarget,
    /// One of our own paths.
    Own,
}

impl Decision {
    pub(super) const ALL: [Self; 7] = [
        Self::SignedIn,
        Self::Public,
        Self::SignIn,
        Self::Unauthenticated,
        Self::Denied,
        Self::BadTarget,
        Self::Own,
    ];

    /// The label's value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SignedIn => "signed_in",
            Self::Public => "public",
            Self::SignIn => "sign_in",
            Self::Unauthenticated => "unauthenticated",
            Self::Denied => "denied",
            Self::BadTarget => "bad_target",
            Self::Own => "own",
        }
    }
}

/// Who asked for a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Our own proxy.
    Proxy,
    /// A gateway, by forward-auth.
    ForwardAuth,
}

impl Mode {
    pub(super) const ALL: [Self; 2] = [Self::Proxy, Self::ForwardAuth];

    /// The label's value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Proxy => "proxy",
            Self::ForwardAuth => "forward_auth",
        }
    }
}
