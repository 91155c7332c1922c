-- Index: job_external_id.
SELECT id FROM job WHERE external_id = $1 AND kind = 'W' ORDER BY created_at DESC, id DESC LIMIT 1
