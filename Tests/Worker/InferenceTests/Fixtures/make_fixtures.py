"""Makes the files of this folder: tiny networks, a canary image, and resized images' digests from Pillow.

    python3 -m pip install onnx numpy pillow
    python3 make_fixtures.py [NUMBER_OF_RESIZES]

Every network averages each channel of an image of 8 x 8 pixels to r, g and b in 0...1 and answers
`score = r + 2 g + 4 b - 3`; the tests compute the same by hand.
"""

import hashlib
import random
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

FOLDER = Path(__file__).parent
WEIGHTS = np.array([1, 2, 4], np.float32)
BIAS = -3.0


def constant(name, value):
    return numpy_helper.from_array(np.asarray(value, np.float32), name)


def network(name, *, batch="n", channels=3, layout="NCHW", kind="logit", type=TensorProto.FLOAT, extra_input=False,
            extra_output=False, external=False, map_axes=None):
    """Saves `name`.onnx. `kind` is how `score` becomes the output. `map_axes` is the shape of a second output, `map`,
    with the score of every pixel.
    """
    shape = [batch, channels, 8, 8] if layout == "NCHW" else [batch, 8, 8, channels]
    inputs = [helper.make_tensor_value_info("image", type, shape)]
    nodes, pixels = [], "image"
    if type != TensorProto.FLOAT:
        nodes.append(helper.make_node("Cast", [pixels], ["floats"], to=TensorProto.FLOAT))
        pixels = "floats"
    if layout == "NHWC":
        nodes.append(helper.make_node("Transpose", [pixels], ["planes"], perm=[0, 3, 1, 2]))
        pixels = "planes"
    if extra_input:
        inputs.append(helper.make_tensor_value_info("more", TensorProto.FLOAT, [1]))
        nodes.append(helper.make_node("Add", [pixels, "more"], ["sum"]))
        pixels = "sum"
    # The second class gets the negative score. Then the difference of the two is twice the score, which tells the kinds
    # apart.
    columns = [WEIGHTS, -WEIGHTS] if kind in ("two_class", "two_class_probability") else [WEIGHTS]
    weights = constant("weights", np.stack(columns, 1)[:channels])
    bias = constant("bias", [BIAS, -BIAS][: len(columns)])
    last = {"probability": "Sigmoid", "two_class_probability": "Softmax", "log": "Log"}.get(kind)
    result = "raw" if last else "answer"
    nodes += [
        helper.make_node("GlobalAveragePool", [pixels], ["means"]),
        helper.make_node("Flatten", ["means"], ["colours"]),
        helper.make_node("Gemm", ["colours", "weights", "bias"], [result]),
    ]
    if last:
        nodes.append(helper.make_node(last, ["raw"], ["answer"]))
    outputs = [helper.make_tensor_value_info("answer", TensorProto.FLOAT, [batch, len(columns)])]
    if extra_output:
        outputs.append(helper.make_tensor_value_info("colours", TensorProto.FLOAT, [batch, channels]))
    initializers = [weights, bias]
    if map_axes:
        nodes += [
            helper.make_node("Conv", [pixels, "pixel_weights", "bias"], ["by_pixel"]),
            helper.make_node("Reshape", ["by_pixel", "map_shape"], ["map"]),
        ]
        initializers += [
            constant("pixel_weights", WEIGHTS.reshape(1, 3, 1, 1)),
            numpy_helper.from_array(np.array([-1, *map_axes], np.int64), "map_shape"),
        ]
        outputs.append(helper.make_tensor_value_info("map", TensorProto.FLOAT, [batch, *map_axes]))
    graph = helper.make_graph(nodes, name, inputs, outputs, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    (FOLDER / f"{name}.data").unlink(missing_ok=True)
    options = {"save_as_external_data": True, "location": f"{name}.data", "size_threshold": 0} if external else {}
    onnx.save(model, FOLDER / f"{name}.onnx", **options)


def random_image(width, height, seed):
    """Returns noise that the tests generate, too; with an odd seed, it has only the values 0 and 255."""
    index = np.arange(width * height * 3, dtype=np.uint32)
    noise = ((index * np.uint32(2654435761) + np.uint32(seed * 40503)) ^ (index >> 7)) * np.uint32(2246822519)
    noise = (noise >> 24).astype(np.uint8)
    if seed % 2:
        noise = np.where(noise < 128, 0, 255).astype(np.uint8)
    return Image.fromarray(noise.reshape(height, width, 3))


def resize(image, size, box):
    """Resizes across, then down. In one call, Pillow 13 would begin with tall images downwards, and round differently."""
    (width, height), (x0, y0, x1, y1) = size, box
    across = image.resize((width, image.height), Image.Resampling.BILINEAR, box=(x0, 0, x1, image.height))
    return across.resize((width, height), Image.Resampling.BILINEAR, box=(0, y0, width, y1))


def resizes(count):
    """Writes resizes.txt: source width and height, seed, box, output width and height, SHA-256 of Pillow's bytes."""
    rng = random.Random(1)
    cases = [(128, 128, 0, 0, 0, 128, 128, 128, 128), (1, 1, 1, 0, 0, 1, 1, 128, 128), (2, 3, 2, 0, 0.5, 2, 2.5, 128, 128),
             (512, 512, 3, 0, 0, 512, 512, 128, 128), (257, 128, 4, 64.5, 0, 192.5, 128, 128, 128),
             (1200, 7, 5, 596.5, 0, 603.5, 7, 128, 128), (100, 100, 6, 3, 5, 4, 6, 9, 4)]
    while len(cases) < count:
        width, height = (int(2 ** rng.uniform(0, 9)) for _ in range(2))
        across, down = rng.choice([(128, 128), (96, 96), (128, 64), (rng.randint(1, 200), rng.randint(1, 200))])
        if rng.random() < 0.5:
            side = min(width, height)
            box = ((width - side) / 2, (height - side) / 2, (width + side) / 2, (height + side) / 2)
        else:
            x0, x1 = sorted(rng.uniform(0, width) for _ in range(2))
            y0, y1 = sorted(rng.uniform(0, height) for _ in range(2))
            # Multiples of 1/8 are exact in decimal text and in 32-bit floats.
            box = tuple(round(value * 8) / 8 for value in (x0, y0, x1, y1))
            if box[2] - box[0] < 0.5 or box[3] - box[1] < 0.5:
                continue
        cases.append((width, height, len(cases), *box, across, down))
    lines = []
    for width, height, seed, x0, y0, x1, y1, across, down in cases:
        image = resize(random_image(width, height, seed), (across, down), (x0, y0, x1, y1))
        digest = hashlib.sha256(image.tobytes()).hexdigest()
        lines.append(f"{width} {height} {seed} {x0} {y0} {x1} {y1} {across} {down} {digest}\n")
    (FOLDER / "resizes.txt").write_text("".join(lines))


network("logit")
network("logit_nhwc", layout="NHWC")
network("probability", kind="probability")
network("two_class", kind="two_class")
network("two_class_probability", kind="two_class_probability")
network("fixed_batch_1", batch=1)
network("fixed_batch_4", batch=4)
network("not_a_number_for_dark", kind="log")
network("gray", channels=1)
network("bytes", type=TensorProto.UINT8)
network("two_inputs", extra_input=True)
network("two_outputs", extra_output=True)
network("external", external=True)
network("map", map_axes=(8, 8))
network("flat_map", map_axes=(64,))
network("long_map", map_axes=(2, 32))
Image.new("RGB", (24, 16), (51, 102, 204)).save(FOLDER / "canary.png")
resizes(int(sys.argv[1]) if len(sys.argv) > 1 else 50)
