//! Does what is open end with its session, in time and in the right words?

mod bodies;
mod crowd;
mod event_streams;
mod http2;
mod leaving;
mod origins;
mod websockets;

use std::time::Duration;

use anteroom::policy::AccessPolicy;
use tokio::time::{Instant, timeout};

use super::rig::{MAX, Rig};

/// What is promised; a machine that builds beside the tests gets a little more.
const PROMISED: Duration = Duration::from_millis(2500);
/// Longer than the sweeper waits between two looks.
const TWO_LOOKS: Duration = Duration::from_millis(600);

/// What ends a session.
#[derive(Clone, Copy, Debug)]
enum Cause {
    Expiry,
    SignOut,
    Rules,
}

const CAUSES: [(Cause, &str); 3] =
    [(Cause::Expiry, "expired"), (Cause::SignOut, "signed_out"), (Cause::Rules, "not_admitted")];

impl Cause {
    /// Makes it happen to the rig's session.
    async fn befalls(self, rig: &Rig) {
        match self {
            Self::Expiry => rig.clock.advance(MAX),
            Self::SignOut => rig.sign_out(&rig.cookie).await,
            Self::Rules => rig.admit(AccessPolicy::default()).await,
        }
    }
}

/// What `work` gives, which it must within the time promised.
async fn in_time<T>(work: impl Future<Output = T>) -> T {
    let begun = Instant::now();
    let done = timeout(PROMISED, work).await;
    done.unwrap_or_else(|_| panic!("not within {:?}", begun.elapsed()))
}

/// Waits until so many were counted as ended: the client may hear of it first.
async fn counted(rig: &Rig, kind: &str, reason: &str, want: u64) {
    let line = format!("anteroom_streams_ended_total{{kind=\"{kind}\",reason=\"{reason}\"}} ");
    let counted = || {
        let text = rig.auth.metrics().expose();
        text.lines().find_map(|l| l.strip_prefix(&line)).map_or(0, |count| count.parse::<u64>().unwrap())
    };
    in_time(async {
        while counted() < want {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    assert_eq!(counted(), want);
}
