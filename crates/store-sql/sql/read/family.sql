-- Up by the primary key of job, down by job_parent. UNION drops what was seen, so that even a ring would end.
WITH RECURSIVE above (id, parent, depth) AS (
    SELECT id, parent, 0 FROM job WHERE id = $1
    UNION
    SELECT job.id, job.parent, above.depth + 1 FROM job JOIN above ON job.id = above.parent WHERE above.depth < 100
),
below (id) AS (
    SELECT id FROM job WHERE parent = $1
    UNION
    SELECT job.id FROM job JOIN below ON job.parent = below.id
)
SELECT id FROM (
    SELECT id, depth AS place FROM above WHERE depth > 0
    UNION
    SELECT id, 1000 AS place FROM below
) AS family
ORDER BY place, id
