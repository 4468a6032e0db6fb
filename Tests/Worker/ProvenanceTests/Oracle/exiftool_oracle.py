"""Writes metadata into pictures with exiftool, and says what it reads there.

    exiftool_oracle.py FOLDER

The answers are written to FOLDER/exiftool.json: for each file the values of the tags of TAGS that it has.
"""

import io
import json
import subprocess
import sys
from pathlib import Path

from PIL import Image, PngImagePlugin

TERM = "http://cv.iptc.org/newscodes/digitalsourcetype/"
# The groups and names of exiftool, and the names that the Swift test uses.
TAGS = {
    "XMP-iptcExt:DigitalSourceType": "digitalSourceType", "XMP-photoshop:Credit": "credit",
    "XMP-xmp:CreatorTool": "creatorTool", "XMP-dc:Description": "description",
    "IPTC:Credit": "iptc credit", "IPTC:OriginatingProgram": "iptc originatingProgram", "IPTC:Source": "iptc source",
    "IPTC:Caption-Abstract": "iptc caption",
    "IFD0:ImageDescription": "exif description", "IFD0:Make": "exif make", "IFD0:Model": "exif model",
    "IFD0:Software": "exif software", "ExifIFD:UserComment": "exif userComment",
    "PNG:Title": "png Title", "PNG:Description": "png Description", "PNG:Comment": "png Comment",
    "PNG:Software": "png Software", "PNG:Source": "png Source",
}
TEXTS = ["Made with Google AI", "a cat, größer & <kleiner> \"quoted\"", "テスト", "x" * 3000]
PARAMETERS = "a cat\nSteps: 20, Sampler: Euler a, CFG scale: 7"


def cases():
    """Yields suffix and arguments of exiftool."""
    for suffix in ["jpg", "png", "webp", "avif"]:
        for text in TEXTS:
            yield suffix, [f"-XMP-photoshop:Credit={text}", f"-XMP-xmp:CreatorTool={text}",
                           f"-XMP-dc:Description={text}",
                           f"-XMP-iptcExt:DigitalSourceType#={TERM}trainedAlgorithmicMedia"]
            yield suffix, [f"-EXIF:UserComment={text}"]
        yield suffix, [f"-XMP-iptcExt:DigitalSourceType#={TERM}digitalCapture", f"-EXIF:UserComment={PARAMETERS}",
                       "-EXIF:Software=Stable Diffusion", "-EXIF:Make=Camera", "-EXIF:Model=Model 1",
                       "-EXIF:ImageDescription=A description"]
        for order in ["II", "MM"]:
            yield suffix, [f"-ExifByteOrder={order}", f"-EXIF:UserComment={PARAMETERS} テスト",
                           "-EXIF:Make=Camera of a maker with a long name"]
    yield "jpg", ["-IPTC:Credit=Made with Google AI", "-IPTC:OriginatingProgram=Midjourney", "-IPTC:Source=Somebody",
                  "-IPTC:Caption-Abstract=A caption"]
    # Longer than a segment, so that exiftool splits the packet.
    yield "jpg", ["-XMP-dc:Description=" + "y" * 60_000, "-XMP-photoshop:Credit=" + "z" * 30_000]


def picture(suffix):
    file = io.BytesIO()
    Image.new("RGB", (32, 24), (10, 120, 200)).save(file, {"jpg": "JPEG"}.get(suffix, suffix.upper()))
    return file.getvalue()


def png_texts(folder):
    """Writes PNGs with texts of every kind, which exiftool can only read."""
    for number, text in enumerate(TEXTS):
        for kind in ["tEXt", "zTXt", "iTXt"]:
            texts = PngImagePlugin.PngInfo()
            for keyword in ["Title", "Description", "Comment", "Software", "Source"]:
                if kind == "iTXt":
                    texts.add_itxt(keyword, text, zip=number % 2 == 1)
                elif text.isascii():
                    texts.add_text(keyword, text, zip=kind == "zTXt")
            Image.new("RGB", (8, 8)).save(folder / f"text-{kind}-{number}.png", pnginfo=texts)


def main():
    folder = Path(sys.argv[1])
    for number, (suffix, arguments) in enumerate(cases()):
        path = folder / f"written-{number:03}.{suffix}"
        path.write_bytes(picture(suffix))
        # From a file, because the shell's limit is shorter than the longest argument.
        lines = "\n".join(argument.replace("\n", "&#xa;") for argument in ["-E", *arguments, str(path)])
        command = ["exiftool", "-q", "-overwrite_original", "-charset", "UTF8", "-@", "-"]
        lines = lines.replace("größer & <", "größer &amp; <")
        subprocess.run(command, input=lines, text=True, check=True)
    png_texts(folder)
    command = ["exiftool", "-j", "-n", "-G1", "-a", "-charset", "UTF8", *[f"-{tag}" for tag in TAGS], str(folder)]
    answers = []
    for found in json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout):
        values = {TAGS[tag]: str(value) for tag, value in found.items() if tag in TAGS}
        answers.append({"file": Path(found["SourceFile"]).name, "values": values})
    (folder / "exiftool.json").write_text(json.dumps(answers))


if __name__ == "__main__":
    main()
