-- Findings of a reconciliation: looked for when it is forgotten.
CREATE INDEX finding_reconciliation ON finding (reconciliation);
