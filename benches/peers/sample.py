"""Trains the network of the bundled model with its recipe in PyTorch, and compares accuracy and time per epoch with `resnet`.

usage: target/peers/bin/python benches/peers/sample.py [--data DIR] [--epochs 40] [--images N] [--metrics RUN/metrics.csv] [--state FILE] [--output FILE]

The recipe is models/sample/recipe.toml: the paper's ResNet-20 with padded shortcuts on Fashion-MNIST at 28 px, random crops with 3
pixels of padding, horizontal flips, random erasing with probability 0.25, SGD with Nesterov momentum 0.9, weight decay 5e-4, batches
of 128, learning rate 0.1 with cosine decay after one warm-up epoch, label smoothing 0.05. `--metrics` is the log of `resnet train` with
that recipe (default: models/sample/metrics.csv). Images are augmented in the training process, crops and flips for a whole batch at
once; the order of images and the random numbers differ, so accuracies are only comparable within the spread of seeds.
DIR contains the four idx files, with or without `.gz` (default: the location of Debian's package dataset-fashion-mnist).

`--state FILE` saves the run after each epoch and resumes it exactly, except for the seconds, which depend on the load.

Seconds are the wall time of a whole epoch including validation, on both sides: compare them only if each side had the machine to
itself.
"""

import argparse
import csv
import math
import pathlib
import time

import torch
import torchvision
from fashion_mnist import FILES, MEAN, PROJECT, STD, read_idx
from torch import nn

BATCH, RATE, DECAY, SMOOTHING, WARM_UP, PADDING, ERASED = 128, 0.1, 5e-4, 0.05, 1, 3, 0.25


def conv(inputs, outputs, stride=1):
    layer = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
    nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    return layer


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1, self.bn1 = conv(inputs, outputs, stride), nn.BatchNorm2d(outputs)
        self.conv2, self.bn2 = conv(outputs, outputs), nn.BatchNorm2d(outputs)
        self.stride, self.missing = stride, outputs - inputs

    def forward(self, x):
        y = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
        x = x[:, :, :: self.stride, :: self.stride]
        x = nn.functional.pad(x, (0, 0, 0, 0, self.missing // 2, self.missing - self.missing // 2))
        return (x + y).relu()


def resnet20(classes=10):
    layers, channels = [conv(3, 16), nn.BatchNorm2d(16), nn.ReLU()], 16
    for width, stride in [(16, 1), (32, 2), (64, 2)]:
        for i in range(3):
            layers.append(Block(channels, width, stride if i == 0 else 1))
            channels = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes))


def inputs(images):
    """Converts [N, 28, 28] in 8 bits to [N, 3, 28, 28]."""
    return ((images.float() / 255 - MEAN) / STD).unsqueeze(1).expand(-1, 3, -1, -1)


def varied(images, erase):
    """Returns the batch with each image cropped, flipped and erased independently."""
    count, side, _ = images.shape
    padded = nn.functional.pad(images, (PADDING,) * 4)
    rows = torch.randint(0, 2 * PADDING + 1, (count, 1)) + torch.arange(side)
    columns = torch.randint(0, 2 * PADDING + 1, (count, 1)) + torch.arange(side)
    columns = torch.where(torch.rand(count, 1) < 0.5, columns.flip(1), columns)
    batch = inputs(padded[torch.arange(count)[:, None, None], rows[:, :, None], columns[:, None, :]]).contiguous()
    for i in (torch.rand(count) < ERASED).nonzero().flatten().tolist():
        batch[i] = erase(batch[i])
    return batch


def rate(step, steps, steps_an_epoch):
    warm_up = WARM_UP * steps_an_epoch
    if step < warm_up:
        return RATE * (step + 1) / (warm_up + 1)
    return RATE / 2 * (1 + math.cos(math.pi * (step - warm_up) / (steps - warm_up)))


def train(parts, epochs, state):
    """Yields the seconds of each epoch, including validation, and top-1 on the test images, in percent.

    If the file `state` exists, yields the finished epochs first and resumes; the file is written after each epoch.
    """
    images, classes, test, test_classes = (torch.from_numpy(part.copy()) for part in parts)
    classes, test_classes = classes.long(), test_classes.long()
    torch.manual_seed(0)
    network = resnet20()
    optimizer = torch.optim.SGD(network.parameters(), lr=RATE, momentum=0.9, nesterov=True, weight_decay=DECAY)
    loss_of = nn.CrossEntropyLoss(label_smoothing=SMOOTHING)
    erase = torchvision.transforms.RandomErasing(p=1.0)
    steps_an_epoch = math.ceil(len(images) / BATCH)
    step, done = 0, []
    if state is not None and state.exists():
        kept = torch.load(state)
        network.load_state_dict(kept["net"])
        optimizer.load_state_dict(kept["optimizer"])
        torch.set_rng_state(kept["random"])
        step, done = kept["step"], kept["done"]
        yield from done
    for _ in range(len(done), epochs):
        start = time.perf_counter()
        network.train()
        for places in torch.randperm(len(images)).split(BATCH):
            for group in optimizer.param_groups:
                group["lr"] = rate(step, epochs * steps_an_epoch, steps_an_epoch)
            optimizer.zero_grad()
            loss_of(network(varied(images[places], erase)), classes[places]).backward()
            optimizer.step()
            step += 1
        network.eval()
        with torch.no_grad():
            right = sum((network(inputs(x)).argmax(1) == y).sum().item() for x, y in zip(test.split(200), test_classes.split(200)))
        done.append((time.perf_counter() - start, 100 * right / len(test)))
        if state is not None:
            kept = {"net": network.state_dict(), "optimizer": optimizer.state_dict(), "random": torch.get_rng_state(), "step": step, "done": done}
            torch.save(kept, state.with_suffix(".part"))
            state.with_suffix(".part").replace(state)
        yield done[-1]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, default=pathlib.Path("/usr/share/datasets/fashion-mnist"))
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--images", type=int, default=None)
    parser.add_argument("--metrics", type=pathlib.Path, default=PROJECT / "models/sample/metrics.csv")
    parser.add_argument("--output", type=pathlib.Path, default=None)
    parser.add_argument("--state", type=pathlib.Path, default=None)
    arguments = parser.parse_args()
    try:
        parts = [read_idx(arguments.data, name) for name in FILES]
    except FileNotFoundError as error:
        parser.error(f"{error}: pass the folder of Fashion-MNIST's files as --data DIR")
    if arguments.images is not None:
        parts = [part[: arguments.images] for part in parts]
    parameters = sum(parameter.numel() for parameter in resnet20().parameters())
    assert parameters == 269_722, parameters
    ours = []
    if arguments.metrics.exists():
        with arguments.metrics.open(newline="", encoding="utf-8") as file:
            ours = list(csv.DictReader(file))
    lines = [
        "# The bundled model's recipe in PyTorch",
        "",
        f"Made by `benches/peers/sample.py` with torch {torch.__version__}, {torch.get_num_threads()} threads: ResNet-20, {len(parts[0]):,} training",
        f"and {len(parts[2]):,} test images of Fashion-MNIST at 28 px. The columns of resnet are from the log of `resnet train`. Seconds depend on the",
        "other load of the machine at the time.",
        "",
        "| epoch | resnet top-1 % | torch top-1 % | resnet s | torch s |",
        "|---|---|---|---|---|",
    ]
    print("\n".join(lines), flush=True)
    for epoch, (seconds, top1) in enumerate(train(parts, arguments.epochs, arguments.state)):
        top1_here, seconds_here = (f"{float(ours[epoch][key]):.{digits}f}" if epoch < len(ours) else "--" for key, digits in [("val_top1", 2), ("seconds", 0)])
        lines.append(f"| {epoch + 1} | {top1_here} | {top1:.2f} | {seconds_here} | {seconds:.0f} |")
        print(lines[-1], flush=True)
        if arguments.output is not None:
            arguments.output.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
