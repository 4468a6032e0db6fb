"""Images that may be shown to anybody, made of a portrait that Debian ships, and files that are none."""

import io
import subprocess
from functools import cache
from pathlib import Path

from PIL import Image, ImageOps


@cache
def portrait() -> Path:
    """Commander Grace Hopper, US Navy, 1984: in the public domain."""
    listed = subprocess.run(["dpkg", "-L", "python-matplotlib-data"], check=True, capture_output=True, text=True).stdout
    return Path(next(line for line in listed.splitlines() if line.endswith("/grace_hopper.jpg")))


def face(width: int, height: int) -> Image.Image:
    """The portrait in a size."""
    with Image.open(portrait()) as image:
        return image.convert("RGB").resize((width, height), Image.Resampling.BICUBIC)


def jpeg(image: Image.Image, quality: int) -> bytes:
    """The file of an image."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return file.getvalue()


def small(folder: Path, name: str = "small.jpg") -> Path:
    """The portrait in few pixels, in the format of the name."""
    with Image.open(portrait()) as image:
        image.resize((256, 300)).save(folder / name, quality=90)
    return folder / name


def two_faces(folder: Path) -> Path:
    """The portrait and its mirror image beside each other."""
    with Image.open(portrait()) as image:
        both = Image.new("RGB", (2 * image.width, image.height))
        both.paste(image, (0, 0))
        both.paste(ImageOps.mirror(image), (image.width, 0))
    both.save(folder / "two.png")
    return folder / "two.png"


def no_face(folder: Path) -> Path:
    """A gradient."""
    Image.linear_gradient("L").convert("RGB").save(folder / "gradient.png")
    return folder / "gradient.png"


def turned(folder: Path) -> Path:
    """The portrait lying on its side, with the EXIF orientation that puts it upright again."""
    with Image.open(portrait()) as image:
        exif = image.getexif()
        exif[0x0112] = 6
        image.rotate(90, expand=True).save(folder / "turned.jpg", exif=exif, quality=90)
    return folder / "turned.jpg"


def truncated(folder: Path) -> Path:
    """The first bytes of the portrait."""
    return _written(folder / "truncated.jpg", portrait().read_bytes()[:500])


def text(folder: Path) -> Path:
    """A text that is called a JPEG."""
    return _written(folder / "text.jpg", b"not an image\n")


def heic(folder: Path) -> Path:
    """What a phone's file begins with."""
    return _written(folder / "phone.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")


def large(folder: Path, size: int = 20_000_001) -> Path:
    """The portrait with more bytes behind it than are taken."""
    return _written(folder / "large.jpg", portrait().read_bytes().ljust(size, b"\0"))


def _written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path
