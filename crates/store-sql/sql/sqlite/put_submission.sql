-- Index: the primary key.
INSERT INTO submission (key, job)
VALUES (?, ?)
ON CONFLICT DO NOTHING
