-- How complete each server's days are: judged while they last and for minutes afterwards, and again when frames come late.
CREATE TABLE completeness (
    server_id uuid NOT NULL REFERENCES servers ON DELETE CASCADE,
    day date NOT NULL, -- UTC
    expected integer NOT NULL, -- samplings
    stored integer NOT NULL,
    late integer NOT NULL, -- of the stored ones, those that came long after they were sampled
    state text NOT NULL,
    gaps jsonb NOT NULL, -- [[start, end, reason, missing, late], ...] in milliseconds since the epoch
    gaps_left_out integer NOT NULL, -- smaller ones than those
    computed_at timestamptz NOT NULL,
    PRIMARY KEY (server_id, day)
);
CREATE INDEX completeness_day ON completeness (day);
