-- The first to create the database wins; everybody else reads what is there.
INSERT INTO cluster (id, stamp, system_id, shards, format, created_at)
VALUES (1, $1, $2, $3, $4, $5)
ON CONFLICT DO NOTHING
