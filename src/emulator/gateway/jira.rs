//! Jira Cloud platform REST API: `myself`, `user/groups`, `mypermissions`.

use serde_json::{Map, Value, json};

use crate::emulator::fixture::Group;
use crate::emulator::reply::Reply;
use crate::emulator::scopes::Needed;

use super::{Call, Route};

/// The calls the emulator has.
pub(super) const ROUTES: &[Route] = &[
    Route {
        path: "myself",
        needed: Needed {
            classic: "read:jira-user",
            granular: &[
                "read:application-role:jira",
                "read:group:jira",
                "read:user:jira",
                "read:avatar:jira",
            ],
        },
        answer: myself,
    },
    Route {
        path: "user/groups",
        needed: Needed { classic: "read:jira-user", granular: &["read:group:jira"] },
        answer: user_groups,
    },
    Route {
        path: "mypermissions",
        needed: Needed { classic: "read:jira-work", granular: &["read:permission:jira"] },
        answer: my_permissions,
    },
];

/// The call behind `rest/api/{2,3,latest}/`.
pub(super) fn unversioned(path: &str) -> Option<&str> {
    ["rest/api/3/", "rest/api/2/", "rest/api/latest/"].iter().find_map(|prefix| path.strip_prefix(prefix))
}

fn myself(call: &Call<'_>) -> Reply {
    let user = &call.bearer.user;
    let groups: Vec<Value> = call
        .world
        .fixture
        .groups_of(&user.account_id, &call.site.id)
        .map(|group| item(call, group))
        .collect();
    let mut me = json!({
        "self": call.link(&format!("/rest/api/3/user?accountId={}", user.account_id)),
        "accountId": user.account_id,
        "accountType": user.account_type,
        "avatarUrls": {"48x48": user.picture},
        "displayName": user.name,
        "active": user.account_status == "active",
        "timeZone": user.zoneinfo,
        "locale": user.locale.as_deref().unwrap_or("en_US"),
        "groups": {"size": groups.len(), "items": []},
        "applicationRoles": {"size": 1, "items": []},
        "expand": "groups,applicationRoles",
    });
    if let Some(object) = me.as_object_mut() {
        // Empty when hidden by the profile's privacy setting.
        object.insert("emailAddress".to_owned(), json!(user.email.as_deref().unwrap_or_default()));
        if call.expands("groups") {
            object.insert("groups".to_owned(), json!({"size": groups.len(), "items": groups}));
        }
        if call.expands("applicationRoles") {
            let role = json!({"key": "jira-software", "name": "Jira Software", "selectedByDefault": true, "defined": true});
            object.insert("applicationRoles".to_owned(), json!({"size": 1, "items": [role]}));
        }
    }
    Reply::json(200, &me).said("myself")
}

fn user_groups(call: &Call<'_>) -> Reply {
    if !call.bearer.user.browse_users {
        return errors(403, "You do not have permission to browse users and groups.");
    }
    let Some(id) = call.request.query("accountId") else {
        return errors(400, "The accountId query parameter must be provided.");
    };
    if !call.world.fixture.users.iter().any(|user| user.account_id == id) {
        return errors(404, &format!("The user with account ID {id} does not exist."));
    }
    let groups = call.world.fixture.groups_of(id, &call.site.id).map(|group| item(call, group)).collect();
    Reply::json(200, &Value::Array(groups)).said("groups")
}

fn my_permissions(call: &Call<'_>) -> Reply {
    let Some(names) = call.request.query("permissions") else {
        return errors(400, "The permissions query parameter must be provided.");
    };
    let mut permissions = Map::new();
    for name in names.split(',').map(str::trim) {
        let (id, title, have) = match name {
            "ADMINISTER" => ("0", "Administer Jira", call.bearer.user.admin),
            "USER_PICKER" => ("27", "Browse users and groups", call.bearer.user.browse_users),
            "BROWSE_PROJECTS" => ("10", "Browse Projects", true),
            unknown => return errors(400, &format!("Unrecognized permission: {unknown}")),
        };
        let kind = if name == "BROWSE_PROJECTS" { "PROJECT" } else { "GLOBAL" };
        let permission = json!({"id": id, "key": name, "name": title, "type": kind, "description": title, "havePermission": have});
        permissions.insert(name.to_owned(), permission);
    }
    Reply::json(200, &json!({"permissions": permissions})).said("permissions")
}

fn item(call: &Call<'_>, group: &Group) -> Value {
    json!({
        "name": group.name,
        "groupId": group.id,
        "self": call.link(&format!("/rest/api/3/group?groupId={}", group.id)),
    })
}

/// Jira's error collection.
fn errors(status: u16, message: &str) -> Reply {
    Reply::json(status, &json!({"errorMessages": [message], "errors": {}})).said(message)
}
