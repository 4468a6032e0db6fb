"""mosec: processes that decode images, then processes that score them in batches, as in mosec's ResNet example."""

import os

import numpy as np
from mosec import Server, Worker

from onnx_pair import BATCH, Pair, answer, central_square


class Decoding(Worker):
    def deserialize(self, data):
        return data

    def forward(self, data):
        return central_square(data)


class Scoring(Worker):
    def __init__(self):
        super().__init__()
        self.pair = Pair()

    def forward(self, data):
        return [answer(probability) for probability in self.pair.probabilities(np.stack(data))]


if __name__ == "__main__":
    server = Server()
    server.append_worker(Decoding, num=os.cpu_count())
    server.append_worker(Scoring, num=os.cpu_count(), max_batch_size=BATCH, max_wait_time=1)
    server.run()
