//! Circles between files that are known and still to be removed.

/// Each with its files. A circle may get smaller; never add one.
pub(super) const KNOWN: &[&[&str]] = &[
    &["center/protocol/src/dsse/envelope.rs", "center/protocol/src/dsse/signed.rs"],
    &["center/protocol/src/manifest/mod.rs", "center/protocol/src/manifest/read.rs"],
    &[
        "center/protocol/src/schemas/flow.rs",
        "center/protocol/src/schemas/geo.rs",
        "center/protocol/src/schemas/mod.rs",
        "center/protocol/src/schemas/names.rs",
        "center/protocol/src/schemas/route.rs",
    ],
    &["host/sandbox/src/structure.rs", "host/sandbox/src/typedepth.rs"],
    &["modules/origin-check/src/joint.rs", "modules/origin-check/src/suspects.rs", "modules/origin-check/src/view.rs"],
];
