//! Tests of truncated, modified and malicious files: they are rejected, without a panic and in bounded memory.

use super::*;

/// Opens each of the files and counts how many were rejected; none may panic.
fn refused<'a>(files: impl Iterator<Item = std::borrow::Cow<'a, [u8]>>) -> [usize; 2] {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.pth");
    let mut counts = [0, 0];
    for bytes in files {
        fs::write(&path, bytes).unwrap();
        counts[0] += usize::from(read(&path).is_err());
        counts[1] += 1;
    }
    counts
}

/// Returns every file that differs from `bytes` by one of these changes of one byte.
fn flipped<'a>(bytes: &'a [u8], changes: &'a [u8]) -> impl Iterator<Item = Vec<u8>> + 'a {
    (0..bytes.len()).flat_map(move |position| {
        changes.iter().map(move |change| {
            let mut bytes = bytes.to_vec();
            bytes[position] ^= change;
            bytes
        })
    })
}

#[test]
fn a_truncated_pth_is_rejected() {
    for name in ["smallest.pth", "smallest_legacy.pth"] {
        let bytes = fs::read(fixture(name)).unwrap();
        assert!(open(&fixture(name)).is_ok());
        let [refused, all] = refused((0..bytes.len()).map(|length| bytes[..length].into()));
        assert_eq!(refused, all, "{name}");
    }
}

#[test]
fn a_pth_with_any_byte_changed_does_not_panic() {
    for (name, changes) in [
        // What may change unseen is padding, dates and the entries that are not read.
        ("smallest.pth", &[0x81][..]),
        // Here it is the weights themselves, which have no checksum.
        ("smallest_legacy.pth", &[0x01, 0x10, 0x80, 0xff]),
    ] {
        let bytes = fs::read(fixture(name)).unwrap();
        let [refused, all] = refused(flipped(&bytes, changes).map(Into::into));
        assert!(refused * 3 > all, "{name}: {refused} of {all} were refused");
    }
}

#[test]
fn an_old_checkpoint_with_inconsistent_storages_is_rejected() {
    let bytes = fs::read(fixture("smallest_legacy.pth")).unwrap();
    let last = bytes.len() - 12;
    assert_eq!(
        bytes[last..last + 8],
        1u64.to_le_bytes(),
        "one f32 stands last"
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.pth");
    for (count, message) in [
        (2, " has 2 elements instead of 1"),
        (u64::MAX, " has 18446744073709551615 elements instead of 1"),
    ] {
        let mut changed = bytes.clone();
        changed[last..last + 8].copy_from_slice(&u64::to_le_bytes(count));
        fs::write(&path, changed).unwrap();
        let (refused, hint) = refusal(&path);
        assert!(refused.ends_with(message), "{refused}");
        assert_eq!(
            hint,
            "the file is truncated or damaged: copy or download it again"
        );
    }
    fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    assert!(refusal(&path).0.contains(" extends beyond the file's "));
}

#[test]
fn a_pickle_with_any_byte_changed_does_not_panic() {
    // The checksums stop most changes before the pickle's reader: here the archive is packed anew around each.
    let bytes = fs::read(fixture("smallest.pth")).unwrap();
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
    let names: Vec<String> = archive
        .file_names()
        .map(|name| name.unwrap().into_owned())
        .collect();
    let entries = names.into_iter().map(|name| {
        let mut content = Vec::new();
        std::io::Read::read_to_end(&mut archive.by_name(&name).unwrap(), &mut content).unwrap();
        (name, content)
    });
    let (pickles, others): (Vec<_>, Vec<_>) =
        entries.partition(|(name, _)| name.ends_with("data.pkl"));
    let (name, pickle) = &pickles[0];
    let packed = |pickle: &[u8]| {
        let others = others
            .iter()
            .map(|(name, content)| (name.as_str(), content.as_slice()));
        zipped(&others.chain([(name.as_str(), pickle)]).collect::<Vec<_>>())
    };
    assert_eq!(refused([packed(pickle).into()].into_iter()), [0, 1]);
    let [cut, all] = refused((0..pickle.len()).map(|length| packed(&pickle[..length]).into()));
    assert_eq!(cut, all);
    let changes = [0x01, 0x10, 0x80, 0xff];
    let [refused, all] = refused(flipped(pickle, &changes).map(|pickle| packed(&pickle).into()));
    assert!(refused * 3 > all, "{refused} of {all} were refused");
}

#[test]
fn a_pickle_that_references_itself_repeatedly_is_rejected_at_once() {
    // A dictionary of ten thousand keys whose every value is that dictionary.
    let mut pickle = b"\x80\x02}q\x00(".to_vec();
    for key in 0..10_000 {
        let key = format!("{key}");
        pickle.push(b'X');
        pickle.extend((key.len() as u32).to_le_bytes());
        pickle.extend(key.as_bytes());
        pickle.extend(b"h\x00");
    }
    pickle.extend(b"u.");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.pth");
    fs::write(&path, zipped(&[("a/data.pkl", &pickle)])).unwrap();
    let start = std::time::Instant::now();
    assert_eq!(refusal(&path).0, "it holds no state dict");
    assert!(start.elapsed().as_secs() < 5);
}

#[test]
fn a_changed_weight_in_a_pth_fails_its_checksum() {
    let mut bytes = fs::read(fixture("basic.pth")).unwrap();
    let weights =
        candle_core::safetensors::load(fixture("expected/basic.safetensors"), &Device::Cpu)
            .unwrap();
    let first: Vec<f32> = weights["conv1.weight"]
        .flatten_all()
        .unwrap()
        .to_vec1()
        .unwrap();
    let needle: Vec<u8> = first[..4]
        .iter()
        .flat_map(|number| number.to_le_bytes())
        .collect();
    let position = bytes
        .windows(16)
        .position(|window| window == needle)
        .unwrap();
    bytes[position] ^= 1;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.pth");
    fs::write(&path, bytes).unwrap();
    let (message, hint) = refusal(&path);
    assert_eq!(
        message,
        "entry `basic/data/0` of its archive: its checksum is wrong"
    );
    assert_eq!(
        hint,
        "the file is truncated or damaged: copy or download it again"
    );
}
