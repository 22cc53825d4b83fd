-- When a session's person last proved who he is; null asks him again before what is worth a thief's while.
ALTER TABLE sessions ADD COLUMN proved_at timestamptz;
