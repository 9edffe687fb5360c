//! tonic, as a server and as a client of the service that `grpc_peer.py` speaks too; without generated code.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use http::Uri;
use http::uri::PathAndQuery;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tonic::client::Grpc;
use tonic::metadata::{BinaryMetadataValue as BinaryValue, MetadataValue};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Response, Status, Streaming, server};
use tonic_prost::ProstCodec;
use tower::service_fn;

use super::NAME;
use crate::support::DEADLINE;

/// `message Note { bytes payload = 1; }`
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Note {
    #[prost(bytes = "bytes", tag = "1")]
    pub(super) payload: Bytes,
}

fn note(payload: impl Into<Bytes>) -> Note {
    Note { payload: payload.into() }
}

type Notes = Pin<Box<dyn Stream<Item = Result<Note, Status>> + Send>>;

/// A server on a free port, and how often its `Ticks` were ended.
pub(super) async fn serve() -> (SocketAddr, watch::Receiver<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (count, over) = watch::channel(0);
    let service = service_fn(move |call| {
        let count = count.clone();
        async move { Ok::<_, Infallible>(answer(call, count).await) }
    });
    tokio::spawn(
        tonic::transport::Server::builder().serve_with_incoming(service, TcpIncoming::from(listener)),
    );
    (address, over)
}

/// Counts its own end.
struct Over(watch::Sender<usize>);

impl Drop for Over {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count += 1);
    }
}

async fn answer(
    call: http::Request<tonic::body::Body>,
    over: watch::Sender<usize>,
) -> http::Response<tonic::body::Body> {
    let mut grpc = server::Grpc::new(ProstCodec::<Note, Note>::default());
    let method = call.uri().path().strip_prefix("/foreign.Echo/").unwrap_or_default().to_owned();
    match method.as_str() {
        "Say" => grpc.unary(service_fn(say), call).await,
        "Fail" => grpc.unary(service_fn(fail), call).await,
        "Sleep" => grpc.unary(service_fn(sleep), call).await,
        "Count" => grpc.server_streaming(service_fn(count), call).await,
        "Broken" => grpc.server_streaming(service_fn(broken), call).await,
        "Ticks" => grpc.server_streaming(service_fn(move |_| ticks(Over(over.clone()))), call).await,
        "Gather" => grpc.client_streaming(service_fn(gather), call).await,
        "Chat" => grpc.streaming(service_fn(chat), call).await,
        _ => Status::unimplemented("no such method").into_http(),
    }
}

async fn say(asked: Request<Note>) -> Result<Response<Note>, Status> {
    let seen = asked.metadata().clone();
    let mut answer = Response::new(asked.into_inner());
    for name in ["x-anteroom-account-id", "x-word", "cookie"] {
        let value = seen.get(name).cloned().unwrap_or(MetadataValue::from_static("none"));
        answer.metadata_mut().insert(name, value);
    }
    // tonic lets nobody choose the trailers of a success.
    answer.metadata_mut().insert("x-late", MetadataValue::from_static("yes"));
    answer.metadata_mut().insert_bin("x-bytes-bin", BinaryValue::from_bytes(&[0, 255]));
    Ok(answer)
}

async fn fail(_: Request<Note>) -> Result<Response<Note>, Status> {
    let mut status = Status::failed_precondition("spät: 100%");
    status.metadata_mut().insert("x-late", MetadataValue::from_static("yes"));
    Err(status)
}

async fn sleep(asked: Request<Note>) -> Result<Response<Note>, Status> {
    tokio::time::sleep(Duration::from_secs(20)).await;
    Ok(Response::new(asked.into_inner()))
}

async fn count(asked: Request<Note>) -> Result<Response<Notes>, Status> {
    let payload = asked.into_inner().payload;
    let one = move |n: u8| Ok(note([&payload[..], &[b'0' + n]].concat()));
    Ok(Response::new(Box::pin(stream::iter((0..3).map(one)))))
}

async fn broken(asked: Request<Note>) -> Result<Response<Notes>, Status> {
    let items = [Ok(asked.into_inner()), Err(Status::data_loss("broken"))];
    Ok(Response::new(Box::pin(stream::iter(items))))
}

async fn ticks(over: Over) -> Result<Response<Notes>, Status> {
    let ticks = stream::unfold(over, |over| async move {
        tokio::time::sleep(Duration::from_millis(50)).await;
        Some((Ok(note("tick")), over))
    });
    Ok(Response::new(Box::pin(ticks)))
}

async fn gather(asked: Request<Streaming<Note>>) -> Result<Response<Note>, Status> {
    let (mut notes, mut all) = (asked.into_inner(), Vec::new());
    while let Some(note) = notes.message().await? {
        all.extend(note.payload);
    }
    Ok(Response::new(note(all)))
}

async fn chat(asked: Request<Streaming<Note>>) -> Result<Response<Notes>, Status> {
    Ok(Response::new(Box::pin(asked.into_inner())))
}

/// A client with a session.
pub(super) struct Caller {
    grpc: Grpc<Channel>,
    cookie: String,
}

fn path(method: &str) -> PathAndQuery {
    format!("/foreign.Echo/{method}").parse().unwrap()
}

fn codec() -> ProstCodec<Note, Note> {
    ProstCodec::default()
}

impl Caller {
    pub(super) async fn connect(address: SocketAddr, tls: Option<TlsConnector>, cookie: &str) -> Self {
        let scheme = if tls.is_some() { "https" } else { "http" };
        let endpoint = Endpoint::from_shared(format!("{scheme}://{NAME}")).unwrap();
        let channel = match tls {
            None => {
                let connect =
                    move |_: Uri| async move { TcpStream::connect(address).await.map(TokioIo::new) };
                endpoint.connect_with_connector(service_fn(connect)).await
            }
            Some(tls) => {
                let connect = move |_: Uri| {
                    let tls = tls.clone();
                    async move {
                        let tcp = TcpStream::connect(address).await?;
                        tls.connect(NAME.try_into().unwrap(), tcp).await.map(TokioIo::new)
                    }
                };
                endpoint.connect_with_connector(service_fn(connect)).await
            }
        };
        Self { grpc: Grpc::new(channel.unwrap()), cookie: cookie.to_owned() }
    }

    async fn client(&self) -> Grpc<Channel> {
        let mut grpc = self.grpc.clone();
        grpc.ready().await.unwrap();
        grpc
    }

    fn ask<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert("cookie", self.cookie.parse().unwrap());
        request.metadata_mut().insert("x-word", MetadataValue::from_static("hello"));
        request
    }

    async fn unary(&self, method: &str, request: Request<Note>) -> Result<Response<Note>, Status> {
        let mut client = self.client().await;
        let call = client.unary(request, path(method), codec());
        timeout(DEADLINE, call).await.expect("an answer until the deadline")
    }

    pub(super) async fn calls_of_all_four_kinds(&self) {
        let answer = self.unary("Say", self.ask(note("one"))).await.unwrap();
        let seen = answer.metadata();
        for (name, want) in [
            ("x-anteroom-account-id", "557058:ada"),
            ("x-word", "hello"),
            ("cookie", "none"),
            ("x-late", "yes"),
        ] {
            assert_eq!(seen.get(name).unwrap(), want, "{name}");
        }
        assert_eq!(seen.get_bin("x-bytes-bin").unwrap().to_bytes().unwrap(), &[0, 255][..]);
        assert_eq!(answer.into_inner(), note("one"));
        let big = note((0..4_000_000_u32).map(|n| (n % 250) as u8).collect::<Vec<_>>());
        for message in [note(""), big] {
            let answer = self.unary("Say", self.ask(message.clone())).await.unwrap().into_inner();
            assert!(answer == message, "{}", answer.payload.len());
        }
        let counted = self.client().await.server_streaming(self.ask(note("n")), path("Count"), codec()).await;
        let counted: Vec<_> = counted.unwrap().into_inner().map(Result::unwrap).collect().await;
        assert_eq!(counted, ["n0", "n1", "n2"].map(note));
        let parts = self.ask(stream::iter(["a", "b", "c"].map(note)));
        let gathered = self.client().await.client_streaming(parts, path("Gather"), codec()).await;
        assert_eq!(gathered.unwrap().into_inner(), note("abc"));

        let (say, words) = tokio::sync::mpsc::unbounded_channel::<Note>();
        let words = stream::unfold(words, |mut words| async { Some((words.recv().await?, words)) });
        let words = self.ask(Box::pin(words));
        // gRPC's own server says nothing at all before its first word.
        say.send(note("one")).unwrap();
        let mut answers =
            self.client().await.streaming(words, path("Chat"), codec()).await.unwrap().into_inner();
        assert_eq!(answers.message().await.unwrap(), Some(note("one")));
        for word in ["two", "three"] {
            say.send(note(word)).unwrap();
            assert_eq!(answers.message().await.unwrap(), Some(note(word)));
        }
        drop(say);
        assert_eq!(answers.message().await.unwrap(), None);
        let _success = answers.trailers().await.unwrap();
    }

    pub(super) async fn errors(&self) {
        let failed = self.unary("Fail", self.ask(note(""))).await.unwrap_err();
        assert_eq!((failed.code(), failed.message()), (Code::FailedPrecondition, "spät: 100%"));
        assert_eq!(failed.metadata().get("x-late").unwrap(), "yes");
        let begun =
            self.client().await.server_streaming(self.ask(note("first")), path("Broken"), codec()).await;
        let mut begun = begun.unwrap().into_inner();
        assert_eq!(begun.message().await.unwrap(), Some(note("first")));
        let broken: Status = begun.message().await.unwrap_err();
        assert_eq!((broken.code(), broken.message()), (Code::DataLoss, "broken"));
        let unknown = self.unary("Nothing", self.ask(note(""))).await.unwrap_err();
        assert_eq!(unknown.code(), Code::Unimplemented);
        let mut hurried = self.ask(note(""));
        hurried.set_timeout(Duration::from_millis(300));
        let late = self.unary("Sleep", hurried).await.unwrap_err();
        // Client and server both look at the clock; tonic calls its own timeout a cancellation.
        assert!(matches!(late.code(), Code::DeadlineExceeded | Code::Cancelled), "{late:?}");
    }

    pub(super) async fn a_hundred_at_once(&self) {
        let calls = (0..100).map(|n| async move {
            let asked = note(n.to_string());
            let answer = self.unary("Say", self.ask(asked.clone())).await.unwrap().into_inner();
            assert_eq!(answer, asked);
        });
        futures_util::future::join_all(calls).await;
    }

    pub(super) async fn strangers(&self) {
        let refused = self.unary("Say", Request::new(note("x"))).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unauthenticated, "{refused:?}");
        let streaming =
            self.client().await.server_streaming(Request::new(note("x")), path("Count"), codec()).await;
        let refused = streaming.map(drop).unwrap_err();
        assert_eq!(refused.code(), Code::Unauthenticated, "{refused:?}");
        let parts = Request::new(stream::iter(["a", "b"].map(note)));
        let gathered = self.client().await.client_streaming(parts, path("Gather"), codec()).await;
        let refused = gathered.map(|answer: Response<Note>| drop(answer)).unwrap_err();
        assert_eq!(refused.code(), Code::Unauthenticated, "{refused:?}");
    }

    /// The session is over.
    pub(super) async fn is_a_stranger(&self) {
        let refused = self.unary("Say", self.ask(note("x"))).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unauthenticated, "{refused:?}");
    }

    /// A call that goes on, of which the first message is here.
    pub(super) async fn ticking(&self) -> Streaming<Note> {
        let mut client = self.client().await;
        let ticking = client.server_streaming(self.ask(note("")), path("Ticks"), codec()).await;
        let mut ticking = ticking.unwrap().into_inner();
        assert_eq!(ticking.message().await.unwrap(), Some(note("tick")));
        ticking
    }
}
