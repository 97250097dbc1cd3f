"""One peer as a whole process: does its work once from a cold start and exits. `compare.py` measures its time and its memory.

usage: process.py weights DEPTH FOLDER                  saves one random torchvision model for all as net.safetensors, net.pth and net.onnx
       process.py predict PEER DEPTH FOLDER IMAGE       PEER: onnxruntime, torch: prints the top five classes and their logits
       process.py train PEER DEPTH BATCH SIZE STEPS     PEER: torch, torch-cl

Each imports only what its work needs.
"""
import os
import sys
import warnings

warnings.filterwarnings("ignore")


def weights(depth, folder):
    import safetensors.torch
    import torch
    from workers import model
    network = model(depth).eval()
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(layer.weight, .8, 1.2)
            torch.nn.init.uniform_(layer.bias, -.2, .2)
            layer.running_mean.normal_(0, .1)
            layer.running_var.uniform_(.7, 1.3)
    safetensors.torch.save_file(network.state_dict(), os.path.join(folder, "net.safetensors"))
    torch.save(network.state_dict(), os.path.join(folder, "net.pth"))
    torch.onnx.export(network, torch.zeros(1, 3, 224, 224), os.path.join(folder, "net.onnx"), input_names=["x"], output_names=["y"], dynamo=False)


def prepared(path):
    """Returns the image preprocessed for ImageNet models, `[1, 3, 224, 224]`: short side resized to 256 px, bilinear, then a center crop."""
    import numpy as np
    from PIL import Image
    image = Image.open(path).convert("RGB")
    width, height = image.size
    scale = 256 / min(width, height)
    width, height = (256, int(height * scale)) if width <= height else (int(width * scale), 256)
    image = image.resize((width, height), Image.BILINEAR)
    left, top = round((width - 224) / 2), round((height - 224) / 2)
    pixels = np.asarray(image.crop((left, top, left + 224, top + 224)), dtype=np.float32) / 255
    pixels = (pixels - np.array([.485, .456, .406], np.float32)) / np.array([.229, .224, .225], np.float32)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)[None])


def predict(peer, depth, folder, image):
    if peer == "onnxruntime":
        import onnxruntime as ort
        session = ort.InferenceSession(os.path.join(folder, "net.onnx"), providers=["CPUExecutionProvider"])
        logits = session.run(None, {"x": prepared(image)})[0][0]
    elif peer == "torch":
        import torch
        import torchvision
        state = torch.load(os.path.join(folder, "net.pth"), weights_only=True, mmap=True)
        with torch.device("meta"):
            network = getattr(torchvision.models, f"resnet{depth}")()
        network.load_state_dict(state, assign=True)
        with torch.inference_mode():
            logits = network.eval()(torch.from_numpy(prepared(image)))[0].numpy()
    else:
        raise SystemExit(f"unknown peer {peer}")
    for place in logits.argsort()[::-1][:5]:
        print(place, logits[place])


def train(peer, depth, batch, size, steps):
    import workers
    step = workers.train(peer, depth, batch, size)
    for _ in range(steps):
        step()


if __name__ == "__main__":
    mode, rest = sys.argv[1], sys.argv[2:]
    if mode == "weights":
        weights(int(rest[0]), rest[1])
    elif mode == "predict":
        predict(*rest)
    else:
        train(rest[0], *map(int, rest[1:]))
