-- One row.
SELECT stamp, system_id, shards, format FROM cluster WHERE id = 1
