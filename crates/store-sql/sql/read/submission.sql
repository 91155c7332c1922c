-- Index: the primary key.
SELECT job FROM submission WHERE key = $1
