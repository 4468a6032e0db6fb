import io
import itertools
import json

from PIL import Image

import images


def test_an_image_is_a_png_of_its_jobs_colour_with_its_number():
    image = Image.open(io.BytesIO(images.image(123456)))
    assert image.size == (8, 8) and image.getcolors() == [(64, images.colour(123456))]
    assert image.text == {"bifrons-job": "000000123456"}


def test_images_differ_and_so_do_most_answers():
    assert len({images.digest(job) for job in range(1000)}) == 1000
    for models in images.MERGE:
        answers = [images.probability(job, models) for job in range(1000)]
        alike = sum(abs(left - right) < 0.002 for left, right in itertools.pairwise(answers))
        assert alike < 20


def test_the_models_folder_has_a_locator_that_cuts_for_its_models(tmp_path):
    images.write_models(tmp_path / "models")
    manifests = {pool: json.loads((tmp_path / "models" / pool / "manifest.json").read_text()) for pool in images.POOLS}
    assert [manifest["output"]["kind"] for manifest in manifests.values()] == ["faces", "logit", "logit"]
    assert len({manifest["preprocessing"] for manifest in manifests.values()}) == 1
    for pool, manifest in manifests.items():
        assert (tmp_path / "models" / pool / manifest["file"]).is_file()
    assert json.loads((tmp_path / "models/ensemble.json").read_text())["models"] == list(images.MODELS)
