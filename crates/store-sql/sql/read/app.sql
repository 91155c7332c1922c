-- Index: the primary key.
SELECT source FROM app WHERE digest = $1
