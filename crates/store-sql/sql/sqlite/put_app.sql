-- Index: the primary key.
INSERT INTO app (digest, source)
VALUES (?, ?)
ON CONFLICT DO NOTHING
