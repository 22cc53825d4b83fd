"""Managed hosts: enrolment, what is known of them, revocation."""
