-- Index: the primary key.
UPDATE shard SET owner = '' WHERE shard = $1 AND epoch = $2 AND owner_nonce = $3
