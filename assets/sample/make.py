"""Makes the sheets of the sample from the files of Fashion-MNIST.

    python make.py FOLDER    (with numpy, pillow and zopfli; a few minutes)

FOLDER holds the four original .gz files; Debian's package `dataset-fashion-mnist` puts them in
/usr/share/datasets/fashion-mnist. A sheet is a gray PNG of images of 28x28 in rows of 50, one class after the
other: in train.png the first 600 images of each class in the order of the training file (12 rows per class), in
test.png the first 100 of each class in the order of the test file (2 rows per class).
"""

import gzip
import io
import sys
import zlib
from pathlib import Path

import numpy
import zopfli.png
from PIL import Image

COLUMNS = 50


def idx(path, header):
    return numpy.frombuffer(gzip.open(path).read(), numpy.uint8, offset=header)


def sheet(folder, part, count):
    images = idx(folder / f"{part}-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28)
    classes = idx(folder / f"{part}-labels-idx1-ubyte.gz", 8)
    firsts = [numpy.flatnonzero(classes == number)[:count] for number in range(10)]
    # The reader takes an image of each class in turn; the checksum is of that order.
    turns = images[numpy.stack(firsts, 1).reshape(-1)]
    print(f"{part}: crc32 {zlib.crc32(turns.tobytes()):08x}")
    rows = images[numpy.concatenate(firsts)].reshape(-1, COLUMNS, 28, 28)
    return rows.transpose(0, 2, 1, 3).reshape(-1, COLUMNS * 28)


def main():
    folder = Path(sys.argv[1])
    for name, part, count in [("test", "t10k", 100), ("train", "train", 600)]:
        plain = io.BytesIO()
        Image.fromarray(sheet(folder, part, count)).save(plain, "PNG", compress_level=9)
        small = zopfli.png.optimize(plain.getvalue(), filter_strategies="pme")
        (Path(__file__).parent / f"{name}.png").write_bytes(small)
        print(f"{name}.png: {len(plain.getvalue())} bytes by zlib, {len(small)} by zopfli", flush=True)


main()
