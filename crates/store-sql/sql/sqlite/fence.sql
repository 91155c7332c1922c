-- Read inside the writing transaction, so it cannot change before the rest. Index: the primary key.
SELECT shard, epoch, owner, owner_nonce, pos, next_serial FROM shard
WHERE shard IN (SELECT value FROM json_each($1)) ORDER BY shard
