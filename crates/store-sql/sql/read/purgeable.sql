-- Index: job_purgeable for the roots, job_parent for what hangs below them. A member that is not over, still has
-- something outstanding, or ended too late keeps its whole tree.
SELECT root.id FROM job AS root
WHERE root.parent IS NULL AND root.ended_at < $2 AND NOT root.outstanding AND root.kind = 'W' AND root.shard = ANY($1)
    AND NOT EXISTS (
        WITH RECURSIVE below (id, kept) AS (
            SELECT id, outstanding OR ended_at IS NULL OR ended_at >= $2 FROM job WHERE parent = root.id
            UNION
            SELECT job.id, job.outstanding OR job.ended_at IS NULL OR job.ended_at >= $2
            FROM job JOIN below ON job.parent = below.id
        )
        SELECT 1 FROM below WHERE kept
    )
ORDER BY root.ended_at, root.id LIMIT $3
