"""What counts as an image."""

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias

from bifrons._errors import RequestFailed

if TYPE_CHECKING:
    import numpy
    import PIL.Image

    Image: TypeAlias = (
        bytes | bytearray | memoryview | str | os.PathLike[str] | BinaryIO | PIL.Image.Image | numpy.ndarray[Any, Any]
    )
else:
    # Pillow and NumPy need not be installed.
    Image: TypeAlias = Any

_PREFIXES = ("PIL.", "numpy")


def encoded(image: Image) -> bytes:
    """Returns the bytes of an image file.

    Args:
        image: The bytes of an image file, its path, an open binary file, a Pillow image, or a NumPy array of unsigned
            bytes: height x width (grey), or height x width x 3 (RGB) or x 4 (RGBA). The last two become a PNG without
            any loss.

    Raises:
        RequestFailed: If the file cannot be read, with the status 0 and the code `unreadable`.
        TypeError: If it is none of these.
        ValueError: If it is an array of another shape or type.
    """
    match image:
        case bytes():
            return image
        case bytearray() | memoryview():
            return bytes(image)
        case str() | os.PathLike():
            return _read(Path(image))
    if hasattr(image, "read"):
        content = image.read()
        if not isinstance(content, bytes):
            raise TypeError("the file is open as text; open it with mode 'rb'")
        return content
    module = type(image).__module__
    if module.startswith("numpy"):
        return _png(_from_array(image))
    if any(base.__module__.startswith("PIL.") for base in type(image).__mro__):
        return _png(image)
    raise TypeError(
        f"{type(image).__name__} is no image: give bytes, a path, a binary file, a Pillow image or an array"
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise RequestFailed(0, "unreadable", f"{path} cannot be read: {error.strerror}") from error


def _from_array(array: Any) -> Any:
    import PIL.Image

    shapes = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))
    if str(array.dtype) != "uint8" or not shapes or 0 in array.shape:
        raise ValueError(
            f"an array of {array.dtype} with the shape {array.shape} is no image: give unsigned bytes, height x width, "
            "height x width x 3 or height x width x 4"
        )
    return PIL.Image.fromarray(array)


def _png(image: Any) -> bytes:
    buffer = io.BytesIO()
    if image.mode not in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"):
        image = image.convert("RGB")
    image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
