//! How do sign-ins end? Those that begin, those that come back, and sessions handed on to an app's host.

use super::{Metrics, OutcomeLabels, SignInLabels};

impl Metrics {
    /// Counts a browser that leaves for Atlassian.
    pub fn sign_in_started(&self) {
        self.sign_ins_started.inc();
    }

    /// Counts a callback: `outcome` is `success`, `denied` or `failed`; `reason` a stable code.
    pub fn sign_in(&self, outcome: &'static str, reason: &'static str) {
        self.sign_ins.get_or_create(&SignInLabels { outcome, reason }).inc();
    }

    /// Begins to count these failures: what is there from the start shows in an alert from its first time on.
    pub fn sign_ins_may_fail(&self, reasons: &[&'static str]) {
        for &reason in reasons {
            let _at_zero = self.sign_ins.get_or_create(&SignInLabels { outcome: "failed", reason });
        }
    }

    /// Counts a hand-off to an app's host: `success`, `restarted` or `failed`.
    pub fn hand_off(&self, outcome: &'static str) {
        self.hand_offs.get_or_create(&OutcomeLabels { outcome }).inc();
    }
}
