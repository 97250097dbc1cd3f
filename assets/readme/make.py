#!/usr/bin/env python3
"""Makes the images of the README and of docs/ from real runs of the release binary.

    cargo build --release
    python3 -m venv target/readme-env && target/readme-env/bin/pip install -r assets/readme/requirements.txt
    target/readme-env/bin/python assets/readme/make.py [charts] [photograph] [terminal] [report]

Without names it makes them all. `charts` needs no package and no run. `photograph` trains a ResNet-18 on crops of photographs for a few minutes,
`terminal` trains the README's first example for half a minute, and `report` shows that run. Needs Chromium
(`RESNET_CHROMIUM` names another one); `RESNET_BINARY` names another binary.
"""

import html
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import charts

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BINARY = Path(os.environ.get("RESNET_BINARY") or ROOT / "target/release/resnet").absolute()
WORK = ROOT / "target/readme"
TRAIN = "resnet train -d sample --depth 20 --epochs 3"


def run(command, folder=WORK):
    """Runs a line that starts with `resnet` and returns its standard output."""
    words = command.split()
    assert words[0] == "resnet"
    done = subprocess.run([BINARY, *words[1:]], cwd=folder, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout


def fresh(name):
    """An empty folder below target/."""
    folder = WORK / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def screenshot(page, file, width, height=None, scheme="light", quality=None):
    """Saves a page, or its upper part, as WebP at two device pixels per CSS pixel: lossless without `quality`."""
    from PIL import Image
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = os.environ.get("RESNET_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        view = browser.new_page(
            viewport={"width": width, "height": height or 200}, device_scale_factor=2, color_scheme=scheme
        )
        view.goto(page.resolve().as_uri())
        view.wait_for_timeout(500)
        image = Image.open(io.BytesIO(view.screenshot(full_page=height is None))).convert("RGB")
        browser.close()
    if quality:
        image.save(HERE / file, quality=quality, method=6)
    else:
        image.save(HERE / file, lossless=True, method=6)


def make_charts():
    rows = charts.measurements((ROOT / "benches/README.md").read_text())
    logs = {file.stem: charts.errors(file.read_text()) for file in (ROOT / "models/fashion-depth").glob("*.csv")}
    for scheme, colors in (("light", charts.LIGHT), ("dark", charts.DARK)):
        (HERE / f"speed-{scheme}.svg").write_text(charts.speed(rows, colors))
        (HERE / f"depth-{scheme}.svg").write_text(charts.depth(logs, colors))
    for name, badge in charts.badges((ROOT / "Cargo.toml").read_text()).items():
        (HERE / name).write_text(badge)


CARD = """<!doctype html><meta charset="utf-8"><style>
:root { color-scheme: light dark; --page: #fff; --edge: #d0d7de; --text: #1f2328; --dim: #59636e; --bar: #d8dee4; --top: #cf4a1c }
@media (prefers-color-scheme: dark) { :root { --page: #0d1117; --edge: #30363d; --text: #e6edf3; --dim: #9198a1; --bar: #373e47; --top: #f0713f } }
* { box-sizing: border-box; margin: 0 }
body { background: var(--page); color: var(--text); font: 15px/1.35 system-ui, "DejaVu Sans", sans-serif; width: 451px; overflow: hidden }
img { display: block; width: 451px }
ol { list-style: none; padding: 14px 16px 16px; border: 1px solid var(--edge); border-top: 0; height: HEIGHTpx }
li { display: grid; grid-template-columns: 92px 1fr 62px; align-items: center; gap: 10px; height: 27px; color: var(--dim) }
li:first-child { color: var(--text); font-weight: 600 }
i { display: block; height: 12px; border-radius: 2px; background: var(--bar); min-width: 2px }
li:first-child i { background: var(--top) }
b { font-weight: inherit; text-align: right; font-variant-numeric: tabular-nums }
</style><img src="IMAGE"><ol>ROWS</ol>"""


def make_photograph():
    """The cat, explained by a model that was trained on crops of five photographs."""
    import photos

    folder = fresh("photograph")
    photos.crops(folder / "photos")
    run("resnet train -d photos --depth 18 --image-size 128 --epochs 6 --augment flip -o run", folder)
    line = run(f"resnet predict {ROOT / 'assets/images/cat.png'} -m run -k 5 -f json --explain explained --image-size 256x384 --crop-pct 1 --crop-mode squash", folder)
    [explained] = (folder / "explained").glob("*.png")
    rows = "".join(
        f"<li>{html.escape(each['label'])}<i style='width:{100 * each['probability']:.1f}%'></i><b>{100 * each['probability']:.1f} %</b></li>"
        for each in json.loads(line)["predictions"]
    )
    page = folder / "card.html"
    page.write_text(CARD.replace("IMAGE", explained.as_uri()).replace("ROWS", rows).replace("HEIGHT", "184"))
    for scheme in ("light", "dark"):
        screenshot(page, f"explained-{scheme}.webp", 451, scheme=scheme, quality=92)


def make_terminal():
    """The README's first example, sped up to twelve seconds, and a prediction by the bundled model."""
    import terminal

    folder = fresh("terminal")
    shutil.copy(ROOT / "assets/images/boot.png", folder)
    recording = terminal.Recording()
    for command, seconds, pause in ((TRAIN, 12, 1.5), ("resnet predict boot.png -m sample -k 3", 1, 0)):
        recording.type(command)
        recording.run([BINARY, *command.split()[1:]], folder, seconds)
        recording.pause(pause)
    for scheme, colors in (("light", terminal.LIGHT), ("dark", terminal.DARK)):
        drawn = terminal.svg(recording, colors, f"{TRAIN}, and a prediction")
        (HERE / f"terminal-{scheme}.svg").write_text(drawn)


def make_report():
    """The upper part of the report of the run that `terminal` recorded."""
    [page] = (WORK / "terminal/runs").glob("*/report.html")
    for scheme in ("light", "dark"):
        screenshot(page, f"report-{scheme}.webp", 1100, 800, scheme)


PARTS = {"charts": make_charts, "photograph": make_photograph, "terminal": make_terminal, "report": make_report}

if __name__ == "__main__":
    WORK.mkdir(parents=True, exist_ok=True)
    for part in sys.argv[1:] or PARTS:
        PARTS[part]()
