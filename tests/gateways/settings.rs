//! Lines of a gateway's configuration that nobody misses until somebody is attacked: what each of them is there for.

use super::world::{Program, World};

/// What the client says of where it comes from is not what the app reads; what it says of names to drop neither.
pub(super) async fn hold(world: &World) {
    hearsay(world).await;
    underscores(world).await;
    two_cookie_lines(world).await;
}

async fn hearsay(world: &World) {
    let (program, host) = (world.program, world.site.host());
    // Envoy answers 400 to a client that names a header of the proxy's own there.
    let envoy = matches!(program, Program::Envoy | Program::EnvoyGrpc);
    let dropped =
        if envoy { "X-Anteroom-Email, X-Dropped" } else { "X-Real-IP, X-Forwarded-For, X-Anteroom-Email" };
    let answer = world
        .ask(
            "GET",
            "/public/x",
            &[
                ("Forwarded", "for=198.51.100.9;host=elsewhere.example;proto=gopher"),
                ("X-Forwarded-For", "198.51.100.9"),
                ("X-Forwarded-Host", "elsewhere.example"),
                ("X-Forwarded-Port", "66600"),
                ("X-Forwarded-Proto", "gopher"),
                ("X-Real-IP", "198.51.100.9"),
                ("Connection", dropped),
                ("X-Dropped", "1"),
            ],
        )
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let seen = world.seen();
    let told = String::from_utf8_lossy(&seen.head.raw);
    for forged in ["198.51.100.9", "elsewhere.example", "66600", "gopher"] {
        assert!(!told.contains(forged), "{program:?}: {forged}\n{told}");
    }
    let connection = seen.all("Connection").join(", ").to_lowercase();
    assert!(!connection.contains("x-"), "{program:?}: an app or a proxy behind would obey\n{told}");
    assert_eq!(seen.all("X-Forwarded-Proto"), ["http"], "{program:?}");
    if !envoy {
        assert_eq!(seen.all("X-Forwarded-For"), ["127.0.0.1"], "{program:?}");
        assert_eq!(seen.all("X-Forwarded-Host"), [host], "{program:?}");
    }
    let set = matches!(program, Program::Nginx | Program::NewNginx | Program::Traefik);
    assert_eq!(seen.header("X-Real-IP"), set.then_some("127.0.0.1"), "{program:?}");
}

/// A name of the app's own that nothing else removes.
async fn underscores(world: &World) {
    assert_eq!(world.ask("GET", "/public/x", &[("App_User", "evil")]).await.status, 200);
    let reads_it = world.seen().header("App_User").is_some();
    // HAProxy and Traefik know the names that matter, and leave others alone.
    assert!(!reads_it || matches!(world.program, Program::Haproxy | Program::Traefik), "{:?}", world.program);
}

/// No browser sends two lines in HTTP/1.1, but a proxy in front of the gateway may. Envoy over HTTP asks with one line, joined
/// by a comma, and so stays on the safe side.
async fn two_cookie_lines(world: &World) {
    let session = world.session().await;
    let answer = world.ask("GET", "/x", &[("Cookie", "theme=dark"), ("Cookie", &session)]).await;
    if world.program == Program::Envoy {
        assert_eq!(answer.status, 401);
        return;
    }
    assert_eq!(answer.status, 200, "{:?}", world.program);
    assert_eq!(world.seen().all("X-Anteroom-Email"), ["ada@example.com"]);
    assert!(world.seen().all("Cookie").join("; ").contains("theme=dark"));
}
