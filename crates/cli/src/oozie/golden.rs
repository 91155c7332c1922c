//! Every table against text that Oozie 5.2.1's own client printed for the same answers (`testdata/`, both kept as files).

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use expect_test::expect_file;
use serde::de::DeserializeOwned;

use super::schedule_tables;
use super::tables::{self, RULER, View};
use crate::beans::{
    BulkRow, BundleJob, CoordinatorAction, CoordinatorJob, JobList, Retry, WorkflowAction,
    WorkflowJob,
};
use crate::times::Zone;

fn data(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/oozie/testdata").join(name)
}

fn bean<T: DeserializeOwned>(name: &str) -> T {
    let text = fs::read_to_string(data(&format!("{name}.json"))).expect(name);
    serde_json::from_str(&text).expect(name)
}

fn gmt(verbose: bool) -> View {
    View { zone: Zone::gmt(), verbose }
}

/// Prints and compares; the expected text is checked in.
#[track_caller]
fn check(golden: &str, print: impl FnOnce(&mut dyn Write) -> io::Result<()>) {
    let mut out = Vec::new();
    print(&mut out).expect("a vector takes everything");
    expect_file![data(&format!("{golden}.txt"))].assert_eq(&String::from_utf8(out).expect("text"));
}

#[test]
fn a_job() {
    let job: WorkflowJob = bean("job");
    check("job", |out| tables::job(out, &job, &gmt(false)));
    check("job_verbose", |out| tables::job(out, &job, &gmt(true)));
    let new: WorkflowJob = bean("new_job");
    check("new_job", |out| {
        tables::job(out, &new, &View { zone: Zone::named("PST"), verbose: false })
    });
}

#[test]
fn an_action() {
    let action: WorkflowAction = bean("action");
    check("action", |out| tables::action(out, &action, &gmt(false)));
    check("action_verbose", |out| tables::action(out, &action, &gmt(true)));
}

#[test]
fn retries() {
    #[derive(serde::Deserialize)]
    struct Retries {
        retries: Vec<Retry>,
    }
    let found: Retries = bean("retries");
    check("retries", |out| {
        tables::retries(out, "0000001-261122144400000-howdah-W@a", &found.retries)
    });
    check("no_retries", |out| tables::retries(out, "0000001-261122144400000-howdah-W@b", &[]));
}

#[test]
fn lists_of_workflows() {
    let jobs = bean::<JobList>("jobs").workflows.expect("workflows");
    check("jobs", |out| tables::jobs(out, &jobs, &gmt(false)));
    check("jobs_verbose", |out| tables::jobs(out, &jobs, &gmt(true)));
    check("no_jobs", |out| tables::jobs(out, &[], &gmt(true)));
    check("runs", |out| tables::runs(out, &jobs[..1], &gmt(false)));
}

#[test]
fn coordinators() {
    let job: CoordinatorJob = bean("coordinator");
    check("coordinator", |out| schedule_tables::coordinator(out, &job, &gmt(false)));
    check("coordinator_verbose", |out| schedule_tables::coordinator(out, &job, &gmt(true)));
    let action: CoordinatorAction = bean("instance");
    check("instance", |out| schedule_tables::instance(out, &action, &gmt(false)));
    let jobs = bean::<JobList>("coordinators").coordinators.expect("coordinators");
    check("coordinators", |out| schedule_tables::coordinators(out, &jobs, &gmt(false)));
    check("coordinators_verbose", |out| schedule_tables::coordinators(out, &jobs, &gmt(true)));
}

#[test]
fn coordinator_actions_that_were_touched() {
    let actions = [bean::<CoordinatorAction>("instance")];
    check("touched", |out| schedule_tables::touched(out, &actions, &gmt(false)));
    check("touched_with_status", |out| {
        schedule_tables::touched_with_status(out, &actions, &gmt(false))
    });
    check("none_touched", |out| schedule_tables::touched(out, &[], &gmt(false)));
}

#[test]
fn bundles() {
    // The kickoff time is in the zone of the machine, as Java prints it: left out here.
    let job = BundleJob { kickoff_time: None, ..bean("bundle") };
    check("bundle", |out| schedule_tables::bundle(out, &job, &gmt(false)));
    let jobs = bean::<JobList>("bundles").bundles.expect("bundles");
    check("bundles", |out| schedule_tables::bundles(out, &jobs, &gmt(false)));
    check("bundles_verbose", |out| schedule_tables::bundles(out, &jobs, &gmt(true)));
    let rows: Vec<BulkRow> = bean::<JobList>("bulk").bulk.expect("rows");
    check("bulk", |out| schedule_tables::bulk(out, &rows, &gmt(false)));
    check("bulk_verbose", |out| schedule_tables::bulk(out, &rows, &gmt(true)));
}

#[test]
fn the_ruler_is_as_long_as_oozies() {
    assert_eq!((RULER.len(), RULER.trim_matches('-')), (132, ""));
}
