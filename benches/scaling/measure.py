"""Measures what `model.py` needs, and training in network namespaces, on one machine that does nothing else.

    MPIEXEC=.../mpiexec python3 benches/scaling/measure.py [--alone] [RESNET]

RESNET is the binary (default: target/release/resnet). The script needs root for the namespaces (`namespaces.sh`). Each host trains
ResNet-50 at 224 px with one thread. "Alone" are as many processes as hosts, each with its own images and without sums, at the
same time, so that sums are all that differs. Writes `measured.json` and `result.md` beside this file; takes about 20 minutes on
two cores. With `--alone` it measures steps of one process and the network only, in two minutes and without an MPI. Standard
library only.
"""

import json
import os
import pathlib
import platform
import shutil
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).parent
NAMESPACES = HERE / "namespaces.sh"
# Name: what `namespaces.sh up` takes. The delay of links is added where the kernel can.
NETWORKS = {"10 Gb/s, 50 µs": ["10gbit", "50us"], "1 Gb/s, 0.5 ms": ["1gbit", "500us"]}
IMAGES = 16
# The first steps grow buffers.
SKIPPED, COUNTED = 2, 6


def run(*command, **options):
    return subprocess.run([str(part) for part in command], check=True, text=True, stdout=subprocess.PIPE, **options).stdout


def arguments(resnet, images, shards=1):
    batch = images * shards
    line = f"train -d fake:{2 * batch}:1000 --depth 50 --image-size 224 --batch-size {batch} --max-steps {SKIPPED + COUNTED}"
    line += " --threads 1 --workers 1 --dry-run --quiet --format json"
    if shards > 1:
        line += f" --shards {shards}"
    return [str(resnet), *line.split()]


def times(output):
    """Returns the seconds of the counted steps in the lines of a run."""
    lines = (json.loads(line) for line in output.splitlines())
    steps = [line["step_ms"] / 1000 for line in lines if "step_ms" in line]
    if len(steps) != SKIPPED + COUNTED:
        raise SystemExit(f"{len(steps)} steps in the output: {output}")
    return steps[SKIPPED:]


def processor():
    lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.split(": ")[1] for line in lines if line.startswith("model name")), platform.machine())


def up(hosts, limits):
    """Makes the hosts; returns whether their links have the delay."""
    done = subprocess.run([NAMESPACES, "up", str(hosts), *limits], check=False)
    if done.returncode != 0:
        run(NAMESPACES, "up", hosts, *limits[:1])
    return done.returncode == 0


def network():
    """Measures the connection between hosts 1 and 2."""
    server = subprocess.Popen([NAMESPACES, "on", "2", sys.executable, HERE / "network.py", "serve"])
    try:
        return json.loads(run(NAMESPACES, "on", 1, sys.executable, HERE / "network.py", "measure", "10.77.0.2"))
    finally:
        server.wait(timeout=60)


def alone(resnet, hosts, images):
    """Returns the seconds of steps of one process per host, at the same time and without sums."""
    started = [
        subprocess.Popen([NAMESPACES, "on", str(host + 1), *arguments(resnet, images)], text=True, stdout=subprocess.PIPE)
        for host in range(hosts)
    ]
    outputs = [process.communicate()[0] for process in started]
    return [seconds for output in outputs for seconds in times(output)]


def together(resnet, hosts, images):
    return times(run(NAMESPACES, "mpi", *arguments(resnet, images, hosts)))


def main():
    options = sys.argv[1:]
    is_alone = options[:1] == ["--alone"]
    named = options[is_alone:]
    resnet = pathlib.Path(named[0] if named else "target/release/resnet").resolve()
    if os.geteuid() != 0:
        raise SystemExit("network namespaces need root")
    if not resnet.is_file():
        raise SystemExit(f"there is no {resnet}: cargo build --release")
    if not is_alone and not shutil.which(os.environ.get("MPIEXEC", "mpiexec")):
        raise SystemExit("set MPIEXEC to the mpiexec of an MPI")
    version = run(resnet, "--version").split("\n")[0]
    about = f"`{version}` on {processor()}, {os.cpu_count()} cores, Linux {platform.release()}"
    found = {"about": about, "threads": 1, "steps": [], "networks": {}, "checks": []}
    try:
        up(1, [])
        for images in (8, 16, 32):
            seconds = alone(resnet, 1, images)
            found["steps"].append({"images": images, "seconds": statistics.median(seconds)})
        found["noise"] = statistics.stdev(seconds) / statistics.mean(seconds)
        for name, limits in NETWORKS.items():
            for hosts in (2, 4):
                if not up(hosts, limits):
                    found["about"] += "" if "netem" in found["about"] else " (without netem: links have no delay of their own)"
                if hosts == 2:
                    found["networks"][name] = network()
                if is_alone:
                    break
                # Around the measurement, because a machine is slower when warm.
                before = alone(resnet, hosts, IMAGES)
                seconds = together(resnet, hosts, IMAGES)
                after = alone(resnet, hosts, IMAGES)
                check = {"network": name, "processes": hosts, "images": IMAGES, "cores": min(1.0, os.cpu_count() / hosts)}
                check |= {"alone": statistics.median(before + after), "seconds": statistics.median(seconds)}
                print(check, file=sys.stderr)
                found["checks"].append(check)
        found["cpu"] = statistics.mean(numbers["cpu"] for numbers in found["networks"].values())
    finally:
        run(NAMESPACES, "down")
    (HERE / "measured.json").write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    (HERE / "result.md").write_text("# Result of `measure.py`\n\n" + run(sys.executable, HERE / "model.py"))


if __name__ == "__main__":
    main()
