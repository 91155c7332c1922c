-- Makes the partitions of this month and the next ones.
SELECT howdah_make_history_partition((extract(epoch FROM
    date_trunc('month', to_timestamp($1 / 1000.0) AT TIME ZONE 'UTC') + make_interval(months => month)) * 1000)::bigint)
FROM generate_series(0, $2) AS month
