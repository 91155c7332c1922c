//! A cluster of real processes: PostgreSQL, etcd, NATS, and Howdah's services, some of which die.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use testkit::cluster::{Cluster, Shape};
use testkit::server::Rest;

use crate::witness;

/// An application of chained shell actions that bear witness, each `work` long.
fn chain(dir: &Path, length: usize, work: &str) -> PathBuf {
    let app = dir.join(format!("chain{length}"));
    std::fs::create_dir_all(&app).unwrap();
    std::fs::write(app.join("witness.sh"), witness::SCRIPT).unwrap();
    let mut nodes = String::new();
    for index in 1..=length {
        let next = if index == length { "end".to_owned() } else { format!("a{}", index + 1) };
        write!(
            nodes,
            "<action name=\"a{index}\"><shell xmlns=\"uri:oozie:shell-action:1.0\"><resource-manager>local</resource-manager><name-node>file:///</name-node><exec>sh</exec><argument>witness.sh</argument><env-var>WITNESS={}</env-var><env-var>WORK={work}</env-var><file>witness.sh</file></shell><ok to=\"{next}\"/><error to=\"fail\"/></action>",
            dir.join("witness").display()
        )
        .unwrap();
    }
    let text = format!(
        "<workflow-app xmlns=\"uri:oozie:workflow:1.0\" name=\"chain\"><start to=\"a1\"/>{nodes}<kill name=\"fail\"><message>failed</message></kill><end name=\"end\"/></workflow-app>"
    );
    std::fs::write(app.join("workflow.xml"), text).unwrap();
    app
}

fn submit(rest: &Rest, app: &Path) -> String {
    let path = format!("file://{}", app.display());
    rest.submit(&[("oozie.wf.application.path", &path), ("user.name", "tester")]).unwrap()
}

/// Every action of every job started once and ended once.
fn check_witness(dir: &Path, jobs: &[String], length: usize) {
    let seen = witness::read(&dir.join("witness"));
    for job in jobs {
        for index in 1..=length {
            let action = format!("a{index}");
            let seen = seen.get(&(job.clone(), action.clone()));
            let counts = seen.map(|seen| (seen.starts, seen.ends));
            assert_eq!(counts, Some((1, 1)), "{job} {action}");
        }
    }
}

fn all_succeed(rest: &Rest, jobs: &[String]) {
    for job in jobs {
        let info = rest.ended(job).unwrap();
        assert_eq!(info["status"], "SUCCEEDED", "{job}: {info}");
    }
}

/// The scheduler that owns the shards, by its own word.
fn active(cluster: &Cluster) -> String {
    let map = cluster.rest("g1").unwrap().get("/api/v1/cluster").unwrap();
    let members = map["members"].as_array().unwrap();
    let working = members.iter().find(|member| member["owns"].as_u64().unwrap_or(0) > 0);
    working.map(|member| member["id"].as_str().unwrap().to_owned()).unwrap_or_default()
}

#[test]
fn the_active_scheduler_is_killed_and_the_standby_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::start(dir.path(), &Shape::default()).unwrap();
    let rest = cluster.rest("g1").unwrap();
    let app = chain(dir.path(), 4, "sleep 0.2");
    let jobs: Vec<String> = (0..8).map(|_| submit(&rest, &app)).collect();
    let witness = dir.path().join("witness");
    testkit::server::wait_until("five actions run", || witness::lines(&witness).len() >= 5)
        .unwrap();
    let victim = active(&cluster);
    let began = Instant::now();
    cluster.kill(&victim).unwrap();
    let more = submit(&rest, &app);
    let took = began.elapsed();
    let jobs: Vec<String> = jobs.into_iter().chain([more]).collect();
    all_succeed(&rest, &jobs);
    check_witness(dir.path(), &jobs, 4);
    assert!(took < Duration::from_secs(5), "a submit after the kill took {took:?}");
    cluster.launch_ready(&victim).unwrap();
    let again = submit(&rest, &app);
    all_succeed(&rest, std::slice::from_ref(&again));
    cluster.signal(&victim, Signal::TERM).unwrap();
    cluster.wait_ended(&victim).unwrap();
}
