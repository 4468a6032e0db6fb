"""Flask under gunicorn, as in the original demo: an image in a form, and one `predict` call of each network for it."""

import keras
import tensorflow
from flask import Flask, jsonify, request

import keras_networks

keras.utils.set_random_seed(1)
models = {"model1": keras_networks.resnet(), "model2": keras_networks.inception()}
app = Flask(__name__)


def result(model: keras.Model, batch) -> dict:
    real = float(model.predict(batch, verbose=0)[0][0])
    return {"result": "Real" if real > 0.5 else "Fake", "confidence": max(real, 1 - real)}


@app.post("/")
def classify():
    image = tensorflow.io.decode_image(request.files["file"].read(), channels=3, expand_animations=False)
    resized = tensorflow.image.resize(image, (keras_networks.SIDE, keras_networks.SIDE))
    batch = tensorflow.expand_dims(resized / 255, 0)
    return jsonify({name: result(model, batch) for name, model in models.items()})
