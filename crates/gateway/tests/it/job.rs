//! `/vX/job/{id}`: everything that is shown of one job, and commands to it.

use axum::http::{Method, StatusCode};
use expect_test::expect;
use ports::api::{ApiError, ApiErrorKind};
use serde_json::Value;

use crate::client::{Gateway, configuration, request};
use crate::double::{ABSENT, DEFINITION, RUNNING, SUCCEEDED};

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).expect("JSON")
}

#[tokio::test]
async fn info_has_oozie_s_keys() {
    let gateway = Gateway::new();
    let answer = gateway.get(&format!("/oozie/v2/job/{SUCCEEDED}")).await;
    assert_eq!(answer.header("content-type"), "application/json; charset=\"UTF-8\"");
    let mut job = answer.json();
    let actions = job["actions"].take();
    expect![[r#"
        {
          "acl": null,
          "actions": null,
          "appName": "etl",
          "appPath": "file:///apps/etl",
          "conf": "<configuration>\n<property><name>a</name><value>1 &lt; 2</value></property>\n<property><name>user.name</name><value>joe</value></property>\n</configuration>\n",
          "consoleUrl": null,
          "createdTime": "Wed, 01 Jul 2026 12:02:00 GMT",
          "endTime": "Wed, 01 Jul 2026 12:02:05 GMT",
          "externalId": "ext-1",
          "group": null,
          "id": "0000002-261122144400000-howdah-W",
          "lastModTime": "Wed, 01 Jul 2026 12:02:02 GMT",
          "parentId": null,
          "run": 0,
          "startTime": "Wed, 01 Jul 2026 12:02:00 GMT",
          "status": "SUCCEEDED",
          "toString": "Workflow id[0000002-261122144400000-howdah-W] status[SUCCEEDED]",
          "user": "joe"
        }"#]]
    .assert_eq(&pretty(&job));
    let names: Vec<&str> =
        actions.as_array().unwrap().iter().map(|action| action["name"].as_str().unwrap()).collect();
    assert_eq!(names, [":start:", "fetch", "again"]);
}

#[tokio::test]
async fn an_action_has_oozie_s_keys_and_dates_in_the_zone_asked_for() {
    let gateway = Gateway::new();
    let answer =
        gateway.get(&format!("/oozie/v1/job/{RUNNING}@fetch?show=info&timezone=GMT%2B05:30")).await;
    expect![[r#"
        {
          "conf": "<shell/>",
          "consoleUrl": null,
          "cred": null,
          "data": null,
          "endTime": null,
          "errorCode": "JA018",
          "errorMessage": "exit code 1",
          "externalChildIDs": null,
          "externalId": null,
          "externalStatus": null,
          "id": "0000001-261122144400000-howdah-W@fetch",
          "name": "fetch",
          "retries": 0,
          "startTime": "Wed, 01 Jul 2026 17:31:01 GMT+05:30",
          "stats": null,
          "status": "RUNNING",
          "toString": "Action name[fetch] status[RUNNING]",
          "trackerUri": null,
          "transition": null,
          "type": "shell",
          "userRetryCount": 1,
          "userRetryInterval": 10,
          "userRetryMax": 3
        }"#]]
    .assert_eq(&pretty(&answer.json()));
}

#[tokio::test]
async fn actions_are_paged() {
    let gateway = Gateway::new();
    let names = async |query: &str| {
        let job = gateway.get(&format!("/oozie/v2/job/{RUNNING}?{query}")).await.json();
        job["actions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(names("offset=2&len=1").await, ["fetch"]);
    assert_eq!(names("offset=0&len=0").await, [":start:", "fetch", "again"]);
    assert_eq!(names("offset=9").await, [""; 0]);
}

#[tokio::test]
async fn the_other_shows_answer_in_their_types() {
    let gateway = Gateway::new();
    let table = [
        ("status", "application/json; charset=\"UTF-8\"", r#"{"status":"RUNNING"}"#),
        ("definition", "application/xml; charset=\"UTF-8\"", DEFINITION),
        ("log", "text/plain; charset=\"UTF-8\"", ""),
        ("graph&format=dot", "text/plain; charset=\"UTF-8\"", "digraph"),
        ("graph&format=svg", "image/svg+xml", "<svg"),
        ("graph&format=SVG&show-kill=true", "image/svg+xml", "fail"),
    ];
    for (show, content_type, part) in table {
        let answer = gateway.get(&format!("/oozie/v2/job/{RUNNING}?show={show}")).await;
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (StatusCode::OK, content_type),
            "{show}: {}",
            answer.text()
        );
        assert!(answer.text().contains(part), "{show}: {}", answer.text());
    }
    let png = gateway.get(&format!("/oozie/v2/job/{RUNNING}?show=graph")).await;
    assert_eq!(png.header("content-type"), "image/png");
    assert!(png.body.starts_with(b"\x89PNG"));
    let without_kill = gateway.get(&format!("/oozie/v2/job/{RUNNING}?show=graph&format=dot")).await;
    assert!(!without_kill.text().contains("\"fail\""), "{}", without_kill.text());
}

#[tokio::test]
async fn retries_are_the_earlier_attempts() {
    let gateway = Gateway::new();
    let answer =
        gateway.get(&format!("/oozie/v2/job/{RUNNING}@fetch?show=retries&timezone=PST")).await;
    let date = "Wed, 01 Jul 2026 12:01:00 GMT";
    assert_eq!(
        answer.json(),
        serde_json::json!({ "retries": [{ "attempt": "1", "startTime": date, "endTime": date }] })
    );
}

#[tokio::test]
async fn what_is_not_there_is_refused_with_oozie_s_codes() {
    let gateway = Gateway::new();
    let absent_action = format!("{RUNNING}@nope");
    let table = [
        (ABSENT, "info", 400, "E0604"),
        ("nonsense", "info", 400, "E0604"),
        ("0000001-261122144400000-howdah-C", "info", 400, "E0604"),
        (ABSENT, "status", 400, "E0604"),
        (ABSENT, "definition", 400, "E0604"),
        (ABSENT, "log", 400, "E0604"),
        (ABSENT, "graph", 400, "E0604"),
        (absent_action.as_str(), "info", 400, "E0605"),
        (absent_action.as_str(), "retries", 400, "E0605"),
        ("x@y", "status", 400, "E0605"),
        (RUNNING, "nonsense", 400, "E0303"),
        (RUNNING, "graph&format=gif", 400, "E0303"),
        (RUNNING, "jmstopic", 400, "E1601"),
        (RUNNING, "allruns", 501, "HW4005"),
        (RUNNING, "log&logfilter=size=1", 400, "E0302"),
    ];
    for (id, show, status, code) in table {
        let answer = gateway.get(&format!("/oozie/v2/job/{id}?show={show}")).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (status, code), "{id} {show}");
    }
}

#[tokio::test]
async fn commands_go_to_the_scheduler() {
    let gateway = Gateway::new();
    for action in ["start", "suspend", "resume", "kill"] {
        let answer =
            gateway.put(&format!("/oozie/v2/job/{RUNNING}?action={action}&user.name=jane")).await;
        assert_eq!((answer.status, answer.text()), (StatusCode::OK, ""), "{action}");
    }
    gateway.put(&format!("/oozie/v0/job/{RUNNING}?action=kill")).await;
    let told: Vec<String> = ["start", "suspend", "resume", "kill"]
        .map(|word| format!("{word} {RUNNING} by jane"))
        .into();
    assert_eq!(gateway.world.told(), [told, vec![format!("kill {RUNNING} by ?")]].concat());
}

#[tokio::test]
async fn a_rerun_brings_its_configuration() {
    let gateway = Gateway::new();
    let conf = configuration(&[("oozie.wf.rerun.failnodes", "true")]);
    let uri = format!("/oozie/v2/job/{SUCCEEDED}?action=rerun&user.name=joe");
    let answer = gateway.send(request(Method::PUT, &uri, &conf)).await;
    assert_eq!(answer.status, StatusCode::OK);
    let words = format!(
        r#"rerun [("oozie.wf.rerun.failnodes", "true"), ("user.name", "joe")] {SUCCEEDED} by joe"#
    );
    assert_eq!(gateway.world.told(), [words]);
    assert_eq!(gateway.put(&uri).await.code(), "E0300");
    let anonymous = format!("/oozie/v2/job/{SUCCEEDED}?action=rerun");
    for (pairs, user) in [(vec![("a", "b")], "joe"), (vec![("user.name", "jane")], "jane")] {
        gateway.send(request(Method::PUT, &anonymous, &configuration(&pairs))).await;
        let last = gateway.world.told().pop().expect("it was told");
        assert!(last.ends_with(&format!("by {user}")), "{last}");
    }
}

#[tokio::test]
async fn bad_commands_are_refused_with_oozie_s_codes() {
    let gateway = Gateway::new();
    let table = [
        (RUNNING, "", 400, "E0305"),
        (RUNNING, "action=fly", 400, "E0303"),
        (RUNNING, "action=change&value=endtime=x", 400, "E1017"),
        (RUNNING, "action=ignore", 400, "E0302"),
        (RUNNING, "action=coord-rerun", 501, "HW4005"),
        (RUNNING, "action=sla-enable", 501, "HW4005"),
        (ABSENT, "action=kill", 400, "E0604"),
        ("nonsense", "action=kill", 400, "E0604"),
    ];
    for (id, query, status, code) in table {
        let answer = gateway.put(&format!("/oozie/v2/job/{id}?{query}")).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (status, code),
            "{id} {query}"
        );
    }
}

#[tokio::test]
async fn every_kind_of_refusal_has_its_status() {
    let gateway = Gateway::new();
    let table = [
        (ApiErrorKind::BadRequest, 400, 400),
        (ApiErrorKind::NotFound, 400, 404),
        (ApiErrorKind::Unauthorized, 401, 401),
        (ApiErrorKind::Unavailable, 503, 503),
        (ApiErrorKind::Internal, 500, 500),
    ];
    for (kind, status, own_status) in table {
        *gateway.world.refusal.lock().unwrap() = Some(ApiError::new(kind, "E9999", "no"));
        let answer = gateway.put(&format!("/oozie/v2/job/{RUNNING}?action=kill")).await;
        let own = gateway.get(&format!("/api/v1/jobs/{RUNNING}/explain")).await;
        assert_eq!((answer.status.as_u16(), own.status.as_u16()), (status, own_status), "{kind:?}");
        assert_eq!((answer.code().as_str(), own.code().as_str()), ("E9999", "E9999"));
        assert_eq!(answer.header("retry-after"), if status == 503 { "1" } else { "" });
    }
}
