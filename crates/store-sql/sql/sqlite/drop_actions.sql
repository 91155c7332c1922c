-- [job, name] of each. Index: the primary key.
DELETE FROM action
WHERE (job, name) IN (SELECT gone.value ->> 0, gone.value ->> 1 FROM json_each($1) AS gone)
