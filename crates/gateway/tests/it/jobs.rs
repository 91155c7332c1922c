//! `/vX/jobs`: submit, list, bulk commands.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use expect_test::expect;
use ports::api::{ApiError, ApiErrorKind};

use crate::client::{Gateway, configuration, request};
use crate::double::{NEW, RUNNING, SUCCEEDED, SUSPENDED};

const PATH: (&str, &str) = ("oozie.wf.application.path", "file:///apps/etl");

#[tokio::test]
async fn a_submit_answers_the_id_with_201() {
    let gateway = Gateway::new();
    let conf = configuration(&[PATH, ("user.name", "joe")]);
    let answer = gateway.post("/oozie/v2/jobs?action=start", &conf).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    assert_eq!(answer.header("content-type"), "application/json; charset=\"UTF-8\"");
    assert_eq!(answer.header("x-frame-options"), "DENY");
    assert_eq!(answer.json(), serde_json::json!({ "id": NEW }));
    assert_eq!(gateway.world.told(), ["submit for joe start=true key=None"]);
}

#[tokio::test]
async fn a_dry_run_answers_ok() {
    let gateway = Gateway::new();
    let answer = gateway
        .post("/oozie/v1/jobs?action=dryrun", &configuration(&[PATH, ("user.name", "joe")]))
        .await;
    assert_eq!((answer.status, answer.text()), (StatusCode::CREATED, r#"{"id":"OK"}"#));
}

#[tokio::test]
async fn the_asking_user_overrides_the_configuration_and_values_are_resolved() {
    let gateway = Gateway::new();
    let conf = configuration(&[
        PATH,
        ("user.name", "joe"),
        ("a", "  ${b}/x "),
        ("b", "1"),
        ("c", "${unknown}"),
    ]);
    gateway.post("/oozie/v2/jobs?user.name=jane", &conf).await;
    let submitted = gateway.world.submitted.lock().unwrap().clone().expect("it was submitted");
    let value = |name| submitted.conf.get(name).unwrap_or("").to_owned();
    assert_eq!((submitted.user.as_str(), value("user.name").as_str()), ("jane", "jane"));
    assert_eq!((value("a").as_str(), value("c").as_str()), ("1/x", "${unknown}"));
    assert!(!submitted.start);
}

#[tokio::test]
async fn an_idempotency_key_is_passed_on() {
    let gateway = Gateway::new();
    let conf = configuration(&[PATH, ("user.name", "joe")]);
    let mut keyed = request(Method::POST, "/oozie/v2/jobs", &conf);
    keyed.headers_mut().insert("Idempotency-Key", "k-1".parse().unwrap());
    assert_eq!(gateway.send(keyed).await.status, StatusCode::CREATED);
    assert_eq!(gateway.world.told(), [r#"submit for joe start=false key=Some("k-1")"#]);
    let mut bad = request(Method::POST, "/oozie/v2/jobs", &conf);
    bad.headers_mut().insert("Idempotency-Key", "x".repeat(300).parse().unwrap());
    assert_eq!(gateway.send(bad).await.code(), "E0306");
}

#[tokio::test]
async fn a_posted_definition_is_written_unless_there_is_one() {
    let gateway = Gateway::new();
    let pairs =
        |xml| configuration(&[PATH, ("user.name", "joe"), ("oozie.jobs.api.generated.xml", xml)]);
    gateway.post("/oozie/v2/jobs", &pairs("one")).await;
    gateway.post("/oozie/v2/jobs", &pairs("two")).await;
    let files = gateway.world.files.lock().unwrap().clone();
    assert_eq!(
        files.get("file:///apps/etl/workflow.xml").map(Vec::as_slice),
        Some(b"one".as_slice())
    );
}

#[track_caller]
fn code_of(answer: &crate::client::Answer) -> (u16, String) {
    (answer.status.as_u16(), answer.code())
}

#[tokio::test]
async fn bad_submits_are_refused_with_oozie_s_codes() {
    let gateway = Gateway::new();
    let joe = ("user.name", "joe");
    let coord = ("oozie.coord.application.path", "x");
    let bundle = ("oozie.bundle.application.path", "x");
    let good = configuration(&[PATH, joe]);
    let table = [
        ("/oozie/v2/jobs", configuration(&[PATH]), 400, "E0401"),
        ("/oozie/v2/jobs", configuration(&[joe]), 400, "E0405"),
        ("/oozie/v2/jobs", configuration(&[joe, PATH, coord]), 400, "E0404"),
        ("/oozie/v2/jobs", configuration(&[joe, coord]), 501, "HW4005"),
        ("/oozie/v2/jobs", configuration(&[joe, bundle]), 501, "HW4005"),
        ("/oozie/v2/jobs?jobtype=pig", good.clone(), 501, "HW4005"),
        ("/oozie/v2/jobs?jobtype=x", good.clone(), 400, "E0303"),
        ("/oozie/v2/jobs?action=fly", good.clone(), 400, "E0303"),
        ("/oozie/v2/jobs?user.name=joe&doAs=jane", good.clone(), 401, "E1400"),
        ("/oozie/v2/jobs", "<configuration>".to_owned(), 400, "E0700"),
        (
            "/oozie/v2/jobs",
            "<!DOCTYPE x [<!ENTITY a 'b'>]><configuration/>".to_owned(),
            400,
            "HW0003",
        ),
        (
            "/oozie/v2/jobs",
            configuration(&[joe, PATH, ("a", "${b}"), ("b", "${a}")]),
            400,
            "HW0006",
        ),
    ];
    for (uri, body, status, code) in table {
        assert_eq!(
            code_of(&gateway.post(uri, &body).await),
            (status, code.to_owned()),
            "{uri} {body}"
        );
    }
    assert!(gateway.world.told().is_empty());
}

#[tokio::test]
async fn only_application_xml_is_read() {
    let gateway = Gateway::new();
    for content_type in ["", "text/xml", "application/x-www-form-urlencoded", "application/XML"] {
        let body = Body::from(configuration(&[PATH, ("user.name", "joe")]));
        let request = Request::post("/oozie/v2/jobs")
            .header("content-type", content_type)
            .body(body)
            .unwrap();
        assert_eq!(gateway.send(request).await.code(), "E0300", "{content_type}");
    }
}

#[tokio::test]
async fn proxy_users_act_for_others() {
    let config =
        gateway::Config { proxy_users: ["hue".to_owned()].into(), ..gateway::Config::default() };
    let gateway = Gateway::with(config);
    gateway.post("/oozie/v2/jobs?user.name=hue&doAs=jane", &configuration(&[PATH])).await;
    assert_eq!(gateway.world.told(), ["submit for jane start=false key=None"]);
}

#[tokio::test]
async fn refusals_carry_headers_and_an_escaped_page() {
    let gateway = Gateway::new();
    let refusal = ApiError::new(ApiErrorKind::BadRequest, "E0701", "bad <start>\nat line 2");
    *gateway.world.refusal.lock().unwrap() = Some(refusal);
    let answer =
        gateway.post("/oozie/v2/jobs", &configuration(&[PATH, ("user.name", "joe")])).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(answer.header("oozie-error-code"), "E0701");
    assert_eq!(answer.header("oozie-error-message"), "E0701: bad <start> at line 2");
    assert_eq!(answer.header("content-type"), "text/html; charset=\"UTF-8\"");
    expect![[r#"
        <html><head><title>Error 400</title></head><body><h2>HTTP ERROR 400</h2><p>E0701: bad &lt;start&gt;
        at line 2</p></body></html>
    "#]]
    .assert_eq(answer.text());
}

async fn ids(gateway: &Gateway, query: &str) -> Vec<String> {
    let answer = gateway.get(&format!("/oozie/v2/jobs?{query}")).await;
    assert_eq!(answer.status, StatusCode::OK, "{query}: {}", answer.text());
    let jobs = answer.json()["workflows"].as_array().expect("a list").clone();
    jobs.iter().map(|job| job["id"].as_str().expect("an id").to_owned()).collect()
}

#[tokio::test]
async fn lists_are_filtered_and_paged() {
    let gateway = Gateway::new();
    assert_eq!(ids(&gateway, "").await, [SUSPENDED, SUCCEEDED, RUNNING]);
    assert_eq!(ids(&gateway, "filter=status%3DRUNNING").await, [RUNNING]);
    assert_eq!(
        ids(&gateway, "filter=status=RUNNING;status=SUCCEEDED;user=joe&jobtype=wf").await,
        [SUCCEEDED, RUNNING]
    );
    assert_eq!(ids(&gateway, "offset=2&len=1").await, [SUCCEEDED]);
    assert_eq!(ids(&gateway, "filter=startcreatedtime=-58m").await, [SUSPENDED, SUCCEEDED]);
    assert_eq!(ids(&gateway, "filter=user=nobody").await, [""; 0]);
    let page = gateway.get("/oozie/v2/jobs?offset=3&len=2").await.json();
    assert_eq!((&page["total"], &page["offset"], &page["len"]), (&3.into(), &3.into(), &2.into()));
}

#[tokio::test]
async fn other_lists_are_empty_and_bad_queries_refused() {
    let gateway = Gateway::new();
    for (kind, key) in [("coordinator", "coordinatorjobs"), ("bundle", "bundlejobs")] {
        let list = gateway.get(&format!("/oozie/v1/jobs?jobtype={kind}")).await.json();
        assert_eq!(list, serde_json::json!({ key: [], "total": 0, "offset": 1, "len": 50 }));
    }
    let table = [
        ("jobtype=x", "E0303"),
        ("filter=x", "E0420"),
        ("len=x", "E0304"),
        ("filter=status=x", "E0420"),
        ("bulk=x", "HW4005"),
    ];
    for (query, code) in table {
        assert_eq!(gateway.get(&format!("/oozie/v2/jobs?{query}")).await.code(), code, "{query}");
    }
}

#[tokio::test]
async fn jobs_are_found_by_external_id() {
    let gateway = Gateway::new();
    let found = gateway.get("/oozie/v2/jobs?jobtype=wf&external-id=ext-1").await;
    assert_eq!(found.json(), serde_json::json!({ "id": SUSPENDED }));
    assert_eq!(gateway.get("/oozie/v2/jobs?external-id=x").await.text(), r#"{"id":null}"#);
}

#[tokio::test]
async fn a_bulk_command_goes_to_those_it_concerns() {
    let gateway = Gateway::new();
    let answer =
        gateway.put("/oozie/v2/jobs?action=kill&filter=user=joe&jobtype=wf&user.name=joe").await;
    let mut told = gateway.world.told();
    told.sort();
    assert_eq!(told, [format!("kill {RUNNING} by joe"), format!("kill {SUSPENDED} by joe")]);
    let statuses: Vec<String> = answer.json()["workflows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|job| job["status"].to_string())
        .collect();
    assert_eq!(statuses, [r#""KILLED""#, r#""SUCCEEDED""#, r#""KILLED""#]);
}

#[tokio::test]
async fn bulk_commands_need_a_filter_and_a_known_action() {
    let gateway = Gateway::new();
    let table = [
        ("action=kill", "E1603"),
        ("filter=user=joe", "E0305"),
        ("action=start&filter=user=joe", "E0303"),
        ("action=kill&filter=user=joe&jobtype=coord", "HW4005"),
    ];
    for (query, code) in table {
        assert_eq!(gateway.put(&format!("/oozie/v1/jobs?{query}")).await.code(), code, "{query}");
    }
    assert!(gateway.world.told().is_empty());
}
