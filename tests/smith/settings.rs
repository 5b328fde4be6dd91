//! What a run of this program is told, by its environment. Its arguments are those of `cargo test`, which may name tests of
//! other programs.

use std::str::FromStr;

use crate::kinds::Kind;

/// Components and manifests of a usual run of the tests.
const COMPONENTS: u64 = 100;
const MANIFESTS: u64 = 200;
/// By which `cargo test NAME` finds it.
const NAME: &str = "smith::random_components_and_manifests";
/// Arguments of a test program whose next word is a value.
const WITH_VALUE: [&str; 6] = ["--skip", "--test-threads", "--format", "--color", "--logfile", "-Z"];

pub(crate) struct Settings {
    /// How many components of all kinds.
    pub(crate) components: u64,
    pub(crate) manifests: u64,
    /// The first seed.
    pub(crate) first: u64,
    /// One case alone, which is kept as a file.
    pub(crate) only: Option<(Kind, u64)>,
}

impl Settings {
    /// What the environment says.
    pub(crate) fn read() -> Self {
        let only = said("IOG_SMITH_ONLY").map(|text| {
            let (kind, seed) = text.split_once(':').expect("IOG_SMITH_ONLY is KIND:SEED");
            (
                Kind::named(kind).expect("a kind; those of the generators need IOG_SMITH_GENERATORS"),
                seed.parse().expect("a seed is a number"),
            )
        });
        Self {
            components: number("IOG_SMITH_COMPONENTS").unwrap_or(COMPONENTS),
            manifests: number("IOG_SMITH_MANIFESTS").unwrap_or(MANIFESTS),
            first: number("IOG_SMITH_FIRST").unwrap_or(0),
            only,
        }
    }
}

/// Whether `cargo test` asks for this test, and to run it.
pub(crate) fn is_asked_for() -> bool {
    let (mut names, mut skips) = (Vec::new(), Vec::new());
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--list" | "--ignored" => return false,
            "--skip" => skips.extend(args.next()),
            flag if WITH_VALUE.contains(&flag) => drop(args.next()),
            flag if flag.starts_with('-') => {}
            name => names.push(name.to_owned()),
        }
    }
    let is_named = names.is_empty() || names.iter().any(|name| NAME.contains(name.as_str()));
    is_named && !skips.iter().any(|name| NAME.contains(name.as_str()))
}

fn said(name: &str) -> Option<String> {
    std::env::var_os(name)?.into_string().ok()
}

fn number<T: FromStr>(name: &str) -> Option<T> {
    said(name).map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}
