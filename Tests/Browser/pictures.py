"""Pictures that may be shown to anybody, made of a portrait that Debian ships, and files that are none."""

import subprocess
from pathlib import Path

from PIL import Image, ImageOps


def portrait() -> Path:
    """Commander Grace Hopper, US Navy, 1984: in the public domain."""
    listed = subprocess.run(["dpkg", "-L", "python-matplotlib-data"], check=True, capture_output=True, text=True).stdout
    return Path(next(line for line in listed.splitlines() if line.endswith("/grace_hopper.jpg")))


def small(folder: Path, name: str = "small.jpg") -> Path:
    with Image.open(portrait()) as picture:
        picture.resize((256, 300)).save(folder / name, quality=90)
    return folder / name


def two_faces(folder: Path) -> Path:
    with Image.open(portrait()) as picture:
        both = Image.new("RGB", (2 * picture.width, picture.height))
        both.paste(picture, (0, 0))
        both.paste(ImageOps.mirror(picture), (picture.width, 0))
    both.save(folder / "two.png")
    return folder / "two.png"


def no_face(folder: Path) -> Path:
    Image.linear_gradient("L").convert("RGB").save(folder / "gradient.png")
    return folder / "gradient.png"


def turned(folder: Path) -> Path:
    """The portrait lying on its side, with the EXIF orientation that puts it upright again."""
    with Image.open(portrait()) as picture:
        exif = picture.getexif()
        exif[0x0112] = 6
        picture.rotate(90, expand=True).save(folder / "turned.jpg", exif=exif, quality=90)
    return folder / "turned.jpg"


def truncated(folder: Path) -> Path:
    (folder / "truncated.jpg").write_bytes(portrait().read_bytes()[:500])
    return folder / "truncated.jpg"


def text(folder: Path) -> Path:
    (folder / "text.jpg").write_text("not a picture\n")
    return folder / "text.jpg"


def heic(folder: Path) -> Path:
    (folder / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    return folder / "phone.heic"


def large(folder: Path, size: int = 20_000_001) -> Path:
    with portrait().open("rb") as picture:
        (folder / "large.jpg").write_bytes(picture.read().ljust(size, b"\0"))
    return folder / "large.jpg"
