//! What may a client do on one HTTP/2 connection? Ask for many things at once, each a request like any other; and only
//! so much of everything else.
//!
//! pingora's own loop over a connection is not for others to use, so this is one: streams become tasks, a connection
//! on which nothing happens is closed, one that is old is let go, one that is abused ends with `GOAWAY`, and at shutdown what is under way
//! finishes. RFC 9113 §5.1.2, §6.8, §10.5; CVE-2023-44487, CVE-2024-27316 (CONTINUATION), CVE-2025-8671.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};
use pingora::apps::HttpServerApp as _;
use pingora::http::ResponseHeader;
use pingora::protocols::Digest;
use pingora::protocols::http::ServerSession;
use pingora::protocols::http::v2::server::{H2Accept, H2Options, HttpSession, handshake};
use pingora::proxy::HttpProxy;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::resets::Resets;
use super::stream::Exchange;
use crate::entropy::jittered;
use crate::proxy::app::App;
use crate::proxy::client::{Client, Connection};
use crate::proxy::service::Service;
use crate::proxy::settings::Limits;

/// What a client may send before we take it, in bytes: on one stream, and on all of them.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// What we keep of an answer that the client does not take, in bytes for each stream.
const UNSENT: usize = 64 * 1024;
/// Streams that were reset before we had even seen them.
const RESET_UNSEEN: usize = 20;
/// Requests on one connection that are none.
const MALFORMED: u32 = 32;
/// How long a client may take to close after our `GOAWAY`, with nothing under way.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Serves a connection that begins with HTTP/2's preface, to its end. `turned_away`: until then it may begin at all.
pub(in crate::proxy) async fn serve(
    app: Arc<HttpProxy<App>>,
    io: Client,
    connection: Arc<Connection>,
    service: Arc<Service>,
    mut shutdown: watch::Receiver<bool>,
    turned_away: impl Future<Output = ()>,
) {
    // From here on nothing of it is HTTP/1.1's.
    connection.serving();
    let (times, limits) = (service.settings.timeouts, service.settings.limits);
    let refused = |reason| service.auth.metrics().http2_refused(reason);
    let opened = tokio::select! {
        opened = timeout(times.header_read, handshake(Box::new(io), Some(options(limits)))) => opened,
        () = turned_away => return,
    };
    let Ok(Ok(mut h2)) = opened else { return refused("handshake") };
    let digest = Arc::new(Digest::default());
    let resets = Arc::new(Resets::new(limits.http2_resets));
    let (mut streams, mut malformed) = (JoinSet::new(), 0);
    let (stop, mut closing) = (shutdown.clone(), service.door.closing());
    // Set while nothing is under way: when to say goodbye, and after that, when to hang up. The first request is due as
    // soon as one of HTTP/1.1 is.
    let mut rest = pin!(sleep(times.header_read));
    let mut leaving = false;
    // Who never leaves would never come to a replica that was added, nor leave one that is overloaded.
    let mut old = pin!(sleep(jittered(times.http2_age)));
    loop {
        let accepted = tokio::select! {
            biased;
            () = either(either(asked_to_stop(&mut shutdown), asked_to_stop(&mut closing)), old.as_mut()), if !leaving => {
                leaving = true;
                h2.graceful_shutdown();
                rest.as_mut().reset(Instant::now() + LAST_WORDS);
                continue;
            }
            () = resets.too_many() => {
                refused("resets");
                h2.abrupt_shutdown(h2::Reason::ENHANCE_YOUR_CALM);
                break;
            }
            Some(_done) = streams.join_next(), if !streams.is_empty() => {
                let span = if leaving { LAST_WORDS } else { times.keep_alive };
                rest.as_mut().reset(Instant::now() + span);
                continue;
            }
            () = rest.as_mut(), if streams.is_empty() => {
                if leaving {
                    break;
                }
                leaving = true;
                h2.graceful_shutdown();
                rest.as_mut().reset(Instant::now() + LAST_WORDS);
                continue;
            }
            accepted = HttpSession::from_h2_conn(&mut h2, Arc::clone(&digest)) => accepted,
        };
        match accepted {
            Ok(Some(H2Accept::Session(session))) => {
                let Some(exchange) = begin(session, &connection, &resets, &service) else { continue };
                let (app, stop, watch) = (Arc::clone(&app), stop.clone(), exchange.watch());
                streams.spawn(async move {
                    let session = ServerSession::new_custom(Box::new(exchange));
                    watch.bounded(app.process_new_http(session, &stop)).await;
                });
            }
            Ok(Some(H2Accept::Rejected)) => {
                refused("malformed");
                service.record_refusal(&connection, 400);
                malformed += 1;
                if malformed >= MALFORMED {
                    h2.abrupt_shutdown(h2::Reason::ENHANCE_YOUR_CALM);
                    break;
                }
            }
            Ok(None) => break,
            Err(error) => {
                if refused_by_the_engine(&error) {
                    refused("engine");
                }
                break;
            }
        }
    }
    // Whatever was said last still goes out.
    let until = if leaving { rest.deadline() } else { Instant::now() + LAST_WORDS };
    let goodbye =
        async { while let Ok(Some(_)) = HttpSession::from_h2_conn(&mut h2, Arc::clone(&digest)).await {} };
    tokio::select! { biased; () = goodbye => {}, () = sleep_until(until) => {} }
    drop(h2);
    // They notice that nobody is there any more, and say so in the log.
    while streams.join_next().await.is_some() {}
}

fn options(limits: Limits) -> H2Options {
    let resets = usize::try_from(limits.http2_resets).unwrap_or(usize::MAX);
    // Up to this the engine only counts, and we answer 431 with a page and a log line; beyond it, it does so alone.
    let decoded = u32::try_from(limits.header_bytes.saturating_mul(2)).unwrap_or(u32::MAX);
    let mut options = H2Options::new();
    options
        .max_header_list_size(decoded)
        .max_concurrent_streams(limits.http2_streams)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buffer_size(UNSENT)
        .max_pending_accept_reset_streams(RESET_UNSEEN.min(resets))
        .max_local_error_reset_streams(Some(resets));
    options
}

/// A stream that pingora may have. A tunnel, which it would refuse in its own words, is refused here.
fn begin(
    mut session: HttpSession,
    connection: &Arc<Connection>,
    resets: &Arc<Resets>,
    service: &Service,
) -> Option<Exchange> {
    if service.door.is_closed() {
        // It was not processed, and may be asked anew on a connection that comes in as is asked now (RFC 9113 §8.7).
        session.shutdown_with_reason(h2::Reason::REFUSED_STREAM);
        return None;
    }
    if session.req_header().method == Method::CONNECT {
        let refusal = ResponseHeader::build(StatusCode::METHOD_NOT_ALLOWED, Some(0)).ok()?;
        let _gone_already = session.write_response_header(Box::new(refusal), true);
        service.record_refusal(connection, 405);
        return None;
    }
    Exchange::new(session, Arc::clone(connection), Arc::clone(resets)).ok()
}

/// Whether the connection ended because of what the client did, rather than because it left.
fn refused_by_the_engine(error: &pingora::Error) -> bool {
    let cause = error.cause.as_ref().and_then(|cause| cause.downcast_ref::<h2::Error>());
    cause.is_some_and(|cause| cause.is_library() && !cause.is_io())
}

/// Waits for the first of two.
async fn either(one: impl Future<Output = ()>, other: impl Future<Output = ()>) {
    tokio::select! { () = one => {}, () = other => {} }
}

/// Waits for the word; when nobody is left who could give it, that is one too.
async fn asked_to_stop(shutdown: &mut watch::Receiver<bool>) {
    let _released_at_once = shutdown.wait_for(|now| *now).await;
}
