//! `/me`, the site list and the product gateway.

use anteroom::emulator::GrantKind;
use serde_json::{Value, json};

use super::support::{ADA, CLIENT, COMPILERS, ENGINES, approving, start, text};

#[tokio::test]
async fn me_has_the_documented_fields() {
    let world = approving().await;
    let token = world.access("read:me").await;
    let me = world.api("/me", &token).await.json();
    for (name, value) in [
        ("account_id", json!(ADA)),
        ("account_type", json!("atlassian")),
        ("account_status", json!("active")),
        ("email", json!("ada@example.com")),
        ("email_verified", json!(true)),
        ("name", json!("Ada Lovelace")),
        ("nickname", json!("ada")),
        ("zoneinfo", json!("Europe/London")),
    ] {
        assert_eq!(me[name], value, "{name}");
    }
    assert_eq!(me["extended_profile"]["job_title"], "Programmer");

    for target in
        ["/me", "/oauth/token/accessible-resources", &format!("/ex/jira/{ENGINES}/rest/api/3/myself")]
    {
        let missing = world.get(target).await;
        assert_eq!((missing.status, missing.json()), (401, json!({"code": 401, "message": "Unauthorized"})));
        assert_eq!(world.api(target, "made-up").await.status, 401);
    }
    let without = world.access("read:jira-user").await;
    let scope = json!({"code": 401, "message": "Unauthorized; scope does not match"});
    assert_eq!(world.api("/me", &without).await.json(), scope);
    world.emulator.set_switches(|switches| switches.me_scope_status = 403);
    assert_eq!(world.api("/me", &without).await.status, 403);
}

#[tokio::test]
async fn every_demo_account_shows_its_peculiarity() {
    let mut seen = Vec::new();
    for (subject, name, value) in [
        ("mallory@outside.example", "email", json!("mallory@outside.example")),
        ("nour@example.com", "name", json!("نور الهدى")),
        ("nour@example.com", "picture", Value::Null),
        ("casey@example.com", "account_type", json!("customer")),
        ("clara@example.com", "account_status", json!("closed")),
        ("557058:00e3a110-0000-4000-8000-000000000007", "email", Value::Null),
        ("uma@example.com", "email_verified", json!(false)),
        ("gus@example.com", "email_verified", Value::Null),
        ("robin@example.com", "name", json!("Robin\r\nX-Injected: yes")),
    ] {
        let world = start(Some(subject)).await;
        let token = world.access("read:me").await;
        let me = world.api("/me", &token).await.json();
        assert_eq!(me[name], value, "{subject}");
        seen.push(me["account_id"].clone());
        world.emulator.stop().await;
    }
    seen.dedup();
    assert_eq!(seen.len(), 8);
}

#[tokio::test]
async fn sites_are_listed_per_product() {
    let world = approving().await;
    let list = async |token: String| {
        let mut entries: Vec<(String, String)> =
            (world.api("/oauth/token/accessible-resources", &token).await.json())
                .as_array()
                .unwrap()
                .iter()
                .map(|entry| (text(entry, "id"), entry["scopes"].to_string()))
                .collect();
        entries.sort();
        entries
    };
    let pair = |id: &str, scope: &str| (id.to_owned(), format!("[\"{scope}\"]"));
    assert_eq!(list(world.access("read:me").await).await, []);
    assert_eq!(
        list(world.access("read:me read:jira-user read:confluence-user").await).await,
        [
            pair(ENGINES, "read:confluence-user"),
            pair(ENGINES, "read:jira-user"),
            pair(COMPILERS, "read:jira-user")
        ]
    );
    let token = world.access("read:jira-user").await;
    let orders: std::collections::BTreeSet<String> = {
        let mut orders = std::collections::BTreeSet::new();
        for _ in 0..20 {
            orders.insert(world.api("/oauth/token/accessible-resources", &token).await.body);
        }
        orders
    };
    assert_eq!(orders.len(), 2, "the order changes");
    world.emulator.set_switches(|switches| switches.resources_forbidden = true);
    let answer = world.api("/oauth/token/accessible-resources", &token).await;
    assert_eq!(answer.json(), json!({"code": 403, "message": "Unauthorized"}));
}

#[tokio::test]
async fn the_gateway_checks_site_scope_and_permission() {
    let world = approving().await;
    world.emulator.fixture_mut(|fixture| {
        for scope in ["read:application-role:jira", "read:group:jira", "read:user:jira", "read:avatar:jira"] {
            fixture.apps[0].scopes.push(scope.to_owned());
        }
    });
    let jira = format!("/ex/jira/{ENGINES}/rest/api/3");
    let wiki = format!("/ex/confluence/{ENGINES}/wiki/rest/api/user");
    let all = world.access("read:me read:jira-user read:jira-work read:confluence-user").await;
    for (target, pointer, expected) in [
        (format!("{jira}/myself"), "/groups", json!({"size": 2, "items": []})),
        (
            format!("{jira}/myself?expand=groups,applicationRoles"),
            "/groups/items/1/name",
            json!("engine-operators"),
        ),
        (
            format!("{jira}/myself?expand=groups,applicationRoles"),
            "/applicationRoles/items/0/key",
            json!("jira-software"),
        ),
        (format!("/ex/jira/{ENGINES}/rest/api/2/myself"), "/emailAddress", json!("ada@example.com")),
        (
            format!("{jira}/user/groups?accountId={ADA}"),
            "/0/groupId",
            json!("aaaaaaaa-0000-4000-8000-000000000001"),
        ),
        (
            format!("{jira}/mypermissions?permissions=ADMINISTER"),
            "/permissions/ADMINISTER/havePermission",
            json!(true),
        ),
        (format!("{wiki}/current"), "/accountId", json!(ADA)),
        (format!("{wiki}/current?expand=isExternalCollaborator"), "/isExternalCollaborator", json!(false)),
        (
            format!("{wiki}/memberof?accountId={ADA}&limit=1"),
            "/_links/next",
            json!(format!("/rest/api/user/memberof?accountId={ADA}&limit=1&start=1")),
        ),
        (
            format!("{wiki}/memberof?accountId={ADA}&limit=1&start=1"),
            "/results/0/name",
            json!("engine-operators"),
        ),
    ] {
        let answer = world.api(&target, &all).await;
        assert_eq!(
            (answer.status, answer.json().pointer(pointer)),
            (200, Some(&expected)),
            "{target}: {}",
            answer.body
        );
    }
    for (target, status) in [
        (format!("{jira}/user/groups"), 400),
        (format!("{jira}/user/groups?accountId=nobody"), 404),
        (format!("{jira}/mypermissions"), 400),
        (format!("{jira}/mypermissions?permissions=NOSUCH"), 400),
        (format!("{jira}/project"), 404),
        (format!("/ex/confluence/{COMPILERS}/wiki/rest/api/user/current"), 404),
        ("/ex/jira/99999999-0000-4000-8000-000000000000/rest/api/3/myself".to_owned(), 404),
        ("/ex/bitbucket/x/y".to_owned(), 404),
    ] {
        assert_eq!(world.api(&target, &all).await.status, status, "{target}");
    }
    let me_only = world.access("read:me").await;
    let answer = world.api(&format!("{jira}/myself"), &me_only).await;
    assert_eq!(answer.json()["message"], "Unauthorized; scope does not match");
    // One granular scope of four is not enough; all four are.
    let partial = world.access("read:user:jira").await;
    assert_eq!(world.api(&format!("{jira}/myself"), &partial).await.status, 401);
    let full =
        world.access("read:application-role:jira read:group:jira read:user:jira read:avatar:jira").await;
    assert_eq!(world.api(&format!("{jira}/myself"), &full).await.status, 200);
    // Ordinary users may not browse groups.
    world.emulator.fixture_mut(|fixture| fixture.users[0].browse_users = false);
    let groups = world.api(&format!("{jira}/user/groups?accountId={ADA}"), &full).await;
    assert_eq!(groups.status, 403);
    world.emulator.set_switches(|switches| switches.foreign_site_status = 401);
    assert_eq!(world.api(&format!("/ex/jira/{CLIENT}/rest/api/3/myself"), &full).await.status, 401);
}

#[tokio::test]
async fn an_account_level_grant_gains_sites_and_a_resource_level_token_does_not() {
    for (kind, expected) in [(GrantKind::Account, 200), (GrantKind::Resource, 404)] {
        let world = approving().await;
        world.emulator.fixture_mut(|fixture| {
            fixture.apps[0].grant = kind;
            fixture.users[0].sites = vec![ENGINES.to_owned()];
        });
        let old = world.access("read:jira-user").await;
        let target = format!("/ex/jira/{COMPILERS}/rest/api/3/myself");
        assert_eq!(world.api(&target, &old).await.status, 404);
        world
            .emulator
            .fixture_mut(|fixture| fixture.users[0].sites = vec![COMPILERS.to_owned(), ENGINES.to_owned()]);
        let new = world.access("read:jira-user").await;
        assert_eq!(world.api(&target, &new).await.status, 200);
        assert_eq!(world.api(&target, &old).await.status, expected, "{kind:?}");
    }
}
