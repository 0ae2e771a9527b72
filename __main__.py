"""Pulumi's way in: reads the stack's settings and declares what its target consists of."""

import pulumi

from infra.errors import InfraError
from stacks.deploy import deploy
from stacks.settings import read_pulumi_config

if __name__ == "__main__":
    try:
        deploy(read_pulumi_config(), pulumi.get_stack())
    except InfraError as error:
        # RunError is shown as its text alone; any other exception as a traceback.
        raise pulumi.RunError(str(error)) from None
