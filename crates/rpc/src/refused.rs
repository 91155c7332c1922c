//! Refusals on the wire: an `ApiError` as JSON in the details of a status; and what a client makes of a status.
//!
//! Errors of the database travel in the same form, under the codes that Oozie has for them.

use std::error::Error;

use ports::api::{ApiError, ApiErrorKind};
use ports::store::StoreError;
use ports::work::NoScheduler;
use tonic::{Code, ConnectError, Status};

use crate::convert::Malformed;

/// Code of a request that never reached a server: it may be made again elsewhere.
pub const NOT_REACHED: &str = "HW1030";
/// Code of a request that was sent and not answered: nobody knows whether it was done.
pub const BROKE_OFF: &str = "HW1031";
/// Code of a message that the other side could not read, or of an answer that makes no sense.
pub const MISUNDERSTOOD: &str = "HW1032";

/// Longest details: they travel as a header, and headers are held in memory as a whole.
pub(crate) const DETAILS_BYTES_MAX: usize = 768 << 10;
/// Characters of a refusal that are shown beside its details, for tools that know only gRPC.
const MESSAGE_CHARS_MAX: usize = 200;

const STORE_UNAVAILABLE: &str = "E0600";
const STORE_CORRUPT: &str = "E0607";
const STORE_REFUSED: &str = "E0608";

/// How far a request came that was not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// It was never sent: asking another server is safe.
    NotReached,
    /// It was sent, and nobody knows what became of it: only a read, or a submit with a key, may be made again.
    BrokeOff,
}

impl Reach {
    /// What an error says about it; nothing when the server answered.
    pub fn of_api(error: &ApiError) -> Option<Reach> {
        match error.code.as_str() {
            NOT_REACHED => Some(Reach::NotReached),
            BROKE_OFF => Some(Reach::BrokeOff),
            _ => None,
        }
    }

    /// The same for a read.
    pub fn of_store(error: &StoreError) -> Option<Reach> {
        let StoreError::Unavailable { source_message, .. } = error else { return None };
        let begins = |code: &str| source_message.split(':').next() == Some(code);
        if begins(NOT_REACHED) {
            Some(Reach::NotReached)
        } else {
            begins(BROKE_OFF).then_some(Reach::BrokeOff)
        }
    }
}

/// Why a server does not do what it was asked.
#[derive(Debug)]
pub(crate) struct Refused(ApiError);

impl From<ApiError> for Refused {
    fn from(error: ApiError) -> Refused {
        Refused(error)
    }
}

impl From<Malformed> for Refused {
    fn from(error: Malformed) -> Refused {
        Refused(ApiError::new(ApiErrorKind::Internal, MISUNDERSTOOD, error.to_string()))
    }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Refused {
        let (kind, code, words) = match error {
            StoreError::Unavailable { source_message, .. } => {
                (ApiErrorKind::Unavailable, STORE_UNAVAILABLE, source_message)
            }
            StoreError::Corrupt { source_message, .. } => {
                (ApiErrorKind::Internal, STORE_CORRUPT, source_message)
            }
            StoreError::Refused { why } => (ApiErrorKind::Unavailable, STORE_REFUSED, why),
        };
        Refused(ApiError::new(kind, code, words))
    }
}

impl From<Refused> for Status {
    fn from(Refused(error): Refused) -> Status {
        let code = match error.kind {
            ApiErrorKind::BadRequest => Code::InvalidArgument,
            ApiErrorKind::NotFound => Code::NotFound,
            ApiErrorKind::Unauthorized => Code::PermissionDenied,
            ApiErrorKind::Unavailable => Code::Unavailable,
            ApiErrorKind::Internal => Code::Internal,
        };
        let words: String = error.to_string().chars().take(MESSAGE_CHARS_MAX).collect();
        Status::with_details(code, words, details(error).into())
    }
}

/// The error as JSON; what is too long loses its last findings, then the end of its words.
fn details(mut error: ApiError) -> Vec<u8> {
    loop {
        let json = serde_json::to_vec(&error).unwrap_or_default();
        if json.len() <= DETAILS_BYTES_MAX {
            return json;
        }
        let findings = error.diagnostics.len();
        if findings == 0 {
            error.message = ports::store::normalised(&error.message, error.message.len() / 2);
        }
        error.diagnostics.truncate(findings / 2);
    }
}

/// The server ends before the request did: nobody will know what became of it.
pub(crate) fn cut_off() -> Status {
    let words = "the server stopped before it had an answer; look whether it was done";
    Refused(ApiError::new(ApiErrorKind::Unavailable, BROKE_OFF, words)).into()
}

/// What a status means to the one who asked.
pub(crate) fn api_error(status: &Status) -> ApiError {
    if let Ok(error) = serde_json::from_slice::<ApiError>(status.details()) {
        return error;
    }
    let words = described(status);
    if was_not_sent(status) {
        return ApiError::new(ApiErrorKind::Unavailable, NOT_REACHED, words);
    }
    match status.code() {
        Code::Unavailable | Code::Cancelled | Code::DeadlineExceeded | Code::Aborted => {
            ApiError::new(ApiErrorKind::Unavailable, BROKE_OFF, words)
        }
        _ if status.source().is_some() => {
            ApiError::new(ApiErrorKind::Unavailable, BROKE_OFF, words)
        }
        _ => ApiError::new(ApiErrorKind::Internal, MISUNDERSTOOD, words),
    }
}

/// Whether the request certainly stayed here: there was no connection, or it ended before the request was taken from the queue.
fn was_not_sent(status: &Status) -> bool {
    causes(status).any(|cause| {
        let is_canceled =
            cause.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_canceled);
        is_canceled || cause.is::<ConnectError>()
    })
}

fn causes(status: &Status) -> impl Iterator<Item = &(dyn Error + 'static)> {
    let mut next = status.source();
    std::iter::from_fn(move || {
        let cause = next?;
        next = cause.source();
        Some(cause)
    })
}

/// A status in words, with its first cause, which is the one that says something.
pub(crate) fn described(status: &Status) -> String {
    let words = match (status.message(), status.code()) {
        ("", code) => code.to_string(),
        (message, _) => message.to_owned(),
    };
    match causes(status).last().map(ToString::to_string) {
        Some(cause) if !words.contains(&cause) => format!("{words}: {cause}"),
        _ => words,
    }
}

/// What a status means to the one who reads; `what` completes "the database does not answer while we ...".
pub(crate) fn store_error(what: &'static str, error: ApiError) -> StoreError {
    match error.code.as_str() {
        STORE_UNAVAILABLE => StoreError::Unavailable { what, source_message: error.message },
        STORE_CORRUPT => StoreError::Corrupt { what, source_message: error.message },
        STORE_REFUSED => StoreError::Refused { why: error.message },
        MISUNDERSTOOD => StoreError::Corrupt { what, source_message: error.to_string() },
        _ => StoreError::Unavailable { what, source_message: error.to_string() },
    }
}

/// A session that is not opened.
pub(crate) fn no_session(NoScheduler(why): NoScheduler) -> Status {
    Status::unavailable(why.chars().take(MESSAGE_CHARS_MAX).collect::<String>())
}

/// What a status means to a worker that wanted a session.
pub(crate) fn no_scheduler(status: &Status) -> NoScheduler {
    if status.source().is_none() && status.details().is_empty() {
        return NoScheduler(status.message().to_owned());
    }
    NoScheduler(api_error(status).to_string())
}
