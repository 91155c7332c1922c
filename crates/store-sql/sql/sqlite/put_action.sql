-- Index: the primary key.
INSERT INTO action (job, name, shard, status, ready, pool, priority, due_at, token, body)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (job, name) DO UPDATE SET
    status = excluded.status, ready = excluded.ready, pool = excluded.pool, priority = excluded.priority,
    due_at = excluded.due_at, token = excluded.token, body = excluded.body
