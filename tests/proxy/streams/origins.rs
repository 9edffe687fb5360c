//! A page of another site opens no WebSocket here, and the upstream never hears of it.

use anteroom::proxy::settings::WebSocketOrigins;

use crate::proxy::rig::{Rig, plan};
use crate::support::raw::exchange;
use crate::support::upstream::Upstream;

const HANDSHAKE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

#[tokio::test]
async fn table() {
    let listed = WebSocketOrigins::OwnAnd(vec!["https://friend.example".into()]);
    for (origins, own, friend, stranger) in [
        (WebSocketOrigins::Own, 200, 403, 403),
        (listed, 200, 200, 403),
        (WebSocketOrigins::Any, 200, 200, 200),
    ] {
        let upstream = Upstream::start().await;
        let mut plan = plan(upstream.address());
        plan.settings.websocket_origins = origins.clone();
        let rig = Rig::start(plan).await;
        let mut passed = 0;
        for (lines, want) in [
            ("", 200),
            ("Origin: https://app.example\r\n", own),
            ("Origin: https://friend.example\r\n", friend),
            ("Origin: https://evil.example\r\n", stranger),
            ("Origin: https://app.example.evil.example\r\n", stranger),
            ("Origin: http://app.example\r\n", stranger),
            ("Origin: null\r\n", stranger),
            ("Origin: https://app.example\r\norigin: https://evil.example\r\n", stranger),
        ] {
            for target in ["GET /ws", "GET /public/ws"] {
                let request = rig.signed_in(target, &format!("{HANDSHAKE}{lines}"));
                let response = exchange(rig.address, request).await;
                assert_eq!(response.status, want, "{origins:?} {target} {lines}");
                assert_eq!(response.text().contains("WebSocket"), want == 403);
                passed += usize::from(want == 200);
            }
        }
        assert_eq!(upstream.requests().len(), passed);
    }
}

/// Nobody learns from another page's handshake whether somebody is signed in.
#[tokio::test]
async fn signed_in_or_not_the_answer_is_the_same() {
    let upstream = Upstream::start().await;
    let rig = Rig::in_front_of(upstream.address()).await;
    let foreign = format!("{HANDSHAKE}Origin: https://evil.example\r\n");
    let without = format!("GET /ws HTTP/1.1\r\nHost: app.example\r\n{foreign}\r\n");
    let [with, without] = [
        exchange(rig.address, rig.signed_in("GET /ws", &foreign)).await,
        exchange(rig.address, without).await,
    ];
    assert_eq!((with.status, with.text()), (without.status, without.text()));
    // An ordinary request of that page is another matter: the app decides.
    assert_eq!(rig.get("/", "Origin: https://evil.example\r\n").await.status, 200);
}
