"""How a person is called, and in which language and time zone he reads."""

from __future__ import annotations

from pudim_collector.features.profile.pages import ProfilePages
from pudim_collector.infra.manifest import Feature, NavigationEntry
from pudim_collector.infra.permissions import Permission, Role

FEATURE = Feature(
    name="profile",
    controllers=(ProfilePages,),
    permissions={
        "profile:change": Permission("Change one's own name, language and time zone", Role.GUEST),
    },
    account_tabs=(NavigationEntry("Profile", "/account/profile", "point", "profile:change"),),
)
