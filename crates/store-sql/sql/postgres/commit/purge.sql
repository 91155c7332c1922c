-- Indexes: the primary keys of job, job_conf and action, history_job of each partition, submission_job, the primary key
-- of app_use. What becomes of the definitions is seen to when this has gone in: drop_loose_apps.sql.
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
),
purge_use AS (
    DELETE FROM app_use USING unnest($46::text[]) AS gone (job) WHERE (SELECT open FROM gate) AND app_use.job = gone.job
    RETURNING app
),
put_loose AS (
    INSERT INTO app_loose (app) SELECT DISTINCT app FROM purge_use
)
