-- Ends one backend, if it is still the one that was meant: a pid may have been given to another since.
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE pid = $1 AND backend_start::text = $2 AND application_name = $3
