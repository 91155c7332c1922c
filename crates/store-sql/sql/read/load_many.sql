-- One statement, so one snapshot. Indexes: the primary keys of job, job_conf and action.
SELECT id AS job, 'header' AS part, header AS text FROM job WHERE id = ANY($1) AND kind = 'W'
UNION ALL
SELECT job, 'conf', conf FROM job_conf WHERE job = ANY($1)
UNION ALL
SELECT job, 'action', body FROM action WHERE job = ANY($1)
