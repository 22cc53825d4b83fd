-- How a person reads pages: null is what the browser asks for, and Coordinated Universal Time.
ALTER TABLE users
    ADD COLUMN language varchar(16),
    ADD COLUMN time_zone varchar(64);
