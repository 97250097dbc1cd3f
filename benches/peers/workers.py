"""One peer in one process: builds its model once, then answers `RUNS` on stdin with the times in milliseconds as JSON, after
warm-up runs, because it may have been idle for long.

usage: workers.py infer PEER DEPTH BATCH SIZE THREADS        PEER: torch, torch-cl, torch-bf16, onnxruntime, openvino, openvino-bf16
       workers.py train PEER DEPTH BATCH SIZE THREADS        PEER: torch, torch-cl, torch-bf16
"""
import json
import os
import sys
import tempfile
import time
import warnings

warnings.filterwarnings("ignore")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
import torch
import torchvision


def model(depth, classes=1000):
    torch.manual_seed(0)
    return getattr(torchvision.models, f"resnet{depth}")(num_classes=classes)


def infer(peer, depth, batch, size):
    network, x = model(depth).eval(), torch.randn(batch, 3, size, size)
    if peer == "torch":
        return torch.no_grad()(lambda: network(x))
    if peer == "torch-cl":
        network, x = network.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
        return torch.no_grad()(lambda: network(x))
    if peer == "torch-bf16":
        network = network.to(torch.bfloat16).to(memory_format=torch.channels_last)
        x = x.to(torch.bfloat16).to(memory_format=torch.channels_last)
        return torch.no_grad()(lambda: network(x))
    array = x.numpy()
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "net.onnx")
        torch.onnx.export(network, x, path, input_names=["x"], output_names=["y"], dynamo=False)
        return infer_onnx(peer, path, array)


def infer_onnx(peer, path, array):
    if peer == "onnxruntime":
        import onnxruntime as ort
        options = ort.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        return lambda: session.run(None, {"x": array})
    if peer in ("openvino", "openvino-bf16"):
        import openvino as ov
        precision = "bf16" if peer.endswith("bf16") else "f32"
        compiled = ov.Core().compile_model(path, "CPU", {
            "INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": torch.get_num_threads()})
        request = compiled.create_infer_request()
        return lambda: request.infer({0: array})
    raise SystemExit(f"unknown peer {peer}")


def train(peer, depth, batch, size):
    network = model(depth, 10).train()
    x, y = torch.randn(batch, 3, size, size), torch.randint(0, 10, (batch,))
    if peer != "torch":
        network, x = network.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
    opt = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-3)
    loss_of = torch.nn.CrossEntropyLoss()

    def step():
        opt.zero_grad()
        if peer == "torch-bf16":
            with torch.autocast("cpu", dtype=torch.bfloat16):
                loss = loss_of(network(x), y)
        else:
            loss = loss_of(network(x), y)
        loss.backward()
        opt.step()
        return loss.item()
    return step


if __name__ == "__main__":
    mode, peer, depth, batch, size, threads = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:7])
    torch.set_num_threads(threads)
    run = {"infer": infer, "train": train}[mode](peer, depth, batch, size)
    # As many warm-up runs as `resnet` makes.
    warm_up = {"infer": 3, "train": 2}[mode]
    print("ready", flush=True)
    for line in sys.stdin:
        times = []
        for _ in range(warm_up):
            run()
        for _ in range(int(line)):
            start = time.perf_counter()
            run()
            times.append((time.perf_counter() - start) * 1e3)
        print(json.dumps(times), flush=True)
