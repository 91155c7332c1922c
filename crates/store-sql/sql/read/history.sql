-- Index: history_job, in PostgreSQL one of each partition.
SELECT shard, n, at, job, name, event, engine FROM history WHERE job = $1 AND n > $2 ORDER BY n LIMIT $3
