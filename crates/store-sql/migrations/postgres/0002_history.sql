-- History in monthly partitions, the checks inside the committing statement, and room for updates in place.

-- The key must hold the partition key; that (shard, n) is unique comes from the fenced shard.pos.
CREATE TABLE history (
    shard        bigint NOT NULL,
    n            bigint NOT NULL,
    at           bigint NOT NULL,
    job          text NOT NULL,
    name         text NOT NULL,
    event        text NOT NULL,
    engine       text NOT NULL,
    PRIMARY KEY (shard, n, at)
) PARTITION BY RANGE (at);

CREATE INDEX history_job ON history (job, n);

-- Without it the first line of a month that nobody prepared would fail every commit.
CREATE TABLE history_default PARTITION OF history DEFAULT;

-- Makes the partition of the month that holds `moment` unless it is there; lines of that month that wait in the default
-- partition move into it. Says whether it made one. Several processes may call it at once.
CREATE FUNCTION howdah_make_history_partition(moment bigint) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    month    timestamp := date_trunc('month', to_timestamp(moment / 1000.0) AT TIME ZONE 'UTC');
    low      bigint    := extract(epoch FROM month)::bigint * 1000;
    high     bigint    := extract(epoch FROM month + interval '1 month')::bigint * 1000;
    part     text      := 'history_' || to_char(month, 'YYYY_MM');
BEGIN
    IF to_regclass(part) IS NOT NULL THEN
        RETURN false;
    END IF;
    LOCK TABLE history IN SHARE UPDATE EXCLUSIVE MODE;
    IF to_regclass(part) IS NOT NULL THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE TABLE %I (LIKE history INCLUDING ALL)', part);
    EXECUTE format('ALTER TABLE %I ADD CONSTRAINT month CHECK (at >= %s AND at < %s)', part, low, high);
    LOCK TABLE history_default IN ACCESS EXCLUSIVE MODE;
    EXECUTE format(
        'WITH gone AS (DELETE FROM history_default WHERE at >= %s AND at < %s RETURNING *) INSERT INTO %I SELECT * FROM gone',
        low, high, part);
    EXECUTE format('ALTER TABLE history ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)', part, low, high);
    EXECUTE format('ALTER TABLE %I DROP CONSTRAINT month', part);
    RETURN true;
END
$$;

-- Raises unless `counted` is `wanted`; the class HW is Howdah's own.
CREATE FUNCTION howdah_expect(what text, counted bigint, wanted bigint) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    IF counted IS DISTINCT FROM wanted THEN
        RAISE EXCEPTION '% of % rows of %', counted, wanted, what
            USING ERRCODE = CASE what WHEN 'shard' THEN 'HW001' ELSE 'HW002' END;
    END IF;
    RETURN true;
END
$$;

-- Rows that change often keep free room on their page, so that a new version needs no new index entries. The few shard
-- rows change at every commit.
ALTER TABLE shard SET (fillfactor = 10, autovacuum_vacuum_threshold = 200);
ALTER TABLE job SET (fillfactor = 70);
ALTER TABLE action SET (fillfactor = 70);
