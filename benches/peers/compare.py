"""Times `resnet` and other libraries on the same work, interleaved round by round, and prints medians and ratios.

usage: target/peers/bin/python benches/peers/compare.py infer|train DEPTH BATCH SIZE [--peers torch,onnxruntime,...] [--rounds 5] [--runs 5] [--threads N] [--resnet PATH] [--dtype f32] [--json]
       target/peers/bin/python benches/peers/compare.py process-predict DEPTH | process-train DEPTH BATCH SIZE [the same]

A round times every contestant in turn (idle ones wait on a pipe), so that the drift of a shared machine affects all alike.
The time of a contestant is the median over all its runs; the ratio is the median of the per-round ratios resnet / peer.

infer: a forward pass of the model with 1,000 classes. train: one complete step of the model with 10 classes and the ImageNet stem
(forward, loss, backward, SGD with momentum 0.9 and weight decay 1e-3) on random images in memory; the time of `resnet` includes waiting
for the batch. Each round starts with three passes or two steps of warm-up. All run on the CPU with `--threads` threads (default: the
number of logical CPUs; with hyper-threading, pass the number of cores); whole processes use their own default.

A peer with a slash is another `resnet` binary: `--peers ./old/resnet` compares two versions (infer and train).

process-predict, process-train: a whole process from start to end, `resnet` and a Python script (`process.py`): its time and its peak
memory. process-predict: reads weights and one image and prints its classes, which must agree. process-train: three steps as above.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PROJECT = os.path.dirname(os.path.dirname(HERE))
IMAGE = os.path.join(PROJECT, "assets/images/cat.png")
PEERS = {"infer": "torch,torch-cl,onnxruntime,openvino", "train": "torch,torch-cl", "process-predict": "onnxruntime,torch", "process-train": "torch,torch-cl"}
STEPS = 3


def training(binary, depth, batch, size, steps, dtype):
    """Returns the command with which `resnet` trains `steps` steps, as workers.py does."""
    return [binary, "train", "--data", f"fake:{batch * steps}:10", "--depth", str(depth), "--image-size", str(size),
            "--batch-size", str(batch), "--optimizer", "sgd", "--lr", "0.01", "--momentum", "0.9", "--weight-decay", "1e-3",
            "--scheduler", "constant", "--warmup-epochs", "0", "--augment", "none", "--stem", "imagenet", "--dtype", dtype, "--max-steps", str(steps), "--dry-run", "--format", "json"]


class Peer:
    def __init__(self, mode, name, depth, batch, size, threads):
        self.name = name
        # Its output is shown if it fails.
        self.errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen([sys.executable, os.path.join(HERE, "workers.py"), mode, name, str(depth), str(batch), str(size), str(threads)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True)
        self.answer("ready")

    def answer(self, expected=None):
        line = self.process.stdout.readline()
        if not line or expected not in (None, line.strip()):
            self.errors.seek(0)
            raise SystemExit(f"{self.name} failed: {line!r}\n{self.errors.read()}")
        return line

    def times(self, runs):
        self.process.stdin.write(f"{runs}\n")
        self.process.stdin.flush()
        return json.loads(self.answer())

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Resnet:
    """Runs the binary anew in each round; it warms up by itself and reports the time of each run as JSON (`summary --time`, `train --format json`)."""

    def __init__(self, a, name="resnet", binary=None):
        self.name, self.binary = name, binary or a.resnet
        self.mode, self.depth, self.batch, self.size, self.dtype, self.threads = a.mode, a.depth, a.batch, a.size, a.dtype, a.threads

    def run(self, command):
        done = subprocess.run([*command, "--device", "cpu", "--threads", str(self.threads)], capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"`{' '.join(command)}` exited with status {done.returncode}:\n{done.stderr}")
        return done.stdout

    def times(self, runs):
        if self.mode == "infer":
            command = [self.binary, "summary", "--depth", str(self.depth), "--input", f"3x{self.size}x{self.size}",
                       "--batch-size", str(self.batch), "--dtype", self.dtype, "--time", str(runs), "--style", "json"]
            return json.loads(self.run(command))["timing"]["forward_ms"]
        command = training(self.binary, self.depth, self.batch, self.size, runs + 2, self.dtype)
        steps = [json.loads(line) for line in self.run(command).splitlines() if '"step_ms"' in line]
        return [step["step_ms"] for step in steps[2:]]

    def close(self):
        pass


class Process:
    """A contestant that is started anew for each run."""

    def __init__(self, name, command):
        self.name, self.command, self.megabytes = name, command, []

    def run(self):
        """Returns the milliseconds from start to end, and the output."""
        start = time.perf_counter()
        process = subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        printed = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        elapsed = (time.perf_counter() - start) * 1e3
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            raise SystemExit(f"`{' '.join(self.command)}` exited with status {process.returncode}")
        self.megabytes.append(usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6)
        return elapsed, printed

    def times(self, runs):
        return [self.run()[0] for _ in range(runs)]

    def close(self):
        pass


def processes(a, names, folder):
    """Returns `resnet` and the peers as whole processes, each run once so that files are cached."""
    script = [sys.executable, os.path.join(HERE, "process.py")]
    if a.mode == "process-train":
        ours = training(a.resnet, a.depth, a.batch, a.size, STEPS, a.dtype)
        theirs = [[*script, "train", name, str(a.depth), str(a.batch), str(a.size), str(STEPS)] for name in names]
    else:
        subprocess.run([*script, "weights", str(a.depth), folder], check=True, capture_output=True)
        ours = [a.resnet, "predict", IMAGE, "-m", os.path.join(folder, "net.safetensors"), "--dtype", a.dtype, "--format", "json"]
        theirs = [[*script, "predict", name, str(a.depth), folder, IMAGE] for name in names]
    contestants = [Process("resnet", [*ours, "--device", "cpu"])] + [Process(*pair) for pair in zip(names, theirs)]
    printed = {c.name: c.run()[1] for c in contestants}
    if a.mode == "process-predict":
        predictions = json.loads(printed["resnet"])["predictions"]
        for name in names:
            rows = [line.split() for line in printed[name].splitlines()]
            same = len(rows) == len(predictions) and all(int(place) == p["class"] and abs(float(logit) - p["logit"]) < 1e-2 for (place, logit), p in zip(rows, predictions))
            if not same:
                raise SystemExit(f"{name} predicts other classes:\n{printed[name]}\n{predictions}")
    return contestants


def main():
    p = argparse.ArgumentParser()
    p.add_argument("mode", choices=["infer", "train", "process-predict", "process-train"])
    p.add_argument("depth", type=int)
    p.add_argument("batch", type=int, nargs="?")
    p.add_argument("size", type=int, nargs="?")
    p.add_argument("--peers", default=None)
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--runs", type=int, default=5)
    p.add_argument("--threads", type=int, default=os.cpu_count())
    p.add_argument("--resnet", default=os.path.join(PROJECT, "target/release/resnet"))
    p.add_argument("--dtype", default="f32")
    p.add_argument("--json", action="store_true")
    a = p.parse_args()
    if a.mode == "process-predict":
        a.batch, a.size = 1, 224
    elif a.size is None:
        p.error(f"{a.mode} needs BATCH and SIZE")
    names = (a.peers or PEERS[a.mode]).split(",")
    with tempfile.TemporaryDirectory() as folder:
        if a.mode.startswith("process"):
            contestants = processes(a, names, folder)
        else:
            contestants = [Resnet(a)] + [Resnet(a, n, n) if os.sep in n else Peer(a.mode, n, a.depth, a.batch, a.size, a.threads) for n in names]
        all_times = {c.name: [] for c in contestants}
        for _ in range(a.rounds):
            for c in contestants:
                all_times[c.name].append(c.times(a.runs))
        for c in contestants:
            c.close()
    median = {n: statistics.median(t for r in rounds for t in r) for n, rounds in all_times.items()}
    ratio = {n: statistics.median(statistics.median(ours) / statistics.median(theirs) for ours, theirs in zip(all_times["resnet"], all_times[n])) for n in names}
    best = max(ratio.values())
    result = {"mode": a.mode, "depth": a.depth, "batch": a.batch, "size": a.size, "dtype": a.dtype, "threads": a.threads, "median_ms": median, "ratio": ratio, "ratio_to_fastest": best}
    megabytes = {c.name: statistics.median(c.megabytes) for c in contestants if isinstance(c, Process)}
    if megabytes:
        result["peak_mb"] = megabytes
    if a.json:
        print(json.dumps(result))
        return
    print(f"{a.mode} ResNet-{a.depth}, batch {a.batch}, {a.size} px, {a.dtype}, {a.threads} threads: resnet {median['resnet']:.1f} ms")
    for n in names:
        print(f"  {n:16} {median[n]:8.1f} ms   resnet / {n} = {ratio[n]:.2f}")
    for n, most in megabytes.items():
        print(f"  {n:16} {most:8.0f} MB peak memory")


if __name__ == "__main__":
    main()
