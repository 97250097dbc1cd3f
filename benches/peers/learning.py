"""Compares the training of full-size models with PyTorch: the same weights, the same real images in the same order, the losses of both sides.

usage: target/peers/bin/python benches/peers/learning.py [--cases resnet50_adam,...] [--resnet target/release/resnet] [--output FILE]

Needs Fashion-MNIST's files in `--pictures` (Debian's package `dataset-fashion-mnist` puts them at the default place).

In f64: a model is initialized as in torchvision, its state dict is saved as `.pth`, and `resnet train -m FILE --dtype f64
--no-shuffle --augment none --format json` takes 20 steps from it, as PyTorch does. The losses of all steps are compared; the table
also has the difference between two memory layouts of PyTorch.

In f32, training is chaotic within a few steps even between two runs of PyTorch. So PyTorch trains and saves the start of single
steps: weights and optimizer state. A test of this repository (`tests/all/parity/learning/pytorch.rs`) performs each of those steps and
compares the loss and the gradient of every parameter. The table also has the difference of PyTorch's own f32 gradients from its f64
gradients, computed in three ways: by default, in channels-last layout and without oneDNN.

f32 gradients differ not because of the precision of their computation but because of ReLU's threshold: out of millions of values, a
few are so close to 0 that the rounding errors of the layers below (1e-7 at the stem, 1e-6 to 1e-5 at the end) decide their sign, and
with it whether a gradient flows. If no sign differs, gradients agree to 1e-5; a single one can change a gradient by 1e-2 in a layer
with few values. This happens in each of PyTorch's three ways as in `resnet`, at different values, and the table counts them. Each
pixel is repeated to 4x4 before the ImageNet stem, so that the last stages have more values and a single one counts less.

A case in which PyTorch does not agree with itself within the limit cannot be verified with another program: its row is kept, as
`not even in PyTorch`, and the case is repeated from a start that keeps errors small: in f64 with a lower learning rate, and with
zero-init residual, with which gradients keep their scale over the depth.

Prints both tables, writes them to `--output` (learning-result.md beside this file) and exits with 1 if any case fails: f64 losses
that differ by more than 1e-6, f32 losses by more than 1e-4, or a gradient (relative norm) by more than 1e-2.
"""

import argparse
import gzip
import json
import os
import pathlib
import platform
import re
import struct
import subprocess
import sys
import tempfile
import time
from functools import partial

import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional

HERE = pathlib.Path(__file__).parent
PROJECT = HERE.parent.parent
sys.path.insert(0, str(PROJECT / "tests/fixtures"))
sys.path.insert(0, str(PROJECT / "tests/fixtures/learning"))
import make
import networks

STEPS, BATCH = make.STEPS, 16
SAVED = [5, 12]
F64_LIMIT, F32_LIMIT, GRADIENT_LIMIT = 1e-6, 1e-4, 1e-2
SGD, ADAM = (make.SGD, 0.01), (make.ADAM, 2e-4)
CASES = {
    f"{network}{'' if stem == 'imagenet' else '_cifar'}_{name}": (network, stem, optimizer)
    for network, stem in [("resnet18", "imagenet"), ("resnet18", "cifar"), ("resnet34", "imagenet"), ("resnet50", "imagenet")]
    for name, optimizer in [("sgd", SGD), ("adam", ADAM)]
}


def write_idx(folder, part, images, targets):
    """Writes images and classes in the file format of Fashion-MNIST."""
    image_bytes = struct.pack(">4i", 2051, *images.shape) + images.numpy().tobytes()
    label_bytes = struct.pack(">2i", 2049, len(targets)) + targets.byte().numpy().tobytes()
    (folder / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(image_bytes))
    (folder / f"{part}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(label_bytes))


def ours_f64(program, folder, run, lr):
    """Returns the losses of `train` of the binary `program`, starting from `net.pth` on the images of `folder`."""
    optimizer = run["optimizer"]
    three = lambda value: ",".join([str(value)] * 3)
    command = [program, "train", "-d", f"fashion-mnist:{folder}", "-m", str(folder / "net.pth"), "--dtype", "f64", "--format", "json"]
    command += ["--dry-run", "--no-shuffle", "--augment", "none", "--max-steps", str(STEPS), "--batch-size", str(run["batch"])]
    command += ["--image-size", "28", "--crop-pct", "1", "--mean", three(make.MEAN), "--std", three(make.STD)]
    command += ["--optimizer", optimizer["kind"], "--lr", str(lr), "--weight-decay", str(optimizer["weight_decay"])]
    command += ["--momentum", str(optimizer["momentum"])] if optimizer["kind"] == "sgd" else []
    command += ["--scheduler", "constant", "--warmup-epochs", "0", "--label-smoothing", "0"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"status {done.returncode}: {done.stderr.strip().splitlines()[-1:]}")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    losses = [line["loss"] for line in lines if "step_ms" in line]
    assert len(losses) == STEPS, f"{len(losses)} steps"
    return torch.tensor(losses, dtype=torch.float64)


def through_test(folder, name):
    """Runs the test of this repository on a case in `folder`; returns the largest difference of f32 losses and of gradients, and whether
    all are within its limits."""
    command = ["cargo", "test", "--release", "--test", "all", "learning::pytorch::each_step", "--", "--nocapture"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=PROJECT, env={**os.environ, "RESNET_LEARNING": str(folder)})
    found = re.findall(rf"^{name}, step \d+: f32 loss (\S+), gradients (\S+)$", done.stdout, re.MULTILINE)
    if len(found) != len(SAVED):
        raise RuntimeError(" ".join((done.stdout + done.stderr).strip().splitlines()[-1:]) or "the test did not run")
    # The numbers are rounded: the test decides whether they are within the limits.
    return *(max(map(float, column)) for column in zip(*found)), done.returncode == 0


def looked(network, images, targets, run, step, dtype, layout=torch.contiguous_format, onednn=True):
    """Returns the gradients of a step by parameter, and which values of each ReLU are above 0."""
    network, above = network.to(dtype=dtype, memory_format=layout).train(), []
    for module in network.modules():
        if isinstance(module, nn.ReLU):
            module.register_forward_hook(lambda module, inputs, output: above.append(output.detach() > 0))
    batch, x = make.batch_of(images, run, step, dtype, layout)
    torch.backends.mkldnn.enabled = onednn
    functional.cross_entropy(network(x), targets[batch]).backward()
    torch.backends.mkldnn.enabled = True
    return {name: parameter.grad for name, parameter in network.named_parameters()}, above


WAYS = {"by default": {}, "channels-last": {"layout": torch.channels_last}, "without oneDNN": {"onednn": False}}


def rounding(build, run, images, targets, tensors):
    """Returns a pair for each of `WAYS`: the difference of PyTorch's f32 gradients from those in f64 from the same start (the largest
    over all parameters and steps), and the number of inputs of ReLU whose sign differs."""
    found = [(0.0, 0)] * len(WAYS)
    for step in SAVED:
        start = f"step.{step}.weights."
        weights = {key.removeprefix(start): t for key, t in tensors.items() if key.startswith(start)}

        def look(*arguments, **named):
            network = build()
            network.load_state_dict(weights, strict=False)
            return looked(network, images, targets, run, step, *arguments, **named)

        exact, exact_above = look(torch.float64)
        for place, way in enumerate(WAYS.values()):
            gradients, above = look(torch.float32, **way)
            distance = max(((gradients[name].double() - t).norm() / t.norm()).item() for name, t in exact.items())
            crossed = sum((a != b).sum().item() for a, b in zip(above, exact_above))
            found[place] = (max(found[place][0], distance), found[place][1] + crossed)
    return found


def f32_cells(folder, case, build, lr, config, run, images, targets):
    """Returns the cells of a row for single steps in f32, whether `resnet` is within the limits, and whether PyTorch is."""
    name = f"{case}_full"
    if config["stem"] == "imagenet":
        images = images.repeat_interleave(4, 1).repeat_interleave(4, 2)
    save_file({"pictures": images, "targets": targets}, folder / "pictures.safetensors")
    tensors = make.train(build(), images, targets, run, [lr] * (max(SAVED) + 1), torch.float32, save=SAVED)[1]
    own = rounding(build, run, images, targets, tensors)
    tensors["lrs"] = torch.full((STEPS,), lr, dtype=torch.float64)
    about = {"config": json.dumps(config), "run": json.dumps(run), "steps": json.dumps(SAVED)}
    save_file({key: t.contiguous() for key, t in tensors.items()}, folder / f"{name}.safetensors", about)
    del tensors
    loss, gradient, passed = through_test(folder, name)
    words = [f"{loss:.1e}", f"{gradient:.1e}", *(f"{distance:.1e} ({crossed})" for distance, crossed in own)]
    return words, passed, max(own)[0] <= GRADIENT_LIMIT


def f64_cells(program, folder, case, build, lr, config, run, images, targets):
    """Returns the cells of a row for 20 steps in f64, whether `resnet` is within the limit, and whether PyTorch is."""
    write_idx(folder, "train", images, targets)
    write_idx(folder, "t10k", images[:BATCH], targets[:BATCH])
    lrs = [lr] * STEPS
    losses, _ = make.train(build(), images, targets, run, lrs, torch.float64)
    twin, _ = make.train(build(), images, targets, run, lrs, torch.float64, layout=torch.channels_last)
    own = (twin - losses).abs().max().item()
    torch.save(build().state_dict(), folder / "net.pth")
    ours = (ours_f64(program, folder, run, lr) - losses).abs().max().nan_to_num(float("inf")).item()
    return [f"{losses[0]:.4f} to {losses[-1]:.4f}", f"{ours:.1e}", f"{own:.1e}"], ours <= F64_LIMIT, own <= F64_LIMIT


# The starts that each table tries: description, zero-init residual, and the factor of the learning rate.
STARTS = [
    ("torchvision's", False, 1),
    ("torchvision's, a tenth of the learning rate", False, 0.1),
    ("zero-init residual", True, 1),
    ("zero-init residual, a tenth of the learning rate", True, 0.1),
]


def rows(compute, starts, case, images, targets):
    """Yields the rows of one case, and whether each is a failure, up to the first start that `resnet` passes or fails."""
    network, stem, (optimizer, lr) = CASES[case]
    block, blocks = make.BLOCKS[network]
    config = networks.config(block, blocks, [64, 128, 256, 512], classes=10, stem=stem)
    run = {"optimizer": optimizer, "batch": BATCH, "label_smoothing": 0.0, "clip": None}
    for start in starts:
        words, zero, share = start
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as temporary:
            build = lambda: make.initialize(networks.build(config), 1, zero)
            cells, passed, steady = compute(pathlib.Path(temporary), case, build, lr * share, config, run, images, targets)
        print(f"{case} from {words}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
        again = not passed and not steady and start is not starts[-1]
        verdict = "yes" if passed else "not even in PyTorch" if again else "**NO**"
        yield f"| {case} | {words} | {' | '.join(cells)} | {verdict} |", not passed and not again
        if not again:
            return


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--resnet", default=str(PROJECT / "target/release/resnet"))
    parser.add_argument("--pictures", default=str(make.FASHION_MNIST), help="the folder of Fashion-MNIST's files")
    parser.add_argument("--cases", default=",".join(CASES))
    parser.add_argument("--parts", default="f64,f32", help="f64, f32 or both")
    parser.add_argument("--output", default=str(HERE / "learning-result.md"))
    arguments = parser.parse_args()
    # A lower learning rate does not help a single step in f32.
    starts = {"f64": STARTS, "f32": STARTS[::2]}
    computations = {"f64": partial(f64_cells, arguments.resnet), "f32": f32_cells}
    images, targets = make.read_images(arguments.pictures, STEPS * BATCH)
    version = subprocess.run([arguments.resnet, "--version"], capture_output=True, text=True, check=True).stdout.splitlines()
    lines, failed = [], False

    def say(*more):
        lines.extend(more)
        print(*more, sep="\n", flush=True)
        pathlib.Path(arguments.output).write_text("\n".join(lines) + "\n", encoding="utf-8")

    say(
        "# Training compared with PyTorch at full size",
        "",
        f"Made by `benches/peers/learning.py` (see there for the method) on the first {len(images)} images of Fashion-MNIST, {BATCH} per step, with",
        f"{version[0]} ({version[-1]}) and torch {torch.__version__} on {platform.machine()}. SGD: learning rate {SGD[1]}, momentum 0.9,",
        f"weight decay 1e-3; Adam: learning rate {ADAM[1]}. Models of full width and 10 classes.",
    )
    for part in arguments.parts.split(","):
        say("", *HEADS[part])
        for case in arguments.cases.split(","):
            for line, is_failure in rows(computations[part], starts[part], case, images, targets):
                failed |= is_failure
                say(line)
    sys.exit(failed)


HEADS = {
    "f64": [
        f"## f64: the losses of {STEPS} steps",
        "",
        f"The largest difference between the losses of both sides, at most {F64_LIMIT:.0e}; PyTorch's own is the difference between its channels-last and its default layout.",
        "",
        "| case | start | loss | difference | PyTorch's own | equal |",
        "|---|---|---|---|---|---|",
    ],
    "f32": [
        f"## f32: steps {' and '.join(map(str, SAVED))}, each from PyTorch's weights and optimizer state",
        "",
        f"The largest difference of the loss (at most {F32_LIMIT:.0e}) and of a parameter's gradient (relative norm, at most {GRADIENT_LIMIT:.0e}) from PyTorch's in",
        "f32. Then the difference of PyTorch's f32 gradients, computed in three ways, from its own f64 gradients, and in parentheses the number",
        "of inputs of ReLU whose sign differs from f64.",
        "",
        f"| case | start | loss | gradients | {' | '.join(f'PyTorch {way}' for way in WAYS)} | equal |",
        "|---|---|---|---|---|---|---|---|",
    ],
}


if __name__ == "__main__":
    main()
