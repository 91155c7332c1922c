-- Index: the primary key.
INSERT INTO job (
    id, kind, shard, status, outstanding, name, app, user_name, group_name,
    parent, external_id, run, created_at, started_at, ended_at, changed_at, due_at, header
)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET
    status = excluded.status, outstanding = excluded.outstanding, name = excluded.name, app = excluded.app,
    user_name = excluded.user_name, group_name = excluded.group_name, parent = excluded.parent,
    external_id = excluded.external_id, run = excluded.run, created_at = excluded.created_at,
    started_at = excluded.started_at, ended_at = excluded.ended_at, changed_at = excluded.changed_at,
    due_at = excluded.due_at, header = excluded.header
