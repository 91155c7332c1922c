-- A batch that needs a definition and leaves it alone because it is there already, against the statement that drops it
-- because nobody is seen to need it. The former hold a lock in common until they have committed; the latter holds it
-- alone, and looks only after it has it: each statement in a volatile function sees what was committed before it began.

-- Held by batches that bring definitions, before they look whether those are there.
CREATE FUNCTION howdah_hold_apps() RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(1215263793, 1);
    RETURN true;
END
$$;

-- Drops the definitions that purges left behind and no job needs; answers how many. Indexes: app_use_app, the primary key.
CREATE FUNCTION howdah_drop_loose_apps() RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    dropped bigint;
BEGIN
    -- Otherwise what is looked at would be as old as the beginning of the transaction.
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RETURN 0;
    END IF;
    PERFORM pg_advisory_xact_lock(1215263793, 1);
    WITH loose AS (
        DELETE FROM app_loose RETURNING app
    )
    DELETE FROM app
    WHERE digest IN (SELECT app FROM loose) AND NOT EXISTS (SELECT 1 FROM app_use WHERE app_use.app = app.digest);
    GET DIAGNOSTICS dropped = ROW_COUNT;
    RETURN dropped;
END
$$;
