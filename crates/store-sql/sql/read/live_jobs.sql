-- Index: job_outstanding.
SELECT id FROM job WHERE outstanding AND kind = 'W' AND shard = ANY($1) ORDER BY id
