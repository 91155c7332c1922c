//! Names and numbers of things, each in a type of its own.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Longest job id: Oozie's column width (gotcha 61).
pub const JOB_ID_CHARS_MAX: usize = 40;
/// Longest system id inside a job id (gotcha 61).
pub const SYSTEM_ID_CHARS_MAX: usize = 10;
/// Longest node name: `ParamChecker`'s limit in Oozie (gotcha 2).
pub const NODE_NAME_CHARS_MAX: usize = 128;

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Wraps a text that is already known to be one.
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }

            /// The text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self::new(text)
            }
        }
    };
}

text_id! {
    /// The name of a node in a definition, and so of its action; `:start:` is the start node's.
    NodeName
}
text_id! {
    /// The digest of a definition with everything that shapes it: equal digests, equal [`crate::WorkflowApp`]s.
    AppDigest
}
text_id! {
    /// What a worker made up for one claim; the same token gets the same answer for ever (architecture §4).
    Token
}
text_id! {
    /// Which scheduler, by its configured name; stays the same over restarts.
    MemberId
}
text_id! {
    /// Which worker, by its configured name; stays the same over restarts.
    WorkerId
}

impl NodeName {
    /// Oozie's name of the start node's action.
    pub fn start() -> NodeName {
        NodeName::new(":start:")
    }
}

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl $name {
            /// The one after this.
            #[must_use]
            pub fn next(self) -> Self {
                Self(self.0 + 1)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number! {
    /// Which run of a job: 0 at submit, one more at each rerun.
    Run(u32)
}
number! {
    /// Which try of an action within a run of its job: 1 for the first; 0 says that none was made.
    Attempt(u32)
}
number! {
    /// Which term of ownership of a shard; grows at each take (architecture §1.2).
    Epoch(i64)
}
number! {
    /// Which slice of the jobs: `serial mod shards` of the job's id.
    Shard(u16)
}

/// Sixteen hex digits that tell one process start, or one take of a shard, from every other.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Nonce(pub u64);

impl fmt::Display for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Nonce({self})")
    }
}

/// The last letter of a job id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum JobKind {
    /// A workflow job.
    #[serde(rename = "W")]
    Workflow,
    /// A coordinator job: in Oozie's sense, time- and data-triggered.
    #[serde(rename = "C")]
    Coordinator,
    /// A bundle of coordinator jobs.
    #[serde(rename = "B")]
    Bundle,
}

impl JobKind {
    /// `W`, `C` or `B`.
    pub fn letter(self) -> char {
        match self {
            JobKind::Workflow => 'W',
            JobKind::Coordinator => 'C',
            JobKind::Bundle => 'B',
        }
    }
}

/// A job's id in Oozie's form: `0000123-261122144400000-howdah-W` (census §5.1).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct JobId(Arc<str>);

/// Why a text is no job id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a job id: {why}; a job id looks like 0000123-261122144400000-howdah-W")]
pub struct BadJobId {
    /// What was given.
    pub text: String,
    /// What is wrong with it.
    pub why: &'static str,
}

impl JobId {
    /// The id of the job with this serial in the database with this stamp and system id.
    pub fn new(serial: u64, stamp: &str, system_id: &str, kind: JobKind) -> JobId {
        JobId(format!("{serial:07}-{stamp}-{system_id}-{}", kind.letter()).into())
    }

    /// The whole id.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The number in front, from the shard's `next_serial`.
    pub fn serial(&self) -> u64 {
        self.0.split('-').next().and_then(|digits| digits.parse().ok()).unwrap_or(0)
    }

    /// Workflow, coordinator or bundle.
    pub fn kind(&self) -> JobKind {
        match self.0.as_bytes().last() {
            Some(b'C') => JobKind::Coordinator,
            Some(b'B') => JobKind::Bundle,
            _ => JobKind::Workflow,
        }
    }

    /// The shard this job lives in, in a database of `shards` shards.
    pub fn shard(&self, shards: u16) -> Shard {
        let shard = self.serial() % u64::from(shards.max(1));
        Shard(u16::try_from(shard).unwrap_or(0))
    }
}

impl FromStr for JobId {
    type Err = BadJobId;

    fn from_str(text: &str) -> Result<JobId, BadJobId> {
        match fault_of_id(text) {
            Some(why) => {
                Err(BadJobId { text: text.chars().take(JOB_ID_CHARS_MAX * 2).collect(), why })
            }
            None => Ok(JobId(text.into())),
        }
    }
}

fn fault_of_id(text: &str) -> Option<&'static str> {
    if text.len() > JOB_ID_CHARS_MAX {
        return Some("longer than 40 characters");
    }
    let parts: Vec<&str> = text.split('-').collect();
    let [serial, stamp, .., kind] = parts.as_slice() else { return Some("too few parts") };
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if parts.len() < 4 {
        Some("too few parts")
    } else if !digits(serial) || serial.len() < 7 || serial.parse::<u64>().is_err() {
        Some("the serial in front must have at least seven digits")
    } else if !digits(stamp) || stamp.len() != 15 {
        Some("the stamp must have fifteen digits")
    } else if !matches!(*kind, "W" | "C" | "B") {
        Some("the last letter must be W, C or B")
    } else if text.bytes().any(|b| !(b.is_ascii_alphanumeric() || b"-_.".contains(&b))) {
        Some("it holds a character that no id has")
    } else {
        None
    }
}

impl TryFrom<String> for JobId {
    type Error = BadJobId;

    fn try_from(text: String) -> Result<JobId, BadJobId> {
        text.parse()
    }
}

impl From<JobId> for String {
    fn from(id: JobId) -> String {
        id.0.as_ref().to_owned()
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JobId({})", self.0)
    }
}

/// One action of a workflow job: `<job id>@<node name>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ActionId {
    /// The job.
    pub job: JobId,
    /// The node.
    pub name: NodeName,
}

impl fmt::Display for ActionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.job, self.name)
    }
}

impl FromStr for ActionId {
    type Err = BadJobId;

    fn from_str(text: &str) -> Result<ActionId, BadJobId> {
        let Some((job, name)) = text.split_once('@') else {
            return Err(BadJobId {
                text: text.chars().take(200).collect(),
                why: "an action id is <job id>@<action name>",
            });
        };
        Ok(ActionId { job: job.parse()?, name: NodeName::new(name) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_made_and_read_back() {
        let id = JobId::new(123, "261122144400000", "howdah", JobKind::Workflow);
        assert_eq!(id.as_str(), "0000123-261122144400000-howdah-W");
        assert_eq!(id.as_str().parse::<JobId>().as_ref(), Ok(&id));
        assert_eq!((id.serial(), id.kind(), id.shard(64)), (123, JobKind::Workflow, Shard(59)));
    }

    #[test]
    fn oozie_s_own_ids_are_ids() {
        for id in [
            "0000001-200101000000000-oozie-joe-W",
            "0000003-120615143310905-oozie-joe-C",
            "12345678-200101000000000-oozie-x-B",
        ] {
            assert!(id.parse::<JobId>().is_ok(), "{id}");
        }
    }

    #[test]
    fn what_is_no_id_says_why() {
        for id in [
            "",
            "x",
            "1-2-3-W",
            "0000001-200101000000000-o-X",
            "0000001-2001010000000-o-W",
            "../../etc/passwd",
            "0000001-200101000000000-a/b-W",
        ] {
            assert!(id.parse::<JobId>().is_err(), "{id}");
        }
    }
}
