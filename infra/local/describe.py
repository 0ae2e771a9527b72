"""What matters about each resource of the local target, in words: what is open, what may be written, who runs it."""

from collections.abc import Mapping, Sequence
from typing import Any

Facts = list[str]


def describe(token: str, inputs: Mapping[str, Any]) -> Facts:
    """Facts of one resource; empty for a type that has none worth a line."""
    tell = _TELLERS.get(token)
    return tell(inputs) if tell else []


def _container(inputs: Mapping[str, Any]) -> Facts:
    facts = [f"runs as {inputs.get('user', 'the image user')}"]
    ports: Sequence[Mapping[str, Any]] = inputs.get("ports") or []
    facts += [f"open: {p['ip']}:{p['external']:.0f} -> {p['internal']:.0f}" for p in ports]
    if not ports:
        facts.append("nothing open")
    facts.append("no network" if inputs.get("networkMode") == "none" else "network of the stack")
    for volume in inputs.get("volumes") or []:
        source = volume.get("hostPath") or f"volume {volume.get('volumeName')}"
        facts.append(
            f"{'reads' if volume.get('readOnly') else 'writes'} {volume['containerPath']} = {source}"
        )
    if inputs.get("readOnly"):
        facts.append("read-only root file system")
    if "ALL" in (inputs.get("capabilities") or {}).get("drops", []):
        facts.append("all capabilities dropped")
    if any("no-new-privileges" in option for option in inputs.get("securityOpts") or []):
        facts.append("no new privileges")
    facts.append(f"memory {inputs['memory'] / 1024:g} GiB")
    if inputs.get("cpus"):
        facts.append(f"{inputs['cpus']} cores")
    facts.append(f"GPUs: {inputs.get('gpus') or 'none'}")
    facts += _variables(inputs.get("envs") or [])
    return facts


def _variables(envs: Sequence[Any]) -> Facts:
    seam = [e for e in envs if isinstance(e, str) and e.startswith("SONARSTACK_")]
    return [f"told {', '.join(e.removeprefix('SONARSTACK_') for e in seam)}"] if seam else []


def _image(inputs: Mapping[str, Any]) -> Facts:
    build = inputs.get("build") or {}
    arguments = ", ".join(f"{k}={v}" for k, v in sorted((build.get("args") or {}).items()))
    facts = [f"built from {build.get('dockerfile')} for {build.get('platform')}", "pushed nowhere"]
    return [*facts, f"with {arguments}"] if arguments else facts


def _network(inputs: Mapping[str, Any]) -> Facts:
    return [f"{inputs.get('driver', 'bridge')} of its own"]


def _process(inputs: Mapping[str, Any]) -> Facts:
    told = ", ".join(
        f"{k.removeprefix('SONARSTACK_')}={v}" for k, v in sorted((inputs.get("variables") or {}).items())
    )
    return [
        f"runs {' '.join(map(str, inputs.get('argv') or []))}",
        "as you, with your rights",
        f"told {told}",
    ]


def _upload(inputs: Mapping[str, Any]) -> Facts:
    host = inputs.get("host") or {}
    pinned = "host key pinned" if host.get("hostKey") else "host key from known_hosts"
    return [
        f"{inputs.get('source')} -> {host.get('address')}:{inputs.get('target')}",
        pinned,
        "verified by sha256",
    ]


def _run(inputs: Mapping[str, Any]) -> Facts:
    facts = [f"run at home in {inputs.get('home')}"]
    if inputs.get("runHost"):
        facts.append(f"brought home from {inputs['runHost'].get('address')} by destroy")
    facts.append("up waits for its end" if inputs.get("wait") else "up returns when it runs")
    return facts


def _built(inputs: Mapping[str, Any]) -> Facts:
    return [
        "destroy leaves the image" if inputs.get("keep") else "destroy removes the image and its old builds"
    ]


_TELLERS = {
    "docker:index/container:Container": _container,
    "docker:index/image:Image": _image,
    "docker:index/network:Network": _network,
    "sonarstack:index:LocalProcess": _process,
    "sonarstack:index:Upload": _upload,
    "sonarstack:index:TrainingRun": _run,
    "sonarstack:index:BuiltImage": _built,
}
