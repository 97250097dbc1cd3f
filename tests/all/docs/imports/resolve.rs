//! The files that define the names which a module takes from others.

use std::collections::BTreeSet;

use super::parse::Module;

/// The target of a path.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Target {
    /// A module of the crate.
    Module(usize),
    /// An item of a module.
    Item(usize),
}

/// Returns the names that `module` takes, each with the file that defines it.
pub fn taken(modules: &[Module], module: usize) -> Vec<(String, String)> {
    let crate_ = Crate { modules };
    let own = &modules[module];
    let mut taken = Vec::new();
    let mut take = |target: Option<Target>, name: &str| {
        if let Some(Target::Item(definer)) = target {
            taken.push((modules[definer].file.clone(), name.to_owned()));
        }
    };
    for one in &own.uses {
        if one.name == "*" {
            let Some(Target::Module(other)) = crate_.path(module, &one.path) else {
                continue;
            };
            for name in &own.names {
                take(crate_.name(other, name, true, &mut Visited::new()), name);
            }
        } else if !one.is_public || own.names.contains(&one.name) {
            // A trait is used without its name; a name that is only re-exported is not used.
            take(crate_.path(module, &one.path), &one.name);
        }
    }
    for path in &own.paths {
        let name = path.last().map_or("", String::as_str);
        take(crate_.path(module, path), name);
    }
    taken
}

/// The names that were looked for on the way, by module and by place in their path, as imports can lead in circles.
type Visited = BTreeSet<(usize, String, bool)>;

struct Crate<'a> {
    modules: &'a [Module],
}

impl Crate<'_> {
    /// Follows a path in the code of `module`; `None` if it leads out of the crate.
    fn path(&self, module: usize, path: &[String]) -> Option<Target> {
        self.path_beyond(module, path, &mut Visited::new())
    }

    /// Follows a path that is not reached through the imports `seen`.
    fn path_beyond(&self, module: usize, path: &[String], seen: &mut Visited) -> Option<Target> {
        let mut at = module;
        let mut is_inside = false;
        for (index, segment) in path.iter().enumerate() {
            let is_last = index + 1 == path.len();
            match segment.as_str() {
                "crate" => at = 0,
                "self" => {}
                "super" => at = self.modules[at].parent?,
                name => match self.name(at, name, is_last, seen) {
                    Some(Target::Module(next)) => at = next,
                    // An associated item or a variant of it may follow.
                    Some(item) => return Some(item),
                    // Defined by a macro.
                    None if is_inside => return Some(Target::Item(at)),
                    None => return None,
                },
            }
            is_inside = true;
        }
        Some(Target::Module(at))
    }

    /// Returns what `name` is in `module`; items come before modules if it is the last segment of a path.
    fn name(&self, module: usize, name: &str, is_last: bool, seen: &mut Visited) -> Option<Target> {
        if !seen.insert((module, name.to_owned(), is_last)) {
            return None;
        }
        let own = &self.modules[module];
        let child = own.children.get(name).map(|&child| Target::Module(child));
        let item = own.items.contains(name).then_some(Target::Item(module));
        let mut targets = vec![item, child];
        let named = own.uses.iter().filter(|one| one.name == name);
        for one in named {
            targets.push(self.path_beyond(module, &one.path, seen));
        }
        for all in own.uses.iter().filter(|one| one.name == "*") {
            if let Some(Target::Module(other)) = self.path_beyond(module, &all.path, seen) {
                targets.push(self.name(other, name, is_last, seen));
            }
        }
        let is_item = |target: &&Target| matches!(target, Target::Item(_)) == is_last;
        let targets: Vec<Target> = targets.into_iter().flatten().collect();
        targets.iter().find(is_item).or(targets.first()).copied()
    }
}
