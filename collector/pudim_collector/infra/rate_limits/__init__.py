"""How much anybody may ask for: what passes is counted in one place for all processes, and mostly decided here."""
