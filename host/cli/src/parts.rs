//! What the domains of a call did, as a table for people: a row a domain, and one row for all of which the same is to be said.

use iog_caller::{Part, PartOutcome};
use iog_protocol::receipt::Cost;

use crate::ui::{Text, Tone, Ui, grouped};

/// Domains that are named of a row that stands for several.
const NAMED_MAX: usize = 40;

/// Prints the table; `receipt` says what there is of a part's receipt.
pub(crate) fn print(ui: Ui, parts: &[Part], receipt: impl Fn(usize, &Part) -> Text) {
    let groups = groups(parts);
    let row = |group: &Vec<usize>| match group.as_slice() {
        [one] => (of_one(&parts[*one], receipt(*one, &parts[*one])), None),
        several => (of_several(parts, several), Some(Text::toned(Tone::Faint, &named(parts, several)))),
    };
    let rows: Vec<_> = groups.iter().map(row).collect();
    ui.table_with(&["domain", "outcome", "rows <=", "fuel <=", "bytes out", "receipt"], &rows);
}

/// Parts by place: those that are missing for one and the same reason together, where the first of them is.
fn groups(parts: &[Part]) -> Vec<Vec<usize>> {
    let mut groups: Vec<(Option<String>, Vec<usize>)> = Vec::new();
    for (at, part) in parts.iter().enumerate() {
        let reason = match &part.outcome {
            PartOutcome::Missing(why) => Some(why.to_string()),
            PartOutcome::Result(_) => None,
        };
        match groups.iter_mut().find(|(known, _)| reason.is_some() && *known == reason) {
            Some((_, group)) => group.push(at),
            None => groups.push((reason, vec![at])),
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}

fn of_one(part: &Part, receipt: Text) -> Vec<Text> {
    let (rows, fuel) = (cost(&[part], |cost| cost.rows), cost(&[part], |cost| cost.fuel));
    vec![part.domain.to_string().into(), outcome(part), rows, fuel, grouped(part.left_bytes).into(), receipt]
}

/// What the receipts of these parts show of a cost; without any nothing is known.
fn cost(parts: &[&Part], of: fn(&Cost) -> u64) -> Text {
    let costs: Vec<u64> =
        parts.iter().filter_map(|part| part.receipt.as_ref()).map(|receipt| of(&receipt.cost)).collect();
    if costs.is_empty() { "-".into() } else { grouped(costs.into_iter().fold(0, u64::saturating_add)).into() }
}

fn of_several(parts: &[Part], group: &[usize]) -> Vec<Text> {
    let group: Vec<&Part> = group.iter().map(|at| &parts[*at]).collect();
    let left = group.iter().map(|part| part.left_bytes).fold(0, u64::saturating_add);
    let receipts = group.iter().filter(|part| part.receipt.is_some()).count();
    vec![
        format!("{} domains", group.len()).into(),
        outcome(group[0]),
        cost(&group, |cost| cost.rows),
        cost(&group, |cost| cost.fuel),
        grouped(left).into(),
        Text::from(if receipts == 0 { "none".to_owned() } else { format!("{receipts} of {}", group.len()) }),
    ]
}

fn outcome(part: &Part) -> Text {
    match &part.outcome {
        PartOutcome::Result(_) => Text::toned(Tone::Good, "succeeded"),
        PartOutcome::Missing(why) => Text::toned(Tone::Bad, &why.to_string()),
    }
}

fn named(parts: &[Part], group: &[usize]) -> String {
    let names: Vec<&str> = group.iter().take(NAMED_MAX).map(|at| parts[*at].domain.as_str()).collect();
    let more = group.len() - names.len();
    let more = if more > 0 { format!(", … {more} more") } else { String::new() };
    format!("{}{more}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use iog_caller::Why;

    use super::*;

    fn part(domain: &str, code: &str) -> Part {
        let why = Why::Refused { code: code.into(), reason: "not today".into() };
        Part {
            domain: domain.parse().unwrap(),
            asn: None,
            address: None,
            request_id: None,
            outcome: PartOutcome::Missing(why),
            receipt: None,
            left_bytes: 10,
            bundle: None,
        }
    }

    #[test]
    fn domains_of_which_the_same_is_said_are_one_row() {
        let parts = [part("as64500", "a"), part("as64501", "b"), part("as64502", "a")];
        let groups = groups(&parts);
        assert_eq!(groups, [vec![0, 2], vec![1]]);
        let row: Vec<String> = of_several(&parts, &groups[0]).iter().map(|cell| cell.rendered(false)).collect();
        assert_eq!(row, ["2 domains", "refused (a): not today", "-", "-", "20", "none"]);
        assert_eq!(named(&parts, &groups[0]), "as64500, as64502");
    }
}
