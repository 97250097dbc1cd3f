//! Reads one number past the end of its memory: a working sanitizer aborts it.

fn main() {
    let numbers = vec![1.0_f32; std::env::args().count() * 16];
    // SAFETY: none. It is wrong on purpose.
    let past = unsafe { std::hint::black_box(&numbers).as_ptr().add(numbers.len()).read() };
    println!("{past}");
}
