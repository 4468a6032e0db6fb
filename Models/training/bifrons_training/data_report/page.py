"""The data report as one self-contained HTML page."""

from __future__ import annotations

import base64
import html
import io
from pathlib import Path
from typing import Any

from PIL import Image

from bifrons_training.data.catalogue import Face
from bifrons_training.data_report.image_statistics import TRIVIAL, Measured
from bifrons_training.data_report.plots import plot_distributions, plot_probe, plot_sizes, plot_spectra
from bifrons_training.data_report.summary import NAMES

SAMPLES = 12


def samples(folder: Path, faces: list[Face]) -> str:
    """Returns a strip of sample images for each source, as HTML."""
    strips = []
    for label, source in sorted({(face.label, face.source) for face in faces}):
        members = [face for face in faces if (face.label, face.source) == (label, source)]
        strip = Image.new("RGB", (SAMPLES * 100, 96), "white")
        for place, face in enumerate(members[:: max(1, len(members) // SAMPLES)][:SAMPLES]):
            with Image.open(folder / face.path) as image:
                small = image.convert("RGB")
            small.thumbnail((96, 96))
            strip.paste(small, (place * 100, 0))
        packed = io.BytesIO()
        strip.save(packed, "JPEG", quality=80)
        code = base64.b64encode(packed.getvalue()).decode()
        title = html.escape(f"{source} ({NAMES[label]}, {len(members)})")
        strips.append(
            f'<figure><img alt="" src="data:image/jpeg;base64,{code}"><figcaption>{title}</figcaption></figure>'
        )
    return "".join(strips)


def _cells(values: list[Any], tag: str = "td") -> str:
    return "<tr>" + "".join(f"<{tag}>{html.escape(str(value))}</{tag}>" for value in values) + "</tr>"


def _table(rows: list[dict[str, Any]]) -> str:
    if not rows:
        return "<p>None.</p>"

    def text(value: object) -> object:
        if isinstance(value, dict):
            return ", ".join(f"{name} {count}" for name, count in value.items())
        if isinstance(value, bool):
            return "yes" if value else "no"
        return value

    head = _cells([name.replace("_", " ") for name in rows[0]], "th")
    return (
        f"<div class=wide><table>{head}{''.join(_cells([text(v) for v in row.values()]) for row in rows)}</table></div>"
    )


STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 1100px; margin: 2rem auto; padding: 0 1rem; }
img { max-width: 100%; background: white; } figure { margin: 0 0 1rem; } figcaption { font-size: 85%; }
table { border-collapse: collapse; font-size: 80%; } td, th { padding: .2rem .5rem; border-bottom: 1px solid #8884; }
td { font-variant-numeric: tabular-nums; } th { text-align: left; vertical-align: bottom; } .wide { overflow-x: auto; }
.note { border-left: 4px solid #d55e00; padding-left: .8rem; }
"""


def page(folder: Path, faces: list[Face], measured: list[Measured], report: dict[str, Any], with_images: bool) -> str:
    """Returns the whole page."""
    trivial = ", ".join(TRIVIAL)
    parts = [
        "<h1>The data, as a network sees it</h1>",
        f"<p>{len(faces)} pictures, {sum(f.label == 0 for f in faces)} real and {sum(f.label for f in faces)} "
        f"generated, {sum(f.split == 'train' for f in faces)} to train and {sum(f.split == 'val' for f in faces)} to"
        " validate.</p>",
        "<h2>Findings</h2><ul>" + "".join(f"<li>{html.escape(text)}</li>" for text in report["findings"]) + "</ul>",
        "<h2>Sources</h2><p>Medians by source.</p>" + _table(report["sources"]),
        "<h2>What gives a source away</h2>",
        f"<p>Fifteen numbers ({trivial}), a logistic regression for each pair of sources, cross-validated by groups. "
        "0.5 is chance; whatever is far above it, a network will learn before it learns faces. Equalised: the face's"
        " box alone, 96 px, one JPEG pass of quality 75, the same for all (<code>equalisation.py</code>).</p>",
        plot_probe(report["probe"]),
        "<h2>Framing, files, light and colour</h2>" + plot_distributions(faces, measured),
        "<p>Green: real, orange: generated. A foreign grid is a trace of an earlier JPEG pass whose blocks stood"
        " elsewhere; 1 is none.</p>",
        plot_sizes(faces, measured),
        "<h2>Detail</h2>" + plot_spectra(faces, measured),
        "<h2>Copies</h2><p>Pictures of different groups that are one and the same.</p>" + _table(report["duplicates"]),
    ]
    if with_images:
        parts += [
            '<h2>Samples</h2><p class="note">Research pictures, most without a licence to pass them on: keep this page'
            " to yourself.</p>",
            samples(folder, faces),
        ]
    body = "\n".join(parts)
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>The data</title><style>{STYLE}</style>{body}</html>\n"
    )
