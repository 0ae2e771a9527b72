"""Everyday names of GPUs and Runpod's ids. Pure.

A name is taken apart into words: 'A100-80GB' is {a100, 80gb}. It means every GPU that has all of these words and whose
model has no other, so a form that is not named (PCIe, SXM) is left open: 'H100' means three ids, 'L40' not the L40S.
"""

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from infra.runpod.errors import OfferError
from infra.runpod.wire import GpuType


@dataclass(frozen=True, slots=True)
class KnownGpu:
    """A row of the table below."""

    id: str
    name: str
    memory_gb: int
    priced_as: str = ""
    """Its name in our price tables; empty where they have none."""


KNOWN = (
    KnownGpu("NVIDIA GeForce RTX 3070", "RTX 3070", 8),
    KnownGpu("NVIDIA GeForce RTX 3080", "RTX 3080", 10),
    KnownGpu("NVIDIA GeForce RTX 3080 Ti", "RTX 3080 Ti", 12),
    KnownGpu("NVIDIA GeForce RTX 3090", "RTX 3090", 24, "RTX 3090"),
    KnownGpu("NVIDIA GeForce RTX 3090 Ti", "RTX 3090 Ti", 24),
    KnownGpu("NVIDIA GeForce RTX 4070 Ti", "RTX 4070 Ti", 12),
    KnownGpu("NVIDIA GeForce RTX 4080", "RTX 4080", 16),
    KnownGpu("NVIDIA GeForce RTX 4080 SUPER", "RTX 4080 SUPER", 16),
    KnownGpu("NVIDIA GeForce RTX 4090", "RTX 4090", 24, "RTX 4090"),
    KnownGpu("NVIDIA GeForce RTX 5080", "RTX 5080", 16),
    KnownGpu("NVIDIA GeForce RTX 5090", "RTX 5090", 32),
    KnownGpu("NVIDIA RTX 2000 Ada Generation", "RTX 2000 Ada", 16),
    KnownGpu("NVIDIA RTX 4000 Ada Generation", "RTX 4000 Ada", 20),
    KnownGpu("NVIDIA RTX 4000 SFF Ada Generation", "RTX 4000 Ada SFF", 20),
    KnownGpu("NVIDIA RTX 5000 Ada Generation", "RTX 5000 Ada", 32),
    KnownGpu("NVIDIA RTX 6000 Ada Generation", "RTX 6000 Ada", 48),
    KnownGpu("NVIDIA RTX A2000", "RTX A2000", 6),
    KnownGpu("NVIDIA RTX A4000", "RTX A4000", 16),
    KnownGpu("NVIDIA RTX A4500", "RTX A4500", 20),
    KnownGpu("NVIDIA RTX A5000", "RTX A5000", 24),
    KnownGpu("NVIDIA RTX A6000", "RTX A6000", 48),
    KnownGpu("NVIDIA A30", "A30", 24),
    KnownGpu("NVIDIA A40", "A40", 48, "A40"),
    KnownGpu("NVIDIA L4", "L4", 24, "L4"),
    KnownGpu("NVIDIA L40", "L40", 48),
    KnownGpu("NVIDIA L40S", "L40S", 48),
    KnownGpu("NVIDIA A100 80GB PCIe", "A100 PCIe", 80, "A100 80GB PCIe"),
    KnownGpu("NVIDIA A100-SXM4-80GB", "A100 SXM", 80, "A100 80GB SXM"),
    KnownGpu("NVIDIA H100 PCIe", "H100 PCIe", 80, "H100 PCIe"),
    KnownGpu("NVIDIA H100 80GB HBM3", "H100 SXM", 80, "H100 SXM"),
    KnownGpu("NVIDIA H100 NVL", "H100 NVL", 94, "H100 NVL"),
    KnownGpu("NVIDIA H200", "H200 SXM", 141),
    KnownGpu("NVIDIA H200 NVL", "H200 NVL", 143),
    KnownGpu("NVIDIA B200", "B200", 180),
    KnownGpu("Tesla V100-FHHL-16GB", "V100 FHHL", 16),
    KnownGpu("Tesla V100-PCIE-16GB", "Tesla V100", 16),
    KnownGpu("Tesla V100-SXM2-16GB", "V100 SXM2", 16, "V100"),
    KnownGpu("Tesla V100-SXM2-32GB", "V100 SXM2 32GB", 32),
)
"""Source: docs.runpod.io references/gpu-types, snapshots of 2025-08 and 2026-08. The live catalogue comes before it."""
PRICED = {gpu.id: gpu.priced_as for gpu in KNOWN if gpu.priced_as}
"""Runpod's id to the name in our price tables."""

MAKERS = {"nvidia", "geforce", "tesla", "quadro", "amd", "instinct", "radeon", "rtx", "gtx", "gpu"}
"""Words that tell no model from another, on either side."""
FORMS = {"pcie", "sxm", "nvl", "fhhl", "oam", "hbm3", "hbm3e", "ac"}
"""How it is built in; open where it is not named."""
LINES = {"ada", "generation", "blackwell", "server", "workstation", "edition"}
"""Open as well: 'RTX 6000' means the RTX 6000 Ada Generation, as there is no other of that number."""
SIZE = re.compile(r"\d+gb")


def ids_of(name: str, catalogue: Sequence[GpuType] = ()) -> tuple[str, ...]:
    """Runpod's ids of the GPUs that a name means: those of the catalogue; else those of the table.

    Raises:
        OfferError: Runpod has no such GPU; the text names the closest.
    """
    live = [_Words.of(gpu.id, gpu.name, gpu.memory_gb) for gpu in catalogue]
    table = [_Words.of(gpu.id, gpu.name, gpu.memory_gb) for gpu in KNOWN]
    for rows in (live, table):
        exact = [row.id for row in rows if row.id.lower() == name.strip().lower()]
        found = exact or [row.id for row in rows if row.means(name)]
        if found:
            return tuple(sorted(set(found)))
    for rows in (live, table):
        siblings = [row for row in rows if row.is_model_of(name)]
        if siblings:
            raise OfferError(_siblings(name, siblings))
    raise OfferError(_unknown(name, [*live, *table]))


def everyday(gpu_id: str, catalogue: Iterable[GpuType] = ()) -> str:
    """The name to call it by: that of our price tables, else Runpod's own."""
    names = {gpu.id: gpu.name for gpu in KNOWN} | {gpu.id: gpu.name for gpu in catalogue} | PRICED
    return names.get(gpu_id, gpu_id)


@dataclass(frozen=True, slots=True)
class _Words:
    """A GPU as the words it answers to."""

    id: str
    name: str
    memory_gb: int
    every: frozenset[str]
    models: tuple[frozenset[str], ...]
    """What must be named, by its name or by its id."""

    @classmethod
    @lru_cache(maxsize=1000)
    def of(cls, gpu_id: str, name: str, memory_gb: int) -> "_Words":
        texts = [gpu_id, name, PRICED.get(gpu_id, "")]
        every = frozenset().union(*map(_words, texts), {f"{memory_gb}gb"})
        models = tuple(model for text in texts if (model := _model(_words(text))))
        return cls(gpu_id, PRICED.get(gpu_id, name), memory_gb, every, models)

    def means(self, name: str) -> bool:
        return _words(name) <= self.every and self.is_model_of(name)

    def is_model_of(self, name: str) -> bool:
        """Of the same model, whatever its size and form."""
        model = _model(_words(name))
        return any(model >= own and model <= self.every for own in self.models)


@lru_cache(maxsize=1000)
def _words(text: str) -> frozenset[str]:
    text = text.lower().replace("pci-e", "pcie")
    text = re.sub(r"(\d+)\s*(?:gib|gb|g)\b", r" \1gb ", text)
    text = re.sub(r"\b(rtx|gtx)(?=[a-z]?\d)", r"\1 ", text)
    text = re.sub(r"(\d)(pcie|sxm|nvl|ti|super|ada)", r"\1 \2", text)
    text = re.sub(r"\bsxm\d", "sxm", text)
    return frozenset(re.findall(r"[a-z0-9]+", text)) - MAKERS


def _model(words: frozenset[str]) -> frozenset[str]:
    return frozenset(word for word in words - FORMS - LINES if not SIZE.fullmatch(word))


def _siblings(name: str, rows: Sequence[_Words]) -> str:
    has = ", ".join(f"{row.name} with {row.memory_gb} GB" for row in sorted(rows, key=lambda row: row.id))
    ids = " or ".join(f'"{row.id}"' for row in sorted(rows, key=lambda row: row.id))
    return f"Runpod has no {shown(name)}, but {has}; name {ids}"


def _unknown(name: str, rows: Sequence[_Words]) -> str:
    texts = {text.lower(): row.name for row in rows for text in (row.name, row.id)}
    words = {" ".join(sorted(row.every)): row.name for row in rows}
    close = [texts[t] for t in difflib.get_close_matches(name.lower().strip(), texts, n=6, cutoff=0.5)]
    close += [words[t] for t in difflib.get_close_matches(" ".join(sorted(_words(name))), words, n=3)]
    names = list(dict.fromkeys(close))[:3]
    if names:
        return f"Runpod has no GPU {shown(name)}; the closest names are {', '.join(names)}"
    return f"Runpod has no GPU {shown(name)}; it has {', '.join(sorted(set(PRICED.values())))} and others"


def shown(name: str) -> str:
    """A name as it was given, in one line and not too long."""
    line = " ".join(name.split())
    return f'"{line if len(line) <= 40 else line[:40] + "..."}"'
