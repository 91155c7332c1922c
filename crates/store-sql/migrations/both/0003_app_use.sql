-- Which jobs need which definitions: that of the present run and those of earlier ones, which their history is replayed
-- with. A definition that no job needs any more goes away after the purge of the last one.

CREATE TABLE app_use (
    job          text NOT NULL,
    app          text NOT NULL,
    PRIMARY KEY (job, app)
);

CREATE INDEX app_use_app ON app_use (app);

INSERT INTO app_use (job, app) SELECT id, app FROM job;

-- Definitions that a purged job needed: to be looked at once. A digest may be here more than once, so that purges never
-- wait for each other.
CREATE TABLE app_loose (
    app          text NOT NULL
);
