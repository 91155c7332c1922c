-- Index: history_job.
DELETE FROM history WHERE job IN (SELECT value FROM json_each($1))
