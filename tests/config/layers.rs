//! Which layer wins, profiles, aliases and secret files.

use std::os::unix::fs::PermissionsExt;

use anteroom::config::{Audience, Flag, Landing, LoadOptions, NewUserUntil, StoreUrl};
use anteroom::secret::ExposeSecret;
use http::Method;

use super::{Case, GOOD, broken};

const ID: &str = "fedcba98765432100123456789abcdef";

#[test]
fn later_layers_win() {
    let upstream = |case: &Case| case.good().proxy.unwrap().upstreams[0].to_string();
    assert_eq!(Case::new(GOOD).good().proxy.unwrap().listen.to_string(), "127.0.0.1:4180", "the default");
    let mut case = Case::new(GOOD);
    assert_eq!(upstream(&case), "http://127.0.0.1:8080", "the file");
    case = case
        .file("anteroom.toml", &format!("{GOOD}[staging.proxy]\nupstream = \"http://staging\"\n"))
        .profile("staging");
    assert_eq!(upstream(&case), "http://staging", "the profile");
    case = case.env(&[("ANTEROOM_PROXY__UPSTREAM", "http://environment")]);
    assert_eq!(upstream(&case), "http://environment", "the environment");
    case.options.flags =
        vec![Flag { name: "--upstream", key: "proxy.upstream", value: "http://flag".into() }];
    assert_eq!(upstream(&case), "http://flag", "the flag");
    case.options.flags = vec![Flag { name: "--upstream", key: "proxy.upstream", value: "flag".into() }];
    assert_eq!(case.mistakes(), ["config.upstream proxy.upstream @flag --upstream"]);
}

#[test]
fn everything_can_come_from_the_environment() {
    let case = Case::new("").env(&[
        ("ANTEROOM_PUBLIC_URL", "http://localhost:4180"),
        ("ANTEROOM_ATLASSIAN__CLIENT_ID", "00000000000000000000000000000042"),
        ("ANTEROOM_ATLASSIAN__CLIENT_SECRET", "12345\r\n"),
        ("ANTEROOM_ATLASSIAN__PKCE", "false"),
        ("ANTEROOM_ATLASSIAN__SCOPES", "read:jira-user, read:jira-work"),
        ("ANTEROOM_PROXY__UPSTREAM", "http://app:1"),
        ("ANTEROOM_PROXY__LIMITS__HEADER_COUNT", "50"),
        ("ANTEROOM_ACCESS__EMAILS", "[\"ada@example.com\"]"),
        ("ANTEROOM_ROUTES", "[{ path = \"/health\", access = \"public\" }]"),
        ("ANTEROOM_SESSION__SECRET", "hunter2-session-secret-0123456789-abcdef"),
        ("ANTEROOM_NEW_USER__UNTIL", "acknowledged"),
        ("ANTEROOM_PAGES__ERROR", "/health"),
        ("ANTEROOM_STORE__URL", ""),
        // What Kubernetes sets for a service of this name.
        ("ANTEROOM_PORT", "tcp://10.0.0.1:80"),
        ("ANTEROOM_PORT_80_TCP_ADDR", "10.0.0.1"),
        ("ANTEROOM_SERVICE_HOST", "10.0.0.1"),
    ]);
    let config = case.good();
    assert_eq!(config.atlassian.client_id, "00000000000000000000000000000042", "text stays text");
    assert_eq!(config.atlassian.client_secret.expose_secret(), "12345");
    assert_eq!(config.atlassian.scopes, ["read:me", "read:jira-user", "read:jira-work"]);
    assert!(!config.atlassian.pkce && config.proxy.as_ref().unwrap().limits.header_count == 50);
    assert_eq!(config.route_table.len(), 1);
    assert_eq!(config.new_user.until, NewUserUntil::Acknowledged);
    assert_eq!(config.pages.error.as_ref().map(Landing::as_str), Some("/health"));
    assert_eq!(config.store, StoreUrl::File(case.folder.path().join("anteroom-data/accounts.redb")));
    assert!(!config.public_url.secure());
}

#[test]
fn mistakes_in_the_environment_name_the_variable() {
    for (name, value, want) in [
        (
            "ANTEROOM_ATLASSIAN__CLIENT_SECRT",
            "hunter2-password",
            "config.unknown-variable atlassian.client_secrt",
        ),
        ("ANTEROOM_CLIENT_SECRET", "hunter2-password", "config.unknown-variable client_secret"),
        ("ANTEROOM_ATLASSIAN", "{}", "config.unknown-variable atlassian"),
        ("ANTEROOM_ATLASSIAN__PKCE", "hunter2-password", "config.type atlassian.pkce"),
        ("ANTEROOM_ATLASSIAN__CLIENT_SECRET", "hunter2\r\nx", "config.secret atlassian.client_secret"),
        ("ANTEROOM_ACCESS__EMAIL_DOMAINS", "a.com,*", "config.access-domain access.email_domains[1]"),
        ("ANTEROOM_ROUTES", "[{ path = \"/a\" }]", "config.route-access routes[0].access"),
        ("ANTEROOM_ROUTES", "oops", "config.type routes"),
        ("ANTEROOM_FORWARD_AUTH__LISSTEN", "x", "config.unknown-variable forward_auth.lissten"),
    ] {
        let want = format!("{want} @environment variable {name}");
        assert_eq!(Case::new(GOOD).env(&[(name, value)]).mistakes(), [want]);
    }
}

#[test]
fn the_callback_is_no_page_to_land_on() {
    let at = [("ANTEROOM_ATLASSIAN__CALLBACK_PATH", "/cb"), ("ANTEROOM_PAGES__SUCCESS", "/cb?x")];
    let want = "config.landing pages.success @environment variable ANTEROOM_PAGES__SUCCESS";
    assert_eq!(Case::new(GOOD).env(&at).mistakes(), [want]);
}

#[test]
fn the_provider_variables_are_aliases_below_our_own() {
    let bare = broken("client_secret", "").replace("client_id", "# client_id");
    let alias = ("PROVIDER_ATLASSIAN_CLIENT_ID", ID);
    let secret = ("PROVIDER_ATLASSIAN_CLIENT_SECRET", "ATOA-alias");
    let config = Case::new(&bare).env(&[alias, secret]).good();
    assert_eq!(
        (config.atlassian.client_id.as_str(), config.atlassian.client_secret.expose_secret()),
        (ID, "ATOA-alias")
    );
    assert_eq!(
        Case::new(GOOD).env(&[alias]).good().atlassian.client_id,
        ID,
        "the environment lies over the file"
    );
    let own = ("ANTEROOM_ATLASSIAN__CLIENT_ID", "00000000000000000000000000000042");
    assert_eq!(Case::new(GOOD).env(&[alias, own]).good().atlassian.client_id, own.1);
    let swapped = ("PROVIDER_ATLASSIAN_CLIENT_ID", "ATOA-hunter2-client-secret");
    let want =
        "config.client-id-swapped atlassian.client_id @environment variable PROVIDER_ATLASSIAN_CLIENT_ID";
    assert_eq!(Case::new(GOOD).env(&[swapped]).mistakes(), [want]);
}

#[test]
fn secrets_from_files() {
    let toml = broken("client_secret", "client_secret_file = \"secret\"");
    for (content, want) in [
        ("ATOA-x", Ok("ATOA-x")),
        ("ATOA-x\n", Ok("ATOA-x")),
        ("ATOA-x\r\n", Ok("ATOA-x")),
        ("", Err("config.secret")),
        ("ATOA-x\n\n", Err("config.secret")),
        ("ATOA-hunter2-client-secret\nATOA-x", Err("config.secret")),
        (" ATOA-hunter2-client-secret", Err("config.secret")),
    ] {
        let case = Case::new(&toml).file("secret", content);
        match want {
            Ok(secret) => assert_eq!(case.good().atlassian.client_secret.expose_secret(), secret),
            Err(code) => {
                assert_eq!(
                    case.mistakes(),
                    [format!("{code} atlassian.client_secret_file @anteroom.toml:4:1")]
                );
            }
        }
    }
    // One secret per line: the first seals.
    let toml = broken("secret", "secret_file = [\"new\", \"old\"]");
    let case = Case::new(&toml)
        .file("new", "new-session-secret-0123456789-abcdefgh\n")
        .file("old", "old-session-secret-0123456789-abcdefgh\n\nolder-session-secret-0123456789-abcdef\n");
    assert_eq!(format!("{:?}", case.good().session.keys), "KeyRing(3 keys)");
    let case = case.file("old", "hunter2-password\n");
    assert_eq!(case.mistakes(), ["config.session-secret-weak session.secret_file[1] @anteroom.toml:10:23"]);
}

#[test]
fn a_secret_file_that_everybody_can_read_is_a_warning() {
    let case =
        Case::new(&broken("client_secret", "client_secret_file = \"secret\"")).file("secret", "ATOA-x");
    let path = case.folder.path().join("secret");
    for (mode, want) in [(0o600, vec![]), (0o640, vec![]), (0o644, vec!["config.secret-file-open"])] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let (_, warnings) = case.load().unwrap();
        assert_eq!(warnings.iter().map(|w| w.code).collect::<Vec<_>>(), want, "{mode:o}");
    }
}

#[test]
fn a_higher_layer_replaces_a_secret_in_either_form() {
    let secret = |case: &Case| case.good().atlassian.client_secret.expose_secret().to_owned();
    let case = Case::new(GOOD).file("secret", "ATOA-from-file");
    let path = case.folder.path().join("secret").display().to_string();
    let case = case.env(&[("ANTEROOM_ATLASSIAN__CLIENT_SECRET_FILE", &path)]);
    assert_eq!(secret(&case), "ATOA-from-file");
    let case = Case::new(&broken("client_secret", "client_secret_file = \"absent\""))
        .env(&[("ANTEROOM_ATLASSIAN__CLIENT_SECRET", "ATOA-environment")]);
    assert_eq!(secret(&case), "ATOA-environment");
    let both =
        [("ANTEROOM_ATLASSIAN__CLIENT_SECRET", "ATOA-x"), ("ANTEROOM_ATLASSIAN__CLIENT_SECRET_FILE", "y")];
    let want = "config.secret-twice atlassian.client_secret_file @environment variable \
                ANTEROOM_ATLASSIAN__CLIENT_SECRET_FILE";
    assert_eq!(Case::new(GOOD).env(&both).mistakes(), [want]);
}

#[test]
fn profiles() {
    let toml = format!(
        "{GOOD}[production]\npublic_url = \"https://prod.example.com\"\n[production.atlassian]\nclient_id = \"{ID}\"\n\
         [staging.atlassian]\nclient_id = \"00000000000000000000000000000042\"\n"
    );
    let config = Case::new(&toml).profile("production").good();
    assert_eq!(
        (config.public_url.origin(), config.atlassian.client_id.as_str()),
        ("https://prod.example.com", ID)
    );
    assert_eq!(config.access.email_domains.len(), 1, "the rest is kept");
    assert_eq!(config.read_from.profile.as_deref(), Some("production"));
    let config = Case::new(&toml).env(&[("ANTEROOM_PROFILE", "staging")]).good();
    assert_eq!(config.atlassian.client_id, "00000000000000000000000000000042");
    assert_eq!(Case::new(&toml).good().atlassian.client_id, "0123456789abcdefghijABCDEFGHIJ01");

    let errors = Case::new(&toml).profile("prodction").load().map(|_| ()).unwrap_err();
    let text = errors.to_string();
    assert!(text.contains("production, staging") && text.contains("did you mean `production`?"), "{text}");
    // Mistakes in a profile that is not chosen show too, and at their own place.
    let wrong = format!("{toml}scops = []\n");
    let want = "config.unknown-key staging.atlassian.scops @anteroom.toml:17:1";
    assert_eq!(Case::new(&wrong).mistakes(), [want]);
    let wrong = format!("{toml}timeout = \"soon\"\n");
    let want = "config.duration atlassian.timeout @anteroom.toml:17:11";
    assert_eq!(Case::new(&wrong).profile("staging").mistakes(), [want]);
}

#[test]
fn the_file_is_found_or_named() {
    let case =
        Case::new(GOOD).file("other.toml", &broken("public_url", "public_url = \"https://other.example\""));
    let origin = |options: LoadOptions| {
        Case { options, folder: tempfile::tempdir().unwrap() }.good().public_url.origin().to_owned()
    };
    assert_eq!(origin(case.options.clone()), "https://app.example.com");
    let named = LoadOptions { config: Some("other.toml".into()), ..case.options.clone() };
    assert_eq!(origin(named), "https://other.example");
    let case = case.env(&[("ANTEROOM_CONFIG", "other.toml")]);
    assert_eq!(origin(case.options.clone()), "https://other.example");
    let case = case.env(&[("ANTEROOM_CONFIG", "absent.toml")]);
    assert_eq!(case.mistakes(), ["config.file  @absent.toml"]);
}

#[test]
fn routes_and_pages_mean_what_they_say() {
    let toml = format!(
        "{GOOD}[pages]\nerror = \"/failed\"\nsuccess = \"https://other.example/x\"\n\
         [[routes]]\npath = \"/failed\"\naccess = \"public\"\n[[routes]]\nprefix = \"/api\"\nmethods = [\"POST\"]\naccess = \"deny\"\n"
    );
    let config = Case::new(&toml).good();
    assert_eq!(config.pages.success.as_ref().map(Landing::as_str), Some("https://other.example/x"));
    assert_eq!(config.headers.assertion, Some(Audience::OfTheApp));
    let ask = |method, path| {
        config
            .routes
            .access(
                &method,
                Some(anteroom::gate::OriginId::CENTRAL),
                &anteroom::gate::CanonicalPath::parse(path).unwrap(),
            )
            .unwrap()
    };
    use anteroom::gate::Access::{Deny, Public, SignedIn};
    assert_eq!(
        (ask(Method::GET, "/failed"), ask(Method::POST, "/api/x"), ask(Method::GET, "/api/x")),
        (Public, Deny, SignedIn)
    );
}
