//! Tables of bad input: the code, the place, and that no secret is repeated (which every load here checks).

use super::{Case, broken};

#[test]
fn each_mistake_has_its_code_and_its_place() {
    let mut wrong = Vec::new();
    for (line, with, want) in [
        // Keys and types.
        ("client_id", "clientid = \"x\"", "config.unknown-key atlassian.clientid @anteroom.toml:3:1"),
        (
            "client_secret",
            "client_secrt = \"ATOA-hunter2-client-secret\"",
            "config.unknown-key atlassian.client_secrt @anteroom.toml:4:1",
        ),
        ("", "[atlasian]\nclient_id = \"x\"", "config.unknown-key atlasian @anteroom.toml:11:1"),
        ("", "zzz = 1", "config.unknown-key session.zzz @anteroom.toml:11:1"),
        ("client_id", "client_id = 5", "config.type atlassian.client_id @anteroom.toml:3:1"),
        (
            "client_secret",
            "client_secret = [\"ATOA-hunter2-client-secret\"]",
            "config.type atlassian.client_secret @anteroom.toml:4:1",
        ),
        ("client_secret", "client_secret = ATOA-hunter2-client-secret", "config.syntax  @anteroom.toml:4:17"),
        (
            "client_secret",
            "client_secret = \"ATOA-hunter2-client-secret",
            "config.syntax  @anteroom.toml:4:44",
        ),
        (
            "client_secret",
            "client_secret = \"x\"\nclient_secret = \"ATOA-hunter2-client-secret\"",
            "config.syntax  @anteroom.toml:5:1",
        ),
        // public_url
        (
            "public_url",
            "public_url = \"http://app.example.com\"",
            "config.public-url public_url @anteroom.toml:1:14",
        ),
        (
            "public_url",
            "public_url = \"https://app.example.com/x\"",
            "config.public-url public_url @anteroom.toml:1:14",
        ),
        (
            "public_url",
            "public_url = \"https://u:hunter2-password@app\"",
            "config.public-url public_url @anteroom.toml:1:1",
        ),
        (
            "public_url",
            "public_url = \"ATOA-hunter2-client-secret\"",
            "config.public-url public_url @anteroom.toml:1:14",
        ),
        ("public_url", "", "config.missing public_url @anteroom.toml"),
        // [atlassian]
        ("client_id", "", "config.missing atlassian.client_id @anteroom.toml"),
        (
            "client_id",
            "client_id = \"ATOA-hunter2-client-secret\"",
            "config.client-id-swapped atlassian.client_id @anteroom.toml:3:1",
        ),
        ("client_id", "client_id = \"a b\"", "config.client-id atlassian.client_id @anteroom.toml:3:1"),
        ("client_secret", "", "config.missing atlassian.client_secret @anteroom.toml"),
        ("client_secret", "client_secret = \"\"", "config.secret atlassian.client_secret @anteroom.toml:4:1"),
        (
            "client_secret",
            "client_secret = \"ATOA-hunter2-client-secret\\n\"",
            "config.secret atlassian.client_secret @anteroom.toml:4:1",
        ),
        (
            "client_secret",
            "client_secret = \" ATOA-hunter2-client-secret\"",
            "config.secret atlassian.client_secret @anteroom.toml:4:1",
        ),
        (
            "client_secret",
            "client_secret = \"ATOA\"\nclient_secret_file = \"x\"",
            "config.secret-twice atlassian.client_secret_file @anteroom.toml:5:1",
        ),
        (
            "client_secret",
            "client_secret_file = \"absent\"",
            "config.secret-file atlassian.client_secret_file @anteroom.toml:4:22",
        ),
        (
            "client_id",
            "client_id = \"x\"\nscopes = [\"read:jira-work\", \"openid\"]",
            "config.scope atlassian.scopes[1] @anteroom.toml:4:29",
        ),
        (
            "client_id",
            "client_id = \"x\"\nscopes = [\"profile:me\"]",
            "config.scope atlassian.scopes[0] @anteroom.toml:4:11",
        ),
        (
            "client_id",
            "client_id = \"x\"\nscopes = [\"read:me,read:jira-user\"]",
            "config.scope atlassian.scopes[0] @anteroom.toml:4:11",
        ),
        (
            "client_id",
            "client_id = \"x\"\nscopes = [\"read:me read:jira-user\"]",
            "config.scope atlassian.scopes[0] @anteroom.toml:4:11",
        ),
        (
            "client_id",
            "client_id = \"x\"\nscopes = [\"offline_access\"]",
            "config.scope atlassian.scopes[0] @anteroom.toml:4:11",
        ),
        (
            "client_id",
            "client_id = \"x\"\nprompt = \"consnt\"",
            "config.choice atlassian.prompt @anteroom.toml:4:10",
        ),
        (
            "client_id",
            "client_id = \"x\"\nauth_url = \"http://auth.example\"",
            "config.atlassian-url atlassian.auth_url @anteroom.toml:4:12",
        ),
        (
            "client_id",
            "client_id = \"x\"\nauth_url = \"https://auth.example/x\"",
            "config.atlassian-url atlassian.auth_url @anteroom.toml:4:12",
        ),
        (
            "client_id",
            "client_id = \"x\"\nhttps_proxy = \"https://proxy.example:3128\"",
            "config.https-proxy atlassian.https_proxy @anteroom.toml:4:15",
        ),
        (
            "client_id",
            "client_id = \"x\"\nhttps_proxy = \"http://me:word@proxy.example:3128\"",
            "config.https-proxy atlassian.https_proxy @anteroom.toml:4:1",
        ),
        (
            "client_id",
            "client_id = \"x\"\nhttps_proxy = \"http://me@proxy.example:3128\"",
            "config.https-proxy atlassian.https_proxy @anteroom.toml:4:1",
        ),
        (
            "client_id",
            "client_id = \"x\"\nhttps_proxy = \"http://:word@proxy.example:3128\"",
            "config.https-proxy atlassian.https_proxy @anteroom.toml:4:1",
        ),
        (
            "client_id",
            "client_id = \"x\"\nhttps_proxy = \"http://me:word%40proxy.example:3128\"",
            "config.https-proxy atlassian.https_proxy @anteroom.toml:4:1",
        ),
        (
            "client_id",
            "client_id = \"x\"\nhttps_proxy = \"http:proxy.example:3128\"",
            "config.https-proxy atlassian.https_proxy @anteroom.toml:4:15",
        ),
        (
            "client_id",
            "client_id = \"x\"\nhttps_proxy = \"http://proxy.example:0\"",
            "config.https-proxy atlassian.https_proxy @anteroom.toml:4:15",
        ),
        (
            "client_id",
            "client_id = \"x\"\ncallback_path = \"/_anteroom/cb\"",
            "config.callback-path atlassian.callback_path @anteroom.toml:4:17",
        ),
        (
            "client_id",
            "client_id = \"x\"\ncallback_path = \"/a/../b\"",
            "config.callback-path atlassian.callback_path @anteroom.toml:4:17",
        ),
        (
            "client_id",
            "client_id = \"x\"\ntimeout = \"10\"",
            "config.duration atlassian.timeout @anteroom.toml:4:11",
        ),
        (
            "client_id",
            "client_id = \"x\"\ntimeout = \"1h\"",
            "config.duration atlassian.timeout @anteroom.toml:4:11",
        ),
        // [proxy]
        ("upstream", "", "config.missing proxy.upstream @anteroom.toml"),
        (
            "upstream",
            "upstream = \"http://u:hunter2-password@app\"",
            "config.upstream proxy.upstream @anteroom.toml:6:1",
        ),
        ("upstream", "upstream = \"http://app/base\"", "config.upstream proxy.upstream @anteroom.toml:6:12"),
        (
            "upstream",
            "upstream = \"http://localhost:4180\"",
            "config.upstream-loop proxy.upstream @anteroom.toml:6:12",
        ),
        (
            "upstream",
            "upstream = \"http://app\"\nlisten = \"nowhere\"",
            "config.address proxy.listen @anteroom.toml:7:10",
        ),
        (
            "upstream",
            "upstream = \"http://app\"\nlisten = \"0.0.0.0:4181\"",
            "config.listeners ops.listen @anteroom.toml",
        ),
        (
            "upstream",
            "upstream = \"http://app\"\nlimits.header_count = 1",
            "config.limit proxy.limits.header_count @anteroom.toml:7:23",
        ),
        (
            "upstream",
            "upstream = \"http://app\"\nupstream_ca_file = \"absent.pem\"",
            "config.unreadable-file proxy.upstream_ca_file @anteroom.toml:7:20",
        ),
        // [access]
        ("email_domains", "", "config.access-empty access @anteroom.toml:7:1"),
        (
            "email_domains",
            "email_domains = [\"example.com\", \"*\"]",
            "config.access-domain access.email_domains[1] @anteroom.toml:8:33",
        ),
        (
            "email_domains",
            "email_domains = [\"*.example.com\"]",
            "config.access-domain access.email_domains[0] @anteroom.toml:8:18",
        ),
        (
            "email_domains",
            "email_domains = [\"@example.com\"]",
            "config.access-domain access.email_domains[0] @anteroom.toml:8:18",
        ),
        (
            "email_domains",
            "email_domains = [\"localhost\"]",
            "config.access-rule access.email_domains[0] @anteroom.toml:8:18",
        ),
        (
            "email_domains",
            "emails = [\"example.com\"]",
            "config.access-rule access.emails[0] @anteroom.toml:8:11",
        ),
        (
            "email_domains",
            "account_ids = [\"a b\"]",
            "config.access-rule access.account_ids[0] @anteroom.toml:8:16",
        ),
        (
            "email_domains",
            "email_domains = \"example.com\"",
            "config.type access.email_domains @anteroom.toml:8:1",
        ),
        // [[routes]]
        ("", "[[routes]]\naccess = \"public\"", "config.route-path routes[0] @anteroom.toml:11:1"),
        (
            "",
            "[[routes]]\npath = \"/a\"\nglob = \"/b\"\naccess = \"public\"",
            "config.route-path routes[0] @anteroom.toml:11:1",
        ),
        ("", "[[routes]]\npath = \"/a\"", "config.route-access routes[0].access @anteroom.toml:11:1"),
        (
            "",
            "[[routes]]\npath = \"a\"\naccess = \"deny\"",
            "config.route-pattern routes[0].path @anteroom.toml:12:8",
        ),
        (
            "",
            "[[routes]]\nglob = \"/[a\"\naccess = \"deny\"",
            "config.route-pattern routes[0].glob @anteroom.toml:12:8",
        ),
        (
            "",
            "[[routes]]\npath = \"/a\"\nmethods = [\"GET\", \"post\"]\naccess = \"deny\"",
            "config.route-method routes[0].methods[1] @anteroom.toml:13:19",
        ),
        (
            "",
            "[[routes]]\npath = \"/a\"\naccess = \"open\"",
            "config.choice routes[0].access @anteroom.toml:13:10",
        ),
        // [headers]
        (
            "",
            "[headers.names]\nemail = [\"Cookie\"]",
            "config.header-name headers.names.email[0] @anteroom.toml:12:10",
        ),
        (
            "",
            "[headers.names]\nemail = [\"Content_Length\"]",
            "config.header-name headers.names.email[0] @anteroom.toml:12:10",
        ),
        (
            "",
            "[headers.names]\nemail = [\"X-Anteroom-Email\"]",
            "config.header-name headers.names.email[0] @anteroom.toml:12:10",
        ),
        (
            "",
            "[headers.names]\nemail = [\"X-A\"]\nname = [\"x_a\"]",
            "config.header-name headers.names.name[0] @anteroom.toml:13:9",
        ),
        (
            "",
            "[headers]\npresets = [\"remote\"]\nnames.email = [\"Remote-User\"]",
            "config.header-name headers.names.email[0] @anteroom.toml:13:16",
        ),
        (
            "",
            "[headers]\npresets = [\"anteroom\", \"remotes\"]",
            "config.choice headers.presets[1] @anteroom.toml:12:24",
        ),
        ("", "[headers]\naudience = \"\"", "config.assertion-audience headers.audience @anteroom.toml:12:1"),
        // [session]
        ("secret", "", "config.missing session.secret @anteroom.toml"),
        (
            "secret",
            "secret = \"hunter2-password\"",
            "config.session-secret-weak session.secret @anteroom.toml:10:1",
        ),
        (
            "secret",
            "secret = [\"hunter2-session-secret-0123456789-abcdef\", \"hunter2-password\"]",
            "config.session-secret-weak session.secret[1] @anteroom.toml:10:55",
        ),
        (
            "secret",
            "secret = \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"",
            "config.session-secret-weak session.secret @anteroom.toml:10:1",
        ),
        ("", "secret_file = \"x\"", "config.secret-twice session.secret_file @anteroom.toml:11:1"),
        ("", "idle_timeout = \"8d\"", "config.session-lifetime session.max_lifetime @anteroom.toml"),
        ("", "max_lifetime = \"91d\"", "config.duration session.max_lifetime @anteroom.toml:11:16"),
        ("", "idle_timeout = \"1s\"", "config.session-lifetime session.idle_timeout @anteroom.toml:11:16"),
        // [pages], [store]
        ("", "[pages]\nsuccess = \"//evil.example\"", "config.landing pages.success @anteroom.toml:12:11"),
        (
            "",
            "[pages]\nsuccess = \"http://other.example\"",
            "config.landing pages.success @anteroom.toml:12:11",
        ),
        (
            "",
            "[pages]\nsuccess = \"https://app.example.com/x\"",
            "config.landing pages.success @anteroom.toml:12:11",
        ),
        ("", "[pages]\nerror = \"/failed?why=x\"", "config.error-page-loop pages.error @anteroom.toml:12:9"),
        (
            "",
            "[pages.branding]\ncolour = \"red\"",
            "config.colour pages.branding.colour @anteroom.toml:12:10",
        ),
        ("", "[pages.branding]\nname = \"a\\nb\"", "config.text pages.branding.name @anteroom.toml:12:8"),
        (
            "",
            "[store]\nurl = \"redis://:hunter2-password@redis\"",
            "config.not-built-yet store.url @anteroom.toml:12:1",
        ),
        ("", "[store]\nurl = \"accounts.redb\"", "config.store store.url @anteroom.toml:12:1"),
        ("", "[store]\nurl = \"file://host/accounts.redb\"", "config.store store.url @anteroom.toml:12:1"),
    ] {
        let got = Case::new(&broken(line, with)).mistakes();
        if got != [want] {
            wrong.push(format!("{with}\n   got {got:?}\n  want {want:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn all_mistakes_are_reported_at_once() {
    let case = Case::new(
        r#"public_url = "http://app.example.com"
[atlassian]
client_id = 7
client_secret = "ATOA-hunter2-client-secret "
scopes = ["openid", "read:jira-work"]
[proxy]
upstream = "app:8080"
lisen = "127.0.0.1:1"
[[routes]]
path = "/x"
access = "publik"
[session]
secret = "hunter2-password"
"#,
    );
    let codes: Vec<String> =
        case.mistakes().iter().map(|m| m.split(' ').next().unwrap().to_owned()).collect();
    let want = [
        "config.public-url",
        "config.type",
        "config.secret",
        "config.scope",
        "config.upstream",
        "config.unknown-key",
        "config.choice",
        "config.session-secret-weak",
        "config.access-empty",
    ];
    assert_eq!(codes.len(), 9, "{codes:?}");
    want.iter().for_each(|code| assert!(codes.contains(&(*code).to_owned()), "{code} in {codes:?}"));
}
