"""Test images, made from a portrait in the public domain that Debian ships, and files that are not images."""

import io
import subprocess
from functools import cache
from pathlib import Path

from PIL import Image, ImageOps


@cache
def portrait() -> Path:
    """Returns the portrait of Commander Grace Hopper, US Navy, 1984, which is in the public domain."""
    listed = subprocess.run(["dpkg", "-L", "python-matplotlib-data"], check=True, capture_output=True, text=True).stdout
    return Path(next(line for line in listed.splitlines() if line.endswith("/grace_hopper.jpg")))


def face(width: int, height: int) -> Image.Image:
    """Returns the portrait, scaled to a size in pixels."""
    with Image.open(portrait()) as image:
        return image.convert("RGB").resize((width, height), Image.Resampling.BICUBIC)


def jpeg(image: Image.Image, quality: int) -> bytes:
    """Returns the JPEG file of an image."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return file.getvalue()


def small(folder: Path, name: str = "small.jpg") -> Path:
    """Writes a small version of the portrait, in the format of the name's extension."""
    with Image.open(portrait()) as image:
        image.resize((256, 300)).save(folder / name, quality=90)
    return folder / name


def two_faces(folder: Path) -> Path:
    """Writes an image of the portrait and its mirror image, side by side."""
    with Image.open(portrait()) as image:
        both = Image.new("RGB", (2 * image.width, image.height))
        both.paste(image, (0, 0))
        both.paste(ImageOps.mirror(image), (image.width, 0))
    both.save(folder / "two.png")
    return folder / "two.png"


def no_face(folder: Path) -> Path:
    """Writes an image of a gradient, without a face."""
    Image.linear_gradient("L").convert("RGB").save(folder / "gradient.png")
    return folder / "gradient.png"


def turned(folder: Path) -> Path:
    """Writes the portrait lying on its side, with the EXIF orientation that turns it upright."""
    with Image.open(portrait()) as image:
        exif = image.getexif()
        exif[0x0112] = 6
        image.rotate(90, expand=True).save(folder / "turned.jpg", exif=exif, quality=90)
    return folder / "turned.jpg"


def truncated(folder: Path) -> Path:
    """Writes the first bytes of the portrait's file."""
    return _written(folder / "truncated.jpg", portrait().read_bytes()[:500])


def text(folder: Path) -> Path:
    """Writes a text file with the name of a JPEG."""
    return _written(folder / "text.jpg", b"not an image\n")


def video(folder: Path) -> Path:
    """Writes the beginning of an MP4 file."""
    return _written(folder / "video.mp4", b"\0\0\0\x18ftypisom\0\0\0\0isommp41")


def large(folder: Path, size: int = 20_000_001) -> Path:
    """Writes the portrait's file, extended to more bytes than the service accepts."""
    return _written(folder / "large.jpg", portrait().read_bytes().ljust(size, b"\0"))


def _written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path
