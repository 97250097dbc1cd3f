"""Times `resnet` and its peers on the same work, interleaved round by round, and prints medians and ratios.

usage: target/peers/bin/python benches/peers/compare.py infer|train DEPTH BATCH SIZE [--peers torch,onnxruntime,...] [--rounds 5] [--runs 5] [--resnet PATH] [--dtype f32] [--json]

A round times every contestant in turn (idle ones wait on a pipe), so drift of a shared machine hits all alike.
The figure of a contestant is the median over all its runs; the ratio is the median of the per-round ratios resnet / peer.

infer: a forward pass of the net for 1000 classes. train: one whole step of the net for 10 classes with ImageNet's stem (forward, loss, backward,
SGD of momentum .9 and decay 1e-3) on random pictures in memory, after two that are not counted; `resnet` counts its wait for
the batch, too. All compute on the CPU, with as many threads as it has cores.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


class Peer:
    def __init__(self, mode, name, depth, batch, size):
        self.name = name
        self.process = subprocess.Popen([sys.executable, os.path.join(HERE, "workers.py"), mode, name, str(depth), str(batch), str(size)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        line = self.process.stdout.readline()
        if line.strip() != "ready":
            raise SystemExit(f"{name} did not start: {line!r}")

    def times(self, runs):
        self.process.stdin.write(f"{runs}\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Resnet:
    """Runs the binary afresh each round; it warms up itself and reports per-run times as JSON (`summary --time`, `train --format json`)."""
    name = "resnet"

    def __init__(self, mode, binary, depth, batch, size, dtype):
        self.mode, self.binary, self.depth, self.batch, self.size, self.dtype = mode, binary, depth, batch, size, dtype

    def run(self, command):
        done = subprocess.run([*command, "--device", "cpu"], capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"`{' '.join(command)}` ended with status {done.returncode}:\n{done.stderr}")
        return done.stdout

    def times(self, runs):
        if self.mode == "infer":
            command = [self.binary, "summary", "--depth", str(self.depth), "--input", f"3x{self.size}x{self.size}",
                       "--batch-size", str(self.batch), "--dtype", self.dtype, "--time", str(runs), "--style", "json"]
            return json.loads(self.run(command))["timing"]["forward_ms"]
        command = [self.binary, "train", "--data", f"fake:{self.batch * (runs + 2)}:10", "--depth", str(self.depth), "--image-size", str(self.size),
                   "--batch-size", str(self.batch), "--optimizer", "sgd", "--lr", "0.01", "--momentum", "0.9", "--weight-decay", "1e-3",
                   "--scheduler", "constant", "--warmup-epochs", "0", "--augment", "none", "--stem", "imagenet", "--dtype", self.dtype, "--max-steps", str(runs + 2), "--dry-run", "--format", "json"]
        steps = [json.loads(line) for line in self.run(command).splitlines() if '"step_ms"' in line]
        return [step["step_ms"] for step in steps[2:]]

    def close(self):
        pass


def main():
    p = argparse.ArgumentParser()
    p.add_argument("mode", choices=["infer", "train"])
    p.add_argument("depth", type=int)
    p.add_argument("batch", type=int)
    p.add_argument("size", type=int)
    p.add_argument("--peers", default=None)
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--runs", type=int, default=5)
    p.add_argument("--resnet", default="target/release/resnet")
    p.add_argument("--dtype", default="f32")
    p.add_argument("--json", action="store_true")
    a = p.parse_args()
    names = (a.peers or ("torch,torch-cl,onnxruntime,openvino" if a.mode == "infer" else "torch,torch-cl")).split(",")
    contestants = [Resnet(a.mode, a.resnet, a.depth, a.batch, a.size, a.dtype)] + [Peer(a.mode, n, a.depth, a.batch, a.size) for n in names]
    all_times = {c.name: [] for c in contestants}
    for _ in range(a.rounds):
        for c in contestants:
            all_times[c.name].append(c.times(a.runs))
    for c in contestants:
        c.close()
    median = {n: statistics.median(t for r in rounds for t in r) for n, rounds in all_times.items()}
    ratio = {n: statistics.median(statistics.median(ours) / statistics.median(theirs) for ours, theirs in zip(all_times["resnet"], all_times[n])) for n in names}
    best = max(ratio.values())
    result = {"mode": a.mode, "depth": a.depth, "batch": a.batch, "size": a.size, "dtype": a.dtype, "median_ms": median, "ratio": ratio, "ratio_to_fastest": best}
    if a.json:
        print(json.dumps(result))
        return
    print(f"{a.mode} ResNet-{a.depth}, batch {a.batch}, {a.size} px, {a.dtype}: resnet {median['resnet']:.1f} ms")
    for n in names:
        print(f"  {n:16} {median[n]:8.1f} ms   resnet / {n} = {ratio[n]:.2f}")


if __name__ == "__main__":
    main()
