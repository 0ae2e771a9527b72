"""What is looked at in the same way in every cloud: where records go, and the run's secret."""

from collections.abc import Callable

from app.config.settings import Settings
from app.doctor.checks import Check, State
from app.errors import SettingsError
from app.secrets import SecretsManager
from app.telemetry.logs.record import RecordMaker
from app.telemetry.logs.scrub import Scrub
from app.telemetry.logs.sender import Sender


def not_installed(cloud: str, package: str) -> Check:
    """The cloud's package is not there, so nothing else can be asked."""
    return Check(
        name=cloud,
        state=State.MISSING,
        detail=f"{package} is not installed",
        advice="pip install 'sonarstack[cloud]'",
    )


def log_group(settings: Settings, provider: str, service: str, sender: Callable[[str], Sender]) -> Check:
    """Write one record where the settings say."""
    cloud = settings.cloud
    if cloud.log_provider != provider or not cloud.log_group:
        return Check(
            name="log group",
            state=State.OPTIONAL,
            detail=f"records do not go to {service}",
            advice=f"set SONARSTACK_LOG_PROVIDER={provider} and SONARSTACK_LOG_GROUP to try one",
        )
    try:
        opened = sender(cloud.log_group)
    except SettingsError as error:
        return Check(name="log group", state=State.MISSING, detail=str(error))
    record = RecordMaker(run="doctor", host="doctor", scrub=Scrub()).make(
        "INFO", "note", "doctor: can records be written here?", step=None, figures={}
    )
    try:
        opened.send([record])
    except Exception as error:  # noqa: BLE001 whatever it is, it is the answer to the question
        cause = error.__cause__ if isinstance(error.__cause__, Exception) else error
        return Check(
            name="log group",
            state=State.MISSING,
            detail=f"{cloud.log_group}: {why(cause)}",
            advice=opened.advice(cause),
        )
    return Check(
        name="log group", state=State.OK, detail=f"{cloud.log_group}: a record of run doctor was written"
    )


def secret(settings: Settings) -> Check:
    """Read the run's secret, and tell the names in it."""
    secret_id = settings.cloud.secret_id
    if secret_id is None:
        return Check(name="secret", state=State.OPTIONAL, detail="none is named (SONARSTACK_SECRET_ID)")
    try:
        names = sorted(SecretsManager({}, secret_id=secret_id).stored())
    except SettingsError as error:
        what, _, advice = str(error).partition(": ")
        return Check(name="secret", state=State.MISSING, detail=what, advice=advice)
    return Check(name="secret", state=State.OK, detail=f"{secret_id} holds {', '.join(names)}")


def why(error: Exception) -> str:
    """The cloud's code, or what its SDK calls the error; never a whole answer."""
    answer = getattr(error, "response", None)
    code = answer.get("Error", {}).get("Code") if isinstance(answer, dict) else None
    code = code or getattr(error, "status_code", None)
    return f"refused ({code})" if code else type(error).__name__
