"""Where Piccolo looks for its engine; the registry of apps is the composition root's."""

from piccolo.conf.apps import AppRegistry

from pudim_collector.infra.database import database

DB = database
APP_REGISTRY = AppRegistry(apps=[])
