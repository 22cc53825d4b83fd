-- Who keeps the sources in memory sees by a number that some are gone.
ALTER TABLE store ADD COLUMN forgotten bigint NOT NULL DEFAULT 0;

CREATE FUNCTION note_forgotten() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE store SET forgotten = forgotten + 1;
    RETURN NULL;
END
$$;

CREATE TRIGGER sources_forgotten AFTER DELETE ON sources FOR EACH STATEMENT EXECUTE FUNCTION note_forgotten();
