-- An event may be as large as 512 KiB, and whoever follows it waits until it is written.
-- LZ4 takes a tenth of the default's time for the same size. A server that was built without it keeps the default.
DO $$
BEGIN
    ALTER TABLE event ALTER COLUMN event SET COMPRESSION lz4;
EXCEPTION
    WHEN feature_not_supported THEN NULL;
END
$$;
