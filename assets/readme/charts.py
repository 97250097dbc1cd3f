"""The speed chart, drawn from the table in benches/README.md, the chart of the paper's comparison, and the badges."""

import csv
import re

# Rows of the table and their names in the chart.
ROWS = [
    ("ResNet-18, 1 image of 224 px", "ResNet-18, 1 image"),
    ("ResNet-50, 1 image", "ResNet-50, 1 image"),
    ("ResNet-50, 8 images", "ResNet-50, 8 images"),
    ("training step, ResNet-34, 16 images of 224 px", "Training step, ResNet-34, 16 images"),
    ("training step, ResNet-18, 64 images of 32 px", "Training step, ResNet-18, 64 images of 32 px"),
]
PEERS = ["PyTorch", "PyTorch channels-last", "ONNX Runtime", "OpenVINO"]

LIGHT = {"text": "#1f2328", "dim": "#59636e", "ours": "#cf4a1c", "bar": "#afb8c1"}
DARK = {"text": "#e6edf3", "dim": "#9198a1", "ours": "#f0713f", "bar": "#545d68"}


def measurements(readme):
    """Milliseconds by row and by program; PyTorch in the faster of its two layouts."""
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in readme.splitlines() if line.startswith("|")]
    rows = []
    for pattern, name in ROWS:
        [cells] = [cells for cells in table if re.fullmatch(pattern, cells[0]) and len(cells) >= 7]
        ours = float(cells[2])
        ratios = [cell.strip("*") for cell in cells[3:7]]
        times = {peer: ours / float(ratio) for peer, ratio in zip(PEERS, ratios) if ratio}
        slow = times.pop("PyTorch channels-last")
        times["PyTorch"] = min(times["PyTorch"], slow)
        rows.append((name, {"resnet": ours} | times))
    return rows


def speed(rows, colors):
    """Horizontal bars, one group per row, each group on its own scale: its slowest program fills the width."""
    left, width, line, gap = 118, 480, 21, 34
    parts, y = [], 6
    for name, times in rows:
        parts.append(f'<text x="0" y="{y + 14}" font-weight="600" fill="{colors["text"]}">{name}</text>')
        y += 24
        slowest = max(times.values())
        for program, ms in times.items():
            is_ours = program == "resnet"
            length = width * ms / slowest
            weight = ' font-weight="600"' if is_ours else ""
            shown = f"{ms:.1f} ms" if ms < 100 else f"{ms:,.0f} ms"
            times_slower = "" if is_ours else f'<tspan fill="{colors["dim"]}" font-weight="400">  {ms / times["resnet"]:.2f}x</tspan>'
            parts.append(
                f'<text x="{left - 10}" y="{y + 14}" text-anchor="end" fill="{colors["text" if is_ours else "dim"]}"{weight}>{program}</text>'
                f'<rect x="{left}" y="{y + 2}" width="{length:.1f}" height="{line - 5}" rx="2" fill="{colors["ours" if is_ours else "bar"]}"/>'
                f'<text x="{left + length + 8:.1f}" y="{y + 14}" fill="{colors["text"]}"{weight}>{shown}{times_slower}</text>'
            )
            y += line
        y += gap - line
    foot = "Time per batch or step, lower is better. f32, two cores of an x86-64 CPU with AVX-512."
    parts.append(f'<text x="0" y="{y + 12}" fill="{colors["dim"]}">{foot}</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 {y + 22}" width="720" height="{y + 22}" '
        f'font-family="system-ui,-apple-system,\'Segoe UI\',Helvetica,Arial,sans-serif" font-size="13">'
        f"<title>Speed of resnet, PyTorch, ONNX Runtime and OpenVINO</title>{''.join(parts)}</svg>\n"
    )


def errors(metrics):
    """Training and test error in percent by epoch, of a run's metrics.csv."""
    rows = list(csv.DictReader(metrics.splitlines()))
    return [[100 - float(row[column]) for row in rows] for column in ("train_top1", "val_top1")]


def depth(runs, colors):
    """Error by epoch: plain networks on the left, residual ones on the right, as in the paper's figure 6. `runs` maps
    `plain20`, `plain56`, `resnet20` and `resnet56` to their `errors`."""
    top, height, width, lowest, highest = 34, 250, 204, 5, 30
    epochs = len(runs["plain20"][0])
    parts = []
    y = lambda error: top + height * (highest - error) / (highest - lowest)
    for left, kind, title in ((30, "plain", "Plain networks"), (396, "resnet", "Residual networks")):
        x = lambda epoch: left + width * (epoch - 1) / (epochs - 1)
        parts.append(f'<text x="{left}" y="14" font-weight="600" fill="{colors["text"]}">{title}</text>')
        for error in range(lowest, highest + 1, 5):
            parts.append(
                f'<line x1="{left}" x2="{left + width}" y1="{y(error):.1f}" y2="{y(error):.1f}" stroke="{colors["bar"]}" stroke-opacity="0.5"/>'
                f'<text x="{left - 6}" y="{y(error) + 4:.1f}" text-anchor="end" fill="{colors["dim"]}">{error}</text>'
            )
        for epoch in range(1, epochs + 1):
            parts.append(f'<text x="{x(epoch):.1f}" y="{top + height + 18}" text-anchor="middle" fill="{colors["dim"]}">{epoch}</text>')
        ends = []
        for layers, color in ((20, colors["dim"]), (56, colors["ours"])):
            for values, dash in zip(runs[f"{kind}{layers}"], (' stroke-dasharray="5 4"', "")):
                points = " ".join(f"{x(epoch):.1f},{y(error):.1f}" for epoch, error in enumerate(values, 1))
                parts.append(f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="2"{dash} clip-path="url(#{kind})"/>')
            ends.append([y(values[-1]) + 4, f"{layers} layers: {values[-1]:.1f}", color])
        # The names stand at the ends of the test curves, but never on each other.
        ends.sort(key=lambda end: end[0])
        ends[1][0] = max(ends[1][0], ends[0][0] + 15)
        for at, name, color in ends:
            parts.append(f'<text x="{left + width + 6}" y="{at:.1f}" font-weight="600" fill="{color}">{name}</text>')
        parts.append(f'<clipPath id="{kind}"><rect x="{left - 2}" y="{top}" width="{width + 4}" height="{height + 2}"/></clipPath>')
    foot = "Error in percent by epoch. Solid: test images. Dashed: training images, averaged over the epoch."
    parts.append(f'<text x="0" y="{top + height + 46}" fill="{colors["dim"]}">{foot}</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 {top + height + 56}" width="720" height="{top + height + 56}" '
        f'font-family="system-ui,-apple-system,\'Segoe UI\',Helvetica,Arial,sans-serif" font-size="13">'
        f"<title>Error of plain and residual networks with 20 and 56 layers</title>{''.join(parts)}</svg>\n"
    )


def badge(label, value, color):
    """A badge in the usual form. The letters' widths are fixed, so that every font fits."""
    pad, letter = 7, 6.6
    widths = [len(text) * letter for text in (label, value)]
    left, right = (width + 2 * pad for width in widths)
    total = left + right
    texts = "".join(
        f'<text x="{x:.1f}" y="14" textLength="{width:.1f}" lengthAdjust="spacingAndGlyphs">{text}</text>'
        for x, width, text in ((pad, widths[0], label), (left + pad, widths[1], value))
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{total:.0f}" height="20" role="img" aria-label="{label}: {value}">'
        f'<title>{label}: {value}</title><clipPath id="r"><rect width="{total:.0f}" height="20" rx="3"/></clipPath>'
        f'<g clip-path="url(#r)"><rect width="{total:.0f}" height="20" fill="#444c56"/>'
        f'<rect x="{left:.1f}" width="{right:.1f}" height="20" fill="{color}"/></g>'
        f'<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">{texts}</g></svg>\n'
    )


def badges(cargo):
    """The badges by file name, from what Cargo.toml says."""
    value = lambda key: re.search(rf'^{key} = "(.*)"$', cargo, re.M)[1]
    return {
        "badge-license.svg": badge("license", value("license").replace(" OR ", " or "), "#1f6feb"),
        "badge-rust.svg": badge("rust", f"{value('rust-version')}+", "#b7410e"),
        "badge-platforms.svg": badge("platforms", "Linux | macOS | Windows", "#57606a"),
        "badge-python.svg": badge("python", "not needed", "#2da44e"),
    }
