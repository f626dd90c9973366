-- What watchers are told is put in order by the rows of its versions.
DROP TABLE watch_lock;
