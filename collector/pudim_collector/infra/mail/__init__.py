"""Mail to people: written from templates, kept in the database until the operator's own mail server has taken it."""
