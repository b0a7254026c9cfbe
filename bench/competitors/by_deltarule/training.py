"""Training by `fit`, over data in memory."""

from bench.case import Case, Work
from bench.workloads import WORKLOADS, Array, Workload, training_check

from .network import build, start_again


def prepare(case: Case, variant: str) -> Work:
    workload = WORKLOADS[case.settings["workload"]]
    X, y = workload.data()
    parameters = workload.initial_parameters()
    net = build(workload, parameters)

    def run(epochs: int) -> float:
        history = net.fit(
            X, y, batch_size=workload.batch, epochs=epochs, shuffle=variant == "shuffle", verbose=0
        )
        return float(history.history["loss"][-1])

    return Work(
        run,
        units=workload.steps,
        check=lambda: training_check(workload, _train),
        reset=lambda: start_again(net, workload, parameters),
    )


def _train(workload: Workload, X: Array, y: Array, parameters: list[Array]) -> list[Array]:
    net = build(workload, parameters)
    net.fit(X, y, batch_size=workload.batch, shuffle=False, verbose=0)
    return [array.copy() for array in net.parameters().values()]
