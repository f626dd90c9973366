-- The attempt that has leased a job, NULL when none has: only this attempt renews the lease and gives it back. A job
-- that is scheduled anew while an attempt has leased it is run again after that attempt.
ALTER TABLE timer
    ADD COLUMN lease uuid,
    ADD COLUMN again boolean NOT NULL DEFAULT false;
