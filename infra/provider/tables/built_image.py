"""BuiltImage: removes what Docker's provider built and would leave behind."""

from docker.errors import APIError, DockerException, ImageNotFound

from infra.errors import DockerError
from infra.jobs.container import connect
from infra.provider.table import Call, Made, Values, require


class BuiltImageTable:
    """Remembers every build of one image; `destroy` removes them unless they are to be kept."""

    token = "sonarstack:index:BuiltImage"  # noqa: S105 a type, no secret
    replaces: frozenset[str] = frozenset()
    computed = ("builds",)

    def check(self, inputs: Values) -> dict[str, str]:
        """See `Table.check`."""
        return require(inputs, "reference")

    def create(self, call: Call, inputs: Values) -> Made:
        """See `Table.create`."""
        return Made(id=str(inputs["reference"]), outputs={"builds": [inputs["reference"]]})

    def read(self, call: Call, id_: str, inputs: Values, outputs: Values) -> Values | None:
        """See `Table.read`."""
        return outputs

    def moved(self, call: Call, id_: str, inputs: Values, outputs: Values) -> list[str]:
        """See `Table.moved`."""
        return []

    def update(self, call: Call, id_: str, inputs: Values, outputs: Values) -> Values:
        """See `Table.update`: older builds go as soon as no container needs them."""
        older = [build for build in outputs.get("builds") or [] if build != inputs["reference"]]
        left = older if inputs.get("keep") else _remove(older, inputs.get("dockerHost"), force=False)
        return {"builds": [*left, inputs["reference"]]}

    def delete(self, call: Call, id_: str, inputs: Values, outputs: Values) -> None:
        """See `Table.delete`."""
        if not inputs.get("keep"):
            _remove(outputs.get("builds") or [], inputs.get("dockerHost"), force=True)


def _remove(builds: list[str], docker_host: str | None, *, force: bool) -> list[str]:
    """Remove images; those that a container still needs are returned."""
    left = []
    try:
        client = connect(docker_host)
        try:
            for build in builds:
                try:
                    client.images.remove(build, force=force)
                except ImageNotFound:
                    continue
                except APIError as error:
                    if error.status_code != 409:
                        raise
                    left.append(build)
        finally:
            client.close()
    except APIError as error:
        raise DockerError(f"Docker refuses to remove an image: {error.explanation}") from error
    except (DockerException, OSError) as error:
        raise DockerError(
            f"Docker does not answer ({type(error).__name__}); start it and try again"
        ) from error
    return left
