-- Index: the primary key, in PostgreSQL one of each partition.
SELECT shard, n, at, job, name, event, engine FROM history WHERE shard = $1 AND n > $2 ORDER BY n LIMIT $3
