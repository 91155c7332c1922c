put_quarantine AS (
    INSERT INTO quarantine (job, at, event, why)
    SELECT * FROM unnest($51::text[], $52::bigint[], $53::text[], $54::text[]) WHERE (SELECT open FROM gate)
    RETURNING 1
)
