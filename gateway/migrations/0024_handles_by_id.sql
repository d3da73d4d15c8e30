-- Pages of payments name the other side of each: fifty handles by id, each from the index alone, without its wallet's page.
CREATE UNIQUE INDEX wallet_handle_of_id ON wallet (id) INCLUDE (handle);
