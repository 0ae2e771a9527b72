"""python -m app doctor: is everything there?"""

from typing import Annotated

import typer

from app.verbs import options


def doctor(
    device: Annotated[str, typer.Option(help="The device to plan for.")] = "auto",
    environment: options.Environment = None,
    as_json: options.Json = False,
) -> None:
    """Show what is there, what is missing and what to do; every setting with where it came from."""
    from dataclasses import asdict

    from app.config.settings import flat_settings, load_settings
    from app.doctor.checks import State, run_checks
    from app.verbs.console import say, say_json

    loaded = load_settings(environment)
    checks = run_checks(device)
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
