//! The scheduler's settings.

use std::time::Duration;

use model::job::Rules;

/// Settings of one scheduler process.
#[derive(Clone, Debug)]
pub struct Config {
    /// The name that stands in the shard rows while this process owns them.
    pub owner: String,
    /// Rules for new and rerun jobs.
    pub rules: Rules,
    /// Whether the fork/join part of the graph check runs (`oozie.validate.ForkJoin`); a job may switch it off too.
    pub validate_fork_join: bool,
    /// How long reading an application or answering a question may take.
    pub outside_timeout: Duration,
    /// How often stops, bells and shard rows are looked at again.
    pub tick: Duration,
    /// Terminal job trees older than this are purged (`oozie.service.PurgeService.older.than`); none: never.
    pub purge_older_than: Option<Duration>,
    /// Messages waiting for the driver before senders wait.
    pub inbox_messages_max: usize,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            owner: "howdah".to_owned(),
            rules: Rules::default(),
            validate_fork_join: true,
            outside_timeout: Duration::from_secs(30),
            tick: Duration::from_secs(1),
            purge_older_than: Some(Duration::from_secs(30 * 24 * 3600)),
            inbox_messages_max: 10_000,
        }
    }
}
