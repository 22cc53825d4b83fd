"""What needs nothing but the standard library: time, identifiers."""
