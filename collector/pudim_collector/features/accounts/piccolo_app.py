"""What Piccolo's command line needs to know of this feature."""

from pathlib import Path

from piccolo.conf.apps import AppConfig

from pudim_collector.features.accounts.tables import ApiToken, Session, SetupLink, Team, User

APP_CONFIG = AppConfig(
    app_name="accounts",
    migrations_folder_path=str(Path(__file__).parent / "piccolo_migrations"),
    table_classes=[Team, User, Session, ApiToken, SetupLink],
)
