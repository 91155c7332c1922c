-- Waits, bounded by lock_timeout, for a batch of the former owner that is still going in, in the order of shards.
-- What it returns is what it waited for: the update reads the newest version of each row. Index: the primary key.
WITH locked AS (
    SELECT shard FROM shard WHERE shard = ANY($1) ORDER BY shard FOR NO KEY UPDATE
)
UPDATE shard AS s SET epoch = s.epoch + 1, owner = $2, owner_nonce = $3
FROM locked WHERE s.shard = locked.shard
RETURNING s.shard, s.epoch, s.owner, s.owner_nonce, s.pos, s.next_serial
