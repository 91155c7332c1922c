-- Index: the primary key.
DELETE FROM action WHERE job IN (SELECT value FROM json_each($1))
