"""LitServe: worker processes that each decode images and score them in batches."""

import os
import sys

import litserve
import numpy as np

from onnx_pair import BATCH, Pair, answer, central_square


class Networks(litserve.LitAPI):
    def setup(self, device):
        self.pair = Pair()

    def decode_request(self, request):
        return central_square(request["image"].file.read())

    def batch(self, inputs):
        return np.stack(inputs)

    def predict(self, x):
        return self.pair.probabilities(x)

    def unbatch(self, output):
        return list(output)

    def encode_response(self, output):
        return answer(output)


if __name__ == "__main__":
    api = Networks(max_batch_size=BATCH, batch_timeout=0.003)
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=os.cpu_count(), fast_queue=True)
    server.run(host="127.0.0.1", port=int(sys.argv[1]), generate_client_file=False, log_level="warning")
