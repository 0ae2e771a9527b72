"""Pulumi's way in: reads the stack's settings and declares what its target consists of."""

import os
import signal

import pulumi

from infra.errors import InfraError
from stacks.deploy import deploy
from stacks.settings import read_pulumi_config

if __name__ == "__main__":
    # Where a resource fails, the engine interrupts this program; Python's traceback would bury the resource's reason.
    signal.signal(signal.SIGINT, lambda *_: os._exit(130))
    try:
        deploy(read_pulumi_config(), pulumi.get_stack())
    except InfraError as error:
        # RunError is shown as its text alone; any other exception as a traceback.
        raise pulumi.RunError(str(error)) from None
