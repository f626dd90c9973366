-- The last version that each resource's watchers were told. It outlives the messages, so that no version is given twice,
-- and whoever tells the watchers something holds its row until the commit, so that versions are in the order of commits.
CREATE TABLE watch_head (
    resource_id uuid   NOT NULL PRIMARY KEY,
    version     bigint NOT NULL
) WITH (fillfactor = 50);
INSERT INTO watch_head (resource_id, version) SELECT resource_id, MAX(version) FROM watch_log GROUP BY resource_id;
