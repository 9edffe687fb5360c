//! What if another server answers at Anteroom's address, as after a restart that went wrong? It says yes to everything,
//! and names nobody.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

use super::super::support::gateway::nobody_at;
use super::world::World;

/// An answer that lacks Anteroom's assertion is no pass.
pub(super) async fn is_not_obeyed(mut world: World) {
    let session = world.session().await;
    assert_eq!(world.ask("GET", "/x", &[("Cookie", &session)]).await.status, 200, "while Anteroom is up");
    world.site.stopped().await;
    let stranger = Stranger::on(nobody_at(world.site.address()).await.listen(16).unwrap());
    let reached = world.reached();
    for _ in 0..3 {
        for (target, cookie) in [("/x", session.as_str()), ("/x", "a=1"), ("/public/x", "a=1")] {
            world.ask("GET", target, &[("Cookie", cookie), ("X-Anteroom-Assertion", "a.b.c")]).await;
        }
    }
    assert!(stranger.asked.load(Ordering::Relaxed) >= 2, "it was asked");
    let obeyed = world.reached() > reached;
    assert_eq!(
        obeyed,
        !world.program.sees_who_answers(),
        "{:?}: does anything reach the app?",
        world.program
    );
}

/// Answers 200 and 204 by turns.
struct Stranger {
    asked: Arc<AtomicUsize>,
    serving: AbortHandle,
}

impl Stranger {
    fn on(listener: TcpListener) -> Self {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(say_yes(stream, Arc::clone(&count)));
            }
        });
        Self { asked, serving: serving.abort_handle() }
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn say_yes(mut stream: TcpStream, asked: Arc<AtomicUsize>) {
    let mut head = Vec::new();
    while !head.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
        let Ok(1..) = stream.read_buf(&mut head).await else { return };
    }
    let yes = match asked.fetch_add(1, Ordering::Relaxed) % 2 {
        0 => "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
        _ => "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n",
    };
    let _hung_up = stream.write_all(yes.as_bytes()).await;
}
