//! Joins the reports of many domains into one attack graph. Pure. A domain's report is believed about its own ingress
//! only: every edge ends at the AS that the registry gives the domain, whatever the report says.

use std::collections::{BTreeMap, BTreeSet};

use crate::bindings::{Dark, Edge, EntryPoint, Graph, Ingress, Inside, Origin, Part, Silent, TraceReport, Unplaced};

/// The graph of all parts.
pub(crate) fn merge(parts: Vec<Part>) -> Graph {
    let asked = count(parts.len());
    let target = agreed_target(&parts);
    let mut join = Join::default();
    for part in parts {
        join.add(part, target.as_deref());
    }
    join.graph(asked, target)
}

/// The target that most reports are about; of equally many the first by text.
fn agreed_target(parts: &[Part]) -> Option<String> {
    let mut votes = BTreeMap::<&str, u32>::new();
    for report in parts.iter().filter_map(|part| part.outcome.as_ref().ok()) {
        *votes.entry(&report.target).or_default() += 1;
    }
    let most = votes.values().copied().max()?;
    votes.iter().find(|&(_, &votes)| votes == most).map(|(&target, _)| target.to_owned())
}

#[derive(Default)]
struct Join {
    /// By from and to.
    edges: BTreeMap<(u32, u32), Edge>,
    inside: BTreeMap<u32, Origin>,
    answered: u32,
    answering: BTreeSet<u32>,
    silent: Vec<Silent>,
    unplaced: Vec<Unplaced>,
}

impl Join {
    fn add(&mut self, part: Part, target: Option<&str>) {
        let Part { domain, asn, outcome } = part;
        let report = match outcome {
            Ok(report) if Some(report.target.as_str()) == target => report,
            Ok(report) => {
                let reason = format!("answered for another target, `{}`", report.target);
                return self.silent.push(Silent { domain, asn, reason });
            }
            Err(reason) => return self.silent.push(Silent { domain, asn, reason }),
        };
        self.answered += 1;
        let Some(asn) = asn else {
            return self.unplaced.push(unplaced(domain, &report));
        };
        self.answering.insert(asn);
        for ingress in &report.ingress {
            self.add_edge(asn, ingress);
        }
        self.add_inside(asn, &report.inside);
    }

    fn add_edge(&mut self, to: u32, ingress: &Ingress) {
        let fresh = Edge {
            from: ingress.asn,
            to,
            flows: 0,
            packets: 0,
            bytes: 0,
            sources: 0,
            first_us: ingress.first_us,
            last_us: ingress.last_us,
        };
        let edge = self.edges.entry((ingress.asn, to)).or_insert(fresh);
        edge.flows = edge.flows.saturating_add(ingress.flows);
        edge.packets = edge.packets.saturating_add(ingress.packets);
        edge.bytes = edge.bytes.saturating_add(ingress.bytes);
        edge.sources = edge.sources.saturating_add(ingress.sources);
        edge.first_us = edge.first_us.min(ingress.first_us);
        edge.last_us = edge.last_us.max(ingress.last_us);
    }

    fn add_inside(&mut self, asn: u32, inside: &Inside) {
        let (Some(first_us), Some(last_us)) = (inside.first_us, inside.last_us) else { return };
        let fresh = Origin { asn, flows: 0, packets: 0, bytes: 0, sources: 0, first_us, last_us };
        let origin = self.inside.entry(asn).or_insert(fresh);
        origin.flows = origin.flows.saturating_add(inside.flows);
        origin.packets = origin.packets.saturating_add(inside.packets);
        origin.bytes = origin.bytes.saturating_add(inside.bytes);
        origin.sources = origin.sources.saturating_add(inside.sources);
        origin.first_us = origin.first_us.min(first_us);
        origin.last_us = origin.last_us.max(last_us);
    }

    fn graph(mut self, asked: u32, target: Option<String>) -> Graph {
        self.silent.sort_by(|a, b| a.domain.cmp(&b.domain));
        self.unplaced.sort_by(|a, b| a.domain.cmp(&b.domain));
        let (entry_points, dark) = self.unseen_neighbours();
        Graph {
            target,
            edges: self.edges.into_values().collect(),
            entry_points,
            dark,
            inside: self.inside.into_values().collect(),
            silent: self.silent,
            unplaced: self.unplaced,
            answered: self.answered,
            asked,
        }
    }

    /// Neighbours that gave no answer themselves: those that nobody asked, and those that were asked in vain.
    fn unseen_neighbours(&self) -> (Vec<EntryPoint>, Vec<Dark>) {
        let mut unseen = BTreeMap::<u32, EntryPoint>::new();
        for edge in self.edges.values().filter(|edge| !self.answering.contains(&edge.from)) {
            let fresh = EntryPoint { asn: edge.from, flows: 0, packets: 0, bytes: 0, to: Vec::new() };
            let entry = unseen.entry(edge.from).or_insert(fresh);
            entry.flows = entry.flows.saturating_add(edge.flows);
            entry.packets = entry.packets.saturating_add(edge.packets);
            entry.bytes = entry.bytes.saturating_add(edge.bytes);
            entry.to.push(edge.to);
        }
        let mut entry_points = Vec::new();
        let mut dark = Vec::new();
        for entry in unseen.into_values() {
            let asked: Vec<_> = self.silent.iter().filter(|silent| silent.asn == Some(entry.asn)).collect();
            if asked.is_empty() {
                entry_points.push(entry);
                continue;
            }
            dark.push(Dark {
                asn: entry.asn,
                domains: asked.iter().map(|silent| silent.domain.clone()).collect(),
                reasons: asked.iter().map(|silent| silent.reason.clone()).collect(),
                flows: entry.flows,
                packets: entry.packets,
                bytes: entry.bytes,
                to: entry.to,
            });
        }
        (entry_points, dark)
    }
}

fn unplaced(domain: String, report: &TraceReport) -> Unplaced {
    Unplaced {
        domain,
        neighbours: count(report.ingress.len()),
        flows: report.flows,
        packets: report.packets,
        bytes: report.bytes,
    }
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ingress(asn: u32, flows: u64) -> Ingress {
        Ingress { asn, flows, packets: flows * 2, bytes: flows * 100, sources: flows, first_us: 10, last_us: 20 }
    }

    fn report(ingress: Vec<Ingress>, inside: u64) -> TraceReport {
        let time = (inside > 0).then_some(15);
        TraceReport {
            target: "192.0.2.1/32".into(),
            flows: ingress.iter().map(|i| i.flows).sum::<u64>() + inside,
            packets: 0,
            bytes: 0,
            ingress,
            inside: Inside {
                flows: inside,
                packets: inside,
                bytes: inside,
                sources: inside,
                first_us: time,
                last_us: time,
            },
        }
    }

    fn part(asn: u32, outcome: Result<TraceReport, &str>) -> Part {
        Part { domain: format!("as{asn}"), asn: Some(asn), outcome: outcome.map_err(String::from) }
    }

    #[test]
    fn edges_run_from_the_neighbour_to_the_answering_as() {
        let graph = merge(vec![
            part(30, Ok(report(vec![ingress(20, 5), ingress(10, 1)], 0))),
            part(20, Ok(report(vec![ingress(10, 7)], 3))),
        ]);
        let edges: Vec<_> = graph.edges.iter().map(|e| (e.from, e.to, e.flows, e.bytes)).collect();
        assert_eq!(edges, [(10, 20, 7, 700), (10, 30, 1, 100), (20, 30, 5, 500)]);
        let entries: Vec<_> = graph.entry_points.iter().map(|e| (e.asn, e.flows, e.to.clone())).collect();
        assert_eq!(entries, [(10, 8, vec![20, 30])]);
        assert_eq!(graph.inside.iter().map(|o| (o.asn, o.flows)).collect::<Vec<_>>(), [(20, 3)]);
        assert_eq!((graph.target.as_deref(), graph.answered, graph.asked), (Some("192.0.2.1/32"), 2, 2));
        assert!(graph.dark.is_empty() && graph.silent.is_empty());
    }

    #[test]
    fn an_as_that_was_asked_in_vain_is_dark_and_no_entry_point() {
        let graph = merge(vec![
            part(20, Err("not granted")),
            part(30, Ok(report(vec![ingress(20, 5), ingress(10, 1)], 0))),
            part(99, Err("timed out")),
        ]);
        assert_eq!(graph.entry_points.iter().map(|e| e.asn).collect::<Vec<_>>(), [10]);
        let dark = &graph.dark[0];
        assert_eq!((graph.dark.len(), dark.asn, dark.flows, &dark.to), (1, 20, 5, &vec![30]));
        assert_eq!((&dark.domains, &dark.reasons), (&vec!["as20".to_string()], &vec!["not granted".to_string()]));
        assert_eq!(graph.silent.iter().map(|s| s.domain.as_str()).collect::<Vec<_>>(), ["as20", "as99"]);
        assert_eq!((graph.answered, graph.asked), (1, 3));
    }

    #[test]
    fn a_domain_without_an_as_number_is_told_apart() {
        let mut lost = part(30, Ok(report(vec![ingress(20, 5)], 1)));
        lost.asn = None;
        let graph = merge(vec![lost, Part { domain: "x".into(), asn: None, outcome: Err("down".into()) }]);
        assert!(graph.edges.is_empty() && graph.entry_points.is_empty() && graph.inside.is_empty());
        assert_eq!((graph.unplaced[0].neighbours, graph.unplaced[0].flows), (1, 6));
        assert_eq!(graph.silent[0].asn, None);
    }

    #[test]
    fn two_domains_of_one_as_are_added() {
        let parts = vec![part(30, Ok(report(vec![ingress(20, 5)], 1))), part(30, Ok(report(vec![ingress(20, 6)], 1)))];
        let graph = merge(parts);
        assert_eq!(graph.edges.iter().map(|e| (e.flows, e.sources)).collect::<Vec<_>>(), [(11, 11)]);
        assert_eq!((graph.inside[0].flows, graph.answered), (2, 2));
    }

    #[test]
    fn an_answer_about_something_else_is_no_answer() {
        let mut other = report(vec![ingress(20, 5)], 0);
        other.target = "198.51.100.0/24".into();
        let graph = merge(vec![
            part(10, Ok(other)),
            part(30, Ok(report(vec![ingress(20, 1)], 0))),
            part(40, Ok(report(vec![ingress(10, 1)], 0))),
        ]);
        assert_eq!(graph.edges.len(), 2);
        assert_eq!(graph.dark[0].reasons, ["answered for another target, `198.51.100.0/24`"]);
    }

    #[test]
    fn the_order_of_parts_does_not_matter() {
        let parts = || {
            vec![
                part(1, Err("a")),
                part(3, Ok(report(vec![ingress(1, 2)], 1))),
                part(2, Ok(report(vec![ingress(3, 4)], 0))),
            ]
        };
        let mut turned = parts();
        turned.reverse();
        assert_eq!(format!("{:?}", merge(parts())), format!("{:?}", merge(turned)));
        assert_eq!(merge(Vec::new()).target, None);
    }
}
