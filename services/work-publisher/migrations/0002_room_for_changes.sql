-- A work changes about ten times within its life. With room on its page no change touches an index.
ALTER TABLE work SET (fillfactor = 50);
