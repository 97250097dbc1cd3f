//! Tests of weights that stay in their file until they are needed.

use super::*;

#[test]
fn numbers_that_are_not_finite_are_noted() {
    let mut bytes = serialized(&whole());
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let data = tensors.tensor("fc.bias").unwrap().data();
    let offset = data.as_ptr() as usize - bytes.as_ptr() as usize;
    bytes[offset..offset + 4].copy_from_slice(&f32::NAN.to_le_bytes());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nan.safetensors");
    fs::write(&path, bytes).unwrap();
    let checkpoint = open(&path).unwrap();
    assert_eq!(checkpoint.note(), None);
    checkpoint.tensors(DType::F32, &Device::Cpu).unwrap();
    assert_eq!(
        checkpoint.note().unwrap(),
        "tensor `fc.bias` holds infinite or NaN values, so the outputs will be invalid"
    );
}

#[test]
fn a_model_read_layer_by_layer_gives_the_bits_of_one_in_memory() {
    let work = Workload::many(1);
    for file in [
        "basic.pth",
        "legacy.pth",
        "one_storage.pth",
        "channels_last.pth",
        "float16.pth",
        "bfloat16.safetensors",
        "expected/tied.safetensors",
        "bottleneck.safetensors",
    ] {
        let checkpoint = open(&fixture(file)).unwrap();
        let preprocess = &checkpoint.info.preprocess;
        let network = checkpoint.build(DType::F32, &Device::Cpu).unwrap();
        let (in_memory, _) = prepare(network, preprocess, work).unwrap();
        let (stored, transform) =
            load(&checkpoint, (DType::F32, &Device::Cpu), preprocess, work).unwrap();
        let input: Vec<f32> = (0..transform.input_len())
            .map(|i| (i % 251) as f32 / 125.0 - 1.0)
            .collect();
        let [expected, read] =
            [in_memory, stored].map(|engine| engine.logits(input.clone(), 1).unwrap());
        assert_ne!(expected[..1], expected[1..2], "{file}");
        assert_eq!(read, expected, "{file}");
    }
}

#[test]
fn a_file_truncated_after_it_was_opened_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.safetensors");
    fs::copy(fixture("expected/basic.safetensors"), &path).unwrap();
    let checkpoint = open(&path).unwrap();
    let file = fs::File::options().write(true).open(&path).unwrap();
    file.set_len(7000).unwrap();
    let place = (DType::F32, &Device::Cpu);
    let preprocess = &checkpoint.info.preprocess;
    let error = load(&checkpoint, place, preprocess, Workload::many(1)).unwrap_err();
    let expected = format!("cannot load weights `{}`: ", path.display());
    let message = one_line(&error);
    assert!(message.starts_with(&expected), "{message}");
}

/// The weights are packed one layer at a time from the file: they take their memory once.
#[cfg(target_os = "linux")]
#[test]
fn predicting_one_image_takes_little_more_memory_than_the_weights() {
    let shapes = parameters(&ModelConfig::named("resnet50").unwrap()).unwrap();
    let tensors: Shapes = shapes
        .into_iter()
        .map(|(name, shape)| (name, Zeros(Dtype::F32, shape)))
        .collect();
    let bytes = serialized(&tensors);
    assert_eq!(bytes.len() / 1_000_000, 102);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("zeros.safetensors");
    fs::write(&path, bytes).unwrap();
    // KiB of address space; each arena of the allocator reserves much that it does not use.
    let script =
        "ulimit -v 230000; exec \"$0\" predict assets/images/cat.png --threads 1 -m \"$1\"";
    let done = std::process::Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_resnet")])
        .arg(&path)
        .env("MALLOC_ARENA_MAX", "1")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let stderr = String::from_utf8(done.stderr).unwrap();
    assert_eq!(done.status.code(), Some(0), "{stderr}");
}
