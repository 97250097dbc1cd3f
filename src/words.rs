//! Words that go with numbers, for every message.

/// `1 picture`, `2 pictures`; `1 class`, `2 classes`.
pub fn counted(number: impl TryInto<u64>, noun: &str) -> String {
    // More than u64 has is many, too.
    let number = number.try_into().unwrap_or(u64::MAX);
    let ending = match number {
        1 => "",
        _ if noun.ends_with('s') => "es",
        _ => "s",
    };
    format!("{number} {noun}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_stands_alone_and_all_others_are_many() {
        assert_eq!(counted(1_u64, "picture"), "1 picture");
        assert_eq!(counted(0_usize, "picture"), "0 pictures");
        assert_eq!(counted(1_usize, "class"), "1 class");
        assert_eq!(counted(1000_u32, "class"), "1000 classes");
    }
}
