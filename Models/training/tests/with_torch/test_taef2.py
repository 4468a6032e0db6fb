"""TAEF2's architecture, and files that do not hold its weights."""

import pytest
import torch

from bifrons_training.augmentation import taef2
from bifrons_training.errors import DataError


def save(folder, encoder, decoder):
    for part, name in zip((encoder, decoder), taef2.FILES, strict=True):
        torch.save({key: value.half() for key, value in part.state_dict().items()}, folder / name)


def test_a_round_trip_keeps_size_and_range(tmp_path):
    save(tmp_path, taef2.encoder(), taef2.decoder())
    made = taef2.RoundTrip(tmp_path).eval()(torch.rand(1, 3, 24, 40) * 2 - 1)
    assert made.shape == (1, 3, 24, 40) and made.min() >= -1 and made.max() <= 1
    assert taef2.encoder()(torch.rand(1, 3, 24, 40)).shape == (1, taef2.LATENT, 3, 5)


def test_encoder_and_decoder_have_the_tensors_of_the_files():
    for part in (taef2.encoder(), taef2.decoder()):
        assert len(part.state_dict()) == 79
        assert sum(value.numel() for value in part.state_dict().values()) == pytest.approx(1.34e6, rel=0.01)


def test_missing_and_other_weights_are_reported_in_one_sentence(tmp_path):
    with pytest.raises(DataError, match=r"taef2_encoder\.pth does not hold the weights of TAEF2") as error:
        taef2.RoundTrip(tmp_path)
    assert "\n" not in str(error.value)
    save(tmp_path, taef2.encoder(), taef2.encoder())
    with pytest.raises(DataError, match=r"taef2_decoder\.pth does not hold"):
        taef2.RoundTrip(tmp_path)
