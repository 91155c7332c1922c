-- [shard, lines, next_serial] of each fence. Index: the primary key.
UPDATE shard SET pos = pos + (fence.value ->> 1), next_serial = fence.value ->> 2
FROM json_each($1) AS fence
WHERE shard.shard = fence.value ->> 0
