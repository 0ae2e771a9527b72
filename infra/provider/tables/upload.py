"""Upload: a folder of this machine on a host or in a bucket, kept equal and proven so."""

import time
from pathlib import Path

from infra.buckets.folder import INDEX, remove_folder, send_folder
from infra.buckets.host import BucketHost
from infra.errors import HostError
from infra.hosts.tree import STAMP, local_tree, tree_digest
from infra.hosts.upload import remove_upload, upload
from infra.machines import is_gone, open_machine
from infra.provider.table import Call, Made, Values, require
from infra.runpod.open_runs import pod_of, refuse_to_end
from infra.seal.data import seal_data
from infra.seal.key import seal_key
from infra.state_folder import state_folder

SAY_EVERY_S = 2.0


class UploadTable:
    """Content decides: another content is sent again, what is there already is not."""

    token = "sonarstack:index:Upload"  # noqa: S105 a type, no secret
    replaces = frozenset({"host", "target", "seal"})
    computed = ("files", "bytes", "sha256")

    def check(self, inputs: Values) -> dict[str, str]:
        """See `Table.check`."""
        return require(inputs, "host", "source", "target")

    def create(self, call: Call, inputs: Values) -> Made:
        """See `Table.create`; a folder half sent before is gone on with."""
        host = open_machine(inputs["host"])
        return Made(id=f"{host.address}/{inputs['target']}", outputs=self._send(call, inputs))

    def read(self, call: Call, id_: str, inputs: Values, outputs: Values) -> Values | None:
        """See `Table.read`: gone is a folder without our stamp."""
        mark = INDEX if "bucket" in inputs["host"] else STAMP
        try:
            there = open_machine(inputs["host"]).read(f"{inputs['target']}/{mark}") is not None
        except HostError:
            if not is_gone(inputs["host"]):
                raise
            return outputs  # it went with its machine, whose own resource tells so
        return outputs if there else None

    def moved(self, call: Call, id_: str, inputs: Values, outputs: Values) -> list[str]:
        """See `Table.moved`: whether the folder here has another content than was sent."""
        source = Path(inputs["source"])
        if not source.is_dir():
            return []
        return [] if _digest(source, inputs) == outputs.get("sha256") else ["sha256"]

    def update(self, call: Call, id_: str, inputs: Values, outputs: Values) -> Values:
        """See `Table.update`; sent again also where its machine is another one now."""
        try:
            return self._send(call, inputs)
        except HostError:
            if is_gone(inputs["host"]) and _digest(Path(inputs["source"]), inputs) == outputs.get("sha256"):
                return outputs  # nothing new to send to a machine that ended as planned
            raise

    def delete(self, call: Call, id_: str, inputs: Values, outputs: Values) -> None:
        """See `Table.delete`; what goes with its machine is not removed one by one."""
        if inputs.get("goesWithHost"):
            # Of all that goes with a pod this is asked first: nothing is forgotten before somebody refuses.
            refuse_to_end(pod_of(inputs["host"]), call.variables)
            return
        host = open_machine(inputs["host"])
        if isinstance(host, BucketHost):
            remove_folder(host.store, inputs["target"], owner=str(inputs["host"].get("owner")))
        else:
            remove_upload(host, inputs["target"])

    def _send(self, call: Call, inputs: Values) -> Values:
        source, exclude, only = Path(inputs["source"]), inputs.get("exclude") or [], inputs.get("only")
        host = open_machine(inputs["host"])
        progress = _Progress(call)
        if isinstance(host, BucketHost):
            receipt = send_folder(
                host.store,
                source,
                inputs["target"],
                owner=str(inputs["host"].get("owner")),
                exclude=exclude,
                cancelled=call.cancelled.is_set,
                progress=progress,
            )
            return {"files": receipt.files, "bytes": receipt.bytes, "sha256": receipt.sha256}
        if not inputs.get("seal"):
            receipt = upload(
                host,
                source,
                inputs["target"],
                exclude=exclude,
                only=only,
                cancelled=call.cancelled.is_set,
                progress=progress,
            )
            return {"files": receipt.files, "bytes": receipt.bytes, "sha256": receipt.sha256}
        stamp = str(inputs["seal"])
        call.say("encrypting what changed")
        sealed = state_folder() / "sealed" / stamp
        seal_data(
            source,
            sealed,
            seal_key(state_folder() / "keys", stamp),
            exclude=exclude,
            cancelled=call.cancelled.is_set,
        )
        receipt = upload(host, sealed, inputs["target"], cancelled=call.cancelled.is_set, progress=progress)
        # What lies there has other digests: a change is one of what lies here, open.
        return {"files": receipt.files, "bytes": receipt.bytes, "sha256": _digest(source, inputs)}


class _Progress:
    """Bytes sent so far, said once in a while."""

    def __init__(self, call: Call) -> None:
        self._call, self._next = call, 0.0

    def __call__(self, done: int, total: int) -> None:
        if done >= total or time.monotonic() >= self._next:
            self._next = time.monotonic() + SAY_EVERY_S
            self._call.say(f"sent {done / 2**20:.0f} of {total / 2**20:.0f} MiB")


def _digest(source: Path, inputs: Values) -> str:
    return tree_digest(local_tree(source, inputs.get("exclude") or [], only=inputs.get("only")))
