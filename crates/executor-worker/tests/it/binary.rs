//! The worker's own binary, whose file an upgrade replaces.

use std::fs;
use std::process::Command;

use crate::harness::{Bench, shell};

#[tokio::test]
async fn the_binary_may_be_replaced_and_deleted_under_a_running_worker() {
    let mut bench = Bench::new();
    let binary = bench.path("howdah-copy");
    // By another process: a child that another test forks meanwhile could hold our descriptor, and keep the copy busy.
    let copied = Command::new("cp").arg(&bench.config.supervisor).arg(&binary).status();
    assert!(copied.expect("it is there").success());
    bench.config.supervisor = binary.clone();
    let fs_body = r#"<fs xmlns="uri:oozie:workflow:0.5"><mkdir path="file:///tmp"/></fs>"#;
    let bodies = [("shell", shell("<exec>true</exec>")), ("fs", fs_body.to_owned())];
    bench.succeeds("shell", &bodies[0].1).await;
    fs::remove_file(&binary).expect("it is there");
    for (kind, body) in &bodies {
        bench.succeeds(kind, body).await;
    }
    fs::write(&binary, "another version, being copied").expect("room");
    for (kind, body) in &bodies {
        bench.succeeds(kind, body).await;
    }
}
