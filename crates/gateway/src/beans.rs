//! Oozie's JSON beans with their exact keys (census §5.4): unknown values are `null`, never left out (gotcha 60).

use std::sync::Arc;

use model::action::EarlierAttempt;
use model::job::JobHeader;
use model::{WorkflowAction, WorkflowJob};
use ports::store::JobPage;
use serde_json::{Value, json};

use crate::dates::Zone;
use crate::params::Page;

/// A workflow job with a page of its actions.
pub(crate) fn workflow(job: &WorkflowJob, page: Page, zone: &Zone) -> Value {
    let actions = in_order(job).into_iter().skip(page.skipped() as usize).take(page.len as usize);
    let actions = actions.map(|one| action(&job.header, one, zone)).collect();
    let conf = Value::String(definition::write_configuration(&job.header.conf));
    workflow_with(&job.header, conf, actions, zone)
}

/// A list of workflow jobs: without configurations and actions, as in Oozie.
pub(crate) fn workflows(found: &JobPage, page: Page, zone: &Zone) -> Value {
    let jobs: Vec<Value> =
        found.jobs.iter().map(|job| workflow_with(job, Value::Null, Vec::new(), zone)).collect();
    json!({ "workflows": jobs, "total": found.total, "offset": page.offset, "len": page.len })
}

/// A list of a kind of job of which there are none.
pub(crate) fn empty_list(key: &str, page: Page) -> Value {
    json!({ key: [], "total": 0, "offset": page.offset, "len": page.len })
}

fn workflow_with(job: &JobHeader, conf: Value, actions: Vec<Value>, zone: &Zone) -> Value {
    let date = |moment: Option<model::Timestamp>| moment.map(|moment| zone.show(moment));
    json!({
        "appPath": job.app_path,
        "appName": job.app_name,
        "id": job.id,
        "externalId": job.external_id,
        "parentId": job.parent.as_ref().map(|parent| &parent.job),
        "conf": conf,
        "status": job.status,
        "lastModTime": zone.show(job.changed_at),
        "createdTime": zone.show(job.created_at),
        "startTime": date(job.started_at),
        "endTime": date(job.ended_at),
        "user": job.user,
        "group": job.group,
        "acl": job.acl,
        "run": job.run,
        "consoleUrl": null,
        "actions": actions,
        "toString": format!("Workflow id[{}] status[{}]", job.id, job.status),
    })
}

/// An action of a workflow job.
pub(crate) fn action(job: &JobHeader, action: &WorkflowAction, zone: &Zone) -> Value {
    let date = |moment: Option<model::Timestamp>| moment.map(|moment| zone.show(moment));
    json!({
        "id": format!("{}@{}", job.id, action.name),
        "name": action.name,
        "cred": action.cred,
        "type": action.kind,
        "conf": action.conf,
        "status": action.status,
        "retries": action.retries,
        "startTime": date(action.started_at),
        "endTime": date(action.ended_at),
        "transition": action.transition,
        "data": action.data,
        "stats": action.stats,
        "externalChildIDs": action.external_child_ids,
        "externalId": action.external_id,
        "externalStatus": action.external_status,
        "trackerUri": action.tracker_uri,
        "consoleUrl": action.console_url,
        "errorCode": action.error_code,
        "errorMessage": action.error_message,
        "toString": format!("Action name[{}] status[{}]", action.name, action.status),
        "userRetryInterval": action.user_retry.interval_minutes,
        "userRetryCount": action.user_retry.count,
        "userRetryMax": action.user_retry.max,
    })
}

/// The earlier attempts of an action; numbers are texts there, and dates are GMT whatever the zone.
pub(crate) fn retries(earlier: &[EarlierAttempt]) -> Value {
    let gmt = Zone::gmt();
    let retries = earlier.iter().enumerate().map(|(at, attempt)| {
        let mut retry =
            json!({ "attempt": (at + 1).to_string(), "endTime": gmt.show(attempt.ended_at) });
        if let Some(started_at) = attempt.started_at {
            retry["startTime"] = Value::String(gmt.show(started_at));
        }
        retry
    });
    json!({ "retries": retries.collect::<Vec<_>>() })
}

/// Actions by their start; what has not started comes last; what started together, as it was made, then by name.
pub(crate) fn in_order(job: &WorkflowJob) -> Vec<&WorkflowAction> {
    let mut actions: Vec<&WorkflowAction> = job.actions.values().map(Arc::as_ref).collect();
    actions.sort_by_key(|action| {
        (action.started_at.is_none(), action.started_at, action.created_at, action.name.clone())
    });
    actions
}
