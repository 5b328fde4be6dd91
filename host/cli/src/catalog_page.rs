//! Services in full, for people: what a module is, is said once for all domains that offer it and describe it alike; what a
//! domain says of its own is a row.

use iog_protocol::catalog::Descriptor;
use iog_protocol::manifest::LimitsDecl;

use crate::ui::{Text, Ui, grouped};

pub(crate) fn print(ui: Ui, services: &[Descriptor]) {
    for group in alike(services) {
        let first = group[0];
        ui.title(&format!("{}: {}@{}", first.service, first.module_name, first.module_version));
        ui.block(&first.summary);
        ui.line(format!("  {}", first.module));
        for entry in &first.entries {
            ui.gap();
            ui.line(format!("  entry `{}`:", entry.name));
            ui.block(&entry.wit);
        }
        ui.gap();
        let rows: Vec<Vec<Text>> = group.iter().map(|descriptor| row(descriptor)).collect();
        ui.table(&["domain", "data", "limits of a run", "access", "expires"], &rows);
    }
    if let Some(first) = services.first() {
        ui.gap();
        ui.line(format!("to ask:  iog call {} --all   (--help shows its parameters)", first.service));
    }
}

/// Services of one name whose domains say the same of their module, where the first of them is.
fn alike(services: &[Descriptor]) -> Vec<Vec<&Descriptor>> {
    let same = |a: &Descriptor, b: &Descriptor| {
        (&a.service, a.module, &a.summary, &a.entries) == (&b.service, b.module, &b.summary, &b.entries)
    };
    let mut groups: Vec<Vec<&Descriptor>> = Vec::new();
    for service in services {
        match groups.iter_mut().find(|group| same(group[0], service)) {
            Some(group) => group.push(service),
            None => groups.push(vec![service]),
        }
    }
    groups
}

/// A domain, with the AS numbers that it says it covers.
pub(crate) fn domain(descriptor: &Descriptor) -> String {
    let asns: Vec<String> = descriptor.coverage.asns.iter().map(|asn| format!("AS{asn}")).collect();
    let asns = if asns.is_empty() { String::new() } else { format!(" ({})", asns.join(" ")) };
    format!("{}{asns}", descriptor.domain)
}

fn row(descriptor: &Descriptor) -> Vec<Text> {
    let data = descriptor.datasets.iter().map(|data| {
        let rows = data.rows.map_or(String::new(), |rows| format!(", {} rows", grouped(rows)));
        format!("{} ({}, {}{rows})", data.slot, data.schema, data.class)
    });
    vec![
        domain(descriptor).into(),
        data.collect::<Vec<_>>().join(", ").into(),
        limits(&descriptor.limits).into(),
        Text::words(&descriptor.access),
        descriptor.expires.to_string().into(),
    ]
}

/// What a run gets at most.
pub(crate) fn limits(limits: &LimitsDecl) -> String {
    let (fuel, result) = (grouped(limits.fuel), grouped(limits.result_kib.into()));
    format!("{fuel} fuel, {} MiB of memory, {} s, {result} KiB of result", limits.memory_mib, limits.wall_s)
}
