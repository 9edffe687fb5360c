//! Which changes come in force at once, which need a restart, and what becomes of a configuration that is wrong?

use crate::support::person::Person;
use crate::support::upstream::{Answer, Upstream};

use super::load::Load;
use super::rig::{FIRST, GATEWAY, House, SECOND, count, says};

#[tokio::test]
async fn what_is_decided_changes_without_a_restart() {
    let house = House::new().await;
    let process = house.started().await;
    let (ada, stranger) = (house.ada().await, Person::new());
    let second = Upstream::answering(Answer::ok("two")).await;
    let hangs = Upstream::answering(Answer::default().then_hang()).await;
    let first = format!("http://{}", house.upstream.address());
    let two = format!("http://{}", second.address());
    let never = format!("http://{}", hangs.address());
    let body = async |path: &str| house.ask(&ada, path).await.text();

    assert_eq!(house.ask(&stranger, "/open").await.status, 200);
    house.change(&[("path = \"/open\"", "path = \"/elsewhere\"")]);
    house.hang_up(&process, "applied").await;
    assert_ne!(house.ask(&stranger, "/open").await.status, 200, "a route");
    assert_eq!(house.ask(&stranger, "/elsewhere").await.status, 200);

    let with_header = body("/").await;
    assert!(with_header.starts_with("one ") && !with_header.ends_with("nobody"), "{with_header}");
    house.change(&[("presets = [\"anteroom\"]", "presets = [\"remote\"]\nuser = \"email\"")]);
    house.hang_up(&process, "applied").await;
    assert_eq!(body("/").await, "one ada@example.com", "header presets");

    house.change(&[(&first, &two)]);
    house.hang_up(&process, "applied").await;
    assert_eq!(body("/").await, "two", "the upstream");

    house.change(&[(&first, &never), ("read = \"60s\"", "read = \"200ms\"")]);
    house.hang_up(&process, "applied").await;
    assert_eq!(house.ask(&ada, "/").await.status, 504, "a timeout");

    house.change(&[("First name", "Second name")]);
    house.hang_up(&process, "applied").await;
    let mut person = Person::new();
    let page = person.visit(&house.url("/_anteroom/sign-in")).await;
    assert!(page.body.contains("Second name") && !page.body.contains("First name"), "branding");

    assert_eq!(house.verify(&ada, GATEWAY).await, 200);
    house.change(&[(GATEWAY, SECOND)]);
    house.hang_up(&process, "applied").await;
    assert_eq!((house.verify(&ada, GATEWAY).await, house.verify(&ada, SECOND).await), (403, 200), "its key");
    house.change(&[("trusted_proxies = [\"127.0.0.1\"]", "trusted_proxies = [\"192.0.2.1\"]")]);
    house.hang_up(&process, "applied").await;
    assert_eq!(house.verify(&ada, GATEWAY).await, 403, "its trusted peers");

    house.change(&[("email_domains = [\"example.com\"]", "emails = [\"bob@example.com\"]")]);
    house.hang_up(&process, "applied").await;
    assert_ne!(house.ask(&ada, "/").await.status, 200, "a session that no rule admits any more");
    house.change(&[]);
    house.hang_up(&process, "applied").await;
    assert_eq!(house.ask(&ada, "/").await.status, 200, "it was refused, not ended");

    let said = process.output();
    for key in [
        "routes",
        "headers.presets, headers.user",
        "proxy.upstream",
        "forward_auth.key",
        "access.email_domains, access.emails",
    ] {
        assert!(said.contains(key), "{key} in\n{said}");
    }
    for value in ["Second name", "bob@example.com", SECOND, FIRST, GATEWAY] {
        assert!(!said.contains(value), "{value} was said:\n{said}");
    }
}

#[tokio::test]
async fn session_keys_come_and_go() {
    let house = House::new().await;
    let process = house.started().await;
    let (ada, mut gone) = (house.ada().await, house.ada().await);
    let ended = gone.clone();
    house.sign_out(&mut gone).await;
    house.write("session_secret", &format!("{SECOND}\n{FIRST}\n"));
    house.hang_up(&process, "applied").await;
    assert_ne!(house.ask(&ended, "/").await.status, 200, "what has ended stays ended");
    assert_eq!(house.ask(&ada, "/").await.status, 200, "sealed with the old key, opened with it");
    let later = house.ada().await;
    house.write("session_secret", SECOND);
    house.hang_up(&process, "applied").await;
    assert_ne!(house.ask(&ada, "/").await.status, 200, "its key is gone");
    assert_eq!(house.ask(&later, "/").await.status, 200, "sealed with the new key");
    let file = format!("content of {}", "session_secret");
    assert_eq!(count(&process, &file), 2, "{}", process.output());
}

#[tokio::test]
async fn nobody_gets_a_new_budget_of_sign_ins_with_a_new_configuration() {
    let house = House::new().await;
    let limit = ("[access]", "[access]\nsign_in_rate = 2");
    house.change(&[limit]);
    let process = house.started().await;
    let start = house.url("/_anteroom/start?return_to=%2F");
    let begin = async || Person::new().get(&start).await.status.as_u16();
    assert_eq!([begin().await, begin().await, begin().await], [302, 302, 429]);
    house.change(&[limit, ("First name", "Second name")]);
    house.hang_up(&process, "applied").await;
    assert_eq!(begin().await, 429);
}

#[tokio::test]
async fn a_client_secret_is_replaced() {
    let house = House::new().await;
    let right = std::fs::read_to_string(house.path("client_secret")).unwrap();
    house.write("client_secret", "not-the-right-secret-0123456789");
    let process = house.started().await;
    let mut person = Person::new();
    let page = person.visit(&house.url("/_anteroom/start?return_to=%2F")).await;
    assert!(page.status.is_server_error(), "{}", page.status);
    house.write("client_secret", &right);
    house.hang_up(&process, "applied").await;
    house.ada().await;
}

#[tokio::test]
async fn what_needs_a_restart_is_said_and_kept() {
    let house = House::new().await;
    let process = house.started().await;
    let ada = house.ada().await;
    let listen = format!("listen = \"{}\"", house.proxy);
    house.change(&[
        (&listen, "listen = \"127.0.0.1:1\""),
        ("data/accounts.redb", "data/others.redb"),
        ("shutdown_delay = \"0s\"", "shutdown_delay = \"1s\"\nlevel = \"debug\""),
        ("First name", "Second name"),
    ]);
    house.hang_up(&process, "applied").await;
    let line = says(&process, "needs a restart: kept as it was").await;
    assert!(line.contains("\"ops.level, ops.shutdown_delay, proxy.listen, store.url\""), "{line}");
    let line = says(&process, "is in force").await;
    assert!(line.contains("\"pages.branding.name\""), "{line}");
    assert_eq!(house.ask(&ada, "/").await.status, 200);
    assert!(!house.path("data/others.redb").exists());
    // Gone again: the gateways' table, and with it all of its settings.
    let toml = house.toml();
    let (start, end) = (toml.find("[forward_auth]").unwrap(), toml.find("[access]").unwrap());
    house.write("anteroom.toml", &format!("{}{}", &toml[..start], &toml[end..]));
    house.hang_up(&process, "applied").await;
    assert_eq!(house.verify(&ada, GATEWAY).await, 200, "there is a listener, so it answers");
    assert_eq!(count(&process, "needs a restart"), 2, "{}", process.output());
}

#[tokio::test]
async fn a_configuration_that_is_wrong_changes_nothing_and_is_said_once() {
    const SAID: &str = "cannot be put in force";
    let house = House::new().await;
    let process = house.started().await;
    let ada = house.ada().await;
    let load = Load::start(house.proxy, &house.cookie(&ada), |answer| answer.status == 200);
    let broken: [&[(&str, &str)]; 3] = [
        &[("presets = [\"anteroom\"]", "presets = [\"nonsense\"]"), ("email_domains", "email_domain")],
        &[("[access]", "[access")],
        &[("client_secret_file = \"client_secret\"", "client_secret_file = \"missing\"")],
    ];
    for (round, changes) in broken.iter().enumerate() {
        house.change(changes);
        house.hang_up(&process, "failed").await;
        assert_eq!(house.metric("anteroom_config_last_reload_successful").await, 0);
        let failed = house.reloads("failed").await;
        // The watch has seen the same change; it has nothing new to say.
        house.write("anteroom.toml", &std::fs::read_to_string(house.path("anteroom.toml")).unwrap());
        house.reloaded("failed", failed, &process).await;
        assert_eq!(count(&process, SAID), round + 1, "{}", process.output());
    }
    let said = process.output();
    for finding in ["nonsense", "access.email_domain", "config.syntax", "client_secret_file"] {
        assert!(said.contains(finding), "{finding} in\n{said}");
    }
    // What is missing arrives: nobody has to touch the file that names it.
    let failed = house.reloads("applied").await;
    house.write("missing", &std::fs::read_to_string(house.path("client_secret")).unwrap());
    house.reloaded("applied", failed, &process).await;
    assert_eq!(house.metric("anteroom_config_last_reload_successful").await, 1);
    house.ada().await;
    assert!(load.without_a_failure().await > 0);
}

#[tokio::test]
async fn a_configuration_that_fails_at_its_last_file_is_in_force_nowhere() {
    let house = House::new().await;
    let watched = ("reload = true", "reload = false");
    house.change(&[watched]);
    let process = house.started().await;
    let ada = house.ada().await;
    house.write("ca.pem", "no certificate\n");
    let short = format!("upstream = \"http://{}\"\n", house.upstream.address());
    let table = "[[proxy.upstreams]]\nservers = [\"https://127.0.0.1:9\"]\nserver_name = \"app.test\"\n\
                 ca_file = \"ca.pem\"\n[forward_auth]";
    let nobody = ("email_domains = [\"example.com\"]", "emails = [\"bob@example.com\"]");
    house.change(&[watched, (&short, ""), ("[forward_auth]", table), nobody]);
    house.hang_up(&process, "failed").await;
    assert_eq!(house.verify(&ada, GATEWAY).await, 200);
    assert_eq!(house.ask(&ada, "/").await.status, 200);
    // What is compared is what is in force, not what has failed.
    house.change(&[watched]);
    house.hang_up(&process, "unchanged").await;
    house.change(&[watched, nobody]);
    house.hang_up(&process, "applied").await;
    assert_ne!(house.verify(&ada, GATEWAY).await, 200);
}
