"""Running average of the weights: the model that is evaluated and kept."""

import copy
from typing import Generic, TypeVar

import torch
from torch import nn

Model = TypeVar("Model", bound=nn.Module)


class AveragedModel(Generic[Model]):
    """Exponential moving average of a model's weights and batch-norm statistics.

    The decay grows with the number of updates (1 + n) / (10 + n) up to `decay`, so that the random start is
    forgotten in a short run too. It reaches .998 after 4,500 steps: in a shorter run the average is over the last
    ninth of the steps, whatever `decay` beyond that says.
    """

    def __init__(self, model: Model, decay: float) -> None:
        self.module: Model = copy.deepcopy(model).eval().requires_grad_(False)
        self.decay = decay
        self.updates = 0

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Move the average one step towards `model`."""
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        source = model.state_dict()
        averages, values = [], []
        for name, value in self.module.state_dict().items():
            if value.is_floating_point():
                averages.append(value)
                values.append(source[name])
            else:
                value.copy_(source[name])
        torch._foreach_lerp_(averages, values, 1 - decay)

    def state_dict(self) -> dict[str, object]:
        """For a checkpoint."""
        return {"weights": self.module.state_dict(), "updates": self.updates}

    def load_state_dict(self, state: dict[str, object]) -> None:
        """From a checkpoint."""
        self.module.load_state_dict(state["weights"])  # type: ignore[arg-type]
        self.updates = int(state["updates"])  # type: ignore[call-overload]
