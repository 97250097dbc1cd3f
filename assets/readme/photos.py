"""A small dataset of photographs: crops of five photographs in the public domain that scikit-image brings along."""

import random
from pathlib import Path

import skimage.data
from PIL import Image

# The class and its file in skimage/data.
PHOTOGRAPHS = {
    "astronaut": "astronaut.png",
    "cat": "chelsea.png",
    "coffee cup": "coffee.png",
    "galaxies": "hubble_deep_field.jpg",
    "rocket": "rocket.jpg",
}


def crops(folder, per_class=120, size=160, seed=0):
    """Writes `per_class` random crops of each photograph into a folder per class."""
    draw = random.Random(seed)
    source = Path(skimage.data.__file__).parent
    for label, name in PHOTOGRAPHS.items():
        photograph = Image.open(source / name).convert("RGB")
        width, height = photograph.size
        (folder / label).mkdir(parents=True)
        for number in range(per_class):
            side = round(min(width, height) * draw.uniform(0.45, 1.0))
            left, top = draw.randint(0, width - side), draw.randint(0, height - side)
            crop = photograph.crop((left, top, left + side, top + side))
            crop.resize((size, size), Image.Resampling.BICUBIC).save(folder / label / f"{number:03}.jpg", quality=92)
