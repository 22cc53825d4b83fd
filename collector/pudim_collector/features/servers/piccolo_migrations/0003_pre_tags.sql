-- Words by which people put servers together.
ALTER TABLE servers ADD COLUMN tags text[] NOT NULL DEFAULT '{}';
CREATE INDEX servers_tags ON servers USING gin (tags);
