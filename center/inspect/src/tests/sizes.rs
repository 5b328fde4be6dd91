//! What the queries of the platform's own analyses have of each thing that is bounded after expansion. The documentation of the
//! bounds says these numbers.

use iog_protocol::manifest::Manifest;
use iog_query::Size;

#[test]
fn the_platforms_queries_are_as_small_as_the_bounds_say() {
    let modules = concat!(env!("CARGO_MANIFEST_DIR"), "/../../modules");
    let mut largest = Size::default();
    let folders = std::fs::read_dir(modules).expect("the modules are here");
    let manifests =
        folders.filter_map(|folder| std::fs::read_to_string(folder.expect("a folder").path().join("iog.toml")).ok());
    for manifest in manifests {
        for query in Manifest::parse(&manifest).expect("a manifest").query.values() {
            let size = iog_query::measure(&crate::sql::parse(&query.sql).expect("a query"));
            largest = Size {
                scans: largest.scans.max(size.scans),
                nodes: largest.nodes.max(size.nodes),
                plan_depth: largest.plan_depth.max(size.plan_depth),
                expressions: largest.expressions.max(size.expressions),
                literal_bytes: largest.literal_bytes.max(size.literal_bytes),
                depth: largest.depth.max(size.depth),
            };
        }
    }
    let said = Size { scans: 1, nodes: 4, plan_depth: 4, expressions: 24, literal_bytes: 0, depth: 5 };
    assert_eq!(largest, said, "`center/query/src/bounds.rs` and `docs/spec/manifest.md` say it too");
}
