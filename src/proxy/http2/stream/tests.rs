//! A stream that is told to end, on an HTTP/2 connection without sockets.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use h2::client::SendRequest;
use pingora::protocols::http::v2::server::{H2Accept, handshake};

use super::*;

struct Pair {
    exchange: Exchange,
    answer: h2::client::ResponseFuture,
    upload: h2::SendStream<Bytes>,
    _sender: SendRequest<Bytes>,
}

async fn pair() -> Pair {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let server = tokio::spawn(handshake(Box::new(far), None));
    let (mut sender, client) = h2::client::handshake(near).await.unwrap();
    tokio::spawn(client);
    let mut connection = server.await.unwrap().unwrap();
    let request = http::Request::post("http://app.example/").body(()).unwrap();
    let (answer, upload) = sender.send_request(request, false).unwrap();
    let accepted = HttpSession::from_h2_conn(&mut connection, Arc::new(Digest::default())).await;
    let Ok(Some(H2Accept::Session(session))) = accepted else { panic!("no stream") };
    tokio::spawn(async move { HttpSession::from_h2_conn(&mut connection, Arc::default()).await.is_ok() });
    let connection = Arc::new(Connection::new(Some(IpAddr::V4(Ipv4Addr::LOCALHOST))));
    let exchange = Exchange::new(session, connection, Arc::new(Resets::new(1))).unwrap();
    Pair { exchange, answer, upload, _sender: sender }
}

#[tokio::test]
async fn whoever_waits_for_the_client_hears_that_it_is_over_and_may_say_last_words() {
    for body_expected in [true, false] {
        let Pair { mut exchange, answer, upload, _sender } = pair().await;
        let watch = Arc::clone(&exchange.watch);
        let waiting = tokio::spawn(async move {
            let told = exchange.read_body_or_idle(!body_expected).await;
            (exchange, told)
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        watch.end();
        let (mut exchange, told) = waiting.await.unwrap();
        assert_eq!(told.unwrap_err().etype, ENDED);
        let header = Box::new(ResponseHeader::build(200, None).unwrap());
        exchange.write_response_header(header, false).await.unwrap();
        exchange.write_body("bye".into(), true).await.unwrap();
        let mut body = answer.await.unwrap().into_body();
        assert_eq!(body.data().await.unwrap().unwrap(), "bye");
        drop(upload);
    }
}

#[tokio::test]
async fn whoever_writes_to_a_client_that_takes_nothing_hears_it_too() {
    let Pair { mut exchange, answer, upload, _sender } = pair().await;
    let watch = Arc::clone(&exchange.watch);
    let header = Box::new(ResponseHeader::build(200, None).unwrap());
    exchange.write_response_header(header, false).await.unwrap();
    let writing =
        tokio::spawn(async move { exchange.write_body(Bytes::from(vec![b'x'; 1_000_000]), false).await });
    let unread = answer.await.unwrap();
    assert!(!writing.is_finished());
    watch.end();
    assert_eq!(writing.await.unwrap().unwrap_err().etype, ENDED);
    drop((unread, upload));
}

#[tokio::test]
async fn a_client_that_is_silent_is_not_waited_for() {
    let Pair { mut exchange, mut upload, answer: _answer, _sender } = pair().await;
    exchange.set_read_timeout(Some(Duration::from_millis(50)));
    upload.send_data("abc".into(), false).unwrap();
    assert_eq!(exchange.read_body_bytes().await.unwrap().unwrap(), "abc");
    assert_eq!(exchange.read_body_bytes().await.unwrap_err().etype, ErrorType::ReadTimedout);
}

#[tokio::test]
async fn only_what_the_client_resets_is_counted() {
    let Pair { mut exchange, mut upload, answer: _answer, _sender } = pair().await;
    let resets = Arc::clone(&exchange.resets);
    upload.send_reset(h2::Reason::CANCEL);
    assert!(exchange.read_body_or_idle(false).await.is_err());
    drop(exchange);
    assert_eq!(resets.counted(), 1);
    let Pair { mut exchange, answer: _answer, upload: _upload, _sender } = pair().await;
    let resets = Arc::clone(&exchange.resets);
    CustomSession::shutdown(&mut exchange, 0, "").await;
    drop(exchange);
    assert_eq!(resets.counted(), 0);
}
