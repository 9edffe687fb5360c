//! Do clients and servers that other people wrote get along with the proxy? gRPC's own library and tonic, Python's
//! `websockets`, and curl; in the clear and over TLS.

mod curl;
mod grpc;
mod grpc_tonic;
mod websockets;

use std::path::PathBuf;
use std::time::Duration;

use anteroom::proxy::settings::Tls;

use super::certificates::{Authority, Secure};
use super::rig::{Plan, Rig};

/// How soon what is open ends with its session.
const PROMISED: Duration = Duration::from_millis(2500);
/// What certificates carry and requests ask for.
const NAME: &str = "app.example";

/// A proxy that speaks both versions of HTTP, perhaps over TLS.
struct Front {
    rig: Rig,
    authority: Option<Authority>,
}

impl Front {
    async fn start(mut plan: Plan, tls: bool) -> Self {
        plan.settings.entrance.http2 = true;
        let authority = tls.then(Authority::new);
        plan.settings.entrance.tls = authority.as_ref().map(|authority| Tls {
            certificates: vec![authority.issue("site", &[NAME]).files],
            only_tls13: false,
            clients: None,
        });
        Self { rig: Rig::start(plan).await, authority }
    }

    /// Whom clients must trust.
    fn ca(&self) -> Option<PathBuf> {
        self.authority.as_ref().map(Authority::ca_file)
    }

    /// Signs Ada out with the form, as people do.
    async fn sign_out(&self) {
        let Some(authority) = &self.authority else { return self.rig.sign_out(&self.rig.cookie).await };
        let connector = authority.client().connector();
        let mut client = Secure::connect(&connector, self.rig.address, NAME).await.unwrap();
        let (_, page) = client.ask(&self.rig.signed_in("GET /_anteroom/sign-out", "")).await.unwrap();
        let csrf = page.split("name=\"csrf\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
        let body = format!("csrf={}", csrf.unwrap());
        let headers =
            format!("Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n", body.len());
        let post = self.rig.signed_in("POST /_anteroom/sign-out", &headers) + body.as_str();
        let (head, _) = client.ask(&post).await.unwrap();
        assert!(head.start_line.contains(" 303 "), "{}", head.start_line);
    }
}
