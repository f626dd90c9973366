-- A bid is written once and changes its status twice. With room on its page neither change touches an index.
ALTER TABLE bid SET (fillfactor = 50);
