"""Writes hog.json: scikit-image's histograms of oriented gradients on small seeded images.

Run: python tests/reference/hog.py > tests/reference/hog.json
Its orientations are unsigned and its votes go to one bin of one cell: `signed` off, no
interpolation. Pixels are divided by 255, so that its small constant means the same as ours.
"""

import json

import numpy as np
import skimage
from skimage.feature import hog

SEED = 42
rng = np.random.default_rng(SEED)


def image(height, width, channels):
    """Smooth waves with noise, so that histograms differ between cells; one corner is flat."""
    row, column = np.mgrid[0:height, 0:width]
    planes = []
    for _ in range(channels):
        a, b, phase = rng.uniform(-0.9, 0.9, 3)
        wave = 120 + 90 * np.sin(a * row + b * column + 7 * phase)
        planes.append(wave + rng.normal(0, 12, (height, width)))
    pixels = np.clip(np.stack(planes, -1), 0, 255).astype(np.uint8)
    pixels[: height // 3, : width // 3] = 17
    return pixels


cases = []
for height, width, channels, cell, block, norm, orientations in [
    (28, 28, 1, 4, 2, "L2-Hys", 9),
    (28, 28, 1, 7, 2, "L2", 9),
    (17, 22, 1, 5, 3, "L1", 6),
    (16, 12, 3, 4, 2, "L2-Hys", 8),
    (9, 9, 3, 3, 1, "L2", 12),
]:
    pixels = image(height, width, channels)
    features = hog(
        pixels / 255.0,
        orientations=orientations,
        pixels_per_cell=(cell, cell),
        cells_per_block=(block, block),
        block_norm=norm,
        channel_axis=-1,
    )
    cases.append({
        "height": height,
        "width": width,
        "channels": channels,
        "cell": cell,
        "block": block,
        "norm": norm,
        "orientations": orientations,
        "pixels": pixels.ravel().tolist(),
        "features": [round(float(value), 7) for value in features],
    })
print(json.dumps({"skimage": skimage.__version__, "seed": SEED, "cases": cases}))
