-- Index: the primary key.
WITH fence AS (
    SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[]) AS f (shard, epoch, owner_nonce)
),
locked AS (
    SELECT s.shard FROM shard AS s JOIN fence AS f ON s.shard = f.shard ORDER BY s.shard FOR NO KEY UPDATE OF s
)
UPDATE shard AS s SET owner = ''
FROM fence AS f JOIN locked ON locked.shard = f.shard
WHERE s.shard = f.shard AND s.epoch = f.epoch AND s.owner_nonce = f.owner_nonce
