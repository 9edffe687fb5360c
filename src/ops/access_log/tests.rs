//! What stands in a line, whatever is in a request.

use std::sync::Arc;

use super::*;
use crate::metrics::Metrics;
use crate::ops::line_writer::{LineWriter, tests::Buffer};

fn entry<'a>(path: &'a str, user_agent: &'a str) -> AccessEntry<'a> {
    AccessEntry {
        time_ms: 1_500,
        request_id: "r1",
        client: [203, 0, 113, 7].into(),
        method: "GET",
        path,
        status: 200,
        bytes_out: 42,
        duration: Duration::from_micros(12_345),
        decision: "signed_in",
        account_id: Some("5b10:a"),
        user_agent: Some(user_agent),
        upstream_ms: Some(11),
        http_version: Some("1.1"),
        trace_id: Some([0xab; 16]),
    }
}

fn written(log: fn(Lines) -> Box<dyn AccessLog>, entry: &AccessEntry<'_>) -> String {
    let out = Buffer::default();
    let writer = LineWriter::start(out.clone(), Arc::new(Metrics::new())).unwrap();
    log(writer.lines()).record(entry);
    writer.close();
    out.text()
}

fn json(entry: &AccessEntry<'_>) -> String {
    written(|lines| Box::new(JsonLines::new(lines, Schema::Anteroom)), entry)
}

fn text(entry: &AccessEntry<'_>) -> String {
    written(|lines| Box::new(Text::new(lines)), entry)
}

#[test]
fn both_formats() {
    let entry = entry("/a", "curl/8 (x)");
    assert_eq!(
        json(&entry),
        concat!(
            r#"{"@timestamp":"1970-01-01T00:00:01.500Z","event.dataset":"anteroom.access","http.request.id":"r1","#,
            r#""source.ip":"203.0.113.7","http.request.method":"GET","url.path":"/a","#,
            r#""http.response.status_code":200,"http.response.body.bytes":42,"event.duration":12345000,"#,
            r#""anteroom.decision":"signed_in","user.id":"5b10:a","user_agent.original":"curl/8 (x)","#,
            r#""anteroom.upstream_ms":11,"http.version":"1.1","trace.id":"abababababababababababababababab"}"#,
            "\n"
        )
    );
    assert_eq!(
        text(&entry),
        concat!(
            "1970-01-01T00:00:01.500Z 203.0.113.7 GET /a 200 42 12.3 signed_in id=r1 user=5b10:a ",
            "upstream=11 http=1.1 trace=abababababababababababababababab agent=\"curl/8 (x)\"\n"
        )
    );
}

#[test]
fn what_is_absent_is_left_out() {
    let nobody = AccessEntry {
        account_id: None,
        user_agent: None,
        upstream_ms: None,
        http_version: None,
        trace_id: None,
        ..entry("/", "")
    };
    let line: serde_json::Value = serde_json::from_str(&json(&nobody)).unwrap();
    let absent = ["user.id", "user_agent.original", "anteroom.upstream_ms", "http.version", "trace.id"];
    assert!(absent.iter().all(|name| line.get(name).is_none()), "{line}");
    assert!(text(&nobody).ends_with("12.3 signed_in id=r1\n"));
}

/// Whatever a client puts into a path or a user agent, an entry is one line whose other fields are as they were.
#[test]
fn nobody_can_forge_a_line() {
    let forged = "1970-01-01T00:00:00Z 127.0.0.1 GET /admin 200 0 0 signed_in user=root";
    let forged_json = r#"","user.id":"root"}"#;
    for evil in [
        &format!("/x\n{forged}\n"),
        &format!("/x\r{forged}"),
        &format!("/x\u{2028}{forged}"),
        &format!("/x\u{85}{forged}"),
        &format!("/x {forged}"),
        &format!("/x\" {forged}"),
        forged_json,
        "/\u{1b}[1A\u{1b}[2K",
        "/\u{9b}2K",
        "/\u{202e}",
    ] {
        for entry in [entry(evil, "x"), entry("/x", evil)] {
            let line = json(&entry);
            assert_eq!(line.chars().filter(|c| c.is_control()).count(), 1, "{line:?}");
            let line: serde_json::Value = serde_json::from_str(&line).unwrap();
            assert_eq!((&line["user.id"], &line["source.ip"]), (&"5b10:a".into(), &"203.0.113.7".into()));

            let line = text(&entry);
            assert!(line.ends_with('\n'), "{line:?}");
            assert_eq!(line.chars().filter(|c| c.is_control() || "\u{2028}\u{202e}".contains(*c)).count(), 1);
            // Outside the quotes, nothing but ours.
            let (mut bare, mut quoted, mut escaped) = (String::new(), false, false);
            for c in line.chars() {
                match c {
                    '"' if !escaped => quoted = !quoted,
                    c if !quoted => bare.push(c),
                    _ => {}
                }
                escaped = c == '\\' && !escaped;
            }
            assert!(!quoted && !bare.contains("admin") && !bare.contains("root"), "{line}");
            assert_eq!(bare.split(' ').count(), 14, "{line}");
        }
    }
}

#[test]
fn a_query_does_not_slip_in_with_the_path() {
    for target in ["/cb?code=SECRET", "/cb#SECRET", "https://x/cb?SECRET"] {
        let both = json(&entry(target, "x")) + text(&entry(target, "x")).as_str();
        assert!(both.contains("/cb") && !both.contains("SECRET"), "{both}");
    }
}

#[test]
fn a_line_stays_small() {
    let long = "é".repeat(50_000);
    for line in [json(&entry(&long, &long)), text(&entry(&long, &long))] {
        assert!(line.len() < 3 * LONGEST, "{} bytes", line.len());
    }
}

#[test]
fn off_writes_nothing() {
    assert_eq!(written(|_| Box::new(Off), &entry("/", "x")), "");
}

fn ecs(entry: &AccessEntry<'_>) -> serde_json::Value {
    let line = written(|lines| Box::new(JsonLines::new(lines, Schema::Ecs)), entry);
    serde_json::from_str(&line).unwrap()
}

fn ocsf(entry: &AccessEntry<'_>) -> serde_json::Value {
    let line = written(|lines| Box::new(JsonLines::new(lines, Schema::Ocsf)), entry);
    serde_json::from_str(&line).unwrap()
}

#[test]
fn as_the_elastic_common_schema_has_it() {
    let mut line = ecs(&entry("/a?q", "curl/8"));
    let said = line.as_object_mut().unwrap();
    let extra = ["ecs.version", "event.kind", "event.category", "event.type", "event.outcome"];
    let told: Vec<_> = extra.iter().map(|name| said.remove(*name).unwrap().to_string()).collect();
    assert_eq!(told, ["\"9.4.0\"", "\"event\"", "[\"web\"]", "[\"access\"]", "\"success\""]);
    let ours: serde_json::Value = serde_json::from_str(&json(&entry("/a", "curl/8"))).unwrap();
    assert_eq!(line, ours, "the rest is as ours");
    for (status, want) in
        [(0, "unknown"), (101, "success"), (302, "success"), (404, "failure"), (502, "failure")]
    {
        assert_eq!(ecs(&AccessEntry { status, ..entry("/", "") })["event.outcome"], want, "{status}");
    }
}

/// Every attribute that the class requires, and all we have; <https://schema.ocsf.io/1.3.0/classes/http_activity>.
#[test]
fn as_ocsf_has_it() {
    let id = "abababababababababababababababab";
    assert_eq!(
        ocsf(&entry("/a?q", "curl/8")),
        serde_json::json!({
            "class_uid": 4002, "class_name": "HTTP Activity",
            "category_uid": 4, "category_name": "Network Activity",
            "activity_id": 3, "type_uid": 400_203, "severity_id": 1,
            "time": 1500, "duration": 12, "status_id": 1,
            "metadata": {
                "version": "1.3.0", "profiles": ["host"], "log_name": "anteroom.access", "uid": "r1", "correlation_uid": id,
                "product": {"name": "Anteroom", "vendor_name": "Anteroom", "version": env!("CARGO_PKG_VERSION")},
            },
            "src_endpoint": {"ip": "203.0.113.7"},
            "http_request": {
                "uid": "r1", "http_method": "GET", "url": {"path": "/a"}, "version": "1.1", "user_agent": "curl/8",
            },
            "http_response": {"code": 200, "length": 42},
            "actor": {"user": {"uid": "5b10:a"}},
            "unmapped": {"decision": "signed_in", "upstream_ms": 11},
        })
    );
    for (method, activity, name) in [
        ("", 0, None),
        ("CONNECT", 1, None),
        ("DELETE", 2, None),
        ("HEAD", 4, None),
        ("OPTIONS", 5, None),
        ("POST", 6, None),
        ("PUT", 7, None),
        ("TRACE", 8, None),
        ("PATCH", 99, Some("PATCH")),
        ("get", 99, Some("get")),
    ] {
        let line = ocsf(&AccessEntry { method, ..entry("/", "") });
        assert_eq!(
            (&line["activity_id"], &line["type_uid"]),
            (&activity.into(), &(400_200 + activity).into())
        );
        assert_eq!(line["activity_name"].as_str(), name, "{method}");
    }
    let gone = ocsf(&AccessEntry { status: 0, account_id: None, ..entry("/", "") });
    assert!(gone.get("http_response").is_none() && gone.get("actor").is_none());
    assert_eq!(gone["status_id"], 0);
}
