"""ONNX Runtime, for inference."""

import onnxruntime

THREADS = 1


def start(threads: int) -> dict[str, str]:
    global THREADS  # noqa: PLW0603 - sessions are made later, with this number
    THREADS = threads
    return {"onnxruntime": onnxruntime.__version__}
