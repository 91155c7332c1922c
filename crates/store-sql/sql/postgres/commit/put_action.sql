-- Index: the primary key.
put_action AS (
    INSERT INTO action (job, name, shard, status, ready, pool, priority, due_at, token, body)
    SELECT * FROM unnest(
        $27::text[], $28::text[], $29::bigint[], $30::text[], $31::boolean[], $32::text[], $33::bigint[], $34::bigint[],
        $35::text[], $36::text[]
    )
    WHERE (SELECT open FROM gate)
    ON CONFLICT (job, name) DO UPDATE SET
        status = excluded.status, ready = excluded.ready, pool = excluded.pool, priority = excluded.priority,
        due_at = excluded.due_at, token = excluded.token, body = excluded.body
    RETURNING 1
)
