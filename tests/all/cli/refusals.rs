//! Tests of invalid command lines and files, each with the whole message and the exit status.

use crate::support::command::Resnet;
use crate::support::hostile::png_header;
use std::fs;
use std::path::Path;

const CAT: &str = "assets/images/cat.png";
const MODEL: &str = "tests/fixtures/weights/bottleneck.safetensors";

/// A command line (CAT, MODEL and DIR stand for an image, a model and a folder of bad files), its status and stderr.
type Case = (&'static str, i32, &'static str);

/// Usage errors found by the parser: the first line of the message.
const USAGE: [Case; 35] = [
    (
        "predict CAT -m MODEL --explain-class 1",
        2,
        "error: missing `--explain <DIR>`",
    ),
    ("nonsense", 2, "error: unknown command `nonsense`"),
    (
        "summary --nonsense",
        2,
        "error: unknown option `--nonsense`",
    ),
    (
        "summary --depth 19",
        2,
        "error: invalid value `19` for `--depth <N>`: must be one of 18, 34, 50, 101, 152, 20, 32, 44, 56, 110",
    ),
    (
        "summary --depth fifty",
        2,
        "error: invalid value `fifty` for `--depth <N>`: must be one of 18, 34, 50, 101, 152, 20, 32, 44, 56, 110",
    ),
    (
        "summary --stem vit",
        2,
        "error: invalid value `vit` for `--stem <STEM>`",
    ),
    (
        "summary --input 3x224",
        2,
        "error: invalid value `3x224` for `--input <CxHxW>`: must be channels, height and width, 1 to 65,536 each: 3x224x224",
    ),
    (
        "summary --input 0x1x1",
        2,
        "error: invalid value `0x1x1` for `--input <CxHxW>`: must be channels, height and width, 1 to 65,536 each: 3x224x224",
    ),
    (
        "summary --input 3x224x99999999999999999999",
        2,
        "error: invalid value `3x224x99999999999999999999` for `--input <CxHxW>`: must be channels, height and width, 1 to 65,536 each: 3x224x224",
    ),
    (
        "summary --style html",
        2,
        "error: invalid value `html` for `--style <LAYOUT>`",
    ),
    (
        "summary --time 0",
        2,
        "error: invalid value `0` for `--time [<RUNS>]`: must be a number of runs, 1 to 1,000,000; MODEL comes before --time",
    ),
    (
        "summary --batch-size 0",
        2,
        "error: invalid value `0` for `--batch-size <N>`: must be 1 to 65,536",
    ),
    (
        "summary --classes 0",
        2,
        "error: invalid value `0` for `--classes <N>`: must be 1 to 1,000,000",
    ),
    (
        "summary --device tpu",
        2,
        "error: invalid value `tpu` for `--device <DEVICE>`: must be auto, cpu, cuda, cuda:N or metal",
    ),
    (
        "summary --threads 0",
        2,
        "error: invalid value `0` for `--threads <N>`: must be 1 to 1,024",
    ),
    (
        "summary -q -v",
        2,
        "error: `--quiet` cannot be used with `--verbose`",
    ),
    ("predict", 2, "error: missing `<IMAGE|DIR|->...`"),
    (
        "predict CAT -m MODEL -k 0",
        2,
        "error: invalid value `0` for `--top-k <K>`: must be at least 1",
    ),
    (
        "predict CAT -m MODEL -b 0",
        2,
        "error: invalid value `0` for `--batch-size <N>`: must be 1 to 65,536",
    ),
    (
        "predict CAT -m MODEL -f xml",
        2,
        "error: invalid value `xml` for `--format <FORMAT>`",
    ),
    (
        "predict CAT -m MODEL --crop-pct 2",
        2,
        "error: invalid value `2` for `--crop-pct <FRACTION>`: must be above 0 and at most 1",
    ),
    (
        "predict CAT -m MODEL --crop-mode corner",
        2,
        "error: invalid value `corner` for `--crop-mode <MODE>`",
    ),
    (
        "predict CAT -m MODEL --mean a,b,c",
        2,
        "error: invalid value `a` for `--mean <A,B,C>`: must be a number for each channel",
    ),
    (
        "predict CAT -m MODEL --std 0,1,1",
        2,
        "error: invalid value `0` for `--std <A,B,C>`: must be a number above 0 for each channel",
    ),
    (
        "predict CAT -m MODEL --image-size 0",
        2,
        "error: invalid value `0` for `--image-size <SIZE>`: must be 1 to 4096 pixels: 224, or 192x256 for height and width",
    ),
    (
        "predict CAT -m MODEL --test-size --image-size 3",
        2,
        "error: `--test-size` cannot be used with `--image-size <SIZE>`",
    ),
    (
        "predict CAT -m MODEL --interpolation nearest",
        2,
        "error: invalid value `nearest` for `--interpolation <FILTER>`",
    ),
    (
        "predict CAT -m MODEL --mean 123.7,116.3,103.5",
        2,
        "error: invalid value `123.7` for `--mean <A,B,C>`: images are scaled to 0..1: divide it by 255",
    ),
    (
        "train --epochs 1.5",
        2,
        "error: invalid value `1.5` for `--epochs <N>`: must be a whole number, 0 or more",
    ),
    (
        "train --seed -1",
        2,
        "error: invalid value `-1` for `--seed <N>`: must be a whole number, 0 or more",
    ),
    (
        "train --milestones 3,-5",
        2,
        "error: invalid value `-5` for `--milestones <EPOCH,..>`: must be a whole number, 0 or more",
    ),
    (
        "train --lr inf",
        2,
        "error: invalid value `inf` for `--lr <RATE>`: must be a finite number, such as 0.1",
    ),
    (
        "train --lr high",
        2,
        "error: invalid value `high` for `--lr <RATE>`: must be a finite number, such as 0.1",
    ),
    (
        "train --val-split 0",
        2,
        "error: invalid value `0` for `--val-split <FRACTION>`: must be above 0 and below 1, such as 0.1",
    ),
    (
        "--completions nosh",
        2,
        "error: invalid value `nosh` for `--completions <SHELL>`",
    ),
];

/// All other errors: the whole of stderr.
const FAILURES: [Case; 45] = [
    (
        "predict CAT -m MODEL --explain DIR/two.txt",
        1,
        "error: cannot write into folder `DIR/two.txt`: it is a file\nhint: pass a folder, or a new name",
    ),
    (
        "predict CAT -m MODEL --explain DIR --explain-class tabby",
        2,
        "error: the model has no class `tabby`\nhint: its classes have no names: pass a number, 0 to 2",
    ),
    (
        "predict CAT -m sample --explain DIR --explain-class Sandle",
        2,
        "error: the model has no class `Sandle`\nhint: did you mean `Sandal`? A number, 0 to 9, is accepted as well",
    ),
    (
        "predict CAT -m nothing --embed DIR/features.txt",
        2,
        "error: unknown extension of `DIR/features.txt`\nhint: features are written as .safetensors, .npy or .csv",
    ),
    (
        "predict CAT -m nothing --embed DIR/nowhere/features.npy",
        1,
        "error: cannot write `DIR/nowhere/features.npy`: no such folder\nhint: create it first",
    ),
    (
        "predict CAT -m nothing --embed DIR/folder.csv",
        1,
        "error: cannot write `DIR/folder.csv`: it is a folder\nhint: pass the name of a file",
    ),
    (
        "predict CAT DIR/cut.png -m MODEL --explain DIR",
        2,
        "error: cannot write into folder `DIR`: an explanation would overwrite image `DIR/cut.png`\nhint: pass another folder",
    ),
    (
        "summary --depth 18 --groups 2",
        2,
        "error: cannot build this network: a basic block has one group of width 64: groups and width per group need bottleneck blocks (depth 50 or more)\nhint: `resnet summary --help` lists the flags of an architecture",
    ),
    (
        "summary MODEL --depth 50",
        2,
        "error: --depth cannot be used with MODEL, which has its own architecture\nhint: leave one of the two out",
    ),
    (
        "summary MODEL --input 1x32x32",
        2,
        "error: --input has 1 channel, and the model takes 3\nhint: give the model's channels, then height and width",
    ),
    (
        "summary nothere.pth",
        1,
        "error: cannot load weights `nothere.pth`: no such file or folder\nhint: pass an existing file or folder, a name such as `resnet50`, or a hub repository as `org/name`",
    ),
    (
        "summary --input 65536x65536x65536 --batch-size 65536",
        1,
        "error: an input of [65536, 65536, 65536, 65536] is too large to count",
    ),
    (
        "summary https://example.org/model",
        1,
        "error: `https://example.org/model` is a URL, not a model\nhint: pass the hub repository as `org/name`, or download the file and pass its path",
    ),
    (
        "summary --dtype f16 --time",
        1,
        "error: cannot compute in `f16` on the cpu\nhint: pass --dtype f32; half precision is for --device cuda and metal (weights saved in it run in f32)",
    ),
    (
        "summary --input 3x65536x65536 --time",
        1,
        "error: a forward pass of 1x3x65536x65536 takes 653 GB of memory, more than available\nhint: reduce the batch size or the image size",
    ),
    (
        "predict CAT -m resnet19",
        1,
        "error: there is no model `resnet19`\nhint: did you mean `resnet18`?",
    ),
    (
        "predict CAT -m ResNet50",
        1,
        "error: there is no model `ResNet50`\nhint: did you mean `resnet50`?",
    ),
    (
        "predict CAT -m org/name.git",
        1,
        "error: there is no file or folder `org/name.git`, and as a hub repository: `org/name.git` is not the name of a repository\nhint: if it is a path, correct it; if it is a hub repository, a hub name is `org/name`, of letters, digits, `-`, `_` and `.`",
    ),
    (
        "predict CAT -m ./src/../x/y",
        1,
        "error: cannot load weights `./src/../x/y`: no such file or folder\nhint: pass an existing file or folder, a name such as `resnet50`, or a hub repository as `org/name`",
    ),
    (
        "predict CAT -m DIR/page.safetensors",
        1,
        "error: cannot load weights `DIR/page.safetensors`: it is a web page saved as weights\nhint: download the file itself: on the hub the address has `/resolve/`, not `/blob/`",
    ),
    (
        "predict CAT -m DIR/lfs.safetensors",
        1,
        "error: cannot load weights `DIR/lfs.safetensors`: it is a git-lfs pointer, not the weights it stands for\nhint: fetch the weights with `git lfs pull`, or pass the hub repository as `org/name`",
    ),
    (
        "predict CAT -m DIR/empty.pth",
        1,
        "error: cannot load weights `DIR/empty.pth`: it is empty\nhint: the file is truncated or damaged: copy or download it again",
    ),
    (
        "predict CAT -m DIR/cut.safetensors",
        1,
        "error: cannot load weights `DIR/cut.safetensors`: its header claims 6096 bytes, and the file has 3000\nhint: the file is truncated or damaged: copy or download it again",
    ),
    (
        "predict CAT -m DIR/nothing",
        1,
        "error: folder `DIR/nothing` holds no weights\nhint: a model folder has `model.safetensors` or `pytorch_model.bin`, a run folder `best/`",
    ),
    (
        "predict CAT -m CAT",
        1,
        "error: cannot load weights `assets/images/cat.png`: it is neither a safetensors file nor a checkpoint of `torch.save`\nhint: pass a `.safetensors`, `.pth`, `.pt` or `.bin` file of weights",
    ),
    (
        "predict DIR/text.png -m MODEL",
        1,
        "error: cannot read image `DIR/text.png`: it is a text file, not an image\nhint: PNG, JPEG, WebP, BMP, GIF and TIFF images are supported",
    ),
    (
        "predict DIR/empty.pth -m MODEL",
        1,
        "error: cannot read image `DIR/empty.pth`: the file is empty",
    ),
    (
        "predict DIR/cut.png -m MODEL",
        1,
        "error: cannot read image `DIR/cut.png`: the file is truncated\nhint: the copy or download is incomplete: fetch it again",
    ),
    (
        "predict DIR/bomb.png -m MODEL",
        1,
        "error: cannot read image `DIR/bomb.png`: it has 60000x60000 pixels, more than the limit of 178956970\nhint: if you trust the file, reduce the image first",
    ),
    (
        "predict DIR/nothing -m MODEL",
        1,
        "error: no image in folder `DIR/nothing`\nhint: images end in .png, .jpg, .jpeg, .webp, .bmp, .gif, .tif or .tiff",
    ),
    (
        "predict MODEL -m MODEL",
        1,
        "error: cannot read image `tests/fixtures/weights/bottleneck.safetensors`: it is a file of an unknown kind, not an image\nhint: PNG, JPEG, WebP, BMP, GIF and TIFF images are supported",
    ),
    (
        "predict CAT -m MODEL --labels DIR/two.txt",
        1,
        "error: cannot use labels `DIR/two.txt`: 2 lines for 3 classes\nhint: give one name per line, in the order of the classes",
    ),
    (
        "predict CAT -m MODEL --mean 1,2",
        2,
        "error: --mean has 2 numbers for 3 channels\nhint: give one per channel, separated by commas",
    ),
    (
        "predict CAT -m MODEL --dtype bf16",
        1,
        "error: cannot compute in `bf16` on the cpu\nhint: pass --dtype f32; half precision is for --device cuda and metal (weights saved in it run in f32)",
    ),
    (
        "predict CAT -m tests/fixtures/weights/five_channels.safetensors",
        1,
        "note: the model takes 5 channels and its preprocessing has 3: the average mean 0.449 and std 0.226 are used for each\nerror: a model of 5 input channels takes no images\nhint: images have 3 channels (color) or 1 (gray)",
    ),
    (
        "predict CAT -m tests/fixtures/weights/whole_module.pth",
        1,
        "error: cannot load weights `tests/fixtures/weights/whole_module.pth`: it holds a whole pickled object `__main__.Narrow`, which is a program, not weights\nhint: in Python: `torch.save(model.state_dict(), \"weights.pth\")` with PyTorch 1.6 or later",
    ),
    (
        "predict CAT -m tests/fixtures/weights/torchscript.pt",
        1,
        "error: cannot load weights `tests/fixtures/weights/torchscript.pt`: it is a TorchScript archive, a program with its weights\nhint: in Python: `torch.save(torch.jit.load(file).state_dict(), \"weights.pth\")`",
    ),
    (
        "predict CAT -m tests/fixtures/weights/quantised.pth",
        1,
        "error: cannot load weights `tests/fixtures/weights/quantised.pth`: tensor `fc.weight`: it is quantized\nhint: save the weights from before quantization, in floating point",
    ),
    (
        "predict CAT -m tests/fixtures/weights/transformers_backbone",
        1,
        "error: cannot load weights `tests/fixtures/weights/transformers_backbone/model.safetensors`: the classifier (`fc.weight` and `fc.bias`) is missing\nhint: it is a backbone without a classifier; save transformers' `ResNetForImageClassification`, not `ResNetModel`",
    ),
    (
        "predict CAT -m tests/fixtures/weights/no_state_dict.pth",
        1,
        "error: cannot load weights `tests/fixtures/weights/no_state_dict.pth`: it holds no state dict\nhint: in Python: `torch.save(model.state_dict(), \"weights.pth\")` with PyTorch 1.6 or later",
    ),
    (
        "predict CAT -m DIR/nan.safetensors",
        1,
        "note: tensor `layer2.0.downsample.1.weight` holds infinite or NaN values, so the outputs will be invalid\nerror: cannot predict image `assets/images/cat.png`: the model's output for this image is not finite (class 0): its weights are damaged or overflow",
    ),
    (
        "predict CAT -m MODEL --labels missing.txt",
        1,
        "error: cannot read labels `missing.txt`: no such file\nhint: pass a file of 3 lines with a name each, in the order of the classes",
    ),
    (
        "train -d fake:8:3 --depth 20 --class-weights missing.txt --dry-run",
        1,
        "error: cannot read class weights `missing.txt`: no such file\nhint: pass `auto`, or a file of 3 lines with one number each, in the order of the classes",
    ),
    (
        "train -d fake:8 --milestones 3,5",
        2,
        "error: cannot train with --milestones 3: only the scheduler `step` uses them\nhint: pass --scheduler step, or leave --milestones out",
    ),
    (
        "train -d missing --depth 34",
        1,
        "error: cannot read dataset `missing`: no such folder\nhint: pass a folder of images, `sample`, `cifar10`, `cifar100`, `mnist`, `fashion-mnist`, `hf:ORG/NAME`, `parquet:PATTERN`, `wds:PATTERN` or `fake:N`",
    ),
];

/// Writes the bad files that the cases name.
fn bad_files(folder: &Path) {
    let write = |name: &str, bytes: &[u8]| fs::write(folder.join(name), bytes).unwrap();
    write(
        "page.safetensors",
        b"<!DOCTYPE html><html><body>Not found</body></html>",
    );
    write(
        "lfs.safetensors",
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 44\n",
    );
    write("empty.pth", b"");
    write("text.png", b"not an image\n");
    write("two.txt", b"one\ntwo\n");
    let model = fs::read(MODEL).unwrap();
    write("cut.safetensors", &model[..3000]);
    // The last tensor's last number becomes NaN.
    let mut nan = model.clone();
    let end = nan.len() - 4;
    nan[end..].copy_from_slice(&f32::NAN.to_le_bytes());
    write("nan.safetensors", &nan);
    let image = fs::read(CAT).unwrap();
    write("cut.png", &image[..5000]);
    write("bomb.png", &png_header(60_000, 60_000));
    fs::create_dir(folder.join("nothing")).unwrap();
    fs::create_dir(folder.join("folder.csv")).unwrap();
}

#[test]
fn wrong_usage_says_what_is_wrong_with_status_two() {
    for (line, status, message) in USAGE {
        let done = run(line, Path::new("."));
        assert_eq!(
            (done.0, done.1.lines().next().unwrap_or_default()),
            (status, message),
            "{line}"
        );
    }
}

/// Common guesses, with the whole of stderr.
const GUESSES: [Case; 10] = [
    (
        "train photos",
        2,
        "error: unexpected argument `photos`\nhint: a dataset is passed as `-d photos`\n",
    ),
    (
        "train --pretrained",
        2,
        "error: unknown option `--pretrained`\nhint: `-m resnet50` starts from pretrained weights\n",
    ),
    (
        "train --batch 8",
        2,
        "error: unknown option `--batch`\nhint: did you mean `--batch-size`?\n",
    ),
    (
        "train --zyxw",
        2,
        "error: unknown option `--zyxw`\nhint: `resnet train --help` lists the options\n",
    ),
    (
        "compare runs/a runs/b",
        2,
        "error: unknown command `compare`\nhint: `resnet eval --compare runs/a runs/b`\n",
    ),
    (
        "train --optimizer adma",
        2,
        "error: invalid value `adma` for `--optimizer <NAME>`\nhint: did you mean `adam`?\n",
    ),
    (
        "train --optimizer lion",
        2,
        "error: invalid value `lion` for `--optimizer <NAME>`\nhint: pass `sgd`, `adam`, `adamw`, `lars` or `lamb`\n",
    ),
    (
        "predict",
        2,
        "error: missing `<IMAGE|DIR|->...`\nhint: for example `resnet predict cat.jpg`\n",
    ),
    (
        "predict cat.jpg --explain-class cat",
        2,
        "error: missing `--explain <DIR>`\nhint: for example `resnet predict cat.jpg --explain maps`\n",
    ),
    (
        "eval -m sample --open",
        2,
        "error: missing `--output <DIR>`\nhint: for example `resnet eval -m runs/my-run -d photos -o out`\n",
    ),
];

#[test]
fn common_guesses_are_answered_with_the_right_flag() {
    for (line, status, message) in GUESSES {
        assert_eq!(
            run(line, Path::new(".")),
            (status, message.to_owned()),
            "{line}"
        );
    }
}

/// Flags' values may be in any case.
#[test]
fn values_are_read_in_any_case() {
    let line = "train -d fake:8:2 --depth 20 --width 4 --image-size 16 --max-steps 1 --dry-run --optimizer AdamW --scheduler Cosine --augment NONE --stem CIFAR --freeze Stem --device CPU --dtype F32";
    let (status, text) = run(line, Path::new("."));
    assert_eq!(status, 0, "{text}");
    let (status, text) = run(
        "summary --depth 20 --style JSON --stem Cifar",
        Path::new("."),
    );
    assert_eq!(status, 0, "{text}");
}

#[test]
fn every_failure_says_what_where_and_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    bad_files(folder.path());
    let mut wrong = Vec::new();
    for (line, status, message) in FAILURES {
        let (found, stderr) = run(line, folder.path());
        let stderr = stderr
            .replace(folder.path().to_str().unwrap(), "DIR")
            .replace('\\', "/");
        if (found, stderr.trim_end()) != (status, message) {
            wrong.push(format!("{line}: {found}\n{stderr}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn run(line: &str, folder: &Path) -> (i32, String) {
    let arguments = line.split_whitespace().map(|word| match word {
        "CAT" => CAT.to_owned(),
        "MODEL" => MODEL.to_owned(),
        word => word.replace("DIR", folder.to_str().unwrap()),
    });
    // Backtraces that the surroundings ask for are no part of a message.
    let done = Resnet::new(arguments).env("RUST_BACKTRACE", "0").run();
    (done.status, done.stdout + &done.stderr)
}
