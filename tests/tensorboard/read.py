"""Prints as JSON what TensorBoard's own reader finds in a run's folder.

    python -m pip install -r tests/tensorboard/requirements.txt
    python tests/tensorboard/read.py RUN_DIR
"""

import io
import json
import sys

from PIL import Image
from tensorboard.backend.event_processing import event_accumulator


def main():
    everything = {kind: 0 for kind in event_accumulator.DEFAULT_SIZE_GUIDANCE}
    events = event_accumulator.EventAccumulator(sys.argv[1], size_guidance=everything)
    events.Reload()
    tags = events.Tags()
    found = {"scalars": {}, "histograms": {}, "images": {}, "texts": {}}
    for tag in tags["scalars"]:
        found["scalars"][tag] = [[event.step, event.value] for event in events.Scalars(tag)]
    for tag in tags["histograms"]:
        found["histograms"][tag] = [
            {
                "step": event.step,
                "min": event.histogram_value.min,
                "max": event.histogram_value.max,
                "count": event.histogram_value.num,
                "limits": event.histogram_value.bucket_limit,
                "buckets": event.histogram_value.bucket,
            }
            for event in events.Histograms(tag)
        ]
    for tag in tags["images"]:
        found["images"][tag] = []
        for event in events.Images(tag):
            image = Image.open(io.BytesIO(event.encoded_image_string))
            image.load()
            assert image.size == (event.width, event.height), tag
            found["images"][tag].append({"step": event.step, "mode": image.mode, "size": image.size})
    for tag in tags["tensors"]:
        if events.SummaryMetadata(tag).plugin_data.plugin_name == "text":
            found["texts"][tag] = [
                [event.step, event.tensor_proto.string_val[0].decode()] for event in events.Tensors(tag)
            ]
    print(json.dumps(found))


main()
