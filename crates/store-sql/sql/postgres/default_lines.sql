-- Counts no further than an alert needs.
SELECT count(*) AS lines FROM (SELECT 1 FROM history_default LIMIT 1000) AS found
