//! What is settled before the first request of a connection? For whom it comes, whether that client has room, TLS, and
//! which HTTP is spoken; then the loop over its requests.
//!
//! Everything before the first byte of HTTP has one time limit, and ends at once when the process leaves.

use std::future::pending;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use pingora::apps::{HttpPersistentSettings, HttpServerApp as _, ReusedHttpStream};
use pingora::protocols::Shutdown as _;
use pingora::protocols::http::ServerSession;
use pingora::protocols::l4::ext::set_tcp_keepalive;
use pingora::proxy::HttpProxy;
use tokio::sync::watch;
use tokio::time::timeout;

use super::asked_to_stop;
use super::io::{Io, Socket};
use super::proxy_header;
use super::tls::{self, Prepared};
use crate::metrics::{Metrics, Open};
use crate::ops::clients::{Clients, Place};
use crate::ops::listen::Accepted;
use crate::ops::remarks::Remarks;
use crate::proxy::app::App;
use crate::proxy::client::{Client, Connection};
use crate::proxy::http2;
use crate::proxy::service::Service;
use crate::proxy::settings::Settings;
use crate::proxy::upstreams::keep_alive;

/// What a client with prior knowledge of HTTP/2 begins with (RFC 9113 §3.4).
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What every connection is served with.
pub(super) struct House {
    pub(super) app: Arc<HttpProxy<App>>,
    pub(super) service: Arc<Service>,
    pub(super) clients: Arc<Clients>,
    pub(super) remarks: Arc<Remarks>,
    /// For how long connections rest is asked when they do.
    pub(super) in_force: Arc<ArcSwap<Service>>,
    pub(super) shutdown: watch::Receiver<bool>,
    /// From when on no connection rests.
    pub(super) no_rest: watch::Receiver<bool>,
    /// Whether the end of serving means that another process goes on: then who has just come is still served.
    pub(super) handing_over: Arc<AtomicBool>,
}

/// A connection on which HTTP may begin.
struct Arrived {
    client: Client,
    http2: bool,
    /// `None` for those who stand for many.
    _place: Option<Place>,
}

impl House {
    /// Serves one connection to its end.
    pub(super) async fn welcome(self, accepted: Accepted) {
        let _open = Open::new(&self.service.auth.metrics().connections);
        let mut leaving = self.shutdown.clone();
        let arrived = tokio::select! {
            biased;
            // In a box, gone before the first request: handshakes take room.
            arrived = Box::pin(self.arrive(accepted)) => arrived,
            () = turned_away(&mut leaving, &self.handing_over) => None,
        };
        let Some(Arrived { client, http2, _place }) = arrived else { return };
        let connection = Arc::clone(client.connection());
        if http2 {
            // In a box: every connection of HTTP/1.1 would otherwise carry the room for it, eight kilobytes.
            let turned_away = turned_away(&mut leaving, &self.handing_over);
            let serving = http2::connection::serve(
                self.app,
                client,
                connection,
                self.service,
                self.shutdown,
                turned_away,
            );
            Box::pin(serving).await;
        } else {
            self.serve_http1(client, &connection).await;
        }
    }

    /// Between requests there is nothing but the client: pingora's session and its task, with their buffers, take twenty
    /// kilobytes, and begin with the first byte of a request.
    async fn serve_http1(self, client: Client, connection: &Connection) {
        let Self { app, service, in_force, shutdown, mut no_rest, .. } = self;
        let (mut client, mut kept) = (Box::new(client), None::<HttpPersistentSettings>);
        let mut closing = service.door.closing();
        loop {
            let rest = kept.as_ref().map(|_| in_force.load().settings.timeouts.keep_alive);
            let begun = tokio::select! {
                biased;
                // Before anything else: what has begun came too late.
                () = asked_to_stop(&mut closing) => false,
                begun = begins(&mut client, rest) => begun,
                () = asked_to_stop(&mut no_rest) => false,
            };
            if !begun {
                break;
            }
            let mut session = ServerSession::new_http1(client);
            match kept {
                Some(kept) => kept.apply_to_session(&mut session),
                None => begin_with(&mut session, &service.settings),
            }
            // The header has a time of its own; how long the connection may rest after it, `Service::begin` says.
            session.set_keepalive(Some(0));
            let served = connection.watch.bounded(app.process_new_http(session, &shutdown)).await;
            let Some((stream, Some(persistent))) = served.flatten().map(ReusedHttpStream::consume) else {
                break;
            };
            let Ok(mut same) = stream.into_any().downcast::<Client>() else { break };
            if connection.went_on() {
                same.shutdown().await;
                break;
            }
            if !connection.chunks.settle() {
                break; // Where that request ended is in doubt: nothing that follows may count as one.
            }
            connection.resting();
            (client, kept) = (same, Some(persistent));
        }
        if let Some(status) = connection.refusal() {
            service.record_refusal(connection, status);
        }
    }

    /// Up to where HTTP begins; `None` when the connection ends before.
    async fn arrive(&self, accepted: Accepted) -> Option<Arrived> {
        let time = self.service.settings.timeouts.header_read;
        let mut stage = Stage::ProxyHeader;
        let Ok(begun) = timeout(time, self.begin(accepted, &mut stage)).await else {
            match stage {
                Stage::ProxyHeader => self.refuse_header("none came in time"),
                Stage::Tls => self.metrics().tls_handshake("timeout"),
            }
            return None;
        };
        let (io, connection, place) = begun?;
        let settings = &self.service.settings;
        let encrypted = match &io {
            Io::Plain(_) => None,
            Io::Tls(stream) => Some(tls::speaks_http2(stream)),
        };
        let mut client = Client::new(io, connection, &settings.timeouts, &settings.limits);
        let http2 = match encrypted {
            Some(agreed) => agreed,
            None => settings.entrance.http2 && client.begins_with(HTTP2_PREFACE).await,
        };
        Some(Arrived { client, http2, _place: place })
    }

    async fn begin(
        &self,
        accepted: Accepted,
        stage: &mut Stage,
    ) -> Option<(Io, Arc<Connection>, Option<Place>)> {
        let settings = &self.service.settings;
        let (mut socket, mut peer) = match accepted {
            Accepted::Tcp(tcp, ip) => {
                // Not worth refusing a connection for.
                let _unnoticed_when_gone = set_tcp_keepalive(&tcp, &keep_alive());
                (Socket::from(tcp), Some(ip))
            }
            Accepted::Unix(unix) => (Socket::from(unix), None),
        };
        if settings.entrance.proxy_protocol.knows(peer) {
            match proxy_header::read(&mut socket).await {
                Ok((client, ahead)) => {
                    socket.unread(ahead);
                    peer = client.or(peer);
                }
                Err(reason) => {
                    self.refuse_header(reason);
                    return None;
                }
            }
        }
        let connection = Arc::new(Connection::new(peer));
        let place = match peer {
            Some(ip) if !self.stands_for_many(&connection) => Some(self.place(ip)?),
            _ => None,
        };
        *stage = Stage::Tls;
        let io = match &self.service.tls {
            None => Io::Plain(socket),
            Some(tls) => self.encrypt(tls, socket, &connection).await?,
        };
        Some((io, connection, place))
    }

    /// Hops in front bring the connections of all their clients.
    fn stands_for_many(&self, connection: &Connection) -> bool {
        let settings = &self.service.settings;
        connection.is_one_of(&settings.trusted) || connection.is_one_of(&settings.entrance.proxy_protocol)
    }

    fn place(&self, client: IpAddr) -> Option<Place> {
        let most = self.service.settings.limits.connections_per_client;
        match self.clients.admit(client, most) {
            Ok(place) => Some(place),
            Err(too_many) => {
                self.metrics().connection_refused("client_limit");
                if too_many.news {
                    tracing::warn!(
                        %client,
                        most,
                        "a client has as many connections as `proxy.limits.connections_per_client` allows; more are \
                         closed. If it is a proxy that brings many people, name it in `proxy.trusted_proxies`"
                    );
                }
                None
            }
        }
    }

    async fn encrypt(&self, tls: &Prepared, mut socket: Socket, connection: &Arc<Connection>) -> Option<Io> {
        let first = match socket.peek().await {
            Ok(Some(first)) => first,
            Ok(None) | Err(_) => {
                self.metrics().tls_handshake("gone");
                return None;
            }
        };
        if !Prepared::begins_with(first) {
            self.metrics().tls_handshake("plain_http");
            self.say_that_this_is_tls(socket, connection).await;
            return None;
        }
        let outcome = tls.accept(socket).await;
        self.metrics().tls_handshake(match &outcome {
            Ok(_) => "ok",
            Err(error) if error.kind() == std::io::ErrorKind::InvalidData => "refused",
            Err(_) => "gone",
        });
        outcome.ok().map(Io::Tls)
    }

    async fn say_that_this_is_tls(&self, socket: Socket, connection: &Arc<Connection>) {
        let settings = &self.service.settings;
        connection.refuse_plain_http();
        let io = Io::Plain(socket);
        let mut client = Client::new(io, Arc::clone(connection), &settings.timeouts, &settings.limits);
        client.shutdown().await;
        if let Some(status) = connection.refusal() {
            self.service.record_refusal(connection, status);
        }
    }

    fn refuse_header(&self, reason: impl std::fmt::Display) {
        self.metrics().connection_refused("proxy_header");
        if self.remarks.due("proxy_header") {
            tracing::warn!(
                %reason,
                "a peer in `proxy.proxy_protocol` connected without a PROXY header that can be read: switch it on there, \
                 or take the peer from the list"
            );
        }
    }

    fn metrics(&self) -> &Metrics {
        self.service.auth.metrics()
    }
}

/// Whether a request begins: the first one within a header's time, each other one while the connection may rest.
async fn begins(client: &mut Client, rest: Option<Duration>) -> bool {
    match rest {
        None => client.begins().await,
        Some(rest) => pingora::time::timeout(rest, client.begins()).await.unwrap_or(false),
    }
}

/// The limits of a connection, for the first of its requests; pingora hands them on from request to request.
fn begin_with(session: &mut ServerSession, settings: &Settings) {
    session.set_keepalive_reuses_remaining(Some(settings.limits.keep_alive_requests.saturating_sub(1)));
}

/// Waits until nobody who is still at the door is served.
async fn turned_away(leaving: &mut watch::Receiver<bool>, handing_over: &AtomicBool) {
    asked_to_stop(leaving).await;
    if handing_over.load(Ordering::Relaxed) {
        pending::<()>().await;
    }
}

/// How far a connection has come when its time is up.
enum Stage {
    ProxyHeader,
    Tls,
}
