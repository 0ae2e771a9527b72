"""python -m app doctor: is everything there?"""

from typing import Annotated

import typer

from app.verbs import options


def doctor(
    device: Annotated[str, typer.Option(help="The device to plan for.")] = "auto",
    cloud: Annotated[
        str | None,
        typer.Option(help="aws or azure: also whether that cloud is as a training there needs it."),
    ] = None,
    instance_type: Annotated[
        str, typer.Option(help="With --cloud aws: whose quota to ask for.")
    ] = "g4dn.xlarge",
    environment: options.Environment = None,
    as_json: options.Json = False,
) -> None:
    """Show what is there, what is missing and what to do; every setting with where it came from."""
    from dataclasses import asdict

    from app.config.settings import flat_settings, load_settings
    from app.doctor.checks import State, run_checks
    from app.errors import SettingsError
    from app.verbs.console import say, say_json

    if cloud not in (None, "aws", "azure"):
        raise SettingsError(f"--cloud {cloud} is not looked at; allowed are aws and azure")
    loaded = load_settings(environment)
    checks = run_checks(device)
    if cloud == "aws":
        from app.doctor.aws import aws_checks

        checks += aws_checks(loaded.settings, instance_type=instance_type)
    if cloud == "azure":
        from app.doctor.azure import azure_checks

        checks += azure_checks(loaded.settings)
    values = flat_settings(loaded.settings)
    if values["cloud.notify_url"]:
        values["cloud.notify_url"] = "(set)"  # it may hold a token
    if as_json:
        settings = {k: {"value": v, "from": loaded.sources.get(k, "default")} for k, v in values.items()}
        say_json({"checks": [asdict(c) for c in checks], "settings": settings})
    else:
        for check in checks:
            say(
                f"{check.state:<9} {check.name:<18} {check.detail}{'; ' + check.advice if check.advice else ''}"
            )
        say("\nsettings")
        for key, value in values.items():
            say(f"  {key:<28} {value!s:<14} from {loaded.sources.get(key, 'default')}")
    missing = [c.name.strip() for c in checks if c.state is State.MISSING]
    if missing:
        if not as_json:
            say(f"\nmissing: {', '.join(missing)}")
        raise typer.Exit(1)
