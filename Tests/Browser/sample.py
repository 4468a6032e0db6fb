"""Draws the sample image of the page into a file: a portrait of nobody, for everybody to use. See make sample."""

import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter

WIDTH, HEIGHT = 480, 600
# The drawing is made larger and then reduced, which smooths its edges.
SCALE = 4
Colour = tuple[int, int, int]


class Portrait:
    """A drawing whose coordinates are in thousandths of the width, from the middle of the image."""

    def __init__(self) -> None:
        self.image = Image.new("RGB", (WIDTH * SCALE, HEIGHT * SCALE))
        self.pen = ImageDraw.Draw(self.image)

    def place(self, x: float, y: float) -> tuple[float, float]:
        unit = WIDTH * SCALE / 1000
        return WIDTH * SCALE / 2 + x * unit, HEIGHT * SCALE / 2 + y * unit

    def ellipse(self, x: float, y: float, across: float, down: float, colour: Colour) -> None:
        self.pen.ellipse((*self.place(x - across, y - down), *self.place(x + across, y + down)), fill=colour)

    def both(self, x: float, y: float, across: float, down: float, colour: Colour) -> None:
        """Draws an ellipse and its mirror image."""
        self.ellipse(-x, y, across, down, colour)
        self.ellipse(x, y, across, down, colour)

    def background(self) -> None:
        for row in range(HEIGHT * SCALE):
            share = row / (HEIGHT * SCALE)
            colour = (round(120 + 60 * share), round(150 + 30 * share), round(186 - 20 * share))
            self.pen.line((0, row, WIDTH * SCALE, row), fill=colour)

    def line(self, *points: tuple[float, float], width: float, colour: Colour) -> None:
        scaled = round(width * WIDTH * SCALE / 1000)
        self.pen.line([self.place(*point) for point in points], fill=colour, width=scaled, joint="curve")


def draw() -> Image.Image:
    """Returns the portrait, 480 × 600 pixels."""
    portrait = Portrait()
    portrait.background()
    hair, skin, shade, lips = (64, 42, 30), (224, 178, 150), (198, 148, 122), (176, 76, 80)
    portrait.ellipse(0, 560, 330, 300, (70, 60, 110))
    portrait.ellipse(0, 290, 95, 130, shade)
    portrait.ellipse(0, -110, 262, 300, hair)
    portrait.both(228, -10, 32, 60, skin)
    portrait.ellipse(0, -10, 226, 320, skin)
    portrait.ellipse(0, -265, 190, 95, hair)
    for side in (-1, 1):
        portrait.line((side * 135, -128), (side * 90, -148), (side * 45, -134), width=20, colour=hair)
    portrait.both(90, -80, 47, 25, (246, 245, 241))
    portrait.both(90, -80, 23, 24, (62, 84, 70))
    portrait.both(90, -80, 10, 11, (20, 20, 22))
    portrait.line((10, -60), (28, 62), (-12, 70), width=11, colour=shade)
    portrait.ellipse(0, 150, 92, 40, lips)
    portrait.ellipse(0, 122, 96, 34, skin)
    portrait.line((-88, 146), (-40, 158), (0, 154), (40, 158), (88, 146), width=6, colour=(120, 44, 52))
    image = portrait.image.filter(ImageFilter.GaussianBlur(3))
    return image.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)


if __name__ == "__main__":
    draw().save(Path(sys.argv[1]), quality=90, optimize=True)
