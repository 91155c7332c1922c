-- One statement, so one snapshot. Indexes: the primary keys of job, job_conf and action.
SELECT 'header' AS part, header AS text FROM job WHERE id = $1 AND kind = 'W'
UNION ALL
SELECT 'conf', conf FROM job_conf WHERE job = $1
UNION ALL
SELECT 'action', body FROM action WHERE job = $1
