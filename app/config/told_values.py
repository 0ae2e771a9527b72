"""Values of settings that are words or numbers, refused in a sentence of ours rather than in pydantic's."""

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, PlainValidator
from pydantic_core import PydanticCustomError

DEVICE = re.compile(r"auto|cpu|cuda(:\d+)?|mps|xpu(:\d+)?")


def _device(value: Any) -> Any:
    if not (isinstance(value, str) and DEVICE.fullmatch(value)):
        raise PydanticCustomError("device", "allowed are auto, cpu, cuda, cuda:N, mps, xpu and xpu:N")
    return value


def _process_count(value: Any) -> Any:
    if value == "auto":
        return value
    text = str(value)  # a variable's text, or the number of a file
    if not (text.isdecimal() and int(text) > 0):
        raise PydanticCustomError("process_count", "allowed are auto and a number from 1 on")
    return int(text)


DeviceName = Annotated[str, BeforeValidator(_device)]
ProcessCount = Annotated[int | Literal["auto"], PlainValidator(_process_count)]
