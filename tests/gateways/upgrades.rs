//! Which protocol can a client switch the app to? WebSocket. Whoever speaks h2c (RFC 7540 section 3.2) to the app through
//! a tunnel sends it further requests that no gateway sees and nobody is asked about.

use super::super::support::http1::Head;
use super::world::{Program, World};

const KEY: (&str, &str) = ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
const SETTINGS: (&str, &str) = ("HTTP2-Settings", "AAMAAABkAARAAAAAAAIAAAAA");

/// Whatever the client writes, the app is asked for a WebSocket or for no other protocol at all.
pub(super) async fn only_web_sockets(world: &World) {
    let session = world.session().await;
    let host = world.site.host();
    let mut sockets = 0;
    for upgrades in [
        &["h2c"][..],
        &["h2c", "websocket"],
        &["websocket", "h2c"],
        &["websocket, h2c"],
        &["h2c, websocket"],
        &["H2C", "WebSocket"],
        &["foo"],
        &["foo", "websocket"],
        &["websocket"],
    ] {
        for connection in ["Upgrade, HTTP2-Settings", "Upgrade"] {
            for (target, cookie) in [("/public/socket", "a=1"), ("/socket", session.as_str())] {
                let mut headers = vec![
                    ("Cookie", cookie),
                    ("Connection", connection),
                    KEY,
                    ("Sec-WebSocket-Version", "13"),
                ];
                headers.push(SETTINGS);
                headers.extend(upgrades.iter().map(|protocol| ("Upgrade", *protocol)));
                let reached = world.reached();
                let mut client = world.connect("GET", target, &host, &headers).await;
                let answer = client.head().await;
                if world.reached() == reached {
                    let refused = answer.start_line.starts_with("HTTP/1.1 4");
                    assert!(refused, "{upgrades:?} {target}: {answer:?}");
                    continue;
                }
                let seen = world.seen().head;
                let (asked, told) = (seen.all("upgrade"), String::from_utf8_lossy(&seen.raw).to_lowercase());
                let clean = !told.contains("h2c") && !told.contains("http2-settings");
                assert!(clean, "{:?} {upgrades:?} {connection} {target}:\n{told}", world.program);
                let web_socket = asked.len() == 1 && asked[0].eq_ignore_ascii_case("websocket");
                if world.program == Program::Traefik && upgrades[0] == "foo" {
                    // It has no setting for this: other protocols than h2c are the app's to refuse.
                    continue;
                }
                assert!(asked.is_empty() || web_socket, "{:?} {upgrades:?}:\n{told}", world.program);
                sockets += usize::from(web_socket && is_switch(&answer));
            }
        }
    }
    assert!(sockets >= 2, "and WebSockets do pass: {sockets}");
}

fn is_switch(answer: &Head) -> bool {
    answer.start_line.starts_with("HTTP/1.1 101")
}
