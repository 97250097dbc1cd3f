"""Checks that `resnet train` reaches the same accuracy as PyTorch: ResNet-18 on Fashion-MNIST with one recipe and several seeds per side.

usage: target/peers/bin/python benches/peers/fashion_mnist.py [--data DIR] [--stem cifar|imagenet] [--epochs 1] [--seeds 3]
           [--images N] [--depth 18] [--resnet target/release/resnet] [--output FILE]

f32 training is chaotic: two runs of PyTorch diverge within a few steps, so only the final accuracy can be compared. Both sides
train torchvision's model at 28 pixels (`--stem cifar`: a 3x3 convolution of stride 1 and no pooling before the first stage) on all
60,000 images, gray on three channels, without augmentation, in a separate order for each seed: SGD with momentum 0.9, learning rate
0.05 with cosine decay to 0, weight decay 5e-4, batches of 128. Top-1 on the 10,000 test images is that of the last epoch.

The check passes if the means differ by no more than the larger range (maximum minus minimum over the seeds) of the two sides;
Welch's t of the difference is printed as well. Each of the six runs takes long on few cores (`--stem imagenet`: a sixteenth of it);
`--images 2000` tries the script on that many training images and a sixth as many test images.

DIR contains the four idx files, with or without `.gz` (default: the location of Debian's package dataset-fashion-mnist). Prints a
table, writes it to `--output` (fashion_mnist-result.md beside this file if all images are used) and exits with 1 if the check fails.
"""

import argparse
import gzip
import json
import math
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile
import time

import numpy
import torch
import torchvision

HERE = pathlib.Path(__file__).parent
PROJECT = HERE.parent.parent
FILES = ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"]
MEAN, STD = 0.286, 0.353
BATCH, RATE, MOMENTUM, DECAY = 128, 0.05, 0.9, 5e-4


def read_idx(folder, name):
    """Returns the numbers of an idx file, in its shape."""
    packed = folder / f"{name}.gz"
    content = gzip.decompress(packed.read_bytes()) if packed.exists() else (folder / name).read_bytes()
    axes = content[3]
    shape = [int.from_bytes(content[4 + 4 * axis : 8 + 4 * axis], "big") for axis in range(axes)]
    return numpy.frombuffer(content, numpy.uint8, offset=4 + 4 * axes).reshape(shape)


def write_idx(path, numbers):
    header = bytes([0, 0, 8, numbers.ndim]) + b"".join(side.to_bytes(4, "big") for side in numbers.shape)
    path.write_bytes(header + numbers.tobytes())


def network(depth, stem):
    """Returns torchvision's model for ten classes."""
    made = getattr(torchvision.models, f"resnet{depth}")(num_classes=10)
    if stem == "cifar":
        made.conv1 = torch.nn.Conv2d(3, 64, 3, padding=1, bias=False)
        torch.nn.init.kaiming_normal_(made.conv1.weight, mode="fan_out", nonlinearity="relu")
        made.maxpool = torch.nn.Identity()
    return made


def inputs(images):
    """Converts [N, 28, 28] in 8 bits to [N, 3, 28, 28]."""
    return ((images.float() / 255 - MEAN) / STD).unsqueeze(1).expand(-1, 3, -1, -1)


def theirs(arguments, parts, seed):
    """Returns top-1 on the test images, in percent, after the last epoch."""
    train, train_classes, test, test_classes = (torch.from_numpy(part.copy()) for part in parts)
    train_classes, test_classes = train_classes.long(), test_classes.long()
    torch.manual_seed(seed)
    learner = network(arguments.depth, arguments.stem).train()
    optimizer = torch.optim.SGD(learner.parameters(), lr=RATE, momentum=MOMENTUM, weight_decay=DECAY)
    loss_of = torch.nn.CrossEntropyLoss()
    steps = arguments.epochs * math.ceil(len(train) / BATCH)
    step = 0
    for _ in range(arguments.epochs):
        for places in torch.randperm(len(train)).split(BATCH):
            for group in optimizer.param_groups:
                group["lr"] = RATE * (1 + math.cos(math.pi * step / steps)) / 2
            optimizer.zero_grad()
            loss_of(learner(inputs(train[places])), train_classes[places]).backward()
            optimizer.step()
            step += 1
    learner.eval()
    with torch.no_grad():
        right = sum((learner(inputs(x)).argmax(1) == y).sum().item() for x, y in zip(test.split(200), test_classes.split(200)))
    return 100 * right / len(test)


def ours(arguments, folder, seed):
    """Returns the same as `theirs`, with the binary."""
    command = [
        arguments.resnet, "train", "--data", f"fashion-mnist:{folder}", "--depth", arguments.depth, "--stem", arguments.stem,
        "--image-size", 28, "--mean", f"{MEAN},{MEAN},{MEAN}", "--std", f"{STD},{STD},{STD}", "--augment", "none",
        "--epochs", arguments.epochs, "--batch-size", BATCH, "--optimizer", "sgd", "--lr", RATE, "--momentum", MOMENTUM,
        "--weight-decay", DECAY, "--scheduler", "cosine", "--warmup-epochs", 0, "--seed", seed,
        "--dry-run", "--format", "json", "--device", "cpu",
    ]  # fmt: skip
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"`resnet train` exited with status {done.returncode}:\n{done.stderr}")
    epochs = [line for line in map(json.loads, done.stdout.splitlines()) if "val_top1" in line]
    assert len(epochs) == arguments.epochs, f"{len(epochs)} epochs of {arguments.epochs}"
    return epochs[-1]["val_top1"]


def timed(run, *what):
    start = time.perf_counter()
    return run(*what), time.perf_counter() - start


def welch(one, other):
    std = math.sqrt(statistics.variance(one) / len(one) + statistics.variance(other) / len(other))
    return (statistics.mean(one) - statistics.mean(other)) / std if std > 0 else math.inf


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, default=pathlib.Path("/usr/share/datasets/fashion-mnist"))
    parser.add_argument("--stem", choices=["cifar", "imagenet"], default="cifar")
    parser.add_argument("--depth", type=int, choices=[18, 34, 50], default=18)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--images", type=int, default=None)
    parser.add_argument("--resnet", default=str(PROJECT / "target/release/resnet"))
    parser.add_argument("--output", type=pathlib.Path, default=None)
    arguments = parser.parse_args()
    if arguments.seeds < 2:
        parser.error("a range needs at least two seeds")
    missing = [name for name in FILES if not any((arguments.data / f"{name}{end}").exists() for end in ("", ".gz"))]
    if missing:
        parser.error(f"{arguments.data} has no {missing[0]}: install Debian's dataset-fashion-mnist, or pass --data")
    parts = [read_idx(arguments.data, name) for name in FILES]
    if arguments.images is not None:
        counts = [arguments.images] * 2 + [max(arguments.images // 6, 1)] * 2
        parts = [part[:count] for part, count in zip(parts, counts)]
    version = subprocess.run([arguments.resnet, "--version"], capture_output=True, text=True).stdout.split("\n")[0]
    lines = [
        f"# ResNet-{arguments.depth} on Fashion-MNIST, compared with PyTorch",
        "",
        f"Made by `benches/peers/fashion_mnist.py` with {version or 'resnet'} and torch {torch.__version__} on {platform.machine()}, "
        f"{torch.get_num_threads()} threads:",
        f"{len(parts[0]):,} training and {len(parts[2]):,} test images at 28 px, {arguments.stem} stem, epochs: {arguments.epochs}, "
        f"the same recipe on both sides (in the script). Seconds are",
        "wall times on a machine that may have been busy; they are not a benchmark.",
        "",
        "| seed | resnet top-1 % | torch top-1 % | resnet s | torch s |",
        "|---|---|---|---|---|",
    ]
    print("\n".join(lines), flush=True)
    mine, others = [], []
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        for name, part in zip(FILES, parts):
            write_idx(folder / name, part)
        for seed in range(arguments.seeds):
            top1, seconds = timed(ours, arguments, folder, seed)
            mine.append(top1)
            their_top1, their_seconds = timed(theirs, arguments, parts, seed)
            others.append(their_top1)
            lines.append(f"| {seed} | {top1:.2f} | {their_top1:.2f} | {seconds:.0f} | {their_seconds:.0f} |")
            print(lines[-1], flush=True)
    spread = max(max(side) - min(side) for side in (mine, others))
    difference = statistics.mean(mine) - statistics.mean(others)
    holds = abs(difference) <= spread
    verdict = [
        f"| mean | {statistics.mean(mine):.2f} | {statistics.mean(others):.2f} | | |",
        f"| range (max - min) | {max(mine) - min(mine):.2f} | {max(others) - min(others):.2f} | | |",
        "",
        f"The means differ by {difference:+.2f} (Welch's t {welch(mine, others):+.2f}); the larger range is {spread:.2f}: "
        f"{'within it' if holds else '**beyond it: FAILED**'}.",
    ]
    print("\n".join(verdict))
    output = arguments.output or (HERE / "fashion_mnist-result.md" if arguments.images is None else None)
    if output is not None:
        output.write_text("\n".join(lines + verdict) + "\n", encoding="utf-8")
    sys.exit(not holds)


if __name__ == "__main__":
    main()
