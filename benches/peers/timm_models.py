"""Checks that `resnet predict` returns timm's logits for every entry of timm's `models/resnet.py`.

usage: target/peers/bin/python benches/peers/timm_models.py [--resnet target/release/resnet] [--models NAME,...] [--output FILE]

Each network gets seeded random weights and shaken statistics, as in `parity.py`, and is saved as timm saves it for the hub. `resnet predict`
and timm, in f64, then classify images under assets/. Prints a table with the parameters and multiply-adds that `resnet summary` counts,
writes it to `--output` (timm_models-result.md beside this file) and exits with 1 if any network fails: logits that differ by more than 1e-4
of the largest, other top-5 classes, or another number of parameters.
"""

import argparse
import pathlib
import re
import subprocess
import sys
import tempfile

import parity
import timm
import torch

HERE = pathlib.Path(__file__).parent


def shake_other_layers(network):
    """Randomizes what `parity.randomize` leaves alone: group norm, and attention, whose factors stay near a half, as in trained networks.

    Factors of 0 and 1 by chance would make a deep network chaotic, as would blocks that add more than their shortcuts: PyTorch's own f32 would
    then be far from its f64.
    """
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if ".se." in name:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.1 / max(parameter[0].numel(), 1) ** 0.5)
        for module in network.modules():
            if isinstance(module, torch.nn.GroupNorm):
                module.weight.copy_(torch.rand(module.weight.shape, generator=generator) + 0.5)
                module.bias.copy_(torch.randn(module.bias.shape, generator=generator) * 0.2)


def counts(binary, name):
    """Returns the parameters and multiply-adds of the network by `resnet summary`."""
    text = subprocess.run([binary, "summary", "--arch", name, "--style", "torchinfo"], capture_output=True, text=True, check=True).stdout
    number = lambda label: float(re.search(label + r"[^:]*: *([\d.,]+)", text)[1].replace(",", ""))
    return int(number("Total params")), number(r"Total mult-adds \(G\)") * 1e9


def check(binary, name, images):
    """Returns the cells of a row, and whether the network passes."""
    transform_of = lambda network: timm.data.create_transform(**timm.data.resolve_data_config({}, model=network), is_training=False)
    network = timm.create_model(name)
    size = network.default_cfg["input_size"][1]
    noise = torch.randn(4, 3, size, size, generator=torch.Generator().manual_seed(0))
    transform = transform_of(network)
    batch = torch.cat([torch.stack([transform(parity.read(path)) for path in images]), noise])
    parity.randomize(network, batch, 4, shake_other_layers, branches=0.3)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / name
        timm.models.save_for_hf(network, path, safe_serialization=True)
        try:
            answers = parity.ours(binary, path, images)
            worst, same = parity.compare(answers, parity.theirs(network, transform, images))
            counted, mult_adds = counts(binary, name)
        except (RuntimeError, subprocess.CalledProcessError) as error:
            return f"{error} | | | |", False
    passed = worst <= parity.LIMIT and same == len(images) and counted == parameters
    cells = f"{counted / 1e6:.1f} M | {mult_adds / 1e9:.2f} G | {size} | {worst:.1e} | {same} of {len(images)}"
    return cells, passed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--resnet", default=str(parity.PROJECT / "target/release/resnet"))
    parser.add_argument("--models", default=",".join(timm.list_models(module="resnet")))
    parser.add_argument("--output", default=str(HERE / "timm_models-result.md"))
    arguments = parser.parse_args()
    images = sorted((parity.PROJECT / "assets/images").glob("*.png"))[:2]
    version = subprocess.run([arguments.resnet, "--version"], capture_output=True, text=True).stdout.split("\n")[0]
    lines = [
        "# All of timm's models/resnet.py",
        "",
        f"Made by `benches/peers/timm_models.py` with {version}, timm {timm.__version__}, torch {torch.__version__}. timm computed in f64 from",
        "the same f32 weights; parameters and multiply-adds are those of `resnet summary` at 224 px.",
        "",
        "| model | parameters | multiply-adds | px | largest difference / largest logit | same top-5 |",
        "|---|---|---|---|---|---|",
    ]
    print("\n".join(lines))
    failed = False
    for name in arguments.models.split(","):
        cells, passed = check(arguments.resnet, name, images)
        failed |= not passed
        lines.append(f"| {name} | {cells}{'' if passed else ' **FAILED**'} |")
        print(lines[-1], flush=True)
    pathlib.Path(arguments.output).write_text("\n".join(lines) + "\n", encoding="utf-8")
    sys.exit(failed)


if __name__ == "__main__":
    main()
