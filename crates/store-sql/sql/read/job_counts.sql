-- Index: job_status, read alone.
SELECT status, count(*) AS jobs FROM job WHERE kind = 'W' GROUP BY status
