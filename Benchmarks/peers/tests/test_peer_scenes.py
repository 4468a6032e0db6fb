"""The test images."""

import io

from PIL import Image

from scenes import scenes


def test_images_have_their_documented_sizes_and_are_reproducible():
    portrait, large, group = scenes()
    assert [scene.jpeg for scene in scenes()] == [portrait.jpeg, large.jpeg, group.jpeg]
    assert 100_000 < len(portrait.jpeg) < 150_000
    sizes = [Image.open(io.BytesIO(scene.jpeg)).size for scene in (portrait, large, group)]
    assert sizes == [(768, 900), (4000, 3000), (1536, 1800)]
    assert [scene.faces for scene in (portrait, large, group)] == [1, 1, 9]
