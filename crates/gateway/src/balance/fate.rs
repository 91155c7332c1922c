//! What an error of a member says: whether the request was done, and what that tells of the member's health.

use ports::api::{ApiError, ApiErrorKind};
use ports::store::StoreError;

use super::health::Trouble;

/// There is no map of the cluster yet, or nobody in it who could answer.
pub(crate) const NO_SCHEDULER: &str = "HW4010";
/// What we were doing then, in errors of reads.
pub(crate) const LOOKING_FOR_A_SCHEDULER: &str = "look for a scheduler";
/// It was never sent: nobody listens there.
const NOT_REACHED: &str = "HW1030";
/// It was sent, and broke off.
const BROKEN_OFF: &str = "HW1031";
/// It does not own the job (any more).
const MOVED: &str = "HW1010";
/// Its database broke off.
const UNKNOWN: &str = "HW1012";
/// Its database could not be read.
const UNREADABLE: &str = "HW1013";
/// It stops; what it had taken may be done or not.
const STOPPING: &str = "HW1014";
/// Its database takes no writes; nothing was changed.
const NO_DATABASE: &str = "E0600";

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It has its answer, be it a refusal.
    Answered,
    /// It was certainly not done, and somebody else, or the same one later, may do it.
    NotDone(Option<Trouble>),
    /// Nobody knows whether it was done.
    Unknown,
}

impl Fate {
    pub(super) fn trouble(self) -> Option<Trouble> {
        match self {
            Fate::Answered => None,
            Fate::NotDone(trouble) => trouble,
            Fate::Unknown => Some(Trouble::Failed),
        }
    }

    /// As a label.
    pub(super) fn outcome(self) -> &'static str {
        match self {
            Fate::Answered => "answered",
            Fate::NotDone(Some(Trouble::NotReached)) => "not_reached",
            Fate::NotDone(None) => "moved",
            Fate::NotDone(Some(Trouble::Failed)) | Fate::Unknown => "failed",
        }
    }
}

/// An error that a member may answer, and that we may have to make up for it.
pub(super) trait Verdict: Sized {
    fn fate(&self) -> Fate;

    /// Nobody could be asked within our patience.
    fn nobody() -> Self;

    /// The member was given up before it answered.
    fn given_up(member: &str) -> Self;
}

impl Verdict for ApiError {
    fn fate(&self) -> Fate {
        match (self.code.as_str(), self.kind) {
            (NOT_REACHED, _) => Fate::NotDone(Some(Trouble::NotReached)),
            (MOVED, _) => Fate::NotDone(None),
            (NO_DATABASE | UNREADABLE, ApiErrorKind::Unavailable) => {
                Fate::NotDone(Some(Trouble::Failed))
            }
            (BROKEN_OFF | UNKNOWN | STOPPING, _) => Fate::Unknown,
            (_, _) => Fate::Answered,
        }
    }

    fn nobody() -> ApiError {
        let words = "no scheduler is known yet that could take this; try again, and look at `howdah cluster status` if it stays";
        ApiError::new(ApiErrorKind::Unavailable, NO_SCHEDULER, words)
    }

    fn given_up(member: &str) -> ApiError {
        let words = format!(
            "the scheduler {member} did not answer and is given up: it may have happened or not; look, or repeat it with its Idempotency-Key"
        );
        ApiError::new(ApiErrorKind::Unavailable, BROKEN_OFF, words)
    }
}

/// Reads change nothing: whatever failed may be asked elsewhere.
impl Verdict for StoreError {
    fn fate(&self) -> Fate {
        match self {
            StoreError::Unavailable { source_message, .. }
                if source_message.starts_with(NOT_REACHED) =>
            {
                Fate::NotDone(Some(Trouble::NotReached))
            }
            StoreError::Unavailable { .. } => Fate::NotDone(Some(Trouble::Failed)),
            StoreError::Corrupt { .. } | StoreError::Refused { .. } => Fate::Answered,
        }
    }

    fn nobody() -> StoreError {
        StoreError::Unavailable {
            what: LOOKING_FOR_A_SCHEDULER,
            source_message: "none is known yet that could be asked; try again".to_owned(),
        }
    }

    fn given_up(member: &str) -> StoreError {
        StoreError::Unavailable {
            what: "wait for a scheduler",
            source_message: format!("{member} did not answer in time"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(kind: ApiErrorKind, code: &str, fate: Fate) {
        assert_eq!(ApiError::new(kind, code, "").fate(), fate, "{code}");
    }

    #[test]
    fn codes_say_whether_it_was_done() {
        use ApiErrorKind::{BadRequest, Internal, Unavailable};
        check(Unavailable, "HW1010", Fate::NotDone(None));
        check(Unavailable, "HW1030", Fate::NotDone(Some(Trouble::NotReached)));
        check(Unavailable, "E0600", Fate::NotDone(Some(Trouble::Failed)));
        check(Unavailable, "HW1013", Fate::NotDone(Some(Trouble::Failed)));
        for unknown in ["HW1031", "HW1012", "HW1014"] {
            check(Unavailable, unknown, Fate::Unknown);
        }
        check(BadRequest, "E0701", Fate::Answered);
        check(Internal, "HW1013", Fate::Answered);
        check(Internal, "HW1020", Fate::Answered);
        check(Unavailable, "HW3003", Fate::Answered);
    }

    #[test]
    fn what_is_made_up_for_a_member_is_judged_as_its_own() {
        assert_eq!(ApiError::given_up("s1").fate(), Fate::Unknown);
        assert_eq!(StoreError::given_up("s1").fate(), Fate::NotDone(Some(Trouble::Failed)));
    }
}
