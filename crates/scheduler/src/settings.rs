//! The `[jobs]` section of a configuration file.

use chassis::HumanDuration;
use model::job::Rules;
use serde::Deserialize;

/// `[jobs]`: rules for new and rerun jobs.
#[derive(Clone, Debug, Deserialize)]
pub struct JobSettings {
    /// Jobs that ended so long ago are deleted.
    pub keep: HumanDuration,
    /// `retry-max` of an action is at most this.
    pub user_retry_max: u32,
    /// Between user retries, in whole minutes, when the action does not say.
    pub user_retry_interval: HumanDuration,
    /// Error codes that user retries apply to besides Oozie's own.
    pub user_retry_codes: Vec<String>,
    /// Tries after a passing failure.
    pub retries_max: u32,
    /// The time between them.
    pub retry_interval: HumanDuration,
    /// Whether forks and joins must be paired.
    pub validate_fork_join: bool,
}

impl JobSettings {
    /// The rules for new jobs of a server that clients reach at `base_url`.
    pub fn rules(&self, base_url: &str) -> Rules {
        let seconds =
            |duration: HumanDuration| u32::try_from(duration.0.as_secs()).unwrap_or(u32::MAX);
        let mut user_retry_codes = Rules::default().user_retry_codes;
        user_retry_codes.extend(self.user_retry_codes.iter().cloned());
        Rules {
            base_url: base_url.to_owned(),
            user_retry_max: self.user_retry_max,
            user_retry_interval_minutes: seconds(self.user_retry_interval) / 60,
            user_retry_codes,
            retries_max: self.retries_max,
            retry_interval_seconds: seconds(self.retry_interval),
            ..Rules::default()
        }
    }
}
