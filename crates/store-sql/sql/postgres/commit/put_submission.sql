-- Index: the primary key.
put_submission AS (
    INSERT INTO submission (key, job)
    SELECT * FROM unnest($49::text[], $50::text[]) WHERE (SELECT open FROM gate)
    ON CONFLICT DO NOTHING
)
