-- A few dozen rows, all of them.
SELECT shard, epoch, owner, owner_nonce, pos, next_serial FROM shard ORDER BY shard
