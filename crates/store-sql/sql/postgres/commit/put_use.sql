-- Index: the primary key.
put_use AS (
    INSERT INTO app_use (job, app)
    SELECT * FROM unnest($55::text[], $56::text[]) WHERE (SELECT open FROM gate)
    ON CONFLICT DO NOTHING
)
