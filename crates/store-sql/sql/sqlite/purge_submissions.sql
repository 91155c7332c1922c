-- Index: submission_job.
DELETE FROM submission WHERE job IN (SELECT value FROM json_each($1))
