"""Profiles at the HTTP edge."""

from __future__ import annotations

from msgspec import Struct


class ProfileForm(Struct):
    """Empty is the browser's."""

    name: str = ""
    language: str = ""
    time_zone: str = ""
