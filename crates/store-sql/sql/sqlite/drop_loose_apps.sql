-- After everything else of the batch: a job that it brings may need one of them. Indexes: the primary key, app_use_app.
DELETE FROM app
WHERE digest IN (SELECT app FROM app_loose) AND NOT EXISTS (SELECT 1 FROM app_use WHERE app_use.app = app.digest)
