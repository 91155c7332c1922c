-- Index: the primary key.
INSERT INTO app_use (job, app)
VALUES (?, ?)
ON CONFLICT DO NOTHING
