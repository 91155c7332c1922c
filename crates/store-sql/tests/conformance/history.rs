//! History is numbered densely for each shard and read by position.

use model::Shard;
use ports::store::{Batch, CommitOutcome, HistoryLine, Store};

use crate::samples::{Term, job_id, line};

pub(crate) async fn lines_are_dense_and_in_order(store: &dyn Store) {
    let mut term = Term::take(store, &[1, 2], 1).await.expect("taken");
    for turn in 0..5 {
        let lines =
            [1, 2, 5, 1].map(|serial| line(&job_id(serial), &format!("{turn} {serial}"))).into();
        assert_eq!(
            term.commit(Batch { lines, ..Batch::default() }).await,
            CommitOutcome::Committed
        );
    }
    let shard = store.shard_history(Shard(1), 0, 100).await.expect("read");
    assert_eq!(shard.iter().map(|line| line.n).collect::<Vec<_>>(), (1..=15).collect::<Vec<i64>>());
    assert_eq!(events(&shard[..4]), ["0 1", "0 5", "0 1", "1 1"]);
    assert_eq!(shard[1], HistoryLine { n: 2, ..line(&job_id(5), "0 5") });
    let job = store.history(&job_id(5), 0, 100).await.expect("read");
    assert_eq!(job.iter().map(|line| line.n).collect::<Vec<_>>(), [2, 5, 8, 11, 14]);
    let page = store.history(&job_id(5), 5, 2).await.expect("read");
    assert_eq!(events(&page), ["2 5", "3 5"]);
    assert_eq!(events(&store.shard_history(Shard(2), 3, 1).await.expect("read")), ["3 2"]);
    assert_eq!(store.shard_history(Shard(0), 0, 9).await, Ok(vec![]));
}

fn events(lines: &[HistoryLine]) -> Vec<&str> {
    lines.iter().map(|line| &*line.event).collect()
}
