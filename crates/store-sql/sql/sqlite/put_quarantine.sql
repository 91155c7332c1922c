INSERT INTO quarantine (job, at, event, why)
VALUES (?, ?, ?, ?)
