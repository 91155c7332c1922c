-- Index: the primary key, which also refuses a number twice.
put_line AS (
    INSERT INTO history (shard, n, at, job, name, event, engine)
    SELECT * FROM unnest($37::bigint[], $38::bigint[], $39::bigint[], $40::text[], $41::text[], $42::text[], $43::text[])
    WHERE (SELECT open FROM gate)
    RETURNING 1
)
