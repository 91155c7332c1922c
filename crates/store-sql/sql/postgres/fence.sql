-- After a refusal: what the rows are. Index: the primary key.
SELECT shard, epoch, owner, owner_nonce, pos, next_serial FROM shard WHERE shard = ANY($1) ORDER BY shard
