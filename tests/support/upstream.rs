//! What was the app behind the proxy really sent, and what if it answers like *this*? An upstream over a bare socket.
//!
//! It records every byte it receives and writes scripted bytes back, right or wrong. It stops when dropped.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;

use super::DEADLINE;
use super::http1::{Framing, Head, Reader, find};

/// What the upstream does for one request, step by step.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    steps: Vec<Step>,
}

#[derive(Clone, Debug)]
enum Step {
    Write(Vec<u8>),
    Wait(Gate),
    Echo,
    Hang,
    Close,
}

impl Answer {
    /// These bytes, then the next request on the same connection.
    pub(crate) fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self::default().then(bytes)
    }

    /// `200` with this body and its length.
    pub(crate) fn ok(body: &str) -> Self {
        Self::raw(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()))
    }

    /// More bytes.
    #[must_use]
    pub(crate) fn then(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.steps.push(Step::Write(bytes.into()));
        self
    }

    /// Waits until the test opens the gate.
    #[must_use]
    pub(crate) fn then_wait(mut self, gate: &Gate) -> Self {
        self.steps.push(Step::Wait(gate.clone()));
        self
    }

    /// From here on sends back whatever arrives, until the peer closes: the far end of an upgrade.
    #[must_use]
    pub(crate) fn then_echo(mut self) -> Self {
        self.steps.push(Step::Echo);
        self
    }

    /// Says nothing more and keeps the connection until the peer closes it.
    #[must_use]
    pub(crate) fn then_hang(mut self) -> Self {
        self.steps.push(Step::Hang);
        self
    }

    /// Closes the connection.
    #[must_use]
    pub(crate) fn then_close(mut self) -> Self {
        self.steps.push(Step::Close);
        self
    }
}

/// A door in the middle of an [`Answer`], shut until the test opens it.
#[derive(Clone, Debug)]
pub(crate) struct Gate(Arc<Semaphore>);

impl Gate {
    /// A shut gate.
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }

    /// Lets everyone through, now and later.
    pub(crate) fn open(&self) {
        self.0.close();
    }

    async fn pass(&self) {
        let _closed_is_open = self.0.acquire().await;
    }
}

/// How much of a request is read before the answer starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// The whole request, as most apps do.
    Complete,
    /// The head; the body is read afterwards.
    Head,
    /// Nothing but its first byte: the fastest app there can be. The answer sees an empty request.
    FirstByte,
}

/// One request as it arrived.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    /// Which connection brought it, counted from 0.
    pub(crate) connection: usize,
    /// Request line and headers, byte for byte.
    pub(crate) head: Head,
    /// The content, without chunk framing.
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// The method.
    pub(crate) fn method(&self) -> &str {
        self.head.start_line.split(' ').next().unwrap_or_default()
    }

    /// The request target, as sent.
    pub(crate) fn target(&self) -> &str {
        self.head.start_line.split(' ').nth(1).unwrap_or_default()
    }

    /// The first header of this name in any case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.header(name)
    }

    /// Every header of this name in any case, in order.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        self.head.all(name)
    }
}

type Handler = dyn Fn(&Request) -> Answer + Send + Sync;

#[derive(Debug, Default)]
struct Log {
    requests: Mutex<Vec<Request>>,
    /// Every byte received, per connection.
    bytes: Mutex<Vec<Vec<u8>>>,
    open: Mutex<usize>,
}

/// A running upstream.
#[derive(Debug)]
pub(crate) struct Upstream {
    address: SocketAddr,
    log: Arc<Log>,
    changed: watch::Receiver<()>,
    accepting: AbortHandle,
}

impl Upstream {
    /// Answers everything with `200` and the body `ok`.
    pub(crate) async fn start() -> Self {
        Self::answering(Answer::ok("ok")).await
    }

    /// The same answer every time.
    pub(crate) async fn answering(answer: Answer) -> Self {
        Self::with(move |_| answer.clone()).await
    }

    /// One answer after the other, whichever connection asks; the last one repeats.
    pub(crate) async fn scripted(answers: Vec<Answer>) -> Self {
        let next = Mutex::new(0);
        Self::with(move |_| {
            let mut next = next.lock().unwrap();
            let answer = answers.get(*next).or(answers.last()).cloned().expect("at least one answer");
            *next += 1;
            answer
        })
        .await
    }

    /// Whatever the function says.
    pub(crate) async fn with(handler: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        Self::start_with(When::Complete, handler).await
    }

    /// As [`Self::with`], with a say in when the answer starts.
    pub(crate) async fn start_with(
        when: When,
        handler: impl Fn(&Request) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let log = Arc::new(Log::default());
        let (notify, changed) = watch::channel(());
        let (handler, notify): (Arc<Handler>, _) = (Arc::new(handler), Arc::new(notify));
        let accept = {
            let log = Arc::clone(&log);
            async move {
                // Dropped with this task, and every connection with it.
                let mut connections = JoinSet::new();
                while let Ok((stream, _)) = listener.accept().await {
                    let _nodelay_is_only_speed = stream.set_nodelay(true);
                    let connection = Connection {
                        number: {
                            let mut bytes = log.bytes.lock().unwrap();
                            bytes.push(Vec::new());
                            bytes.len() - 1
                        },
                        log: Arc::clone(&log),
                        notify: Arc::clone(&notify),
                    };
                    *log.open.lock().unwrap() += 1;
                    let _seen_by_nobody = notify.send(());
                    let handler = Arc::clone(&handler);
                    connections.spawn(async move { connection.serve(stream, when, &*handler).await });
                }
            }
        };
        let accepting = tokio::spawn(accept).abort_handle();
        Self { address, log, changed, accepting }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its base URL, without a slash at the end.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every request so far, in order of arrival.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.log.requests.lock().unwrap().clone()
    }

    /// The last request so far.
    pub(crate) fn last(&self) -> Request {
        self.requests().pop().expect("at least one request")
    }

    /// Whether these bytes ever arrived, in any request, whole or not.
    pub(crate) fn saw(&self, needle: &str) -> bool {
        self.log.bytes.lock().unwrap().iter().any(|bytes| find(bytes, needle.as_bytes()).is_some())
    }

    /// Every byte that arrived, one entry per connection.
    pub(crate) fn bytes(&self) -> Vec<Vec<u8>> {
        self.log.bytes.lock().unwrap().clone()
    }

    /// How many connections were accepted so far.
    pub(crate) fn connections(&self) -> usize {
        self.log.bytes.lock().unwrap().len()
    }

    /// How many connections are open now.
    pub(crate) fn open_connections(&self) -> usize {
        *self.log.open.lock().unwrap()
    }

    /// Waits until `n` requests have arrived and gives the `n`th (counted from 1).
    pub(crate) async fn wait_for_request(&self, n: usize) -> Request {
        self.wait(&format!("request {n}"), |up| up.log.requests.lock().unwrap().get(n - 1).cloned()).await
    }

    /// Waits until no more than `n` connections are open.
    pub(crate) async fn wait_for_open_connections(&self, n: usize) {
        self.wait(&format!("{n} open connections"), |up| (up.open_connections() <= n).then_some(())).await;
    }

    async fn wait<T>(&self, what: &str, mut look: impl FnMut(&Self) -> Option<T>) -> T {
        let mut changed = self.changed.clone();
        let wait = async {
            loop {
                if let Some(found) = look(self) {
                    return found;
                }
                changed.changed().await.expect("the upstream is running");
            }
        };
        timeout(DEADLINE, wait).await.unwrap_or_else(|_| panic!("the upstream waited in vain for {what}"))
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.accepting.abort();
        super::secrets::verify();
    }
}

struct Connection {
    number: usize,
    log: Arc<Log>,
    notify: Arc<watch::Sender<()>>,
}

impl Connection {
    async fn serve(&self, stream: TcpStream, when: When, handler: &Handler) {
        let mut reader = Reader::new(Recording { stream, connection: self });
        // A proxy may hang up at any moment; the log has what arrived until then.
        while self.one(&mut reader, when, handler).await.unwrap_or(false) {}
    }

    /// One request and its answer; `false` when the connection is done.
    async fn one(
        &self,
        reader: &mut Reader<Recording<'_>>,
        when: When,
        handler: &Handler,
    ) -> io::Result<bool> {
        let mut request = Request { connection: self.number, ..Request::default() };
        if when == When::FirstByte {
            if reader.buffer.is_empty() && !reader.fill().await? {
                return Ok(false);
            }
            let answer = handler(&request);
            // Record the request before a step that may never end.
            let early = first_write(&answer);
            reader.stream.stream.write_all(early).await?;
            if !self.read_head(reader, &mut request).await? {
                return Ok(false);
            }
            self.record(request);
            return self.act(reader, answer, 1).await;
        }
        if !self.read_head(reader, &mut request).await? {
            return Ok(false);
        }
        if when == When::Head {
            self.record(request.clone());
            let alive = self.act(reader, handler(&request), 0).await?;
            reader.body(request.head.request_framing()).await?;
            return Ok(alive);
        }
        request.body = reader.body(request.head.request_framing()).await?.content;
        self.record(request.clone());
        self.act(reader, handler(&request), 0).await
    }

    async fn read_head(&self, reader: &mut Reader<Recording<'_>>, request: &mut Request) -> io::Result<bool> {
        let Some(head) = reader.head().await? else { return Ok(false) };
        request.head = head;
        Ok(true)
    }

    fn record(&self, request: Request) {
        self.log.requests.lock().unwrap().push(request);
        let _seen_by_nobody = self.notify.send(());
    }

    async fn act(&self, reader: &mut Reader<Recording<'_>>, answer: Answer, skip: usize) -> io::Result<bool> {
        for step in answer.steps.into_iter().skip(skip) {
            match step {
                Step::Write(bytes) => reader.stream.stream.write_all(&bytes).await?,
                Step::Wait(gate) => gate.pass().await,
                Step::Hang => {
                    reader.body(Framing::UntilClose).await?;
                    return Ok(false);
                }
                Step::Close => return Ok(false),
                Step::Echo => loop {
                    let bytes = std::mem::take(&mut reader.buffer);
                    reader.stream.stream.write_all(&bytes).await?;
                    if !reader.fill().await? {
                        return Ok(false);
                    }
                },
            }
        }
        Ok(true)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        *self.log.open.lock().unwrap() -= 1;
        let _seen_by_nobody = self.notify.send(());
    }
}

fn first_write(answer: &Answer) -> &[u8] {
    match answer.steps.first() {
        Some(Step::Write(bytes)) => bytes,
        _ => panic!("an answer on the first byte starts with bytes"),
    }
}

/// A stream that writes down what is read from it.
struct Recording<'a> {
    stream: TcpStream,
    connection: &'a Connection,
}

impl tokio::io::AsyncRead for Recording<'_> {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
        buffer: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let outcome = std::pin::Pin::new(&mut self.stream).poll_read(context, buffer);
        let fresh = &buffer.filled()[before..];
        self.connection.log.bytes.lock().unwrap()[self.connection.number].extend_from_slice(fresh);
        outcome
    }
}

mod tests {
    use std::time::Duration;

    use super::super::raw::{RawClient, exchange, try_exchange};
    use super::*;

    #[tokio::test]
    async fn what_is_sent_is_what_is_recorded_and_what_is_scripted_is_what_arrives() {
        let sent = "POST /a%2Fb?q HTTP/1.1\r\nhOsT: x\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 3\r\n\r\nabc";
        let answer =
            "HTTP/1.1 203 Odd\r\nsEt-Cookie: a=1; Path=/\r\nset-cookie: b=2\r\nContent-Length: 2\r\n\r\nhi";
        let upstream = Upstream::answering(Answer::raw(answer)).await;
        let response = exchange(upstream.address(), sent).await;
        assert_eq!(response.status, 203);
        assert_eq!([&response.head.raw[..], &response.body].concat(), answer.as_bytes());
        assert_eq!(response.head.headers[0].0, "sEt-Cookie");
        assert_eq!(response.cookies(), ["a=1", "b=2"]);
        assert_eq!(upstream.bytes(), [sent.as_bytes()]);
        let request = upstream.wait_for_request(1).await;
        assert_eq!(
            (request.method(), request.target(), &request.body[..]),
            ("POST", "/a%2Fb?q", &b"abc"[..])
        );
        assert_eq!(request.all("X-A"), ["1", "2"]);
        assert!(upstream.saw("x-a: 2\r\n") && !upstream.saw("x-b"));
    }

    #[tokio::test]
    async fn connections_are_kept_alive_and_counted() {
        let upstream = Upstream::scripted(vec![Answer::ok("one"), Answer::ok("two").then_close()]).await;
        let mut client = RawClient::connect(upstream.address()).await;
        // The second request waits in the socket while the first is answered.
        client.send("GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\n").await;
        assert_eq!(client.response().await.text(), "one");
        assert_eq!(client.response().await.text(), "two");
        assert_eq!(client.rest().await, b"");
        assert_eq!(exchange(upstream.address(), "GET /3 HTTP/1.1\r\n\r\n").await.text(), "two");
        assert_eq!(upstream.connections(), 2);
        assert_eq!(upstream.wait_for_request(3).await.connection, 1);
        upstream.wait_for_open_connections(0).await;
    }

    #[tokio::test]
    async fn chunks_head_and_interim_answers_are_framed() {
        let upstream = Upstream::with(|request| match request.target() {
            "/head" => Answer::raw("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"),
            "/interim" => Answer::raw("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n").then(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nTrailer: t\r\n\r\n",
            ),
            _ => Answer::raw("HTTP/1.1 200 OK\r\n\r\nuntil the end").then_close(),
        })
        .await;
        let mut client = RawClient::connect(upstream.address()).await;
        client.send("HEAD /head HTTP/1.1\r\n\r\n").await;
        assert!(client.response_to("HEAD").await.body.is_empty());
        client.send("GET /interim HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nxy\r\n0\r\n\r\n").await;
        assert_eq!(client.response().await.status, 103);
        let last = client.response().await;
        assert_eq!((last.text().as_str(), &last.raw_body[..4]), ("abc", &b"3\r\na"[..]));
        assert!(last.raw_body.ends_with(b"Trailer: t\r\n\r\n"));
        assert_eq!(upstream.last().body, b"xy");
        client.send("GET /close HTTP/1.1\r\n\r\n").await;
        assert_eq!(client.response().await.text(), "until the end");
    }

    #[tokio::test]
    async fn an_answer_can_wait_hang_close_and_echo() {
        let gate = Gate::new();
        let slow = Answer::raw("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab").then_wait(&gate).then("cd");
        let upstream = Upstream::answering(slow).await;
        let mut client = RawClient::connect(upstream.address()).await;
        client.send("GET / HTTP/1.1\r\n\r\n").await;
        client.head().await;
        assert_eq!(client.bytes(2).await, b"ab");
        assert!(client.silent_for(Duration::from_millis(50)).await);
        gate.open();
        assert_eq!(client.bytes(2).await, b"cd");

        let closing = Upstream::answering(Answer::default().then_close()).await;
        let error = try_exchange(closing.address(), "GET / HTTP/1.1\r\n\r\n").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionAborted);

        let switching = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n";
        let echo = Answer::raw(switching).then_echo();
        let upstream = Upstream::start_with(When::FirstByte, move |_| echo.clone()).await;
        let mut client = RawClient::connect(upstream.address()).await;
        client.send("GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n").await;
        assert_eq!(client.response().await.status, 101);
        client.send("ping").await;
        assert_eq!(client.until("ng").await, b"ping");
        assert_eq!(upstream.wait_for_request(1).await.header("upgrade"), Some("x"));
        drop(upstream);
        assert_eq!(client.rest().await, b"");
    }

    #[tokio::test]
    async fn an_answer_can_come_before_the_body() {
        let early = "HTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n";
        let upstream = Upstream::start_with(When::Head, move |_| Answer::raw(early)).await;
        let mut client = RawClient::connect(upstream.address()).await;
        client.send("POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n").await;
        assert_eq!(client.response().await.status, 413);
        client.send("12345GET /next HTTP/1.1\r\n\r\n").await;
        assert_eq!(client.response().await.status, 413);
        assert_eq!(upstream.last().target(), "/next");
    }
}
