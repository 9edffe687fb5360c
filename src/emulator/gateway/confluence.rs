//! Confluence Cloud REST API v1: `user/current`, `user/memberof`.

use serde_json::{Value, json};

use crate::emulator::reply::Reply;
use crate::emulator::scopes::Needed;

use super::{Call, Route};

/// The calls the emulator has.
pub(super) const ROUTES: &[Route] = &[
    Route {
        path: "wiki/rest/api/user/current",
        needed: Needed { classic: "read:confluence-user", granular: &["read:content-details:confluence"] },
        answer: current,
    },
    Route {
        path: "wiki/rest/api/user/memberof",
        needed: Needed {
            classic: "read:confluence-user",
            granular: &["read:user:confluence", "read:group:confluence"],
        },
        answer: member_of,
    },
];

/// A page's size when none is asked for, and the most that can be.
const PAGE: usize = 200;

fn current(call: &Call<'_>) -> Reply {
    let user = &call.bearer.user;
    let mut me = json!({
        "type": "known",
        "accountId": user.account_id,
        "accountType": user.account_type,
        "email": user.email.as_deref().unwrap_or_default(),
        "publicName": user.nickname.as_ref().unwrap_or(&user.name),
        "displayName": user.name,
        "timeZone": user.zoneinfo,
        "profilePicture": {"path": user.picture, "width": 48, "height": 48, "isDefault": user.picture.is_none()},
        "isExternalCollaborator": is_guest(call),
        "_expandable": {"operations": "", "personalSpace": ""},
        "_links": {"base": call.link("/wiki"), "context": "/wiki"},
    });
    if !call.expands("isExternalCollaborator")
        && let Some(object) = me.as_object_mut()
    {
        object.remove("isExternalCollaborator");
    }
    Reply::json(200, &me).said("current user")
}

fn member_of(call: &Call<'_>) -> Reply {
    let message =
        |status, text: &str| Reply::json(status, &json!({"statusCode": status, "message": text})).said(text);
    if is_guest(call) {
        return message(403, "Not permitted to use Confluence");
    }
    let Some(id) = call.request.query("accountId") else {
        return message(400, "accountId is required");
    };
    let (start, limit) = (call.number("start", 0), call.number("limit", PAGE).min(PAGE));
    let groups: Vec<Value> = (call.world.fixture.groups_of(id, &call.site.id))
        .skip(start)
        .take(limit)
        .map(|group| json!({"type": "group", "name": group.name, "id": group.id, "_links": {}}))
        .collect();
    let total = call.world.fixture.groups_of(id, &call.site.id).count();
    let mut links = json!({"base": call.link("/wiki"), "context": "/wiki"});
    let next = start.saturating_add(groups.len());
    if let (true, Some(links)) = (next < total && limit > 0, links.as_object_mut()) {
        let query = format!("/rest/api/user/memberof?accountId={id}&limit={limit}&start={next}");
        links.insert("next".to_owned(), json!(query));
    }
    let answer = json!({"start": start, "limit": limit, "size": groups.len(), "totalSize": total, "results": groups, "_links": links});
    Reply::json(200, &answer).said("groups")
}

fn is_guest(call: &Call<'_>) -> bool {
    call.bearer.user.guest_of.contains(&call.site.id)
}
