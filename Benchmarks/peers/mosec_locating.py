"""mosec with the published locator; faces are found and cropped by the Python preprocessing in Models/training."""

import os
import sys
from pathlib import Path

import numpy as np
from mosec import Server, Worker

from onnx_pair import BATCH, INPUT, MODELS, Pair, answer

sys.path.append(str(Path(__file__).resolve().parents[2] / "Models/training"))

from bifrons_training import preprocessing
from bifrons_training.preprocessing.locating import Locator


class Locating(Worker):
    def __init__(self):
        super().__init__()
        self.locator = Locator(MODELS / "locator")

    def deserialize(self, data):
        return bytes(data)

    def forward(self, data):
        decoded = preprocessing.decode(data)
        faces = self.locator.stances(decoded)
        crops = preprocessing.crops(faces, decoded.width, decoded.height)
        views = preprocessing.views(data, decoded, crops, INPUT["width"])
        return [box for box, _ in faces], preprocessing.normalise(np.stack(views))


class Scoring(Worker):
    def __init__(self):
        super().__init__()
        self.pair = Pair()

    def forward(self, data):
        tensor = np.concatenate([crops for _, crops in data])
        scores = np.concatenate([self.pair.probabilities(tensor[i : i + BATCH]) for i in range(0, len(tensor), BATCH)])
        answers, first = [], 0
        for boxes, crops in data:
            own = scores[first : first + len(crops)]
            first += len(crops)
            faces = [{"box": box, "ai_probability": float(score)} for box, score in zip(boxes, own, strict=True)]
            answers.append(answer(own.max()) | {"faces": faces})
        return answers


if __name__ == "__main__":
    server = Server()
    server.append_worker(Locating, num=os.cpu_count())
    server.append_worker(Scoring, num=os.cpu_count(), max_batch_size=BATCH, max_wait_time=1)
    server.run()
