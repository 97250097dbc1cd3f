"""Checks that `resnet predict` returns the same logits as PyTorch at full depth, for the same weights and the same images.

usage: target/peers/bin/python benches/peers/parity.py [IMAGE...] [--resnet target/release/resnet] [--nets resnet18,...] [--output FILE]

Models of all five depths (and two variants) with seeded random weights are saved in the usual ways: torchvision's state dict
(`.pth`, and `.safetensors`), timm's folder (`model.safetensors` with `config.json`) and transformers' folder. The statistics of batch
norm are first computed from the images, so that activations keep their scale over 152 layers, and then randomized, as are its scales
and shifts. `resnet predict` then runs on the images, and PyTorch on the same images read by Pillow and preprocessed by torchvision's
or timm's own transforms. All logits are compared, and the order of the top five classes.

Prints a table, writes it to `--output` (parity-result.md beside this file) and exits with 1 if any model fails: logits that differ
by more than 1e-4 of the largest, or another top-5.
"""

import argparse
import copy
import json
import os
import pathlib
import platform
import subprocess
import sys
import tempfile
import warnings

warnings.filterwarnings("ignore")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
import PIL.Image
import safetensors.torch
import timm
import timm.data
import timm.models
import torch
import torchvision
import transformers

transformers.utils.logging.disable_progress_bar()
from torchvision import transforms

HERE = pathlib.Path(__file__).parent
PROJECT = HERE.parent.parent
DEPTHS = ["resnet18", "resnet34", "resnet50", "resnet101", "resnet152"]
RELATIVES = ["resnext50_32x4d", "wide_resnet50_2"]
TIMM_TAGS = {"resnet18": "a1_in1k", "resnet34": "a1_in1k", "resnet50": "a1_in1k", "resnet101": "a1h_in1k", "resnet152": "a1h_in1k"}
LIMIT = 1e-4


def short_edge_and_crop(resize, interpolation):
    """Returns torchvision's evaluation transform for Pillow images: resize the short edge, crop 224, ImageNet's statistics."""
    return transforms.Compose(
        [
            transforms.Resize(resize, interpolation),
            transforms.CenterCrop(224),
            transforms.ToTensor(),
            transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        ]
    )


BILINEAR = short_edge_and_crop(256, transforms.InterpolationMode.BILINEAR)
BICUBIC = short_edge_and_crop(256, transforms.InterpolationMode.BICUBIC)


def answer(network, batch):
    output = network(batch)
    return getattr(output, "logits", output)


def randomize(network, batch, seed, others=lambda network: None, branches=1.0):
    """Randomizes all weights from a seed, those of other layers by `others`; `branches` scales what blocks add to their shortcuts; batch norm statistics stay near those of `batch`, and a tenth of its scales are negative."""
    generator = torch.Generator().manual_seed(seed)
    normal = lambda like: torch.randn(like.shape, generator=generator)
    uniform = lambda like: torch.rand(like.shape, generator=generator)
    norms = [module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, torch.nn.Conv2d):
                fan_out = module.out_channels * module.kernel_size[0] ** 2
                module.weight.copy_(normal(module.weight) * (2.0 / fan_out) ** 0.5)
            elif isinstance(module, torch.nn.Linear):
                head = module
                module.weight.copy_(normal(module.weight))
                module.bias.copy_(normal(module.bias))
        others(network)
        for norm in norms:
            sign = torch.where(uniform(norm.weight) < 0.1, -1.0, 1.0)
            norm.weight.copy_((uniform(norm.weight) + 0.3) * sign)
            norm.bias.copy_(normal(norm.bias) * 0.2)
            norm.momentum = 1.0
        for module in network.modules():
            if hasattr(module, "bn2"):
                getattr(module, "bn3", module.bn2).weight.mul_(branches)
        network.train()(batch)
        for norm in norms:
            norm.momentum = 0.1
            norm.running_mean.add_(normal(norm.running_mean) * 0.2 * norm.running_var.sqrt())
            norm.running_var.mul_(uniform(norm.running_var) + 0.5)
        # Logits of the scale of a trained network, whatever has accumulated over the depth.
        logits = answer(network.eval(), batch)
        head.weight.mul_(20 / logits.abs().max())
    return network


def torchvision_network(name, folder, batch):
    """Yields a state dict saved in two formats, which contain only names, shapes and values."""
    network = randomize(getattr(torchvision.models, name)(), batch, 1)
    torch.save(network.state_dict(), folder / f"{name}.pth")
    yield "torchvision .pth", folder / f"{name}.pth", network, BILINEAR
    safetensors.torch.save_file(network.state_dict(), folder / f"{name}.safetensors")
    yield "torchvision .safetensors", folder / f"{name}.safetensors", network, BILINEAR


def timm_network(name, folder, batch):
    """Yields timm's folder; its preprocessing is read from its config, bicubic with another crop than torchvision's."""
    network = randomize(timm.create_model(f"{name}.{TIMM_TAGS[name]}", pretrained=False), batch, 2)
    timm.models.save_for_hf(network, folder / "timm", safe_serialization=True)
    transform = timm.data.create_transform(**timm.data.resolve_data_config({}, model=network), is_training=False)
    yield "timm folder", folder / "timm", network, transform


def transformers_network(name, folder, batch):
    """Yields transformers' folder: v1 strides at depth 50, the default v1.5 at the others."""
    block, expansion = ("basic", 1) if name in ("resnet18", "resnet34") else ("bottleneck", 4)
    depths = {18: [2, 2, 2, 2], 34: [3, 4, 6, 3], 50: [3, 4, 6, 3], 101: [3, 4, 23, 3], 152: [3, 8, 36, 3]}
    config = transformers.ResNetConfig(
        embedding_size=64,
        hidden_sizes=[planes * expansion for planes in (64, 128, 256, 512)],
        depths=depths[int(name.removeprefix("resnet"))],
        layer_type=block,
        downsample_in_bottleneck=name == "resnet50",
        num_labels=1000,
    )
    network = randomize(transformers.ResNetForImageClassification(config), batch, 3)
    network.save_pretrained(folder / "transformers")
    preprocessor = {
        "crop_pct": 0.875,
        "do_normalize": True,
        "do_resize": True,
        "image_mean": [0.485, 0.456, 0.406],
        "image_processor_type": "ConvNextImageProcessor",
        "image_std": [0.229, 0.224, 0.225],
        "resample": 3,
        "size": {"shortest_edge": 224},
    }
    (folder / "transformers" / "preprocessor_config.json").write_text(json.dumps(preprocessor))
    label = "transformers folder (v1)" if config.downsample_in_bottleneck else "transformers folder"
    yield label, folder / "transformers", network, BICUBIC


def read(path):
    return PIL.Image.open(path).convert("RGB")


def ours(binary, model, images):
    command = [binary, "predict", *map(str, images), "-m", str(model), "-f", "json", "-k", "1000"]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "HF_HUB_OFFLINE": "1"})
    if done.returncode != 0:
        message = done.stderr.strip().splitlines()[0].replace(str(model), model.name)
        raise RuntimeError(f"status {done.returncode}: {message}")
    answers = [json.loads(line)["predictions"] for line in done.stdout.splitlines()]
    assert len(answers) == len(images), f"{len(answers)} lines for {len(images)} images"
    return answers


def theirs(network, transform, images):
    batch = torch.stack([transform(read(path)) for path in images])
    with torch.no_grad():
        return answer(copy.deepcopy(network).double(), batch.double())


def compare(answers, logits):
    """Returns the largest difference relative to the largest logit, and the number of images with the same top five in the same order."""
    worst, same = 0.0, 0
    for answer, row in zip(answers, logits):
        got = torch.full_like(row, float("nan"))
        for prediction in answer:
            got[prediction["class"]] = prediction["logit"]
        worst = max(worst, ((got - row).abs().max() / row.abs().max()).nan_to_num(float("inf")).item())
        same += [prediction["class"] for prediction in answer[:5]] == row.topk(5).indices.tolist()
    return worst, same


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", nargs="*", help="images (default: those under assets/)")
    parser.add_argument("--resnet", default=str(PROJECT / "target/release/resnet"))
    parser.add_argument("--nets", default=",".join(DEPTHS + RELATIVES))
    parser.add_argument("--output", default=str(HERE / "parity-result.md"))
    arguments = parser.parse_args()
    images = arguments.images or sorted(
        path for path in (PROJECT / "assets").rglob("*") if path.suffix.lower() in (".png", ".jpg", ".jpeg", ".webp")
    )
    if not images:
        sys.exit("no images: name some, or put some under assets/")
    version = subprocess.run([arguments.resnet, "--version"], capture_output=True, text=True).stdout.split("\n")[0]
    lines = [
        "# Parity with PyTorch at full depth",
        "",
        f"Made by `benches/peers/parity.py` on {', '.join(pathlib.Path(path).name for path in images)} with {version or 'resnet'}, torch {torch.__version__},",
        f"torchvision {torchvision.__version__}, timm {timm.__version__}, transformers {transformers.__version__}, "
        f"Pillow {PIL.__version__}, {platform.machine()}. PyTorch computed in f64 from the same f32 weights.",
        "",
        "| model | saved by | largest difference / largest logit | same top-5 |",
        "|---|---|---|---|",
    ]
    print("\n".join(lines))
    failed = False
    with tempfile.TemporaryDirectory() as temporary:
        batch = torch.stack([BILINEAR(read(path)) for path in images])
        # Noise in addition to the few images, so that statistics are computed from more than a handful of values.
        batch = torch.cat([batch[:4], torch.randn(4, 3, 224, 224, generator=torch.Generator().manual_seed(0))])
        for name in arguments.nets.split(","):
            sources = [torchvision_network] if name in RELATIVES else [torchvision_network, timm_network, transformers_network]
            for source in sources:
                with tempfile.TemporaryDirectory(dir=temporary) as folder:
                    for label, path, network, transform in source(name, pathlib.Path(folder), batch):
                        try:
                            answers = ours(arguments.resnet, path, images)
                            worst, same = compare(answers, theirs(network, transform, images))
                            passed = worst <= LIMIT and same == len(images)
                            cells = f"{worst:.1e} | {same} of {len(images)}"
                        except RuntimeError as error:
                            passed, cells = False, f"{error} |"
                        failed |= not passed
                        lines.append(f"| {name} | {label} | {cells}{'' if passed else ' **FAILED**'} |")
                        print(lines[-1], flush=True)
    pathlib.Path(arguments.output).write_text("\n".join(lines) + "\n", encoding="utf-8")
    sys.exit(failed)


if __name__ == "__main__":
    main()
