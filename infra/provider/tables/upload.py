"""Upload: a folder of this machine on a host, kept equal and proven so."""

from pathlib import Path

from infra.hosts.host import open_host
from infra.hosts.tree import local_tree, tree_digest
from infra.hosts.upload import remove_upload, upload
from infra.provider.table import Call, Made, Values, require


class UploadTable:
    """Content decides: another content is sent again, what is there already is not."""

    token = "sonarstack:index:Upload"  # noqa: S105 a type, no secret
    replaces = frozenset({"host", "target"})
    computed = ("files", "bytes", "sha256")

    def check(self, inputs: Values) -> dict[str, str]:
        """See `Table.check`."""
        return require(inputs, "host", "source", "target")

    def create(self, call: Call, inputs: Values) -> Made:
        """See `Table.create`; a folder half sent before is gone on with."""
        host = open_host(inputs["host"])
        return Made(id=f"{host.address}/{inputs['target']}", outputs=self._send(call, inputs))

    def read(self, call: Call, id_: str, inputs: Values, outputs: Values) -> Values | None:
        """See `Table.read`: gone is a folder without our stamp."""
        from infra.hosts.tree import STAMP

        return outputs if open_host(inputs["host"]).read(f"{inputs['target']}/{STAMP}") is not None else None

    def moved(self, call: Call, id_: str, inputs: Values, outputs: Values) -> list[str]:
        """See `Table.moved`: whether the folder here has another content than was sent."""
        source = Path(inputs["source"])
        if not source.is_dir():
            return []
        return [] if _digest(source, inputs) == outputs.get("sha256") else ["sha256"]

    def update(self, call: Call, id_: str, inputs: Values, outputs: Values) -> Values:
        """See `Table.update`."""
        return self._send(call, inputs)

    def delete(self, call: Call, id_: str, inputs: Values, outputs: Values) -> None:
        """See `Table.delete`."""
        remove_upload(open_host(inputs["host"]), inputs["target"])

    def _send(self, call: Call, inputs: Values) -> Values:
        receipt = upload(
            open_host(inputs["host"]),
            Path(inputs["source"]),
            inputs["target"],
            exclude=inputs.get("exclude") or [],
            cancelled=call.cancelled.is_set,
        )
        return {"files": receipt.files, "bytes": receipt.bytes, "sha256": receipt.sha256}


def _digest(source: Path, inputs: Values) -> str:
    return tree_digest(local_tree(source, inputs.get("exclude") or []))
