"""Pudim's pages: where the templates and the built assets lie."""
