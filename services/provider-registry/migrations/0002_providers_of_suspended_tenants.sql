-- Suspended because its tenant is: such a provider works again when its tenant does.
ALTER TABLE provider ADD COLUMN with_tenant boolean NOT NULL DEFAULT false;
