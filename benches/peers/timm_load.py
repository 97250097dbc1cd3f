"""Checks that timm loads the output of `resnet train`: models with the ImageNet stem, trained for a few steps, with equal logits on both sides.

usage: target/peers/bin/python benches/peers/timm_load.py [--resnet target/release/resnet] [--depths 18,50] [--steps 8] [--output FILE]

An image folder is made of the images under assets/images: one class per image, with crops of it of 224 pixels or more.
`resnet train` trains on it for a few steps, so that weights, batch norm statistics and the last layer are those of a run. timm then
loads `best/` in its two ways: the folder (`local-dir:`), whose config.json names architecture, classes and preprocessing, and the
file as a checkpoint of `create_model(architecture, num_classes=...)`. Both models predict the whole images, read by Pillow and
preprocessed by timm's transform, in f64; `resnet predict` predicts the same files.

Prints a table, writes it to `--output` (timm_load-result.md beside this file) and exits with 1 if any model fails: logits that
differ by more than 1e-4 of the largest, or other labels.
"""

import argparse
import json
import os
import pathlib
import platform
import random
import subprocess
import sys
import tempfile
import warnings

warnings.filterwarnings("ignore")
import PIL.Image
import timm
import timm.data
import torch

HERE = pathlib.Path(__file__).parent
PROJECT = HERE.parent.parent
LIMIT = 1e-4
CROPS = {"train": 12, "val": 2}


def cut_dataset(images, folder):
    """Writes crops of each image, at least 224 pixels wide, into a folder named after it."""
    draw = random.Random(0)
    for path in images:
        image = PIL.Image.open(path).convert("RGB")
        for part, count in CROPS.items():
            place = folder / part / path.stem
            place.mkdir(parents=True)
            for index in range(count):
                edge = draw.randint(224, min(image.size))
                left, top = (draw.randint(0, side - edge) for side in image.size)
                image.crop((left, top, left + edge, top + edge)).save(place / f"{index}.png")


def resnet(binary, *arguments):
    command = [binary, *map(str, arguments), "--device", "cpu"]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "HF_HUB_OFFLINE": "1"})
    if done.returncode != 0:
        sys.exit(f"`resnet {arguments[0]}` exited with status {done.returncode}:\n{done.stderr}")
    return done.stdout


def ours(binary, run, images, labels):
    """Returns the logits `[image][class]`, and whether the labels equal `labels`."""
    lines = resnet(binary, "predict", *images, "-m", run, "-f", "json", "-k", len(labels)).splitlines()
    answers = [sorted(json.loads(line)["predictions"], key=lambda one: one["class"]) for line in lines]
    logits = torch.tensor([[one["logit"] for one in answer] for answer in answers], dtype=torch.float64)
    return logits, all([one["label"] for one in answer] == labels for answer in answers)


def theirs(network, images):
    transform = timm.data.create_transform(**timm.data.resolve_data_config({}, model=network), is_training=False)
    batch = torch.stack([transform(PIL.Image.open(path).convert("RGB")) for path in images])
    with torch.no_grad():
        return network.eval().double()(batch.double())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--resnet", default=str(PROJECT / "target/release/resnet"))
    parser.add_argument("--depths", default="18,50")
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--output", default=str(HERE / "timm_load-result.md"))
    arguments = parser.parse_args()
    images = sorted(path for path in (PROJECT / "assets/images").iterdir() if path.suffix in (".png", ".jpg"))
    labels = sorted(path.stem for path in images)
    version = subprocess.run([arguments.resnet, "--version"], capture_output=True, text=True).stdout.split("\n")[0]
    lines = [
        "# Loading the output of `resnet train` in timm",
        "",
        f"Made by `benches/peers/timm_load.py` with {version}: {arguments.steps} steps on crops of {', '.join(path.name for path in images)}, "
        f"then the logits of",
        f"the whole images by `resnet predict` and by timm {timm.__version__} (torch {torch.__version__}, Pillow {PIL.__version__}, "
        f"{platform.machine()}) in f64, from `best/`.",
        "",
        "| model | loaded by timm as | largest difference / largest logit | labels |",
        "|---|---|---|---|",
    ]
    print("\n".join(lines))
    failed = False
    with tempfile.TemporaryDirectory() as temporary:
        temporary = pathlib.Path(temporary)
        cut_dataset(images, temporary / "data")
        for depth in arguments.depths.split(","):
            run = temporary / f"run{depth}"
            resnet(
                arguments.resnet, "train", "-d", temporary / "data", "--depth", depth, "--stem", "imagenet", "--image-size", 224,
                "--batch-size", 8, "--augment", "flip", "--max-steps", arguments.steps, "-o", run,
            )
            config = json.loads((run / "best/config.json").read_text())
            name = config["architecture"]
            answers, same = ours(arguments.resnet, run, images, labels)
            same &= config["label_names"] == labels
            checkpoint = dict(num_classes=len(labels), checkpoint_path=run / "best/model.safetensors")
            # Preprocessing is in config.json, which `create_model` reads only for a folder.
            overlay = {key: config["pretrained_cfg"][key] for key in ("input_size", "crop_pct", "interpolation", "mean", "std")}
            networks = {
                "`local-dir:best`": timm.create_model(f"local-dir:{run / 'best'}", pretrained=True),
                f"`{name}`, `checkpoint_path=`": timm.create_model(name, pretrained_cfg_overlay=overlay, **checkpoint),
            }
            for label, network in networks.items():
                logits = theirs(network, images)
                worst = ((answers - logits).abs().max() / logits.abs().max()).nan_to_num(float("inf")).item()
                passed = worst <= LIMIT and same and logits.shape == answers.shape
                failed |= not passed
                lines.append(f"| {name} | {label} | {worst:.1e} | {'same' if same else 'different'} |{'' if passed else ' **FAILED**'}")
                print(lines[-1], flush=True)
    pathlib.Path(arguments.output).write_text("\n".join(lines) + "\n", encoding="utf-8")
    sys.exit(failed)


if __name__ == "__main__":
    main()
