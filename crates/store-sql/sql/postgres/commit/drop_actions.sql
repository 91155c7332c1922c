-- Index: the primary key.
drop_actions AS (
    DELETE FROM action USING unnest($44::text[], $45::text[]) AS gone (job, name)
    WHERE (SELECT open FROM gate) AND action.job = gone.job AND action.name = gone.name
)
