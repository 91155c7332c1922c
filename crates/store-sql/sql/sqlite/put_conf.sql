-- Index: the primary key.
INSERT INTO job_conf (job, conf)
VALUES (?, ?)
ON CONFLICT (job) DO UPDATE SET conf = excluded.conf
