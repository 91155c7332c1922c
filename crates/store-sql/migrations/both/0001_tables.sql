-- The tables of Howdah, the same in PostgreSQL and SQLite; what must differ is in 0002_*.sql beside this folder.
--
-- * Moments are milliseconds since 1970-01-01T00:00Z. Nonces are sixteen hex digits. `header` and `body` are JSON: the
--   whole truth about a row; the columns beside it are what statements look for, and are written from it every time.
-- * There are no foreign keys on purpose: every write is one fenced batch of a shard's only writer, which keeps rows
--   together, and a check for each row would cost more than the row.
-- * There is no index on job.changed_at, which moves at every change: PostgreSQL could then update no job row in place.

CREATE TABLE cluster (
    id           bigint NOT NULL PRIMARY KEY CHECK (id = 1),
    stamp        text NOT NULL,
    system_id    text NOT NULL,
    shards       bigint NOT NULL,
    format       bigint NOT NULL,
    created_at   bigint NOT NULL
);

CREATE TABLE shard (
    shard        bigint NOT NULL PRIMARY KEY,
    epoch        bigint NOT NULL,
    owner        text NOT NULL,
    owner_nonce  text NOT NULL,
    pos          bigint NOT NULL,
    next_serial  bigint NOT NULL
);

-- Jobs of every kind: W (workflow), C (coordinator), B (bundle).
CREATE TABLE job (
    id           text NOT NULL PRIMARY KEY,
    kind         text NOT NULL CHECK (kind IN ('W', 'C', 'B')),
    shard        bigint NOT NULL,
    status       text NOT NULL,
    outstanding  boolean NOT NULL,
    name         text NOT NULL,
    app          text NOT NULL,
    user_name    text NOT NULL,
    group_name   text,
    parent       text,
    external_id  text,
    run          bigint NOT NULL,
    created_at   bigint NOT NULL,
    started_at   bigint,
    ended_at     bigint,
    changed_at   bigint NOT NULL,
    due_at       bigint,
    header       text NOT NULL
);

-- What a new owner of a shard loads: few rows, however many jobs are over.
CREATE INDEX job_outstanding ON job (shard, id) WHERE outstanding;
CREATE INDEX job_due ON job (shard, due_at) WHERE due_at IS NOT NULL;
-- Lists, newest first.
CREATE INDEX job_created ON job (kind, created_at, id);
CREATE INDEX job_status ON job (kind, status, created_at, id);
CREATE INDEX job_user ON job (user_name, created_at);
CREATE INDEX job_name ON job (name, created_at);
-- Families, and the jobs that a purge starts from.
CREATE INDEX job_parent ON job (parent) WHERE parent IS NOT NULL;
CREATE INDEX job_external_id ON job (external_id, created_at) WHERE external_id IS NOT NULL;
CREATE INDEX job_purgeable ON job (shard, ended_at) WHERE parent IS NULL AND ended_at IS NOT NULL;

-- The configuration of a job, apart from it: it is large and hardly ever changes.
CREATE TABLE job_conf (
    job          text NOT NULL PRIMARY KEY,
    conf         text NOT NULL
);

-- Actions of workflow jobs. `token` is there only while the attempt may still run.
CREATE TABLE action (
    job          text NOT NULL,
    name         text NOT NULL,
    shard        bigint NOT NULL,
    status       text NOT NULL,
    ready        boolean NOT NULL,
    pool         text NOT NULL,
    priority     bigint NOT NULL,
    due_at       bigint,
    token        text,
    body         text NOT NULL,
    PRIMARY KEY (job, name)
);

CREATE INDEX action_ready ON action (shard, pool, priority) WHERE ready;
CREATE INDEX action_due ON action (shard, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX action_token ON action (token) WHERE token IS NOT NULL;

-- The sources of definitions by digest, as JSON, shared by all jobs that run them.
CREATE TABLE app (
    digest       text NOT NULL PRIMARY KEY,
    source       text NOT NULL
);

-- Idempotency keys of submits. Not unique by job: a purge takes them away with it.
CREATE TABLE submission (
    key          text NOT NULL PRIMARY KEY,
    job          text NOT NULL
);

CREATE INDEX submission_job ON submission (job);

-- Events that could not be handled, kept for a person.
CREATE TABLE quarantine (
    job          text NOT NULL,
    at           bigint NOT NULL,
    event        text NOT NULL,
    why          text NOT NULL
);

CREATE INDEX quarantine_at ON quarantine (at);

-- Time- and data-triggered jobs, beside their row in `job`.
CREATE TABLE coordinator_job (
    job                  text NOT NULL PRIMARY KEY,
    start_at             bigint NOT NULL,
    end_at               bigint NOT NULL,
    next_nominal_time    bigint,
    last_number          bigint NOT NULL,
    body                 text NOT NULL
);

CREATE INDEX coordinator_job_next ON coordinator_job (next_nominal_time) WHERE next_nominal_time IS NOT NULL;

-- One schedule slot yields exactly one action, whatever happens: (job, nominal_time) is unique.
CREATE TABLE coordinator_action (
    job           text NOT NULL,
    number        bigint NOT NULL,
    nominal_time  bigint NOT NULL,
    shard         bigint NOT NULL,
    status        text NOT NULL,
    due_at        bigint,
    child         text,
    body          text NOT NULL,
    PRIMARY KEY (job, number),
    UNIQUE (job, nominal_time)
);

CREATE INDEX coordinator_action_due ON coordinator_action (shard, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX coordinator_action_child ON coordinator_action (child) WHERE child IS NOT NULL;

-- Bundles, beside their row in `job`.
CREATE TABLE bundle_job (
    job          text NOT NULL PRIMARY KEY,
    kickoff_at   bigint,
    body         text NOT NULL
);

-- The coordinators of a bundle. They may live in other shards: `create_key` makes their creation repeatable, and
-- `stopped` is the tombstone of one that was stopped before it was born.
CREATE TABLE bundle_coordinator (
    bundle       text NOT NULL,
    name         text NOT NULL,
    run          bigint NOT NULL,
    create_key   text NOT NULL UNIQUE,
    coordinator  text,
    stopped      boolean NOT NULL,
    body         text NOT NULL,
    PRIMARY KEY (bundle, name, run)
);

CREATE INDEX bundle_coordinator_child ON bundle_coordinator (coordinator) WHERE coordinator IS NOT NULL;
