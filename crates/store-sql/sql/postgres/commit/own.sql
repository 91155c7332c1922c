-- Every batch begins with this; what it writes follows as CTEs that read `gate`. One statement in autocommit: no
-- transaction is ever open across a round trip. Rows are locked in the order of shards, so that batches never deadlock.
-- Index: the primary key of shard.
WITH fence AS (
    SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[])
        AS f (shard, epoch, owner_nonce, pos, lines, next_serial)
),
locked AS (
    SELECT s.shard FROM shard AS s JOIN fence AS f ON s.shard = f.shard ORDER BY s.shard FOR NO KEY UPDATE OF s
),
own AS (
    UPDATE shard AS s SET pos = s.pos + f.lines, next_serial = f.next_serial
    FROM fence AS f JOIN locked ON locked.shard = f.shard
    WHERE s.shard = f.shard AND s.epoch = f.epoch AND s.owner_nonce = f.owner_nonce AND s.pos = f.pos
        AND s.next_serial <= f.next_serial
    RETURNING s.shard
),
gate AS MATERIALIZED (
    SELECT howdah_expect('shard', count(*), cardinality($1::bigint[])) AS open FROM own
)
