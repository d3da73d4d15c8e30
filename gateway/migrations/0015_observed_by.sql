-- A line of a statement for tokens that were seen to move says who sent them: its transfer's observation does.

CREATE INDEX observation_of_transfer ON observation (transfer_id);
