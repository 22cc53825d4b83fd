-- What a token is narrowed to: null is everything that its role allows. And from where it was used last.
ALTER TABLE api_tokens
    ADD COLUMN scopes text[],
    ADD COLUMN only_servers uuid[],
    ADD COLUMN only_tags text[],
    ADD COLUMN last_used_address varchar(64);
