-- History, and nothing else that SQLite needs of its own. The numbers of a shard are dense: the fence row hands them out.

CREATE TABLE history (
    shard        bigint NOT NULL,
    n            bigint NOT NULL,
    at           bigint NOT NULL,
    job          text NOT NULL,
    name         text NOT NULL,
    event        text NOT NULL,
    engine       text NOT NULL,
    PRIMARY KEY (shard, n)
);

CREATE INDEX history_job ON history (job, n);
