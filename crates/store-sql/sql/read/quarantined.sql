-- Index: quarantine_at.
SELECT job, at, event, why FROM quarantine ORDER BY at DESC, job LIMIT $1
