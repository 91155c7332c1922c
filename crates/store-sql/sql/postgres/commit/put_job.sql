-- Index: the primary key.
put_job AS (
    INSERT INTO job (
        id, kind, shard, status, outstanding, name, app, user_name, group_name,
        parent, external_id, run, created_at, started_at, ended_at, changed_at, due_at, header
    )
    SELECT * FROM unnest(
        $7::text[], $8::text[], $9::bigint[], $10::text[], $11::boolean[], $12::text[], $13::text[], $14::text[], $15::text[],
        $16::text[], $17::text[], $18::bigint[], $19::bigint[], $20::bigint[], $21::bigint[], $22::bigint[], $23::bigint[],
        $24::text[]
    )
    WHERE (SELECT open FROM gate)
    ON CONFLICT (id) DO UPDATE SET
        status = excluded.status, outstanding = excluded.outstanding, name = excluded.name, app = excluded.app,
        user_name = excluded.user_name, group_name = excluded.group_name, parent = excluded.parent,
        external_id = excluded.external_id, run = excluded.run, created_at = excluded.created_at,
        started_at = excluded.started_at, ended_at = excluded.ended_at, changed_at = excluded.changed_at,
        due_at = excluded.due_at, header = excluded.header
    RETURNING 1
)
