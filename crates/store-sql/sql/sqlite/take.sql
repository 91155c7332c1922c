-- Index: the primary key.
UPDATE shard SET epoch = epoch + 1, owner = $2, owner_nonce = $3
WHERE shard IN (SELECT value FROM json_each($1))
RETURNING shard, epoch, owner, owner_nonce, pos, next_serial
