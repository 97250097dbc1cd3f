//! Small crates whose imports are known.

use super::{imports, loops};

/// Returns the imports between `files`, given as `(path, code)`, as `from -> to: names`.
fn imports_of(files: &[(&str, &str)]) -> Vec<String> {
    let found = imports(files[0].0, &|path| read(files, path));
    let lines = found.iter().map(|((from, to), names)| {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        format!("{from} -> {to}: {}", names.join(", "))
    });
    lines.collect()
}

/// Returns the loops in `files`, each with its files in alphabetical order.
fn loops_of(files: &[(&str, &str)]) -> Vec<Vec<String>> {
    let found = loops(&imports(files[0].0, &|path| read(files, path)));
    found
        .into_iter()
        .map(|group| group.into_iter().collect())
        .collect()
}

fn read(files: &[(&str, &str)], path: &str) -> Option<String> {
    let file = files.iter().find(|(name, _)| *name == path);
    file.map(|(_, code)| (*code).to_owned())
}

#[test]
fn imports_are_found_in_every_spelling() {
    let code = [
        "use crate::b::B;",
        "use crate::{c::{C}, b::{self, B}};",
        "use super::b::B as Other;",
        "use crate::b::*; struct Mine(B);",
        "use crate::b; fn f() { b::make(); }",
        "use crate::b::{self as bees}; fn f() -> bees::B { todo!() }",
        "fn f() { let x = crate::b::B::new(1); }",
        "fn f() { println!(\"{}\", super::b::make()); }",
        "fn f(x: u8) -> Vec<crate::b::B> { use super::b::make; make() }",
        "#[derive(Debug)] pub(crate) enum E { A(super::b::B) }",
        "mod inner { use super::super::b::B; }",
        "impl From<self::super::b::B> for u8 {}",
    ];
    for code in code {
        let files = [
            ("src/lib.rs", "mod a; mod b; mod c;"),
            ("src/a.rs", code),
            ("src/b.rs", "pub struct B; pub const fn make() {}"),
            ("src/c.rs", "pub trait C {}"),
        ];
        let found = imports_of(&files);
        let expected = "src/a.rs -> src/b.rs: ";
        assert!(
            found.iter().any(|line| line.starts_with(expected)),
            "{code}: {found:?}"
        );
    }
}

#[test]
fn comments_strings_tests_and_other_crates_are_not_imports() {
    let code = "//! [`crate::b::B`]\n/* use crate::b::B; */ const X: &str = \"use crate::b::B;\"; // crate::b::B
        use std::b; use ::b::B; use b::make;
        fn f(b: u8) { value.b::<u8>(); std::b::B(b, Y::b::B) }
        #[cfg(test)] mod tests { use crate::b::B; }
        #[cfg(test)] #[expect(dead_code)] fn g(x: crate::b::B) -> u8 { 1 }
        #[cfg(all(test, unix))] use crate::b::B;
        struct S { #[cfg(test)] field: crate::b::B, other: u8 }
        #[cfg(test)] mod more;";
    let files = [
        ("src/lib.rs", "mod a; mod b;"),
        ("src/a.rs", code),
        ("src/b.rs", "pub struct B; pub fn make() {}"),
        // Only compiled for tests.
        ("src/a/more.rs", "use crate::b::B;"),
    ];
    assert_eq!(imports_of(&files), [""; 0]);
}

#[test]
fn a_file_that_only_declares_and_reexports_ties_nothing() {
    let files = [
        ("src/lib.rs", "pub mod a; pub use a::One;"),
        (
            "src/a/mod.rs",
            "mod one; mod two; pub use one::*; pub use two::{Two, two as also};",
        ),
        ("src/a/one.rs", "use super::Two; pub struct One(Two);"),
        ("src/a/two.rs", "pub struct Two; pub fn two() {}"),
        ("src/b.rs", ""),
    ];
    assert_eq!(imports_of(&files), ["src/a/one.rs -> src/a/two.rs: Two"]);
    assert!(loops_of(&files).is_empty());
}

#[test]
fn a_file_that_reexports_and_uses_a_name_imports_it() {
    let files = [
        ("src/lib.rs", "mod a;"),
        (
            "src/a/mod.rs",
            "mod one; pub use one::One; pub struct All { one: One }",
        ),
        ("src/a/one.rs", "use super::All; pub struct One(Box<All>);"),
    ];
    assert_eq!(loops_of(&files), [["src/a/mod.rs", "src/a/one.rs"]]);
}

#[test]
fn loops_of_two_and_of_three_are_found_through_reexports() {
    let files = [
        (
            "src/lib.rs",
            "mod a; mod b; mod c; mod d; mod e; pub use c::C; pub use b::*;",
        ),
        ("src/a.rs", "use crate::B; pub struct A(B);"),
        (
            "src/b.rs",
            "use crate::C; pub struct B; impl B { fn f(_: C) {} }",
        ),
        (
            "src/c/mod.rs",
            "mod inner; pub use inner::C; pub(crate) use super::a;",
        ),
        (
            "src/c/inner.rs",
            "use super::a; pub struct C; fn f() -> a::A { a::A }",
        ),
        ("src/d.rs", "pub fn d() { super::e::e(); }"),
        ("src/e.rs", "use crate::d; pub fn e() { d::d(); }"),
    ];
    assert_eq!(
        loops_of(&files),
        [
            vec!["src/a.rs", "src/b.rs", "src/c/inner.rs"],
            vec!["src/d.rs", "src/e.rs"],
        ]
    );
}

#[test]
fn files_without_a_way_back_are_no_loop() {
    let files = [
        ("src/lib.rs", "mod a; mod b; mod c; mod plot;"),
        ("src/a.rs", "use crate::{b::B, c::C}; pub struct A;"),
        ("src/b.rs", "use crate::c::C; pub struct B;"),
        // Functions of the names of modules, and a module whose name a field and a method have.
        (
            "src/c.rs",
            "use crate::plot::plot; pub struct C { a: u8 } fn f(c: C) { c.a(); plot(c.a) }",
        ),
        ("src/plot/mod.rs", "mod plot; pub use plot::plot;"),
        ("src/plot/plot.rs", "pub fn plot() {}"),
    ];
    assert!(loops_of(&files).is_empty());
    assert_eq!(
        imports_of(&files)[3..],
        ["src/c.rs -> src/plot/plot.rs: plot"]
    );
}
