-- Index: the primary key, which also refuses a number twice.
INSERT INTO history (shard, n, at, job, name, event, engine)
VALUES (?, ?, ?, ?, ?, ?, ?)
