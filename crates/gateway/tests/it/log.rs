//! `show=log`, `errorlog`, `auditlog`.

use engine::event::{AttemptRef, Event};
use expect_test::expect;
use model::{
    Attempt, AttemptResult, Claim, ErrorClass, Failure, NodeName, Phase, Run, Token, WorkerId,
};

use crate::client::Gateway;
use crate::double::{RUNNING, World};

fn some_history(world: &World) {
    let (fetch, token) = (NodeName::new("fetch"), Token::new("t"));
    let claim = Claim { worker: WorkerId::new("one"), incarnation: 1, token: token.clone() };
    let of = AttemptRef { run: Run(0), attempt: Attempt(1) };
    let failure = Failure {
        class: ErrorClass::Error,
        phase: Phase::Check,
        code: "JA018".into(),
        message: "exit\ncode 1".into(),
        data: None,
        external_id: None,
        external_status: None,
    };
    world.happened(RUNNING, &Event::Started);
    world.happened(RUNNING, &Event::Claimed { action: fetch.clone(), of, claim });
    world.happened(
        RUNNING,
        &Event::Finished { action: fetch, token, result: AttemptResult::Failed(failure) },
    );
    world.happened(RUNNING, &Event::Killed);
}

async fn log(query: &str) -> String {
    let gateway = Gateway::new();
    some_history(&gateway.world);
    gateway.get(&format!("/oozie/v2/job/{query}")).await.text().to_owned()
}

#[tokio::test]
async fn a_log_has_a_line_per_event_in_oozie_s_layout() {
    expect![[r#"
        2026-07-01 12:00:01,000  INFO WorkflowEngine:1 - SERVER[howdah] USER[joe] GROUP[-] TOKEN[-] APP[etl] JOB[0000001-261122144400000-howdah-W] ACTION[-] job started
        2026-07-01 12:00:02,000  INFO WorkflowEngine:2 - SERVER[howdah] USER[joe] GROUP[-] TOKEN[-] APP[etl] JOB[0000001-261122144400000-howdah-W] ACTION[0000001-261122144400000-howdah-W@fetch] attempt 1 of run 0 is taken by worker one
        2026-07-01 12:00:03,000 ERROR WorkflowEngine:3 - SERVER[howdah] USER[joe] GROUP[-] TOKEN[-] APP[etl] JOB[0000001-261122144400000-howdah-W] ACTION[0000001-261122144400000-howdah-W@fetch] failed: JA018: exit code 1
        2026-07-01 12:00:04,000  INFO WorkflowEngine:4 - SERVER[howdah] USER[joe] GROUP[-] TOKEN[-] APP[etl] JOB[0000001-261122144400000-howdah-W] ACTION[-] job killed
    "#]]
    .assert_eq(&log(&format!("{RUNNING}?show=log")).await);
}

#[tokio::test]
async fn logs_are_selected_by_kind_filter_and_action() {
    let table = [
        (format!("{RUNNING}?show=errorlog"), vec!["failed"]),
        (format!("{RUNNING}?show=auditlog"), vec!["job started", "job killed"]),
        (format!("{RUNNING}@fetch?show=log"), vec!["is taken", "failed"]),
        (format!("{RUNNING}?show=log&logfilter=loglevel=ERROR"), vec!["failed"]),
        (format!("{RUNNING}?show=log&logfilter=limit=2"), vec!["job started", "is taken"]),
        (format!("{RUNNING}?show=log&logfilter=text=worker%20one"), vec!["is taken"]),
        (
            format!("{RUNNING}?show=log&logfilter=start=2026-07-01%2012:00:03;debug;limit=1"),
            vec!["log from", "failed"],
        ),
        (format!("{RUNNING}?show=log&logfilter=start=2026-07-01T13:00Z"), vec![]),
    ];
    for (query, parts) in table {
        let text = log(&query).await;
        assert_eq!(text.lines().count(), parts.len(), "{query}:\n{text}");
        assert!(
            text.lines().zip(&parts).all(|(line, part)| line.contains(part)),
            "{query}:\n{text}"
        );
    }
}

#[tokio::test]
async fn long_histories_are_sent_whole() {
    let gateway = Gateway::new();
    for _ in 0..1_234 {
        gateway.world.happened(RUNNING, &Event::Woke);
    }
    let text = gateway
        .get(&format!("/oozie/v2/job/{RUNNING}?show=log&logfilter=end=2026-07-02T00:00Z"))
        .await;
    assert_eq!(text.text().lines().count(), 1_234);
}
