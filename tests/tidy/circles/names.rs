//! Which file defines what a path names, and with that the arrows between the files of one crate. A declaration
//! (`mod x;`) is not an arrow, and neither is a re-export of what stands below.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::modules::Module;

/// File → the files whose items it uses, with the names of those items.
pub(super) type Arrows = BTreeMap<PathBuf, BTreeMap<PathBuf, BTreeSet<String>>>;

/// Re-exports followed before a name counts as unknown.
const STEPS_MAX: usize = 16;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Target {
    Module(usize),
    /// An item of this module.
    Item(usize),
}

/// Adds the arrows of one crate.
pub(super) fn add_arrows(modules: &[Module], arrows: &mut Arrows) {
    let names = Names { modules };
    for id in 0..modules.len() {
        for path in names.written(id) {
            let Some(Target::Item(owner)) = names.resolve(id, &path, STEPS_MAX) else { continue };
            let (from, to) = (&modules[id].file, &modules[owner].file);
            if from != to {
                let item = path.iter().find(|name| modules[owner].items.contains(*name)).or(path.last()).unwrap();
                let items = arrows.entry(from.clone()).or_default().entry(to.clone()).or_default();
                items.insert(item.clone());
            }
        }
    }
}

struct Names<'a> {
    modules: &'a [Module],
}

impl Names<'_> {
    /// The paths by which a module takes something: all that its text writes, and what it imports for itself.
    fn written(&self, id: usize) -> BTreeSet<Vec<String>> {
        let module = &self.modules[id];
        let private = module.uses.iter().filter(|u| !u.public && u.name.is_some()).map(|u| u.path.clone());
        module.paths.iter().cloned().chain(private).collect()
    }

    fn resolve(&self, from: usize, path: &[String], steps: usize) -> Option<Target> {
        let (first, rest) = path.split_first()?;
        let start = match first.as_str() {
            "crate" => Target::Module(0),
            "self" => Target::Module(from),
            "super" => Target::Module(self.modules[from].parent?),
            name => self.lookup(from, name, rest.is_empty(), steps)?,
        };
        self.follow(start, rest, steps)
    }

    fn follow(&self, start: Target, rest: &[String], steps: usize) -> Option<Target> {
        let Some((name, rest)) = rest.split_first() else { return Some(start) };
        match start {
            // A variant, an associated function: what owns it is what is named.
            Target::Item(_) => Some(start),
            Target::Module(id) if name == "super" => self.follow(Target::Module(self.modules[id].parent?), rest, steps),
            Target::Module(id) => self.follow(self.lookup(id, name, rest.is_empty(), steps)?, rest, steps),
        }
    }

    /// What a name means in a module. A module and an item may share it: the last name of a path means the item.
    fn lookup(&self, id: usize, name: &str, last: bool, steps: usize) -> Option<Target> {
        let steps = steps.checked_sub(1)?;
        let module = &self.modules[id];
        let child = module.children.get(name).map(|child| Target::Module(*child));
        let item = module.items.contains(name).then_some(Target::Item(id));
        let own = if last { item.or(child) } else { child.or(item) };
        if own.is_some() {
            return own;
        }
        let named = module.uses.iter().filter(|u| u.name.as_deref() == Some(name));
        // A path that begins with its own name is one of another crate (`use rows::rows`) or of a child.
        let taken = named.filter_map(|u| self.resolve_use(id, name, &u.path, steps));
        let globs = module.uses.iter().filter(|u| u.name.is_none());
        let globbed = globs.filter_map(|u| match self.resolve(id, &u.path, steps)? {
            Target::Module(of) if of != id => self.lookup(of, name, last, steps),
            Target::Module(_) | Target::Item(_) => None,
        });
        taken.chain(globbed).next()
    }

    fn resolve_use(&self, id: usize, name: &str, path: &[String], steps: usize) -> Option<Target> {
        if path.first().is_some_and(|first| first == name) && !self.modules[id].children.contains_key(name) {
            return None;
        }
        self.resolve(id, path, steps)
    }
}
