//! Tests of missing, unexpected, truncated and malicious files: one clear error each, and no memory for content that is
//! only claimed.

use super::*;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write;

pub fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut file = GzEncoder::new(Vec::new(), Compression::default());
    file.write_all(bytes).unwrap();
    file.finish().unwrap()
}

fn assert_fails(result: anyhow::Result<Dataset>, message: &str, hint: &str) {
    let (error, way_out) = failure(result);
    assert!(error.contains(message), "`{message}` is not in: {error}");
    assert!(way_out.contains(hint), "`{hint}` is not in: {way_out}");
    assert!(!error.contains('\n'), "{error}");
}

#[test]
fn cifar_files_that_are_not_there_are_named_with_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let read = || cifar::read(folder.path(), BuiltinDataset::Cifar10);
    assert_fails(
        read(),
        "has no `data_batch_1.bin`",
        "cifar-10-binary.tar.gz",
    );
    fs::write(folder.path().join("cifar-10-binary.tar.gz"), "").unwrap();
    assert_fails(
        read(),
        "has no `data_batch_1.bin`",
        "unpack `cifar-10-binary.tar.gz`",
    );
    fs::write(folder.path().join("data_batch_1"), "").unwrap();
    assert_fails(read(), "the Python version", "download the binary version");
    let hundred = folder.path().join("cifar-100-python");
    fs::create_dir(&hundred).unwrap();
    fs::write(hundred.join("train"), "").unwrap();
    assert_fails(
        cifar::read(folder.path(), BuiltinDataset::Cifar100),
        "the Python version",
        "cifar-100-binary",
    );
    assert_fails(
        cifar::read(Path::new("no/such"), BuiltinDataset::Cifar10),
        "`no/such` is not a folder",
        "",
    );

    let folder = copy("cifar10");
    fs::remove_file(folder.path().join("data_batch_4.bin")).unwrap();
    assert_fails(
        cifar::read(folder.path(), BuiltinDataset::Cifar10),
        "data_batch_4.bin`",
        "",
    );
}

#[test]
fn damaged_cifar_files_are_named() {
    let folder = copy("cifar10");
    let batch = folder.path().join("data_batch_2.bin");
    let whole = fs::read(&batch).unwrap();
    let read = || cifar::read(folder.path(), BuiltinDataset::Cifar10);
    for length in [0, 1, 3072, 3074, 6145] {
        fs::write(&batch, &whole[..length]).unwrap();
        let message = format!(
            "data_batch_2.bin`: {length} bytes are not a multiple of 3073, the size of an image"
        );
        assert_fails(read(), &message, "truncated");
    }
    let mut wrong = whole;
    wrong[3073] = 10;
    fs::write(&batch, &wrong).unwrap();
    assert_fails(
        read(),
        "image 1 has class 10, but there are 10 classes",
        "damaged",
    );

    let folder = copy("cifar10");
    fs::write(folder.path().join("batches.meta.txt"), "a\nb\n").unwrap();
    assert_fails(
        cifar::read(folder.path(), BuiltinDataset::Cifar10),
        "names 2 classes of 10",
        "remove the file",
    );

    // Holes take no room on the disk, and must take none in memory.
    let huge = fs::File::create(folder.path().join("data_batch_1.bin")).unwrap();
    huge.set_len(3073 << 20).unwrap();
    assert_fails(
        cifar::read(folder.path(), BuiltinDataset::Cifar10),
        "longer than 1024 MiB",
        "",
    );
}

#[test]
fn damaged_idx_files_are_named() {
    let images = "train-images-idx3-ubyte";
    let folder = copy("fashion_mnist");
    let whole = fs::read(folder.path().join(images)).unwrap();
    let check = |bytes: &[u8], message: &str, hint: &str| {
        fs::write(folder.path().join(images), bytes).unwrap();
        assert_fails(
            idx::read(folder.path(), BuiltinDataset::Mnist),
            message,
            hint,
        );
    };
    let header = |sizes: [u32; 3]| {
        let sizes = sizes.into_iter().flat_map(u32::to_be_bytes);
        [0, 0, 8, 3].into_iter().chain(sizes).collect::<Vec<u8>>()
    };
    check(
        &whole[..whole.len() - 1],
        "the file is truncated",
        "download it again",
    );
    check(&whole[..9], "it ends in the middle", "download it again");
    check(b"", "it ends in the middle", "download it again");
    check(
        &[&whole[..], b"x"].concat(),
        "longer than its header says",
        "",
    );
    check(
        b"\x89PNG\r\n\x1a\n",
        "but idx files start with [0, 0, 8, 3]",
        "another file",
    );
    check(&header([u32::MAX; 3]), "sizes [4294967295,", "");
    check(&header([u32::MAX, 1000, 1000]), "more than 1024 MiB", "");
    check(&header([1_000_000, 28, 28]), "the file is truncated", "");
    check(&header([0, 28, 28]), "sizes [0, 28, 28]", "");
    check(&header([8, 28, 28]), "the file is truncated", "");
    let fewer = [header([8, 28, 28]), whole[16..][..8 * 784].to_vec()].concat();
    check(&fewer, "holds 9 labels for 8 images", "");
    // Another size than the test images.
    let taller = [header([9, 14, 56]), whole[16..].to_vec()].concat();
    check(&taller, "[14, 56] pixels and the test images [28, 28]", "");

    let gz = packed(&whole);
    check(
        &gz[..gz.len() / 2],
        "the file is truncated",
        "download it again",
    );
    check(
        &gz[..gz.len() - 4],
        "the file is truncated",
        "download it again",
    );
    let mut wrong = gz.clone();
    wrong[gz.len() / 2] ^= 0x55;
    let (message, _) = {
        fs::write(folder.path().join(images), &wrong).unwrap();
        failure(idx::read(folder.path(), BuiltinDataset::Mnist))
    };
    assert!(message.contains("the file is"), "{message}");
    check(b"\x1f\x8b nothing", "the file is", "download it again");

    fs::write(folder.path().join(images), &whole).unwrap();
    let labels = folder.path().join("t10k-labels-idx1-ubyte");
    let mut classes = fs::read(&labels).unwrap();
    classes[10] = 77;
    fs::write(&labels, &classes).unwrap();
    let read = || idx::read(folder.path(), BuiltinDataset::Mnist);
    assert_fails(read(), "image 2 has class 77, but there are 10 classes", "");
    fs::remove_file(&labels).unwrap();
    assert_fails(
        read(),
        "has no `t10k-labels-idx1-ubyte` or",
        "four original files",
    );
    assert_fails(
        idx::read(Path::new("no/such"), BuiltinDataset::Mnist),
        "is not a folder",
        "",
    );
}

/// A few kilobytes that decompress to 256 MB of zeros are not decompressed beyond the size in the header.
#[test]
fn a_bomb_of_zeros_is_refused() {
    let folder = copy("fashion_mnist");
    let path = folder.path().join("train-images-idx3-ubyte");
    let mut bomb = fs::read(&path).unwrap();
    bomb.resize(256 << 20, 0);
    fs::write(&path, packed(&bomb)).unwrap();
    drop(bomb);
    assert_fails(
        idx::read(folder.path(), BuiltinDataset::FashionMnist),
        "longer than its header says",
        "",
    );
    // And a header that claims more than the file can be.
    let claims = [&[0, 0, 8, 3][..], &[0, 15, 0, 0, 0, 0, 0, 28, 0, 0, 0, 28]].concat();
    fs::write(&path, packed(&claims)).unwrap();
    assert_fails(
        idx::read(folder.path(), BuiltinDataset::FashionMnist),
        "the file is truncated",
        "",
    );
}

#[test]
fn damaged_tables_are_named() {
    let folder = copy("fashion_mnist");
    let path = folder.path().join("train.parquet");
    let whole = fs::read(&path).unwrap();
    let read = || tables(folder.path(), BuiltinDataset::FashionMnist);
    let hint = "delete the file";
    for bytes in [
        &whole[..0],
        &whole[..100],
        &whole[..whole.len() - 1],
        &whole[1..],
        b"PAR1PAR1",
    ] {
        fs::write(&path, bytes).unwrap();
        assert_fails(read(), "train.parquet`: ", hint);
    }
    // Columns of another table, and images of another size or color.
    fs::copy(fixture("cifar10").join("train.parquet"), &path).unwrap();
    assert_fails(
        read(),
        "row 0: the image has 32x32 pixels instead of 28x28",
        hint,
    );
    fs::copy(fixture("cifar100").join("train.parquet"), &path).unwrap();
    let wrong = tables(folder.path(), BuiltinDataset::Cifar10);
    assert_fails(wrong, "row 0 has no class below 10", hint);
    fs::remove_file(&path).unwrap();
    assert_fails(read(), "train.parquet`: ", hint);
}

/// Whatever bytes are damaged, reading ends without a panic: with an error, or with the right number of images.
#[test]
fn a_table_with_any_byte_damaged_is_an_error_or_whole() {
    let folder = copy("fashion_mnist");
    let path = folder.path().join("train.parquet");
    let whole = fs::read(&path).unwrap();
    let mut random = crate::support::hostile::random(11);
    for round in 0..200 {
        let mut bytes = whole.clone();
        // Half of them in the table's description at the end.
        let first = if round % 2 == 0 {
            0
        } else {
            whole.len() - 1500
        };
        for _ in 0..=round % 3 {
            let at = first + random() % (whole.len() - first);
            bytes[at] = random() as u8;
        }
        fs::write(&path, &bytes).unwrap();
        match tables(folder.path(), BuiltinDataset::FashionMnist) {
            Ok(data) => assert!(data.train.unwrap().len() <= 9),
            Err(error) => assert!(format!("{error:#}").contains("train.parquet`: ")),
        }
    }
}
