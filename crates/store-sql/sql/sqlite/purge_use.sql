-- Index: the primary key.
DELETE FROM app_use WHERE job IN (SELECT value FROM json_each($1))
