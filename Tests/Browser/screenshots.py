"""Takes the screenshots of the pages for the documentation: see scripts/screenshots."""

import random
import sys
import tempfile
import time
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path

from PIL import Image, ImageFilter

from page import Page
from support import images
from support.cluster import GatewayCluster

WIDTH = 1200
# For how many seconds data is collected for the charts of the status page.
SECONDS = 60
LARGEST = 300_000


def sharpened(folder: Path) -> Path:
    """Writes the face of the portrait, enlarged and sharpened as upscalers do: networks call it likely generated."""
    with Image.open(images.portrait()) as image:
        few = image.crop((81, 35, 452, 406)).resize((104, 104), Image.Resampling.LANCZOS)
    large = few.resize((512, 512), Image.Resampling.LANCZOS).filter(ImageFilter.UnsharpMask(6, 500, 0))
    large.save(folder / "enlarged_and_sharpened.jpg", quality=92)
    return folder / "enlarged_and_sharpened.jpg"


def save(page: Page, path: Path, last: str, margin: int = 32) -> None:
    """Saves the page down to `margin` pixels below the element `last`, with few enough colours for a small file."""
    bottom = page.run("return document.querySelector(arguments[0]).getBoundingClientRect().bottom + scrollY", last)
    page.screenshot(path, bottom + margin)
    with Image.open(path) as taken:
        image = taken.convert("RGB")
    image.save(path, optimize=True)
    if path.stat().st_size > LARGEST:
        image.quantize(256, dither=Image.Dither.FLOYDSTEINBERG).save(path, optimize=True)
    print(f"screenshots: {path}, {path.stat().st_size} bytes")


def classify(cluster: GatewayCluster, files: list[Path], end: float) -> None:
    """Sends images from one client until `end`, at a varying pace."""
    dice = random.Random()
    while time.monotonic() < end:
        if (status := cluster.classify(dice.choice(files).read_bytes())) not in (200, 422):
            raise RuntimeError(f"the gateway answered with {status}")
        time.sleep(dice.expovariate(4))


def review(page: Page, folder: Path) -> None:
    """Takes the page for reviews after an answer."""
    with (
        tempfile.TemporaryDirectory() as journal,
        GatewayCluster([f"--journal={journal}", "--review-bytes=10MiB"]) as cluster,
    ):
        draft = b'{"review": 0, "block": 1}'
        cluster.ask("PUT", "/v1/policies/default", {}, draft)
        cluster.ask("POST", "/v1/policies/default/activate", {}, b'{"version": 2}')
        cluster.classify(images.portrait().read_bytes())
        page.open(f"{cluster.address}/review")
        page.wait(lambda: page.run("return document.querySelector('.stage img')?.naturalWidth > 0"), "a picture")
        page.press("v", "r")
        page.wait(lambda: page.shown(".report .word"), "the verdict")
        save(page, folder / "review.png", "#image")


def main(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary, GatewayCluster() as cluster:
        files = [images.portrait(), sharpened(Path(temporary))]
        page = Page(Path(temporary))
        try:
            page.resize(WIDTH)
            for scheme, name in (("light", "page.png"), ("dark", "page-dark.png")):
                page.scheme(scheme)
                page.open(cluster.address)
                page.run("sessionStorage.clear(); location.reload()")
                page.wait_text("#service", "2 networks ready")
                page.choose(*files)
                page.verdicts(2)
                page.wait(lambda: len(page.all("#history-rows tr")) == 2, "two rows of history")
                save(page, folder / name, "#images")
            page.scheme("light")
            page.show(files[0].name)
            save(page, folder / "opened.png", "#viewer", margin=16)
            page.close()

            page.scheme("light")
            review(page, folder)
            page.open(f"{cluster.address}/status")
            mix = [*5 * files, *5 * [images.small(Path(temporary))], images.truncated(Path(temporary))]
            end = time.monotonic() + SECONDS
            with ThreadPoolExecutor() as pool:
                clients = [pool.submit(classify, cluster, mix, end) for _ in range(4)]
                # The screenshot must be taken while the clients send.
                wait(clients, SECONDS - 2, FIRST_EXCEPTION)
                save(page, folder / "status.png", "#workers")
                for client in clients:
                    client.result()
        finally:
            page.quit()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
