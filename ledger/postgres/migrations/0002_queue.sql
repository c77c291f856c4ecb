-- A debt that is claimed, tried and given back changes no index: its row stays in its page (HOT). The index of the queue
-- holds what is owed and what is being sent alike, and so does the one that counts. What is entered into the queue or
-- leaves it, or is marked, has to be found, and is in an index in any case.
ALTER TABLE debt
    ADD COLUMN queued boolean GENERATED ALWAYS AS (state IN ('owed', 'sending')) STORED,
    ADD COLUMN phase text GENERATED ALWAYS AS (CASE state WHEN 'sending' THEN 'owed' ELSE state END) STORED;
CREATE INDEX debt_queue ON debt (lane, turn, since, id) WHERE queued;
CREATE INDEX debt_phase ON debt (connection, phase);
DROP INDEX debt_owed, debt_sending, debt_state;
