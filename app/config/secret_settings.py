"""Settings whose values lie in the run's secret rather than in its environment."""

from app.config.settings import Settings
from app.secrets import NOTIFY_URL, SecretsManager


def fill_from_secret(settings: Settings, secrets: SecretsManager) -> Settings:
    """The settings with what only the secret holds; what was set in the open stays.

    Raises:
        SettingsError: the secret cannot be read; see `SecretsManager.read`.
    """
    told = secrets.stored().get(NOTIFY_URL)
    if settings.cloud.notify_url is not None or not told:
        return settings
    return settings.model_copy(update={"cloud": settings.cloud.model_copy(update={"notify_url": told})})
