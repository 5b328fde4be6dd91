//! What the demo says at its end: the attack graph and what it cost, for people; one object, for machines.

use anyhow::{Context as _, Result};
use iog_caller::{CallReport, Merged, Part, PartOutcome};
use iog_protocol::ids::{Digest, ModuleName, ModuleVersion};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::parts;
use crate::ui::{Text, Tone, Ui, counted, grouped, size};

/// Edges and entry points that people are shown; machines get all.
const SHOWN_MAX: usize = 12;

/// A finished demo.
pub(super) struct Finished<'a> {
    pub(super) domains: usize,
    pub(super) module: (&'a ModuleName, &'a ModuleVersion, Digest),
    pub(super) log_size: u64,
    pub(super) call: &'a CallReport,
    /// For each part, in order: whether its receipt verified again offline.
    pub(super) receipts_ok: &'a [bool],
    pub(super) dataset_bytes: u64,
    pub(super) generated: bool,
}

/// The parts of `ip-traceback`'s merged graph that the demo shows.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Graph {
    target: Option<String>,
    edges: Vec<Edge>,
    entry_points: Vec<Place>,
    dark: Vec<Place>,
    inside: Vec<Place>,
    silent: Vec<Value>,
}

#[derive(Debug, Deserialize)]
struct Edge {
    from: u32,
    to: u32,
    flows: u64,
    bytes: u64,
}

#[derive(Debug, Deserialize)]
struct Place {
    asn: u32,
    flows: u64,
    bytes: u64,
    #[serde(default)]
    to: Vec<u32>,
}

impl Finished<'_> {
    fn merged(&self) -> Result<(Value, Graph)> {
        match &self.call.merged {
            Some(Merged::Result { result, .. }) => {
                let value: Value = serde_json::from_str(result.as_str()).context("the merged result is not JSON")?;
                let graph = Graph::deserialize(&value).context("the merged result is not an attack graph")?;
                Ok((value, graph))
            }
            Some(Merged::Failed { why }) => anyhow::bail!("the answers could not be merged: {why}"),
            None => anyhow::bail!("nobody answered"),
        }
    }

    /// The one object of `iog demo --json`.
    pub(super) fn object(&self) -> Result<Value> {
        let (mut result, graph) = self.merged()?;
        let edge = |edge: &Edge| json!({"from": edge.from, "to": edge.to, "flows": edge.flows, "bytes": edge.bytes});
        result["edges"] = graph.edges.iter().map(edge).collect();
        let (name, version, digest) = &self.module;
        let runs: Vec<Value> = self.call.parts.iter().zip(self.receipts_ok).map(|(part, ok)| run(part, *ok)).collect();
        Ok(json!({
            "domains": self.domains,
            "module": {"name": name, "version": version, "digest": digest},
            "log_size": self.log_size,
            "runs": runs,
            "result": result,
            "dataset_bytes": self.dataset_bytes,
            "left_bytes": self.call.left_bytes(),
            "generated": self.generated,
        }))
    }

    /// The same for people.
    pub(super) fn print(&self, ui: Ui) -> Result<()> {
        let (_, graph) = self.merged()?;
        ui.title(&format!("Where does traffic to {} enter?", graph.target.as_deref().unwrap_or("the target")));
        print_edges(ui, &graph);
        print_places(ui, "enters at (not asked)", &graph.entry_points, Tone::Bad);
        print_places(ui, "goes dark at (no answer)", &graph.dark, Tone::Warn);
        print_places(ui, "sources inside", &graph.inside, Tone::Warn);
        if !graph.silent.is_empty() {
            ui.words(format!("{} gave no answer", counted(graph.silent.len() as u64, "domain", "domains")));
        }
        ui.title("What it cost");
        self.print_cost(ui);
        Ok(())
    }

    fn print_cost(&self, ui: Ui) {
        let costs = self.call.parts.iter().filter_map(|part| part.receipt.as_ref()).map(|receipt| receipt.cost);
        let (read, fuel) = costs.fold((0, 0), |(rows, fuel), cost| (rows + cost.rows, fuel + cost.fuel));
        parts::print(ui, &self.call.parts, |at, _| match self.receipts_ok.get(at) {
            Some(true) => Text::toned(Tone::Good, "verified"),
            _ => Text::toned(Tone::Bad, "NOT VALID"),
        });
        let left = self.call.left_bytes();
        let times = self.dataset_bytes.checked_div(left.max(1)).unwrap_or(0);
        let share = if times > 1 { format!("1/{} of it, ", grouped(times)) } else { String::new() };
        ui.gap();
        let good = self.receipts_ok.iter().filter(|ok| **ok).count();
        let verified =
            format!("{good} of {} verified offline from files and the pinned genesis", self.receipts_ok.len());
        let most = format!("at most {} rows and {} fuel (receipts round up)", grouped(read), grouped(fuel));
        let registry = format!("{} log entries, no independent witness in a demo", self.log_size);
        ui.named(&[
            ("data at the providers", size(self.dataset_bytes).into()),
            ("left the providers", format!("{} ({share}receipts included)", size(left)).into()),
            ("read and used", most.into()),
            ("receipts", verified.into()),
            ("registry", registry.into()),
        ]);
    }
}

fn run(part: &Part, receipt_ok: bool) -> Value {
    let cost = part.receipt.as_ref().map(|receipt| receipt.cost).unwrap_or_default();
    json!({
        "domain": part.domain,
        "outcome": outcome(part),
        "rows_read": cost.rows,
        "bytes_read": cost.bytes,
        "fuel": cost.fuel,
        "result_bytes": part.result().map_or(0, |result| result.as_str().len()),
        "receipt_ok": receipt_ok,
    })
}

/// One word or a reason.
fn outcome(part: &Part) -> String {
    match &part.outcome {
        PartOutcome::Result(_) => "succeeded".to_owned(),
        PartOutcome::Missing(why) => why.to_string(),
    }
}

fn print_edges(ui: Ui, graph: &Graph) {
    let mut edges: Vec<&Edge> = graph.edges.iter().collect();
    edges.sort_by_key(|edge| std::cmp::Reverse((edge.bytes, edge.from, edge.to)));
    let most = edges.first().map_or(1, |edge| edge.bytes.max(1));
    let row = |edge: &&Edge| {
        let width = usize::try_from(edge.bytes.saturating_mul(24) / most).unwrap_or(24).max(1);
        let hop = format!("AS{} -> AS{}", edge.from, edge.to);
        let (flows, bytes) = (grouped(edge.flows), grouped(edge.bytes));
        vec![Text::from(hop), flows.into(), bytes.into(), Text::toned(Tone::Bad, &"#".repeat(width))]
    };
    let rows: Vec<Vec<Text>> = edges.iter().take(SHOWN_MAX).map(row).collect();
    ui.table(&["hop", "flows", "bytes", ""], &rows);
    if edges.len() > SHOWN_MAX {
        ui.words(format!("and {} lighter edges (--json has all)", edges.len() - SHOWN_MAX));
    }
}

fn print_places(ui: Ui, what: &str, places: &[Place], tone: Tone) {
    let mut places: Vec<&Place> = places.iter().collect();
    places.sort_by_key(|place| std::cmp::Reverse((place.bytes, place.asn)));
    for place in places.iter().take(SHOWN_MAX / 2) {
        let to: Vec<String> = place.to.iter().map(|asn| format!("AS{asn}")).collect();
        let towards = if to.is_empty() { String::new() } else { format!(", towards {}", to.join(" ")) };
        let name = Text::toned(tone, &format!("AS{}", place.asn));
        let counts = format!("  {}, {}{towards}", counted(place.flows, "flow", "flows"), size(place.bytes));
        ui.words(Text::from(format!("{what}: ")).then(name).then(counts));
    }
    if places.len() > SHOWN_MAX / 2 {
        ui.words(format!("{what}: {} more", places.len() - SHOWN_MAX / 2));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages;

    #[test]
    fn the_end_of_the_demo() {
        let call = pages::report();
        let (name, version) = (call.module_name.clone(), call.module_version.clone());
        let finished = Finished {
            domains: 8,
            module: (&name, &version, call.module),
            log_size: 24,
            call: &call,
            receipts_ok: &[true, true, true, true, true, false, false, false],
            dataset_bytes: 54_321_000,
            generated: true,
        };
        insta::assert_snapshot!("demo", Ui::pages(|ui| finished.print(ui).unwrap()));
    }
}
