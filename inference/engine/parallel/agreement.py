"""What all processes of a model must agree on before they compute together."""

import torch
import torch.distributed as dist


def smallest_of_all(number: int) -> int:
    """Return the smallest of what the processes of this model say.

    Every process asks at the same point of its start.
    """
    agreed = torch.tensor(number)
    dist.all_reduce(agreed, dist.ReduceOp.MIN)
    return int(agreed)
