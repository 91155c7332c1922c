//! `/versions`, `/vX/admin/*`, `/v2/validate`, `/callback`.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use serde_json::json;

use crate::client::{Gateway, configuration, request};
use crate::double::{DEFINITION, RUNNING};

#[tokio::test]
async fn fixed_answers_have_oozie_s_shapes() {
    let config = gateway::Config {
        version: "9.8.7".to_owned(),
        settings: [
            ("listen".to_owned(), "here".to_owned()),
            ("smtp.password".to_owned(), "x".to_owned()),
        ]
        .into(),
        os_env: [("HOME".to_owned(), "/root".to_owned())].into(),
        ..gateway::Config::default()
    };
    let gateway = Gateway::with(config);
    let version = "5.2.1-howdah-9.8.7";
    let table = [
        ("versions", json!([0, 1, 2])),
        ("v1/admin/status", json!({ "systemMode": "NORMAL" })),
        ("v0/admin/status", json!({ "safeMode": false })),
        (
            "v2/admin/build-version",
            json!({ "buildVersion": version, "buildInfo": { "build.version": version, "howdah.version": "9.8.7" } }),
        ),
        ("v1/admin/configuration", json!({ "listen": "here", "smtp.password": "********" })),
        ("v1/admin/os-env", json!({ "HOME": "/root" })),
        ("v1/admin/java-sys-properties", json!({})),
        ("v2/admin/available-oozie-servers", json!({ "howdah": "http://localhost:11000/oozie" })),
        (
            "v1/admin/queue-dump",
            json!({ "queueDump": [{ "callableDump": "pool=default ready attempts=3" }], "uniqueMapDump": [] }),
        ),
        ("v2/admin/list_sharelib", json!({ "sharelib": [] })),
    ];
    for (path, body) in table {
        let answer = gateway.get(&format!("/oozie/{path}")).await;
        assert_eq!((answer.status, answer.json()), (StatusCode::OK, body), "{path}");
        assert_eq!(answer.header("content-type"), "application/json; charset=\"UTF-8\"");
    }
}

#[tokio::test]
async fn all_gateways_of_a_cluster_are_listed_as_servers() {
    let peer = ("gateway-2".to_owned(), "http://two:11000/oozie".to_owned());
    let config = gateway::Config {
        server_id: "gateway-1".to_owned(),
        peers: [peer].into(),
        ..gateway::Config::default()
    };
    let servers = Gateway::with(config).get("/oozie/v2/admin/available-oozie-servers").await;
    let expected = json!({ "gateway-1": "http://localhost:11000/oozie", "gateway-2": "http://two:11000/oozie" });
    assert_eq!(servers.json(), expected);
}

#[tokio::test]
async fn time_zones_are_listed_with_id_and_name() {
    let answer = Gateway::new().get("/oozie/v1/admin/available-timezones").await.json();
    let zones = answer["available-timezones"].as_array().expect("a list").clone();
    assert!(zones.contains(
        &json!({ "timezoneDisplayName": "GMT+01:00 (GMT+01:00)", "timezoneId": "GMT+01:00" })
    ));
}

#[tokio::test]
async fn unknown_administration_is_refused() {
    let gateway = Gateway::new();
    for (path, status, code) in [
        ("x", 400, "E0301"),
        ("jmsinfo", 400, "E1601"),
        ("metrics", 503, "E0307"),
        ("update_sharelib", 501, "HW4005"),
    ] {
        let answer = gateway.get(&format!("/oozie/v2/admin/{path}")).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (status, code), "{path}");
    }
    assert_eq!(gateway.put("/oozie/v2/admin/purge").await.code(), "E0307");
    assert_eq!(gateway.put("/oozie/v2/admin/status").await.code(), "E0305");
    assert_eq!(gateway.put("/oozie/v2/admin/status?systemmode=OFF").await.code(), "E0303");
}

#[tokio::test]
async fn in_safe_mode_only_reads_are_answered() {
    let gateway = Gateway::new();
    assert_eq!(
        gateway.put("/oozie/v1/admin/status?systemmode=SAFEMODE").await.status,
        StatusCode::OK
    );
    assert_eq!(
        gateway.get("/oozie/v1/admin/status").await.json(),
        json!({ "systemMode": "SAFEMODE" })
    );
    assert_eq!(gateway.get("/oozie/v0/admin/status").await.json(), json!({ "safeMode": true }));
    let conf = configuration(&[("oozie.wf.application.path", "x"), ("user.name", "joe")]);
    for refused in [
        request(Method::PUT, &format!("/oozie/v2/job/{RUNNING}?action=kill"), ""),
        request(Method::POST, "/oozie/v2/jobs", &conf),
    ] {
        let answer = gateway.send(refused).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (StatusCode::SERVICE_UNAVAILABLE, "E0002")
        );
    }
    assert_eq!(gateway.get(&format!("/oozie/v2/job/{RUNNING}")).await.status, StatusCode::OK);
    assert_eq!(gateway.put("/oozie/v0/admin/status?safemode=false").await.status, StatusCode::OK);
    assert_eq!(gateway.post("/oozie/v2/jobs", &conf).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn definitions_are_validated() {
    let gateway = Gateway::new();
    gateway
        .world
        .files
        .lock()
        .unwrap()
        .insert("hdfs://nn/wf.xml".to_owned(), DEFINITION.as_bytes().to_vec());
    let validate = async |file: &str, body: &str| {
        let request = Request::post(format!("/oozie/v2/validate?file={file}&user=joe"))
            .header("content-type", "application/xml");
        gateway.send(request.body(Body::from(body.to_owned())).unwrap()).await
    };
    let valid = json!({ "validate": "Valid workflow-app" });
    assert_eq!(validate("wf.xml", DEFINITION).await.json(), valid);
    assert_eq!(validate("hdfs://nn/wf.xml", "").await.json(), valid);
    assert_eq!(validate("hdfs://nn/other.xml", "").await.code(), "E0505");
    let wrong = validate("wf.xml", &DEFINITION.replace("<start to=\"fetch\"/>", "")).await;
    assert_eq!((wrong.status, wrong.code().as_str()), (StatusCode::BAD_REQUEST, "E0701"));
    assert!(wrong.header("oozie-error-message").starts_with("E0701: wf.xml, "), "{}", wrong.text());
    assert_eq!(wrong.header("oozie-error-message").matches("E0701").count(), 1, "{}", wrong.text());
    let nameless = gateway.post("/oozie/v2/validate?user=joe", DEFINITION).await;
    assert_eq!(nameless.code(), "E0305");
}

#[tokio::test]
async fn callbacks_are_taken_as_hints() {
    let gateway = Gateway::new();
    let good = format!("/oozie/callback?id={RUNNING}@fetch&status=SUCCEEDED");
    assert_eq!(gateway.get(&good).await.status, StatusCode::OK);
    let post = |body: &'static str| {
        Request::post(&good).header("content-type", "text/plain").body(Body::from(body)).unwrap()
    };
    assert_eq!(gateway.send(post("a=b")).await.status, StatusCode::OK);
    assert_eq!(gateway.send(request(Method::POST, &good, "a=b")).await.code(), "E0300");
    assert_eq!(
        gateway.send(post(Box::leak("x".repeat(3_000).into_boxed_str()))).await.code(),
        "E0403"
    );
    for bad in ["", "?id=x&status=OK", &format!("?id={RUNNING}@fetch"), "?status=OK"] {
        assert_eq!(gateway.get(&format!("/oozie/callback{bad}")).await.code(), "E0402", "{bad}");
    }
    assert!(gateway.world.told().is_empty());
}
