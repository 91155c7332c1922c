//! The trace that a request belongs to (W3C `traceparent`), handed from caller to server without a port that speaks of it.
//!
//! A server runs its work [`within`] the context that came with the request; a client sends along what is [`current`].

use std::future::Future;

use tonic::{Request, metadata::MetadataValue};

const HEADER: &str = "traceparent";
/// Version, trace, span and flags take 55; what is longer is not of a version that we know.
const TRACEPARENT_CHARS_MAX: usize = 64;

tokio::task_local! {
    static PARENT: String;
}

/// The context that this task works in.
pub fn current() -> Option<String> {
    PARENT.try_with(Clone::clone).ok()
}

/// Works in a context, if there is one.
pub async fn within<F: Future>(traceparent: Option<String>, work: F) -> F::Output {
    match traceparent {
        Some(parent) => PARENT.scope(parent, work).await,
        None => work.await,
    }
}

/// A message to be sent, with the context of this task.
pub(crate) fn request<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    if let Some(value) = current().and_then(|parent| MetadataValue::try_from(parent).ok()) {
        request.metadata_mut().insert(HEADER, value);
    }
    request
}

/// The context that a message came with.
pub(crate) fn parent_of<T>(request: &Request<T>) -> Option<String> {
    let text = request.metadata().get(HEADER)?.to_str().ok()?;
    (text.len() <= TRACEPARENT_CHARS_MAX).then(|| text.to_owned())
}
