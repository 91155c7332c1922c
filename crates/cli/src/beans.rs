//! What the server tells about jobs (census §5.4), as far as the command line shows it. Every key may be missing or null.

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny};

macro_rules! bean {
    ($(#[$doc:meta])* $name:ident { $($(#[$attr:meta])* $field:ident: $type:ty),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
        #[serde(rename_all = "camelCase", default)]
        #[expect(missing_docs, reason = "the fields are Oozie's JSON keys")]
        pub struct $name { $($(#[$attr])* #[serde(deserialize_with = "or_default")] pub $field: $type),+ }
    };
}

/// A JSON null is as good as a missing key.
fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

type Text = Option<String>;

bean! {
    /// A workflow job.
    WorkflowJob {
        id: Text, app_name: Text, app_path: Text, status: Text, run: i64, user: Text, group: Text, parent_id: Text,
        conf: Text, console_url: Text, created_time: Text, start_time: Text, end_time: Text, last_mod_time: Text,
        actions: Vec<WorkflowAction>,
    }
}

bean! {
    /// An action of a workflow job.
    WorkflowAction {
        id: Text, name: Text, #[serde(rename = "type")] kind: Text, status: Text, retries: i64, user_retry_count: i64,
        start_time: Text, end_time: Text, external_id: Text, external_status: Text, tracker_uri: Text,
        console_url: Text, error_code: Text, error_message: Text, stats: Text,
        #[serde(rename = "externalChildIDs")] external_child_ids: Text,
    }
}

bean! {
    /// An earlier try of an action.
    Retry { attempt: Scalar, start_time: Text, end_time: Text, console_url: Text, #[serde(rename = "externalChildIDs")] external_child_ids: Text }
}

bean! {
    /// A coordinator job.
    CoordinatorJob {
        coord_job_id: Text, coord_job_name: Text, coord_job_path: Text, status: Text, conf: Text, frequency: Scalar,
        time_unit: Text, time_zone: Text, concurrency: i64, time_out: i64, last_action: Text,
        next_materialized_time: Text, start_time: Text, end_time: Text, pause_time: Text, user: Text, group: Text,
        console_url: Text, actions: Vec<CoordinatorAction>,
    }
}

bean! {
    /// An action of a coordinator job.
    CoordinatorAction {
        id: Text, coord_job_id: Text, action_number: i64, status: Text, created_time: Text, nominal_time: Text,
        last_modified_time: Text, external_id: Text, external_status: Text, tracker_uri: Text, console_url: Text,
        error_code: Text, error_message: Text, missing_dependencies: Text, push_missing_dependencies: Text,
    }
}

bean! {
    /// A bundle job.
    BundleJob {
        bundle_job_id: Text, bundle_job_name: Text, bundle_job_path: Text, status: Text, conf: Text,
        kickoff_time: Text, pause_time: Text, created_time: Text, user: Text, group: Text, console_url: Text,
        bundle_coord_jobs: Vec<CoordinatorJob>,
    }
}

bean! {
    /// One row of a bulk answer.
    BulkRow { bulkbundle: BundleJob, bulkcoord: CoordinatorJob, bulkaction: CoordinatorAction }
}

bean! {
    /// A list of any kind of job: only the key of its kind is there.
    JobList {
        workflows: Option<Vec<WorkflowJob>>,
        #[serde(rename = "coordinatorjobs")] coordinators: Option<Vec<CoordinatorJob>>,
        #[serde(rename = "bundlejobs")] bundles: Option<Vec<BundleJob>>,
        #[serde(rename = "bulkresponses")] bulk: Option<Vec<BulkRow>>,
    }
}

/// A value that some servers write as a text and others as a number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scalar(pub Option<String>);

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Raw {
            Text(String),
            Number(serde_json::Number),
            Other(IgnoredAny),
        }
        Ok(Scalar(match Raw::deserialize(deserializer)? {
            Raw::Text(text) => Some(text),
            Raw::Number(number) => Some(number.to_string()),
            Raw::Other(_) => None,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nulls_and_missing_keys_are_the_same() {
        let nulls = r#"{"id":"x","status":null,"run":null,"actions":null,"unknown":{}}"#;
        let job: WorkflowJob = serde_json::from_str(nulls).expect("a job");
        assert_eq!(job, WorkflowJob { id: Some("x".to_owned()), ..WorkflowJob::default() });
    }

    #[test]
    fn numbers_and_texts_are_read_alike() {
        let jobs = r#"[{"frequency":60},{"frequency":"0 * * * *"},{"frequency":null}]"#;
        let jobs: Vec<CoordinatorJob> = serde_json::from_str(jobs).expect("jobs");
        let frequencies: Vec<Option<&str>> =
            jobs.iter().map(|job| job.frequency.0.as_deref()).collect();
        assert_eq!(frequencies, [Some("60"), Some("0 * * * *"), None]);
    }
}
