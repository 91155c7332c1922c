-- What a person set for the cluster: mode, weights, failback. One row; its revision grows at each change.

CREATE TABLE policy (
    id           bigint NOT NULL PRIMARY KEY CHECK (id = 1),
    revision     bigint NOT NULL,
    policy       text NOT NULL
);

INSERT INTO policy (id, revision, policy) VALUES (1, 0, '');
