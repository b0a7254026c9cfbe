"""PyTorch, eager."""

import torch


def start(threads: int) -> dict[str, str]:
    torch.set_num_threads(threads)
    torch.set_num_interop_threads(1)
    return {"torch": torch.__version__}
