"""What matters about each resource of the Runpod target, in words."""

from collections.abc import Mapping
from typing import Any

Facts = list[str]


def describe(token: str, inputs: Mapping[str, Any]) -> Facts:
    """Facts of one resource; empty for a type that has none worth a line."""
    tell = _TELLERS.get(token)
    return tell(inputs) if tell else []


def _leftovers(_: Mapping[str, Any]) -> Facts:
    return [
        "bills nothing; destroy ends with it what an `up` that was killed rented and the state never knew of"
    ]


def _volume(inputs: Mapping[str, Any]) -> Facts:
    centers = ", ".join(inputs.get("dataCenters") or []) or "any data centre"
    return [
        f"{inputs['sizeGib']:g} GiB in {centers}, beside the cheapest GPU in stock",
        "outlives the pod; not encrypted by Runpod",
        "removed by destroy, once the run is home",
    ]


def _pod(inputs: Mapping[str, Any]) -> Facts:
    count = f"{inputs.get('gpuCount', 1):g} x " if inputs.get("gpuCount", 1) != 1 else ""
    return [
        f"{count}the cheapest in stock of {', '.join(inputs['gpus'])}, {inputs.get('cloud', 'secure')} cloud",
        f"at most ${inputs['maxUsdPerH']:g} an hour, {inputs['maxHours']:g} h: its lease, fixed when it is rented"
        + (", shorter where the run has spent the dollars for more" if inputs.get("machinesUsd") else ""),
        f"runs {inputs['image']}",
        "open: 22/tcp, SSH by keys only"
        + (", 8888/http, Jupyter behind a password" if inputs.get("expose") else ""),
        "ends itself after the job, at its lease, or when idle; nothing secret among its variables",
    ]


def _ready(inputs: Mapping[str, Any]) -> Facts:
    return [
        "host key from the pod's log, over TLS; a bad host is given back and another one taken",
        f"bounded: {inputs.get('readyMinutes') or 20:g} minutes a host",
    ]


def _registry(inputs: Mapping[str, Any]) -> Facts:
    return [f"user {inputs.get('username')}, password secret"]


def _upload(inputs: Mapping[str, Any]) -> Facts:
    sealed = ["encrypted (age) before it leaves this machine"] if inputs.get("seal") else []
    return [
        f"{inputs.get('source')} -> pod:{inputs.get('target')}",
        "host key pinned",
        "verified by sha256",
        *sealed,
    ]


def _run(inputs: Mapping[str, Any]) -> Facts:
    facts = [
        f"run at home in {inputs.get('home')}",
        "brought home by destroy: from the pod, else from the volume",
    ]
    facts.append("up waits for its end" if inputs.get("wait") else "up returns when it runs")
    if inputs.get("seal"):
        facts.append("lies there encrypted (age) only; open in the job's memory, and at home")
    if inputs.get("secrets"):
        facts.append("secrets go over SSH into the job's memory")
    return facts


_TELLERS = {
    "sonarstack:index:Leftovers": _leftovers,
    "sonarstack:index:NetworkVolume": _volume,
    "sonarstack:index:Pod": _pod,
    "sonarstack:index:PodReady": _ready,
    "sonarstack:index:RegistryCredential": _registry,
    "sonarstack:index:Upload": _upload,
    "sonarstack:index:TrainingRun": _run,
}
