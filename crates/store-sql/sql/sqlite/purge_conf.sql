-- Index: the primary key.
DELETE FROM job_conf WHERE job IN (SELECT value FROM json_each($1))
