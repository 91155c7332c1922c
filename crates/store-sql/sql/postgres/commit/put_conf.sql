-- Index: the primary key.
put_conf AS (
    INSERT INTO job_conf (job, conf)
    SELECT * FROM unnest($25::text[], $26::text[]) WHERE (SELECT open FROM gate)
    ON CONFLICT (job) DO UPDATE SET conf = excluded.conf
    RETURNING 1
)
