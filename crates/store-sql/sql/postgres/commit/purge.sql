-- Indexes: the primary keys of job, job_conf and action, history_job of each partition, submission_job.
purge_history AS (
    DELETE FROM history USING unnest($46::text[]) AS gone (job) WHERE (SELECT open FROM gate) AND history.job = gone.job
),
purge_actions AS (
    DELETE FROM action USING unnest($46::text[]) AS gone (job) WHERE (SELECT open FROM gate) AND action.job = gone.job
),
purge_conf AS (
    DELETE FROM job_conf USING unnest($46::text[]) AS gone (job) WHERE (SELECT open FROM gate) AND job_conf.job = gone.job
),
purge_submissions AS (
    DELETE FROM submission USING unnest($46::text[]) AS gone (job) WHERE (SELECT open FROM gate) AND submission.job = gone.job
),
purge_job AS (
    DELETE FROM job USING unnest($46::text[]) AS gone (id) WHERE (SELECT open FROM gate) AND job.id = gone.id
)
