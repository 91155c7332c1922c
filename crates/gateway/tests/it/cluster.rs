//! `/api/v1/cluster`: what is shown, and what a person changes.

use axum::http::StatusCode;
use gateway::balance::Settings;
use serde_json::json;

use crate::client::{Answer, Gateway, configuration};
use crate::double::RUNNING;
use crate::schedulers::{Condition, Schedulers};

fn cluster() -> (std::sync::Arc<Schedulers>, Gateway) {
    let schedulers = Schedulers::new(&[("s1", 3), ("s2", 1)]);
    let gateway = Gateway::before(&schedulers, schedulers.balanced(Settings::default()));
    (schedulers, gateway)
}

#[track_caller]
fn check(answer: &Answer, status: u16, code: &str) {
    let got = (answer.status.as_u16(), answer.code());
    assert_eq!(got, (status, code.to_owned()), "{}", answer.text());
}

#[tokio::test]
async fn a_cluster_shows_members_owners_failover_policy_and_what_waits() {
    let (_, gateway) = cluster();
    let shown = gateway.get("/api/v1/cluster").await.json();
    assert_eq!(shown["kind"], "cluster");
    assert_eq!(shown["mode"], "active-standby");
    assert_eq!(shown["state"], "preferred works");
    assert_eq!(shown["coordinators"], json!(["c1"]));
    assert_eq!(
        shown["last_failover"],
        json!({ "at": "2026-07-01T12:00:00.000Z", "lost": ["s9"], "noticed_by": "silence", "took_ms": 1010 })
    );
    assert_eq!(
        shown["members"][0],
        json!({
            "id": "s1", "address": "http://s1:1", "nonce": "0000000000000000", "works": true, "owns": 8, "holds": 8,
            "weight": 3, "priority": 0, "succession": 0, "store_ok": true, "draining": false,
            "well_since": "2026-07-01T12:00:00.000Z", "coordinator": "c1"
        })
    );
    assert_eq!(shown["shards"].as_array().map(Vec::len), Some(16));
    assert_eq!(
        shown["shards"][1],
        json!({ "shard": 1, "owner": "s2", "holder": "s2", "epoch": 3 })
    );
    assert_eq!(shown["ready_attempts"], json!([{ "pool": "default", "waiting": 4 }]));
    assert_eq!(shown["policy"]["failback_after_ms"], 60_000);
    let default = "weighted-round-robin";
    assert_eq!(shown["balance"], json!({ "submit": default, "read": default }));
    assert_eq!(shown["problems"], json!([]));
}

#[tokio::test(start_paused = true)]
async fn a_cluster_in_trouble_shows_what_it_can() {
    let (schedulers, gateway) = cluster();
    for member in ["s1", "s2"] {
        schedulers.is(member, Condition::Frozen);
    }
    let shown = gateway.get("/api/v1/cluster").await.json();
    assert_eq!((&shown["policy"], &shown["members"][1]["id"]), (&json!(null), &json!("s2")));
    assert_eq!(shown["problems"], json!(["the policy could not be read: no answer in time"]));
}

#[tokio::test]
async fn each_part_of_the_policy_is_changed_by_its_own_path() {
    let (_, gateway) = cluster();
    let table = [
        ("mode", r#"{"mode": "load-balanced"}"#, "/mode", json!("load-balanced")),
        ("failback", "", "/asked_at", json!("2026-07-01T12:00:00.000Z")),
        (
            "failback",
            r#"{"failback": false, "failback_after_ms": 5, "move_gap_ms": 6}"#,
            "/move_gap_ms",
            json!(6),
        ),
        ("weight", r#"{"member": "s1", "weight": 7}"#, "/weights", json!({ "s1": 7 })),
        ("weight", r#"{"member": "s1", "weight": null}"#, "/weights", json!({})),
        ("drain", r#"{"member": "s2", "on": true}"#, "/draining", json!(["s2"])),
        ("drain", r#"{"member": "s2", "on": false}"#, "/draining", json!([])),
        ("weight", r#"{"member": "gone", "weight": null}"#, "/weights", json!({})),
    ];
    for (number, (path, body, place, expected)) in table.iter().enumerate() {
        let answer = gateway.post(&format!("/api/v1/cluster/{path}"), body).await;
        assert_eq!(answer.status, StatusCode::OK, "{path} {body}: {}", answer.text());
        let policy = answer.json();
        assert_eq!(policy.pointer(place), Some(expected), "{path} {body}");
        assert_eq!(policy["revision"], number + 1);
    }
}

#[tokio::test]
async fn the_algorithm_is_changed_while_requests_come() {
    let (schedulers, gateway) = cluster();
    let counts = async |gateway: &Gateway| {
        for _ in 0..20 {
            gateway.get(&format!("/oozie/v2/job/{RUNNING}")).await;
        }
        ["s1", "s2"].map(|member| schedulers.take_asked(member, "read"))
    };
    let by_weight = counts(&gateway).await;
    let body = r#"{"class": "read", "algorithm": "round-robin"}"#;
    let answer = gateway.post("/api/v1/cluster/balance", body).await;
    let expected = json!({ "submit": "weighted-round-robin", "read": "round-robin" });
    assert_eq!(answer.json(), expected);
    let by_turns = counts(&gateway).await;
    assert_eq!(by_weight[0], by_weight[1] * 3, "{by_weight:?}");
    assert_eq!(by_turns[0], by_turns[1], "{by_turns:?}");
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let (_, gateway) = cluster();
    for (path, body, status, code) in [
        ("mode", r#"{"mode": "both"}"#, 400, "HW4012"),
        ("mode", "", 400, "HW4012"),
        ("weight", r#"{"member": "s1", "weight": -1}"#, 400, "HW4012"),
        ("weight", r#"{"member": "s7", "weight": 1}"#, 400, "E0303"),
        ("drain", r#"{"member": "s7", "on": true}"#, 400, "E0303"),
        ("drain", r#"{"member": "s1", "on": true, "now": 1}"#, 400, "HW4012"),
        ("failback", r#"{"failback": true}"#, 400, "HW4012"),
        ("balance", r#"{"class": "read", "algorithm": "best"}"#, 400, "HW4012"),
        ("balance", &" ".repeat(20_000), 413, "HW4003"),
    ] {
        check(&gateway.post(&format!("/api/v1/cluster/{path}"), body).await, status, code);
    }
}

#[tokio::test]
async fn a_server_alone_is_its_only_member_and_changes_nothing() {
    let gateway = Gateway::new();
    let shown = gateway.get("/api/v1/cluster").await.json();
    assert_eq!((&shown["kind"], &shown["mode"]), (&json!("standalone"), &json!(null)));
    assert_eq!(shown["state"], "howdah works alone");
    assert_eq!(shown["members"].as_array().map(Vec::len), Some(1));
    assert_eq!(shown["ready_attempts"], json!([{ "pool": "default", "waiting": 3 }]));
    for (path, body) in [
        ("mode", r#"{"mode": "load-balanced"}"#),
        ("failback", ""),
        ("weight", r#"{"member": "s1", "weight": 7}"#),
        ("drain", r#"{"member": "s1", "on": true}"#),
        ("balance", r#"{"class": "read", "algorithm": "hash"}"#),
    ] {
        check(&gateway.post(&format!("/api/v1/cluster/{path}"), body).await, 409, "HW4011");
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_map_everything_answers_503_with_a_hint_when_to_come_back() {
    let schedulers = Schedulers::untold(&[("s1", 1)]);
    let gateway = Gateway::before(&schedulers, schedulers.balanced(Settings::default()));
    let submission =
        configuration(&[("user.name", "joe"), ("oozie.wf.application.path", "file:///apps/etl")]);
    for answer in [
        gateway.get("/api/v1/cluster").await,
        gateway.get(&format!("/oozie/v2/job/{RUNNING}")).await,
        gateway.get(&format!("/api/v1/jobs/{RUNNING}/explain")).await,
        gateway.put(&format!("/oozie/v2/job/{RUNNING}?action=kill&user.name=joe")).await,
        gateway.post("/oozie/v2/jobs?action=start", &submission).await,
    ] {
        check(&answer, 503, "HW4010");
        assert_eq!(answer.header("retry-after"), "1");
    }
}

#[tokio::test]
async fn in_safe_mode_the_cluster_is_still_looked_after() {
    let (_, gateway) = cluster();
    gateway.put("/oozie/v1/admin/status?systemmode=SAFEMODE").await;
    let drained = gateway.post("/api/v1/cluster/drain", r#"{"member": "s2", "on": true}"#).await;
    assert_eq!(drained.status, StatusCode::OK);
}
