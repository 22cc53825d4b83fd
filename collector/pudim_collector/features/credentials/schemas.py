"""Forms of passwords and addresses."""

from __future__ import annotations

from msgspec import Struct


class PasswordForm(Struct):
    current: str = ""
    password: str = ""


class EmailForm(Struct):
    email: str = ""


class NewPasswordForm(Struct):
    password: str = ""
