-- The definitions that purged jobs needed. Index: the primary key.
INSERT INTO app_loose (app)
SELECT DISTINCT app FROM app_use WHERE job IN (SELECT value FROM json_each($1))
