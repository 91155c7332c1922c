//! Pages of a job's history, read one after the other: what logs and event streams are made from.

use futures::Stream;
use futures::stream;
use model::JobId;
use ports::store::{HistoryLine, StoreError};

use crate::config::App;

/// Lines read at once: a line may hold a whole configuration.
pub(crate) const PAGE_LINES: u32 = 200;

/// Reads the pages after line `after` up to the present end.
pub(crate) fn pages(
    app: App,
    job: JobId,
    after: i64,
) -> impl Stream<Item = Result<Vec<HistoryLine>, StoreError>> + Send {
    stream::try_unfold(after, move |after| {
        let (app, job) = (app.clone(), job.clone());
        async move {
            let lines = app.ports.store.history(&job, after, PAGE_LINES).await?;
            let next = lines.last().map(|line| line.n);
            Ok(next.map(|next| (lines, next)))
        }
    })
}
