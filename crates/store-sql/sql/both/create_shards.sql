-- The count is that of the cluster row, whoever wrote it.
WITH RECURSIVE every (shard) AS (
    SELECT 0
    UNION ALL
    SELECT shard + 1 FROM every WHERE shard + 1 < (SELECT shards FROM cluster WHERE id = 1)
)
INSERT INTO shard (shard, epoch, owner, owner_nonce, pos, next_serial)
SELECT shard, 0, '', '0000000000000000', 0, 0 FROM every WHERE true
ON CONFLICT DO NOTHING
