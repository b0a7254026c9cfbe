import time

started = time.perf_counter()
import numpy as np

from bench.competitors.by_numpy.network import Network
from bench.workloads import WORKLOADS

X, y = np.ones((64, 64), np.float32), np.arange(64) % 10
net = Network(WORKLOADS["T2"], WORKLOADS["T2"].initial_parameters(), 64)
net.train(X, y)
print(time.perf_counter() - started)
