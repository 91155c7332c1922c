-- Index: the primary key.
put_app AS (
    INSERT INTO app (digest, source)
    SELECT * FROM unnest($47::text[], $48::text[]) WHERE (SELECT open FROM gate)
    ON CONFLICT DO NOTHING
)
