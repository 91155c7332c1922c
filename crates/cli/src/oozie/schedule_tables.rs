//! What Oozie's client prints about coordinators and bundles, byte for byte (census §6).

use std::io::{self, Write};

use super::tables::{RULER, View, listed, masked, plain, tabbed};
use crate::beans::{BulkRow, BundleJob, CoordinatorAction, CoordinatorJob};
use crate::times;

/// What separates missing dependencies.
const DEPENDENCY_SEPARATOR: char = '#';

/// `job -info` of a coordinator.
pub fn coordinator(out: &mut dyn Write, job: &CoordinatorJob, view: &View) -> io::Result<()> {
    writeln!(out, "Job ID : {}\n{RULER}", plain(job.coord_job_id.as_ref()))?;
    writeln!(out, "Job Name    : {}", masked(job.coord_job_name.as_ref()))?;
    writeln!(out, "App Path    : {}", masked(job.coord_job_path.as_ref()))?;
    writeln!(out, "Status      : {}", plain(job.status.as_ref()))?;
    writeln!(out, "Start Time  : {}", view.minute(job.start_time.as_ref()))?;
    writeln!(out, "End Time    : {}", view.minute(job.end_time.as_ref()))?;
    writeln!(out, "Pause Time  : {}", view.minute(job.pause_time.as_ref()))?;
    writeln!(out, "Concurrency : {}\n{RULER}", job.concurrency)?;
    if view.verbose {
        instances_in_full(out, &job.actions, view)
    } else {
        instances(out, &job.actions, view)
    }
}

fn instances(out: &mut dyn Write, actions: &[CoordinatorAction], view: &View) -> io::Result<()> {
    let row = |cells: [&str; 7]| {
        let [id, status, external, code, created, nominal, _last] = cells;
        // Oozie's format has six columns for seven headings: the last modification is never shown.
        format!("{id:<43}{status:<10}{external:<37}{code:<10}{created:<21}{nominal:<21}")
    };
    writeln!(
        out,
        "{}",
        row(["ID", "Status", "Ext ID", "Err Code", "Created", "Nominal Time", "Last Mod"])
    )?;
    actions.iter().try_for_each(|action| {
        let cells = row([
            masked(action.id.as_ref()),
            plain(action.status.as_ref()),
            masked(action.external_id.as_ref()),
            masked(action.error_code.as_ref()),
            &view.date(action.created_time.as_ref()),
            &view.date(action.nominal_time.as_ref()),
            &view.date(action.last_modified_time.as_ref()),
        ]);
        writeln!(out, "{cells}\n{RULER}")
    })
}

fn instances_in_full(
    out: &mut dyn Write,
    actions: &[CoordinatorAction],
    view: &View,
) -> io::Result<()> {
    tabbed(
        out,
        &[
            "ID",
            "Action Number",
            "Console URL",
            "Error Code",
            "Error Message",
            "External ID",
            "External Status",
            "Job ID",
            "Tracker URI",
            "Created",
            "Nominal Time",
            "Status",
            "Last Modified",
            "Missing Dependencies",
        ],
    )?;
    actions.iter().try_for_each(|action| {
        tabbed(
            out,
            &[
                masked(action.id.as_ref()),
                &action.action_number.to_string(),
                masked(action.console_url.as_ref()),
                masked(action.error_code.as_ref()),
                masked(action.error_message.as_ref()),
                masked(action.external_id.as_ref()),
                masked(action.external_status.as_ref()),
                masked(action.coord_job_id.as_ref()),
                masked(action.tracker_uri.as_ref()),
                &view.date(action.created_time.as_ref()),
                &view.date(action.nominal_time.as_ref()),
                plain(action.status.as_ref()),
                &view.date(action.last_modified_time.as_ref()),
                masked(Some(&first_missing(action))),
            ],
        )
    })
}

/// `job -info` of a coordinator's action.
pub fn instance(out: &mut dyn Write, action: &CoordinatorAction, view: &View) -> io::Result<()> {
    writeln!(out, "ID : {}\n{RULER}", masked(action.id.as_ref()))?;
    writeln!(out, "Action Number        : {}", action.action_number)?;
    writeln!(out, "Console URL          : {}", masked(action.console_url.as_ref()))?;
    writeln!(out, "Error Code           : {}", masked(action.error_code.as_ref()))?;
    writeln!(out, "Error Message        : {}", masked(action.error_message.as_ref()))?;
    writeln!(out, "External ID          : {}", masked(action.external_id.as_ref()))?;
    writeln!(out, "External Status      : {}", masked(action.external_status.as_ref()))?;
    writeln!(out, "Job ID               : {}", masked(action.coord_job_id.as_ref()))?;
    writeln!(out, "Tracker URI          : {}", masked(action.tracker_uri.as_ref()))?;
    writeln!(out, "Created              : {}", view.minute(action.created_time.as_ref()))?;
    writeln!(out, "Nominal Time         : {}", view.minute(action.nominal_time.as_ref()))?;
    writeln!(out, "Status               : {}", plain(action.status.as_ref()))?;
    writeln!(out, "Last Modified        : {}", view.minute(action.last_modified_time.as_ref()))?;
    writeln!(out, "First Missing Dependency : {}\n{RULER}", masked(Some(&first_missing(action))))
}

/// The first of each kind of dependency that is missing.
fn first_missing(action: &CoordinatorAction) -> String {
    let lists = [&action.missing_dependencies, &action.push_missing_dependencies];
    let lists = lists.into_iter().flatten().filter(|list| !list.is_empty());
    let firsts: Vec<&str> =
        lists.filter_map(|list| list.split(DEPENDENCY_SEPARATOR).next()).collect();
    firsts.join("#")
}

/// `job -info` of a bundle.
pub fn bundle(out: &mut dyn Write, job: &BundleJob, view: &View) -> io::Result<()> {
    writeln!(out, "Job ID : {}\n{RULER}", plain(job.bundle_job_id.as_ref()))?;
    writeln!(out, "Job Name : {}", masked(job.bundle_job_name.as_ref()))?;
    writeln!(out, "App Path : {}", masked(job.bundle_job_path.as_ref()))?;
    writeln!(out, "Status   : {}", plain(job.status.as_ref()))?;
    writeln!(out, "Kickoff time   : {}\n{RULER}", times::as_java(job.kickoff_time.as_deref()))?;
    let mut row = |cells: [&str; 6]| {
        let [id, status, frequency, unit, started, next] = cells;
        writeln!(
            out,
            "{id:<41}{status:<15}{frequency:<5}{unit:<13}{started:<24}{next:<24}\n{RULER}"
        )
    };
    row(["Job ID", "Status", "Freq", "Unit", "Started", "Next Materialized"])?;
    job.bundle_coord_jobs.iter().try_for_each(|coordinator| {
        row([
            masked(coordinator.coord_job_id.as_ref()),
            plain(coordinator.status.as_ref()),
            plain(coordinator.frequency.0.as_ref()),
            plain(coordinator.time_unit.as_ref()),
            &view.date(coordinator.start_time.as_ref()),
            &view.date(coordinator.next_materialized_time.as_ref()),
        ])
    })
}

/// `jobs -jobtype coordinator`.
pub fn coordinators(out: &mut dyn Write, jobs: &[CoordinatorJob], view: &View) -> io::Result<()> {
    listed(out, jobs, view, coordinators_in_full, coordinators_in_short)
}

fn coordinators_in_short(
    out: &mut dyn Write,
    jobs: &[CoordinatorJob],
    view: &View,
) -> io::Result<()> {
    let mut row = |cells: [&str; 7]| {
        let [id, name, status, frequency, unit, started, next] = cells;
        writeln!(
            out,
            "{id:<41}{name:<15}{status:<10}{frequency:<5}{unit:<13}{started:<24}{next:<24}\n{RULER}"
        )
    };
    row(["Job ID", "App Name", "Status", "Freq", "Unit", "Started", "Next Materialized"])?;
    jobs.iter().try_for_each(|job| {
        row([
            masked(job.coord_job_id.as_ref()),
            masked(job.coord_job_name.as_ref()),
            plain(job.status.as_ref()),
            plain(job.frequency.0.as_ref()),
            plain(job.time_unit.as_ref()),
            &view.date(job.start_time.as_ref()),
            &view.date(job.next_materialized_time.as_ref()),
        ])
    })
}

fn coordinators_in_full(
    out: &mut dyn Write,
    jobs: &[CoordinatorJob],
    view: &View,
) -> io::Result<()> {
    tabbed(
        out,
        &[
            "Job ID",
            "App Name",
            "App Path",
            "Console URL",
            "User",
            "Group",
            "Concurrency",
            "Frequency",
            "Time Unit",
            "Time Zone",
            "Time Out",
            "Started",
            "Next Materialize",
            "Status",
            "Last Action",
            "Ended",
        ],
    )?;
    jobs.iter().try_for_each(|job| {
        tabbed(
            out,
            &[
                masked(job.coord_job_id.as_ref()),
                masked(job.coord_job_name.as_ref()),
                masked(job.coord_job_path.as_ref()),
                masked(job.console_url.as_ref()),
                masked(job.user.as_ref()),
                masked(job.group.as_ref()),
                &job.concurrency.to_string(),
                plain(job.frequency.0.as_ref()),
                plain(job.time_unit.as_ref()),
                masked(job.time_zone.as_ref()),
                &job.time_out.to_string(),
                &view.date(job.start_time.as_ref()),
                &view.date(job.next_materialized_time.as_ref()),
                plain(job.status.as_ref()),
                &view.date(job.last_action.as_ref()),
                &view.date(job.end_time.as_ref()),
            ],
        )
    })
}

/// `jobs -jobtype bundle`.
pub fn bundles(out: &mut dyn Write, jobs: &[BundleJob], view: &View) -> io::Result<()> {
    listed(out, jobs, view, bundles_in_full, bundles_in_short)
}

fn bundles_in_short(out: &mut dyn Write, jobs: &[BundleJob], view: &View) -> io::Result<()> {
    let mut row = |cells: [&str; 7]| {
        let [id, name, status, kickoff, created, user, group] = cells;
        writeln!(
            out,
            "{id:<41}{name:<15}{status:<10}{kickoff:<20}{created:<20}{user:<13}{group:<13}\n{RULER}"
        )
    };
    row(["Job ID", "Bundle Name", "Status", "Kickoff", "Created", "User", "Group"])?;
    jobs.iter().try_for_each(|job| {
        row([
            masked(job.bundle_job_id.as_ref()),
            masked(job.bundle_job_name.as_ref()),
            plain(job.status.as_ref()),
            &view.date(job.kickoff_time.as_ref()),
            &view.date(job.created_time.as_ref()),
            masked(job.user.as_ref()),
            masked(job.group.as_ref()),
        ])
    })
}

fn bundles_in_full(out: &mut dyn Write, jobs: &[BundleJob], view: &View) -> io::Result<()> {
    tabbed(
        out,
        &[
            "Job ID",
            "Bundle Name",
            "Bundle Path",
            "User",
            "Group",
            "Status",
            "Kickoff",
            "Pause",
            "Created",
            "Console URL",
        ],
    )?;
    jobs.iter().try_for_each(|job| {
        tabbed(
            out,
            &[
                masked(job.bundle_job_id.as_ref()),
                masked(job.bundle_job_name.as_ref()),
                masked(job.bundle_job_path.as_ref()),
                masked(job.user.as_ref()),
                masked(job.group.as_ref()),
                plain(job.status.as_ref()),
                &view.date(job.kickoff_time.as_ref()),
                &view.date(job.pause_time.as_ref()),
                &view.date(job.created_time.as_ref()),
                masked(job.console_url.as_ref()),
            ],
        )
    })
}

/// `jobs -bulk`.
pub fn bulk(out: &mut dyn Write, rows: &[BulkRow], view: &View) -> io::Result<()> {
    if rows.is_empty() {
        return writeln!(out, "Bulk request criteria did not match any coordinator actions");
    }
    let one = if view.verbose { bulk_in_full } else { bulk_in_short };
    rows.iter().try_for_each(|row| one(out, row, view))
}

fn bulk_in_short(out: &mut dyn Write, row: &BulkRow, view: &View) -> io::Result<()> {
    let mut line = |cells: [&str; 8]| {
        let [bundle, id, name, action, status, external, created, message] = cells;
        let left = format!("{bundle:<13}{id:<38}{name:<13}{action:<41}{status:<10}");
        writeln!(out, "{left}{external:<38}{created:<21}{message:<38}\n{RULER}")
    };
    line([
        "Bundle Name",
        "Bundle ID",
        "Coord Name",
        "Coord Action ID",
        "Status",
        "External ID",
        "Created Time",
        "Error Message",
    ])?;
    line([
        masked(row.bulkbundle.bundle_job_name.as_ref()),
        masked(row.bulkbundle.bundle_job_id.as_ref()),
        masked(row.bulkcoord.coord_job_name.as_ref()),
        masked(row.bulkaction.id.as_ref()),
        plain(row.bulkaction.status.as_ref()),
        masked(row.bulkaction.external_id.as_ref()),
        &view.minute(row.bulkaction.created_time.as_ref()),
        masked(row.bulkaction.error_message.as_ref()),
    ])
}

fn bulk_in_full(out: &mut dyn Write, row: &BulkRow, view: &View) -> io::Result<()> {
    writeln!(out, "\nBundle Name : {}\n{RULER}", masked(row.bulkbundle.bundle_job_name.as_ref()))?;
    writeln!(out, "Bundle ID        : {}", masked(row.bulkbundle.bundle_job_id.as_ref()))?;
    writeln!(out, "Coordinator Name : {}", masked(row.bulkcoord.coord_job_name.as_ref()))?;
    writeln!(out, "Coord Action ID  : {}", masked(row.bulkaction.id.as_ref()))?;
    writeln!(out, "Action Status    : {}", plain(row.bulkaction.status.as_ref()))?;
    writeln!(out, "External ID      : {}", masked(row.bulkaction.external_id.as_ref()))?;
    writeln!(out, "Created Time     : {}", view.minute(row.bulkaction.created_time.as_ref()))?;
    writeln!(out, "User             : {}", masked(row.bulkbundle.user.as_ref()))?;
    writeln!(out, "Error Message    : {}\n{RULER}", masked(row.bulkaction.error_message.as_ref()))
}

/// Actions that were rerun or killed: their ids and nominal times in the zone of this machine.
pub fn touched(out: &mut dyn Write, actions: &[CoordinatorAction], local: &View) -> io::Result<()> {
    if actions.is_empty() {
        return writeln!(out, "No Actions match your criteria!");
    }
    writeln!(out, "Action ID\tNominal Time\n{RULER}")?;
    actions.iter().try_for_each(|action| {
        writeln!(
            out,
            "{}\t{}",
            masked(action.id.as_ref()),
            local.minute(action.nominal_time.as_ref())
        )
    })
}

/// Actions that were ignored, with their status.
pub fn touched_with_status(
    out: &mut dyn Write,
    actions: &[CoordinatorAction],
    local: &View,
) -> io::Result<()> {
    if actions.is_empty() {
        return Ok(());
    }
    writeln!(out, "Action ID\tNominal Time\tStatus\n{RULER}")?;
    actions.iter().try_for_each(|action| {
        let (id, status) = (masked(action.id.as_ref()), masked(action.status.as_ref()));
        writeln!(out, "{id}\t{}\t{status}", local.minute(action.nominal_time.as_ref()))
    })
}
