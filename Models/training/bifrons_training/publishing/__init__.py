"""From trained weights to model folders: ONNX, int8, manifest and cards."""
