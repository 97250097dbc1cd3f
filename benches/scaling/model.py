"""A model of the time of a training step of ResNet-50 on many processes, from measurements on one machine.

    python3 benches/scaling/model.py [benches/scaling/measured.json]

Prints Markdown tables: weak scaling (32 images per process), strong scaling (batches of 8,192 images), and, where `measured.json`
has runs in namespaces, the model beside them. docs/scaling.md explains the formula. `measure.py` writes `measured.json`.
Standard library only.
"""

import json
import math
import pathlib
import sys

HERE = pathlib.Path(__file__).parent
COUNTS = [1, 2, 4, 8, 64, 512, 1024]
# Gradients go when a block has them, together from this many bytes on.
BUCKET = 4 << 20
# Messages that an all-to-all has under way at a time (MPICH's default).
TOGETHER = 32
# The backward pass computes two products where the forward pass computes one.
BACKWARD = 2 / 3
# Networks and nodes that the tables show: bytes per second, seconds; seconds per image and per step, cores.
NETWORKS = {"1 Gb/s, 0.5 ms": (0.118e9, 500e-6), "10 Gb/s, 50 µs": (1.18e9, 50e-6), "100 Gb/s, 5 µs": (11.8e9, 5e-6)}
FAST_NODE = "64 cores (assumed)"


def blocks():
    """Returns (multiplications of the backward pass per image, parameters) of ResNet-50's parts at 224 px, in its order."""
    parts = []

    def part(convolutions, others=0):
        """`convolutions` are (in, out, kernel, output pixels per side)."""
        products = sum(a * b * k * k * side * side for a, b, k, side in convolutions)
        parameters = sum(a * b * k * k + 2 * b for a, b, k, _ in convolutions)
        parts.append((2 * products, parameters + others))

    # The images need no gradient.
    part([(3, 64, 7, 112)])
    parts[0] = (parts[0][0] / 2, parts[0][1])
    channels = 64
    for width, count, side in ((64, 3, 56), (128, 4, 28), (256, 6, 14), (512, 3, 7)):
        for index in range(count):
            before = side * 2 if index == 0 and width > 64 else side
            convolutions = [(channels, width, 1, before), (width, width, 3, side), (width, 4 * width, 1, side)]
            if index == 0:
                convolutions.append((channels, 4 * width, 1, side))
            part(convolutions)
            channels = 4 * width
    parts.append((2 * 2048 * 1000, 2048 * 1000 + 1000))
    return parts


PARTS = blocks()
GRADIENT = 4 * sum(parameters for _, parameters in PARTS)


def buckets(backward):
    """Returns (when it is ready, bytes) of each bucket of a backward pass of `backward` seconds."""
    work = sum(products for products, _ in PARTS)
    now, held, found = 0.0, 0, []
    for products, parameters in reversed(PARTS):
        now += backward * products / work
        held += 4 * parameters
        if held >= BUCKET:
            found.append((now, held))
            held = 0
    return found + [(now, held)] * (held > 0)


def sum_seconds(count, processes, bandwidth, latency):
    """The time to sum `count` bytes: an all-to-all of chunks and a ring that gathers them."""
    others = processes - 1
    rounds = math.ceil(others / TOGETHER) + others
    return rounds * latency + 2 * others / processes * count / bandwidth


def step(processes, images, node, network, cpu=0.0, noise=0.0):
    """Returns the seconds of a step of `images` per process, and those in which it only waits for sums."""
    per_image, per_step, cores = node
    bandwidth, latency = network
    traffic = 4 * (processes - 1) / processes * GRADIENT
    slower = 1 + noise * math.sqrt(2 * math.log(processes)) if processes > 1 else 1
    forward = (1 - BACKWARD) * per_image * images * slower
    backward = BACKWARD * per_image * images * slower + traffic * cpu / cores
    end = 0.0
    if processes > 1:
        for ready, count in buckets(backward):
            end = max(end, ready) + sum_seconds(count, processes, bandwidth, latency)
    waits = max(0.0, end - backward)
    return forward + backward + waits + per_step, waits


def end_of(efficiencies):
    """The last count of processes up to which all efficiencies are at least one half."""
    last = None
    for processes, efficiency in efficiencies:
        if efficiency < 0.5:
            return last
        last = processes
    return last


def nodes(measured):
    """The measured node, and one that is as many times faster as it has more cores."""
    points = sorted((point["images"], point["seconds"]) for point in measured["steps"])
    (few, quick), (many, slow) = points[0], points[-1]
    per_image = (slow - quick) / (many - few)
    # What does not depend on the images; noise must not make it negative.
    per_step = max(0.0, quick - per_image * few)
    cores = measured["threads"]
    times = 64 / cores
    return {f"{cores} core{'s' * (cores > 1)} (measured)": (per_image, per_step, cores), FAST_NODE: (per_image / times, per_step / times, 64)}


def table(title, measured, images_of):
    """Prints a table: a row per node and network, a column per count of processes."""
    print(f"\n{title}\n")
    print("| node | network | " + " | ".join(f"{count:,}" for count in COUNTS) + " | at least half up to |")
    print("|---|---|" + "---|" * (len(COUNTS) + 1))
    for name, node in nodes(measured).items():
        for network, numbers in NETWORKS.items():
            found, powers = {}, [2**exponent for exponent in range(17)]
            for processes in sorted({*COUNTS, *powers}):
                images = images_of(processes)
                alone, _ = step(1, images * processes if images_of is strong else images, node, numbers)
                seconds, waits = step(processes, images, node, numbers, measured["cpu"], measured["noise"])
                ideal = alone / processes if images_of is strong else alone
                found[processes] = (seconds, waits, ideal / seconds)
            cells = (f"{found[count][0]:.2f} s, {100 * found[count][2]:.0f} %" for count in COUNTS)
            last = end_of([(count, found[count][2]) for count in powers])
            print(f"| {name} | {network} | " + " | ".join(cells) + f" | {last:,} |")


def weak(_):
    return 32


def strong(processes):
    return 8192 / processes


def checks(measured):
    if not measured.get("checks"):
        print("\nNo runs in namespaces have been measured yet.")
        return
    print("\n### The model beside measurements in network namespaces\n")
    print("| network | processes | images each | alone | with sums | ratio | model | model / measured |")
    print("|---|---|---|---|---|---|---|---|")
    for check in measured["checks"]:
        network = measured["networks"][check["network"]]
        node = (check["alone"] / check["images"], 0.0, check["cores"])
        seconds, _ = step(check["processes"], check["images"], node, (network["bandwidth"], network["latency"]), network["cpu"])
        print(
            f"| {check['network']} | {check['processes']} | {check['images']} | {check['alone']:.3f} s | {check['seconds']:.3f} s "
            f"| {check['seconds'] / check['alone']:.3f} | {seconds:.3f} s | {seconds / check['seconds']:.2f} |"
        )


def main():
    path = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "measured.json"
    measured = json.loads(path.read_text())
    print(f"Made by `python3 benches/scaling/model.py` from {measured['about']}.")
    print(f"\nResNet-50 has {GRADIENT / 1e6:.1f} MB of gradients in {len(buckets(1.0))} buckets of {BUCKET >> 20} MiB or more.")
    for network, numbers in measured.get("networks", {}).items():
        print(
            f"\nMeasured network `{network}`: {numbers['bandwidth'] / 1e6:.0f} MB/s per direction, "
            f"{1e6 * numbers['latency']:.0f} µs, {1e9 * numbers['cpu']:.2f} core-seconds per GB sent or received."
        )
    table("### Weak scaling: 32 images per process", measured, weak)
    table("### Strong scaling: 8,192 images per step", measured, strong)
    checks(measured)


if __name__ == "__main__":
    main()
