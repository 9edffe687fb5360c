//! The upstream knows a new user now: remember it, and stop saying that the account is new.

use super::{Auth, SessionPermit};
use crate::session::Session;

impl Auth {
    /// Called when the app behind `host` answered `X-Anteroom-Provisioned: true` under this permit. Gives the `Set-Cookie` line
    /// of the same session without the mark; `None` when there was nothing to acknowledge, or the store is down or changing hands (the
    /// account then stays new, and the next such answer tries again).
    pub async fn provisioned(&self, permit: &SessionPermit, host: &str) -> Option<String> {
        let app = self.settings.origins.of_host(host)?;
        let live = permit.session().filter(|live| live.new_user())?;
        let account = &live.session().person.account_id;
        // Another process is about to have the store: the next such answer passes there. This one is not held up.
        let _inside = self.gate.enter_now()?;
        if let Err(error) = self.store.acknowledge(account).await {
            tracing::error!(%error, "a provisioned account could not be recorded");
            self.metrics.store_error();
            return None;
        }
        live.acknowledge();
        if self.sessions.ended(live.session()) {
            // Its cookie would replace the one of a newer session, or come back after a sign-out.
            return None;
        }
        let session = Session { new_user: false, ..live.session().clone() };
        self.sessions.set_cookie(&session, app, self.entropy.bytes(), self.clock.now())
    }
}
