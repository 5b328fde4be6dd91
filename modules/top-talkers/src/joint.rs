//! Joins the rankings of many domains. Pure. Says what is known at least and what is possible at most, because a ranking
//! leaves out all but the heaviest.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use iog_guest::Prefix;

use crate::bindings::{JointRanking, JointTalker, Measure, Part, Question, Ranking, Side, Silent, Talker};
use crate::table::{Traffic, share};

/// The ranking over all parts.
pub(crate) fn merge(parts: Vec<Part>) -> JointRanking {
    let asked = count(parts.len());
    let question = agreed_question(&parts);
    let mut silent = Vec::new();
    let mut rankings = Vec::new();
    for Part { domain, asn, outcome } in parts {
        match outcome {
            Ok(ranking) if question.is_some_and(|question| key(&question) == key(&asked_of(&ranking))) => {
                rankings.push((domain, ranking));
            }
            Ok(_) => silent.push(Silent { domain, asn, reason: "answered another question".to_owned() }),
            Err(reason) => silent.push(Silent { domain, asn, reason }),
        }
    }
    silent.sort_by(|a, b| a.domain.cmp(&b.domain));
    rankings.sort_by(|a, b| a.0.cmp(&b.0));
    let mut total = Traffic::default();
    for (_, ranking) in &rankings {
        total.add(Traffic { flows: ranking.flows, packets: ranking.packets, bytes: ranking.bytes });
    }
    JointRanking {
        question,
        talkers: question.map_or_else(Vec::new, |question| talkers(&question, &rankings, total)),
        flows: total.flows,
        packets: total.packets,
        bytes: total.bytes,
        silent,
        answered: count(rankings.len()),
        asked,
    }
}

/// A prefix over all rankings.
#[derive(Default)]
struct Joint {
    traffic: Traffic,
    domains: Vec<String>,
    /// By the measure, what the domains that do not list it have at most.
    unlisted_at_most: u64,
}

fn talkers(question: &Question, rankings: &[(String, Ranking)], total: Traffic) -> Vec<JointTalker> {
    let measure = question.measure;
    let mut joint = BTreeMap::<Prefix, Joint>::new();
    let mut possible = 0u64;
    for (domain, ranking) in rankings {
        let floor = unlisted_at_most(ranking);
        possible = possible.saturating_add(floor);
        for talker in &ranking.talkers {
            // A domain that writes something else than a prefix, or one prefix twice, can spoil its own part only.
            let Ok(prefix) = talker.prefix.parse::<Prefix>() else { continue };
            let entry = joint.entry(prefix).or_default();
            if entry.domains.last() == Some(domain) {
                continue;
            }
            entry.traffic.add(traffic(talker));
            entry.unlisted_at_most = entry.unlisted_at_most.saturating_add(floor);
            entry.domains.push(domain.clone());
        }
    }
    let mut ranked: Vec<_> = joint.into_iter().collect();
    ranked.sort_by_key(|(prefix, joint)| (Reverse(joint.traffic.by(measure)), *prefix));
    ranked.truncate(question.n as usize);
    ranked
        .into_iter()
        .map(|(prefix, joint)| {
            let known = joint.traffic.by(measure);
            JointTalker {
                prefix: prefix.to_string(),
                flows: joint.traffic.flows,
                packets: joint.traffic.packets,
                bytes: joint.traffic.bytes,
                at_most: known.saturating_add(possible.saturating_sub(joint.unlisted_at_most)),
                share: share(known, total.by(measure)),
                domains: joint.domains,
            }
        })
        .collect()
}

/// By the measure, what a prefix can have that the ranking does not list: as much as its last one, or nothing where it
/// lists all.
fn unlisted_at_most(ranking: &Ranking) -> u64 {
    if ranking.talkers.len() as u64 >= ranking.prefixes {
        return 0;
    }
    ranking.talkers.last().map_or(0, |last| traffic(last).by(ranking.measure))
}

fn traffic(talker: &Talker) -> Traffic {
    Traffic { flows: talker.flows, packets: talker.packets, bytes: talker.bytes }
}

/// The question that most rankings answer; of equally many the first in order.
fn agreed_question(parts: &[Part]) -> Option<Question> {
    let mut votes = BTreeMap::<_, (u32, Question)>::new();
    for ranking in parts.iter().filter_map(|part| part.outcome.as_ref().ok()) {
        let question = asked_of(ranking);
        votes.entry(key(&question)).or_insert((0, question)).0 += 1;
    }
    let most = votes.values().map(|&(votes, _)| votes).max()?;
    votes.into_values().find(|&(votes, _)| votes == most).map(|(_, question)| question)
}

fn asked_of(ranking: &Ranking) -> Question {
    let &Ranking { side, measure, v4_length, v6_length, n, .. } = ranking;
    Question { side, measure, v4_length, v6_length, n }
}

/// A question as something that can be compared.
fn key(question: &Question) -> (bool, u8, u8, u8, u32) {
    let measure = match question.measure {
        Measure::Bytes => 0,
        Measure::Packets => 1,
        Measure::Flows => 2,
    };
    (matches!(question.side, Side::Destination), measure, question.v4_length, question.v6_length, question.n)
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(domain: &str, prefixes: u64, talkers: &[(&str, u64)]) -> Part {
        let talker =
            |&(prefix, bytes): &(&str, u64)| Talker { prefix: prefix.into(), flows: 1, packets: 1, bytes, share: 0.0 };
        let ranking = Ranking {
            side: Side::Source,
            measure: Measure::Bytes,
            v4_length: 24,
            v6_length: 48,
            n: 2,
            talkers: talkers.iter().map(talker).collect(),
            prefixes,
            flows: 10,
            packets: 10,
            bytes: 1000,
        };
        Part { domain: domain.into(), asn: None, outcome: Ok(ranking) }
    }

    #[test]
    fn what_is_known_at_least_and_possible_at_most() {
        let joint = merge(vec![
            part("a", 5, &[("192.0.2.0/24", 500), ("198.51.100.0/24", 100)]),
            part("b", 2, &[("198.51.100.0/24", 450), ("203.0.113.0/24", 20)]),
        ]);
        let seen: Vec<_> =
            joint.talkers.iter().map(|t| (t.prefix.as_str(), t.bytes, t.at_most, t.domains.len())).collect();
        assert_eq!(seen, [("198.51.100.0/24", 550, 550, 2), ("192.0.2.0/24", 500, 500, 1)]);
        assert_eq!((joint.bytes, joint.talkers[0].share, joint.answered), (2000, 0.275, 2));
        let joint = merge(vec![
            part("a", 5, &[("192.0.2.0/24", 500), ("198.51.100.0/24", 100)]),
            part("b", 2, &[("203.0.113.0/24", 700), ("203.0.112.0/24", 20)]),
        ]);
        assert_eq!((joint.talkers[0].bytes, joint.talkers[0].at_most), (700, 800), "`a` may have up to 100 of it");
    }

    #[test]
    fn other_questions_and_failures_are_named_and_left_out() {
        let mut other = part("c", 1, &[("192.0.2.0/24", 9)]);
        other.outcome.as_mut().unwrap().v4_length = 32;
        let failed = Part { domain: "b".into(), asn: Some(7), outcome: Err("down".into()) };
        let joint = merge(vec![other, failed, part("a", 1, &[("192.0.2.0/24", 1)]), part("d", 1, &[])]);
        let silent: Vec<_> = joint.silent.iter().map(|s| (s.domain.as_str(), s.reason.as_str())).collect();
        assert_eq!(silent, [("b", "down"), ("c", "answered another question")]);
        assert_eq!((joint.answered, joint.asked, joint.talkers.len()), (2, 4, 1));
        assert!(merge(Vec::new()).question.is_none());
    }

    #[test]
    fn a_domain_cannot_count_twice_by_repeating_a_prefix() {
        let joint = merge(vec![part("a", 3, &[("192.0.2.0/24", 5), ("192.0.2.0/24", 5), ("no prefix", 9)])]);
        assert_eq!(joint.talkers.iter().map(|t| t.bytes).collect::<Vec<_>>(), [5]);
    }
}
