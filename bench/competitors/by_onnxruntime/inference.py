"""Inference by an `InferenceSession` on a model written with `onnx.helper`."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from bench.case import Case, Work, repeat
from bench.probe import normal, probe
from bench.workloads import EPSILON, WORKLOADS, Array, Workload

from . import THREADS

_OPERATORS = {"relu": "Relu", "tanh": "Tanh", "gelu": "Gelu"}


def prepare(case: Case, _variant: str) -> Work:
    workload = WORKLOADS[case.settings["workload"]].without_dropout()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = THREADS, 1
    session = onnxruntime.InferenceSession(_model(workload), options, providers=["CPUExecutionProvider"])
    given = {"x": normal((case.settings["rows"], workload.inputs), 0)}

    def predict() -> Array:
        result: Array = session.run(None, given)[0]
        return result

    return Work(repeat(predict), check=lambda: probe(predict()))


def _model(workload: Workload) -> bytes:
    nodes: list[Any] = []
    constants: list[Any] = []
    parameters = workload.initial_parameters()

    def constant(values: Array) -> str:
        name = f"constant_{len(constants)}"
        constants.append(numpy_helper.from_array(values, name))
        return name

    at = "x"
    for number, (kind, *values) in enumerate(workload.stages):
        following = f"y_{number}" if number + 1 < len(workload.stages) else "y"
        if kind == "dense":
            weight, bias = constant(parameters.pop(0)), constant(parameters.pop(0))
            nodes.append(helper.make_node("Gemm", [at, weight, bias], [following]))
        elif kind == "batch_norm":
            scale = [parameters.pop(0), parameters.pop(0)]
            fresh = [np.zeros_like(scale[0]), np.ones_like(scale[0])]
            arrays = [constant(a) for a in (*scale, *fresh)]
            nodes.append(helper.make_node("BatchNormalization", [at, *arrays], [following], epsilon=EPSILON))
        else:
            nodes.append(helper.make_node(_OPERATORS[values[0]], [at], [following]))
        at = following
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", width])
        for name, width in (("x", workload.inputs), ("y", workload.outputs))
    ]
    graph = helper.make_graph(nodes, "net", ends[:1], ends[1:], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    return bytes(model.SerializeToString())
