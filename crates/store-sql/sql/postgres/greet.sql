-- What every new connection asks. A primary tells its timeline by the name of the segment that it writes; the control
-- file would tell it only after the first checkpoint that follows a promotion.
SELECT
    pg_is_in_recovery() AS in_recovery,
    (SELECT system_identifier FROM pg_control_system()) AS system_identifier,
    CASE WHEN pg_is_in_recovery() THEN '' ELSE substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) END AS timeline,
    pg_backend_pid()::bigint AS pid,
    (SELECT backend_start::text FROM pg_stat_get_activity(pg_backend_pid())) AS started
