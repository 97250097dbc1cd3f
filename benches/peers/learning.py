"""Shows that full-size nets learn what PyTorch learns: the same weights, the same real pictures in the same order, both sides' losses.

usage: target/peers/bin/python benches/peers/learning.py [--cases resnet50_adam,...] [--resnet target/release/resnet] [--output FILE]

Needs Fashion-MNIST's files in `--pictures` (Debian's package `dataset-fashion-mnist` puts them at the default place).

In f64: a net starts as torchvision's nets do, its state dict is saved as `.pth`, and `resnet train -m FILE --dtype f64
--no-shuffle --augment none --format json` takes 20 steps from it, as PyTorch does. The losses of all steps are compared, and
beside that stands how far PyTorch is from itself in another memory layout.

In f32, where training is chaotic within a few steps even for PyTorch against itself, PyTorch trains and saves what single
steps start from: weights and optimiser state. A test of this repository (`tests/all/learning/pytorch.rs`) starts each of
those steps from them and compares the loss and every parameter's gradient. Beside that stands how far
PyTorch's f32 gradients are from its own f64 ones. Before the ImageNet stem each pixel is repeated to 4x4: at 28 px the last stages
have so few values that a single one whose rounding error carries it over ReLU's edge can change a gradient by more than the limit.

As torchvision starts deep nets, gradients grow on their way to the stem, and rounding errors with them. Where PyTorch is not
near itself, no other program can be: such a case is marked as chaotic and run once more with zero-init residual, from which
gradients keep their size over the depth.

Prints a table, writes it to `--output` (learning-result.md beside this file) and exits with 1 if any case fails: f64 losses
further apart than 1e-6, f32 losses than 1e-4, or a gradient (the norm of the difference over the norm) than 1e-2.
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

import torch
from safetensors.torch import save_file
from torch.nn import functional

HERE = pathlib.Path(__file__).parent
PROJECT = HERE.parent.parent
sys.path.insert(0, str(PROJECT / "tests/fixtures"))
sys.path.insert(0, str(PROJECT / "tests/fixtures/learning"))
import make
import nets

STEPS, BATCH = make.STEPS, 16
SAVED = [5, 12]
F64_LIMIT, GRADIENT_LIMIT = 1e-6, 1e-2
SGD, ADAM = (make.SGD, 0.01), (make.ADAM, 2e-4)
CASES = {
    f"{net}{'' if stem == 'imagenet' else '_cifar'}_{name}": (net, stem, optimiser)
    for net, stem in [("resnet18", "imagenet"), ("resnet18", "cifar"), ("resnet34", "imagenet"), ("resnet50", "imagenet")]
    for name, optimiser in [("sgd", SGD), ("adam", ADAM)]
}


def write_idx(folder, part, pictures, targets):
    """Pictures and classes in the files that Fashion-MNIST comes in."""
    images = struct.pack(">4i", 2051, *pictures.shape) + pictures.numpy().tobytes()
    labels = struct.pack(">2i", 2049, len(targets)) + targets.byte().numpy().tobytes()
    (folder / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(images))
    (folder / f"{part}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(labels))


def ours_f64(arguments, folder, run, lr):
    """The losses of `resnet train` from `net.pth` on the pictures of `folder`."""
    optimiser = run["optimiser"]
    three = lambda value: ",".join([str(value)] * 3)
    command = [arguments.resnet, "train", "-d", f"fashion-mnist:{folder}", "-m", str(folder / "net.pth"), "--dtype", "f64", "--format", "json"]
    command += ["--dry-run", "--no-shuffle", "--augment", "none", "--max-steps", str(STEPS), "--batch-size", str(run["batch"])]
    command += ["--image-size", "28", "--crop-pct", "1", "--mean", three(make.MEAN), "--std", three(make.DEVIATION)]
    command += ["--optimizer", optimiser["kind"], "--lr", str(lr), "--weight-decay", str(optimiser["weight_decay"])]
    command += ["--momentum", str(optimiser["momentum"])] if optimiser["kind"] == "sgd" else []
    command += ["--scheduler", "constant", "--warmup-epochs", "0", "--label-smoothing", "0"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"status {done.returncode}: {done.stderr.strip().splitlines()[-1:]}")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    losses = [line["loss"] for line in lines if "step_ms" in line]
    assert len(losses) == STEPS, f"{len(losses)} steps"
    return torch.tensor(losses, dtype=torch.float64)


def through_test(folder, name):
    """What this repository's test says of a case in `folder`: the largest difference of f32 losses and of gradients."""
    command = ["cargo", "test", "--release", "--test", "all", "learning::pytorch::each_step", "--", "--nocapture"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=PROJECT, env={**os.environ, "RESNET_LEARNING": str(folder)})
    found = re.findall(rf"^{name}, step \d+: f32 loss (\S+), gradients (\S+)$", done.stdout, re.MULTILINE)
    if done.returncode != 0 or len(found) != len(SAVED):
        said = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith(f"{name}, ") and "f32 loss" not in line]
        raise RuntimeError(" ".join(said[-1:]) or "the test did not run")
    return [max(map(float, column)) for column in zip(*found)]


def rounding(build, run, pictures, targets, tensors):
    """How far PyTorch's f32 gradients are from those that it computes in f64 from the same start: the largest of all."""
    largest = 0.0
    for step in SAVED:
        part = lambda what: {key.removeprefix(f"step.{step}.{what}."): t for key, t in tensors.items() if key.startswith(f"step.{step}.{what}.")}
        net = build()
        net.load_state_dict(part("weights"), strict=False)
        batch, x = make.batch_of(pictures, run, step, torch.float64)
        functional.cross_entropy(net.double().train()(x), targets[batch]).backward()
        expected = {name: parameter.grad for name, parameter in net.named_parameters()}
        distances = [(t.double() - expected[name]).norm() / expected[name].norm() for name, t in part("grad").items()]
        largest = max(largest, *(distance.item() for distance in distances))
    return largest


def f32_cell(folder, name, config, build, run, lr, pictures, targets):
    """The table's words on single steps in f32, and whether PyTorch and `resnet` are each within the limits."""
    if config["stem"] == "imagenet":
        pictures = pictures.repeat_interleave(4, 1).repeat_interleave(4, 2)
    save_file({"pictures": pictures, "targets": targets}, folder / "pictures.safetensors")
    tensors = make.train(build(), pictures, targets, run, [lr] * (max(SAVED) + 1), torch.float32, save=SAVED)[1]
    spread = rounding(build, run, pictures, targets, tensors)
    tensors["lrs"] = torch.full((STEPS,), lr, dtype=torch.float64)
    about = {"config": json.dumps(config), "run": json.dumps(run), "steps": json.dumps(SAVED)}
    save_file({key: t.contiguous() for key, t in tensors.items()}, folder / f"{name}.safetensors", about)
    del tensors
    try:
        words, passed = "{:.1e} | {:.1e}".format(*through_test(folder, name)), True
    except RuntimeError as error:
        words, passed = f"{error} |", False
    return f"{words} | {spread:.1e}", spread <= GRADIENT_LIMIT / 2, passed


def f64_cell(arguments, folder, build, run, lr, pictures, targets):
    """The table's words on 20 steps in f64, and whether PyTorch and `resnet` are each within the limit."""
    lrs = [lr] * STEPS
    losses, _ = make.train(build(), pictures, targets, run, lrs, torch.float64)
    twin, _ = make.train(build(), pictures, targets, run, lrs, torch.float64, layout=torch.channels_last)
    spread = (twin - losses).abs().max().item()
    torch.save(build().state_dict(), folder / "net.pth")
    try:
        distance = (ours_f64(arguments, folder, run, lr) - losses).abs().max().nan_to_num(float("inf")).item()
        words = f"{distance:.1e}"
    except RuntimeError as error:
        distance, words = float("inf"), str(error)
    return f"{losses[0]:.4f} to {losses[-1]:.4f} | {words} | {spread:.1e}", spread <= F64_LIMIT, distance <= F64_LIMIT


def rows(arguments, case, pictures, targets):
    """The table's rows of one case, each with whether it passed."""
    net, stem, (optimiser, lr) = CASES[case]
    block, blocks = make.BLOCKS[net]
    config = nets.config(block, blocks, [64, 128, 256, 512], classes=10, stem=stem)
    run = {"optimiser": optimiser, "batch": BATCH, "label_smoothing": 0.0, "clip": None}
    for zero in (False, True):
        build = lambda: make.initialise(nets.build(config), 1, zero)
        with tempfile.TemporaryDirectory() as temporary:
            folder = pathlib.Path(temporary)
            write_idx(folder, "train", pictures, targets)
            write_idx(folder, "t10k", pictures[:BATCH], targets[:BATCH])
            cells, steady, passed = [], True, True
            parts = {
                "f64": lambda: f64_cell(arguments, folder, build, run, lr, pictures, targets),
                "f32": lambda: f32_cell(folder, f"{case}_full", config, build, run, lr, pictures, targets),
            }
            for part, compute in parts.items():
                if part not in arguments.parts:
                    cells.append(" | | ")
                    continue
                words, is_steady, is_passed = compute()
                cells.append(words)
                steady, passed = steady and is_steady, passed and is_passed
        start = "zero-init residual" if zero else "torchvision's"
        # Where PyTorch is not near itself the row says so, and the next one counts.
        chaotic = not steady and not zero
        verdict = " (chaotic)" if chaotic else "" if passed else " **FAILED**"
        yield f"| {case} | {start} | {' | '.join(cells)} |{verdict}", passed or chaotic
        if not chaotic:
            return


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--resnet", default=str(PROJECT / "target/release/resnet"))
    parser.add_argument("--pictures", default=str(make.FASHION_MNIST), help="the folder of Fashion-MNIST's files")
    parser.add_argument("--cases", default=",".join(CASES))
    parser.add_argument("--parts", default="f64,f32", help="f64, f32 or both")
    parser.add_argument("--output", default=str(HERE / "learning-result.md"))
    arguments = parser.parse_args()
    arguments.parts = arguments.parts.split(",")
    pictures, targets = make.read_pictures(arguments.pictures, STEPS * BATCH)
    version = subprocess.run([arguments.resnet, "--version"], capture_output=True, text=True).stdout.split("\n")[0]
    lines = [
        "# Learning as PyTorch does at full size",
        "",
        f"Made by `benches/peers/learning.py` on the first {len(pictures)} pictures of Fashion-MNIST, {BATCH} a step, with {version or 'resnet'}, torch",
        f"{torch.__version__}, {platform.machine()}. SGD: rate {SGD[1]}, momentum 0.9, weight decay 1e-3; Adam: rate {ADAM[1]}. f64: the largest difference of",
        f"{STEPS} losses, and PyTorch's from itself in channels-last layout. f32: the largest differences of the loss and of a gradient (the",
        f"norm of the difference over the norm, over all parameters) at steps {' and '.join(map(str, SAVED))}, each from PyTorch's weights and optimiser state, and",
        "PyTorch's f32 gradients from its f64 ones.",
        "",
        "| case | start | loss in f64 | f64 losses | PyTorch's own | f32 loss | f32 gradients | PyTorch's own |",
        "|---|---|---|---|---|---|---|---|",
    ]
    print("\n".join(lines), flush=True)
    failed = False
    for case in arguments.cases.split(","):
        for line, passed in rows(arguments, case, pictures, targets):
            failed |= not passed
            lines.append(line)
            print(line, flush=True)
    pathlib.Path(arguments.output).write_text("\n".join(lines) + "\n", encoding="utf-8")
    sys.exit(failed)


if __name__ == "__main__":
    main()
