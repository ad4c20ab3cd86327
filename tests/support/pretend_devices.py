"""Devices that are not there: tensors stay in memory, and mixing two devices is an error.

Inside the mode every tensor says it lives where it was sent. Numbers are real, so a model spread
over pretended devices can be compared with the same model on one; what no test here can tell is
how fast a copy between real devices is, or that a kernel exists there.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

CPU = torch.device("cpu")


def place_of(tensor: Tensor) -> torch.device:
    """Where a tensor pretends to be."""
    return getattr(tensor, "pretended", CPU)


def put(tensor: Tensor, device: torch.device) -> Tensor:
    """Let a tensor pretend to be on a device."""
    tensor.pretended = device
    return tensor


def put_module(module: nn.Module, device: str) -> None:
    """Let all weights and buffers of a module pretend to be on a device."""
    for tensor in (*module.parameters(), *module.buffers()):
        put(tensor, torch.device(device))


class PretendDevices(TorchFunctionMode):
    """Follows every tensor from device to device and refuses an operation over two of them."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if getattr(func, "__self__", None) is Tensor.device:
            return place_of(args[0])
        places = [place_of(tensor) for tensor in tensors_in((args, kwargs)) if tensor.dim()]
        device = places[0] if places else CPU
        if func is Tensor.to:
            args, device = split_device(args, kwargs, device)
        else:
            others = set(places[1:]) - {device}
            if func is Tensor.__getitem__:
                others -= {CPU}  # an index may come from the host
            assert not others, f"{func.__name__} mixes {device} and {others}"
            if kwargs.get("device") is not None:
                device = torch.device(kwargs.pop("device"))
        if func is Tensor.cpu:
            device = CPU
        result = func(*args, **kwargs)
        if func is Tensor.to and result is args[0] and device != place_of(result):
            result = result.detach()  # torch had nothing to move; the original stays where it is
        for tensor in tensors_in(result):
            put(tensor, device)
        return result


def split_device(
    args: tuple[Any, ...], kwargs: dict[str, Any], device: torch.device
) -> tuple[tuple[Any, ...], torch.device]:
    """Take the device out of the arguments of `Tensor.to`."""
    kept = []
    for argument in (*args[1:], kwargs.pop("device", None)):
        if isinstance(argument, (str, int, torch.device)) and not isinstance(argument, bool):
            device = torch.device(argument)
        elif isinstance(argument, Tensor):
            device = place_of(argument)
            kept.append(argument.dtype)
        elif argument is not None:
            kept.append(argument)
    return (args[0], *kept), device


def tensors_in(value: Any) -> Iterator[Tensor]:
    """All tensors in nested arguments or results."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        yield from tensors_in(value.values())
    elif isinstance(value, Iterable) and not isinstance(value, (str, bytes)):
        for part in value:
            yield from tensors_in(part)
