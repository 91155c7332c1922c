-- Index: the primary key. What is there already stays there until this batch has gone in: see howdah_drop_loose_apps.
hold_apps AS MATERIALIZED (
    SELECT howdah_hold_apps() AS held FROM gate WHERE open
),
put_app AS (
    INSERT INTO app (digest, source)
    SELECT * FROM unnest($47::text[], $48::text[]) WHERE (SELECT held FROM hold_apps)
    ON CONFLICT DO NOTHING
)
