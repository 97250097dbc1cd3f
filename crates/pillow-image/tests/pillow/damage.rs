//! Damage to files, the same in every run, and headers that claim too much.

/// Returns random numbers, which decide where and how a file is damaged.
pub fn random(seed: u64) -> impl FnMut() -> usize {
    let mut state = seed;
    move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as usize
    }
}

/// Replaces up to four bytes of `bytes`.
pub fn damage(bytes: &mut [u8], random: &mut impl FnMut() -> usize) {
    for _ in 0..=random() % 4 {
        let at = random() % bytes.len();
        bytes[at] = random() as u8;
    }
}

/// Returns a PNG header that claims `width` x `height` pixels, with a valid checksum and no pixels.
pub fn png_header(width: u32, height: u32) -> Vec<u8> {
    let [width, height] = [width, height].map(u32::to_be_bytes);
    let header = [&b"IHDR"[..], &width, &height, &[8, 2, 0, 0, 0]].concat();
    let checksum = crc32fast::hash(&header).to_be_bytes();
    let signature = b"\x89PNG\r\n\x1a\n\0\0\0\x0d";
    [
        &signature[..],
        &header,
        &checksum,
        b"\0\0\0\0IDAT\x35\xaf\x06\x1e",
    ]
    .concat()
}
