//! Oozie's own words for how far a job and an action have come (census §2.1, §2.2).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $word)] $variant),+ }

        impl $name {
            /// Every status, in the order of this declaration.
            pub const ALL: &'static [$name] = &[$($name::$variant),+];

            /// The word that Oozie prints and stores.
            pub fn as_str(self) -> &'static str {
                match self { $($name::$variant => $word),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownStatus;

            fn from_str(word: &str) -> Result<Self, UnknownStatus> {
                match word { $($word => Ok($name::$variant),)+ _ => Err(UnknownStatus(word.to_owned())) }
            }
        }
    };
}

/// A word that is no status of the asked kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a known status")]
pub struct UnknownStatus(pub String);

words! {
    /// How far a workflow job has come.
    JobStatus {
        /// Stored, checked, not started.
        Prep = "PREP",
        /// Its actions run.
        Running = "RUNNING",
        /// Nothing new starts until it is resumed.
        Suspended = "SUSPENDED",
        /// It reached its end node.
        Succeeded = "SUCCEEDED",
        /// It reached a kill node, or a person killed it.
        Killed = "KILLED",
        /// The engine could not go on: a bad definition, expression or internal error.
        Failed = "FAILED",
    }
}

impl JobStatus {
    /// Whether the job is over until somebody reruns it.
    pub fn is_terminal(self) -> bool {
        match self {
            JobStatus::Succeeded | JobStatus::Killed | JobStatus::Failed => true,
            JobStatus::Prep | JobStatus::Running | JobStatus::Suspended => false,
        }
    }
}

words! {
    /// How far an action has come.
    ActionStatus {
        /// Waiting for its questions to be answered or for a worker.
        Prep = "PREP",
        /// A worker, or a child workflow, is at it.
        Running = "RUNNING",
        /// Ended well, its `ok` transition is taken.
        Ok = "OK",
        /// Ended badly, its `error` transition is taken.
        Error = "ERROR",
        /// Waiting for its next attempt by the definition's `retry-max`.
        UserRetry = "USER_RETRY",
        /// Starting it failed for a passing reason; waiting to try again.
        StartRetry = "START_RETRY",
        /// Starting it failed for good; a person must resume the job.
        StartManual = "START_MANUAL",
        /// Its work is over, its transition waits for the job to run again.
        Done = "DONE",
        /// Ending it failed for a passing reason; waiting to try again.
        EndRetry = "END_RETRY",
        /// Ending it failed for good; a person must resume the job.
        EndManual = "END_MANUAL",
        /// Stopped because its job was.
        Killed = "KILLED",
        /// The engine could not go on with it; its job failed.
        Failed = "FAILED",
    }
}

impl ActionStatus {
    /// Whether nothing more will happen to the action in this run of its job.
    pub fn is_terminal(self) -> bool {
        match self {
            ActionStatus::Ok
            | ActionStatus::Error
            | ActionStatus::Killed
            | ActionStatus::Failed => true,
            ActionStatus::Prep
            | ActionStatus::Running
            | ActionStatus::UserRetry
            | ActionStatus::StartRetry
            | ActionStatus::StartManual
            | ActionStatus::Done
            | ActionStatus::EndRetry
            | ActionStatus::EndManual => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_reads_back() {
        for status in JobStatus::ALL {
            assert_eq!(status.as_str().parse(), Ok(*status));
        }
        for status in ActionStatus::ALL {
            assert_eq!(status.as_str().parse(), Ok(*status));
        }
        assert_eq!("Running".parse::<JobStatus>(), Err(UnknownStatus("Running".to_owned())));
    }
}
