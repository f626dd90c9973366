-- The contracts that gave the work back, the last few: what they ask for afterwards came late.
ALTER TABLE work ADD COLUMN released uuid[] NOT NULL DEFAULT '{}';
