//! Modules, flows and configuration texts of the stories.

use std::fmt::Write as _;

/// A component with its manifest.
pub(crate) struct Shipped {
    pub(crate) wasm: &'static [u8],
    pub(crate) manifest: &'static str,
}

pub(crate) const TRACEBACK: Shipped = Shipped {
    wasm: include_bytes!("../../../modules/prebuilt/ip-traceback.wasm"),
    manifest: include_str!("../../../modules/ip-traceback/iog.toml"),
};
pub(crate) const HELLO: Shipped = Shipped {
    wasm: include_bytes!("../../../modules/prebuilt/hello.wasm"),
    manifest: include_str!("../../../modules/hello/iog.toml"),
};
pub(crate) const TALKERS: Shipped = Shipped {
    wasm: include_bytes!("../../../modules/prebuilt/top-talkers.wasm"),
    manifest: include_str!("../../../modules/top-talkers/iog.toml"),
};
pub(crate) const ORIGINS: Shipped = Shipped {
    wasm: include_bytes!("../../../modules/prebuilt/origin-check.wasm"),
    manifest: include_str!("../../../modules/origin-check/iog.toml"),
};
pub(crate) const WATCH: Shipped = Shipped {
    wasm: include_bytes!("../../../modules/prebuilt/dns-watch.wasm"),
    manifest: include_str!("../../../modules/dns-watch/iog.toml"),
};
const HOSTILE: Shipped = Shipped {
    wasm: include_bytes!("../../guests/prebuilt/hostile.wasm"),
    manifest: include_str!("../../guests/hostile/iog.toml"),
};

/// The misbehaving guest, under the one namespace that has a publisher here.
pub(crate) fn hostile() -> (&'static [u8], String) {
    (HOSTILE.wasm, HOSTILE.manifest.replace("test/hostile", "iog/hostile"))
}

/// The address that everybody asks about.
pub(crate) const TARGET: &str = "203.0.113.10";

/// Five flows, four of them to [`TARGET`]: two by AS 64510, one by AS 64511, one from inside.
pub(crate) const FLOWS: &str = "\
start,end,src,dst,proto,src_port,dst_port,packets,bytes,tcp_flags,ingress_as
1000,1001,198.51.100.1,203.0.113.10,17,53,40000,2,3000,0,64510
1002,1003,198.51.100.2,203.0.113.10,17,53,40001,1,1500,0,64510
1004,1005,198.51.100.3,203.0.113.10,6,1234,443,1,60,2,64511
1006,1007,192.0.2.7,203.0.113.10,6,1235,443,1,60,2,0
1008,1009,198.51.100.1,203.0.113.99,6,1236,443,9,900,2,64511
";

/// The dataset `border` over `flows.csv` beside the configuration.
pub(crate) const BORDER: &str = r#"
[dataset.border]
schema = "flow/1"
path = "flows.csv"
format = "csv"
timestamp = "seconds"
class = "reviewed"
"#;

/// A dataset over a CSV file beside the configuration.
pub(crate) fn dataset(name: &str, schema: &str, file: &str) -> String {
    BORDER.replace("border", name).replace("flow/1", schema).replace("flows.csv", file)
}

/// A service over `border` for all members. What follows may add to its tables.
pub(crate) fn service(name: &str, module: &str) -> String {
    service_over(name, module, "flows = \"border\"")
}

/// A service over the datasets that are bound to its slots, for all members.
pub(crate) fn service_over(name: &str, module: &str, bind: &str) -> String {
    let mut text = String::new();
    writeln!(text, "[service.{name}]\nmodule = \"{module}\"\nbind = {{ {bind} }}").expect("texts grow");
    writeln!(text, "[service.{name}.allow]\ncallers = [\"members\"]").expect("texts grow");
    text
}

/// A gateway that offers the traceback, and makes its rounds only when it is told to.
pub(crate) fn traceback() -> String {
    format!("{BORDER}{}", service("ip-traceback", "iog/ip-traceback@1.0.0"))
}
